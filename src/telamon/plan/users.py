"""Lists of users (manual 3.4): who may pass, by which password, and in which groups each is."""

from __future__ import annotations

from dataclasses import field

from telamon.base.frozen import frozen


@frozen
class User:
    """`password` is a hash of crypt(3) where `hashed`, else the text; None fits nothing."""

    name: str
    password: str | None = field(default=None, repr=False)
    hashed: bool = False
    groups: tuple[str, ...] = ()


@frozen
class UserList:
    """One `userlist` section."""

    name: str
    users: tuple[User, ...] = ()
