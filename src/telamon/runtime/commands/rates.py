"""`set rate-limit`: how much may be new in a second, of the process as a whole."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from telamon.plan.process import StatsLevel
from telamon.runtime.commands.base import Command, Context, Handler, whole_number
from telamon.runtime.ports import CommandError, ProxyControl

_KNOWN = """'set rate-limit' supports:
   - 'connections global <n>', new connections of the process in a second
   - 'sessions global <n>', new sessions of the process in a second"""
_NOT_YET = ("ssl-sessions", "http-compression")
_MOST = 0xFFFF_FFFF

Set = Callable[[ProxyControl, int], None]


def refuse(context: Context, words: list[str]) -> str:
    if words and words[0] in _NOT_YET:
        name = f"set rate-limit {words[0]}"
        raise CommandError(f"'{name}' is known to HAProxy, not yet to Telamon.")
    raise CommandError(_KNOWN)


def set_rate(change: Set, context: Context, words: list[str]) -> str:
    limit = whole_number(words[0] if words else "", "Expects an integer value.")
    if not 0 <= limit <= _MOST:
        raise CommandError("Value out of range.")
    change(context.control, limit)
    return ""


def _setter(change: Set) -> Handler:
    return partial(set_rate, change)


COMMANDS = (
    Command("set rate-limit", "<what> global <n>", "change a limit", refuse, StatsLevel.ADMIN),
    Command(
        "set rate-limit connections global",
        "<n>",
        "change maxconnrate (0: no limit)",
        _setter(lambda control, limit: control.set_connection_rate(limit)),
        StatsLevel.ADMIN,
    ),
    Command(
        "set rate-limit sessions global",
        "<n>",
        "change maxsessrate (0: no limit)",
        _setter(lambda control, limit: control.set_session_rate(limit)),
        StatsLevel.ADMIN,
    ),
)
