"""From the model to the plan: lists of users, each user with all its groups."""

from __future__ import annotations

from telamon.haproxy.model import Model, UserDraft, UserListDraft
from telamon.plan.users import User, UserList


def userlists(model: Model) -> tuple[UserList, ...]:
    return tuple(
        UserList(draft.name.text, tuple(_user(user, draft) for user in draft.users.values()))
        for draft in model.userlists.values()
    )


def _user(user: UserDraft, draft: UserListDraft) -> User:
    """Whichever of the two says it, the user is in the group."""
    named = {word.text for word in user.groups}
    groups = tuple(
        name
        for name, group in draft.groups.items()
        if name in named or any(word.text == user.name.text for word in group.users)
    )
    return User(user.name.text, user.password, user.hashed, groups)
