"""`unix-bind`: what all unix sockets of later lines share (manual 3.1)."""

from __future__ import annotations

from telamon.haproxy.keywords import values
from telamon.haproxy.keywords.row import Arguments, Context, Keyword
from telamon.haproxy.keywords.sections import Place

_WORDS = ("prefix", "mode", "uid", "gid", "user", "group")


def _unix_bind(args: Arguments, context: Context) -> None:
    unix = context.model.process.unix_bind
    while args.left:
        match args.choice("a word of 'unix-bind'", {word: word for word in _WORDS}):
            case "prefix":
                unix.prefix = args.word("the beginning of a path").text
            case "mode":
                unix.mode = values.octal(args)
            case "uid":
                unix.uid = args.integer("a number", 0, values.MAX_ID)
            case "gid":
                unix.gid = args.integer("a number", 0, values.MAX_ID)
            case "user":
                unix.uid = values.user(args)[1]
            case _:
                unix.gid = values.group(args)[1]


KEYWORDS = (
    Keyword(
        "unix-bind", Place.GLOBAL,
        "[prefix <prefix>] [mode <mode>] [user <user>|uid <uid>] [group <group>|gid <gid>]",
        "What unix sockets of `bind` lines begin with.", _unix_bind,
    ),
)  # fmt: skip
