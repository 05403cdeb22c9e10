"""`userlist` sections: groups, users and their passwords (manual 3.4).

A group may name its users, a user may name its groups, and both may be done in one list.
"""

from __future__ import annotations

import re

from telamon.haproxy.keywords.row import Arguments, Context, Keyword
from telamon.haproxy.keywords.sections import NAME_CHARACTERS, Place
from telamon.haproxy.lexer import Word
from telamon.haproxy.model import GroupDraft, UserDraft
from telamon.haproxy.spots import part

_SCHEMES = tuple(
    re.compile(pattern)
    for pattern in (
        r"\$1\$[^$]{0,8}\$[./0-9A-Za-z]{22}",  # MD5
        r"\$2[aby]\$\d\d\$[./0-9A-Za-z]{53}",  # bcrypt
        r"\$5\$(rounds=\d+\$)?[^$]{0,16}\$[./0-9A-Za-z]{43}",  # SHA-256
        r"\$6\$(rounds=\d+\$)?[^$]{0,16}\$[./0-9A-Za-z]{86}",  # SHA-512
        r"\$sha1\$\d+\$[./0-9A-Za-z]{1,64}\$[./0-9A-Za-z]{28}",  # HMAC-SHA1
        r"_[./0-9A-Za-z]{19}",  # DES of BSDi
        r"[./0-9A-Za-z]{13}",  # DES
    )
)
"""Hashes of crypt(5) that the engine computes; see `crates/telamon-expr/src/users.rs`."""

_KNOWN = frozenset({"1", "2a", "2b", "2y", "5", "6", "sha1"})
_SCHEME = re.compile(r"\$([^$]+)\$")


def _list(args: Arguments, what: str) -> list[Word]:
    """Names with commas between them, each where it stands; empty ones are none, as in HAProxy."""
    word = args.word(what)
    found = re.finditer(r"[^,]+", word.text)
    return [Word(one[0], part(word, one.start(), one.end())) for one in found]


def _once(args: Arguments, option: Word, taken: object) -> None:
    if taken is not None:
        raise args.refuse(
            "H041", f"'{option}' cannot follow: the line has said it already", option.span,
            help="a user has one password; names of one list have commas between them",
        )  # fmt: skip


def _group(args: Arguments, context: Context) -> None:
    draft = context.named_users
    name = args.word("a name")
    bad = next((char for char in name.text if char not in NAME_CHARACTERS), None)
    if bad is not None or not name.text:
        raise args.refuse(
            "H032", f"character {bad!r} is not possible in a name" if bad else "an empty name",
            name.span, help="names have letters, digits, '-', '_', '.' and ':'",
        )  # fmt: skip
    users: list[Word] | None = None
    while (option := args.optional()) is not None:
        if option.text != "users":
            raise args.refuse("H043", f"'{option}' is no option of a group", option.span,
                              help="write `users` and their names")  # fmt: skip
        _once(args, option, users)
        users = _list(args, "names of users")
    if name.text in draft.groups:
        _ignored(args, "group", name, draft.groups[name.text].name)
    else:
        draft.groups[name.text] = GroupDraft(name, users or [])


def _user(args: Arguments, context: Context) -> None:
    draft = context.named_users
    user = UserDraft(args.word("a name"))
    password: Word | None = None
    groups: list[Word] | None = None
    while (option := args.optional()) is not None:
        if option.text == "groups":
            _once(args, option, groups)
            user.groups = groups = _list(args, "names of groups")
        elif option.text in ("password", "insecure-password"):
            _once(args, option, password)
            password = args.word("a password")
            user.hashed = option.text == "password"
            user.password = _hash(args, password) if user.hashed else password.text
        else:
            raise args.refuse(
                "H043", f"'{option}' is no option of a user", option.span,
                help="write `password`, `insecure-password` or `groups`",
            )  # fmt: skip
    if user.name.text in draft.users:
        _ignored(args, "user", user.name, draft.users[user.name.text].name)
    else:
        draft.users[user.name.text] = user


def _hash(args: Arguments, word: Word) -> str | None:
    """A hash of crypt(3); None, with a warning, for what no password has as its hash."""
    if any(scheme.fullmatch(word.text) for scheme in _SCHEMES):
        return word.text
    scheme = _SCHEME.match(word.text)
    if scheme is not None and scheme[1] not in _KNOWN:
        raise args.refuse(
            "H034", f"hashes of the scheme '${scheme[1]}$' are known to crypt(3), not to Telamon",
            part(word, 0, scheme.end()),
            help="hash the password anew, as with `mkpasswd -m sha-512`",
        )  # fmt: skip
    args.report.warning(
        "H081", "this is no hash of crypt(3): no password fits it", word.span,
        help="make one with `mkpasswd -m sha-512`; a clear text goes behind `insecure-password`",
    )  # fmt: skip
    return None


def _ignored(args: Arguments, what: str, name: Word, first: Word) -> None:
    args.report.warning(
        "H071", f"a second {what} '{name}' is ignored", name.span,
        help=f"the first stands at {first.span}",
    )  # fmt: skip


_U = Place.USERS
KEYWORDS = (
    Keyword("group", _U, "<name> [users <user>,...]", "A group of users.", _group),
    Keyword("user", _U, "<name> [password <hash>|insecure-password <text>] [groups <group>,...]",
            "A user, who may be in groups.", _user),
)  # fmt: skip
