"""`show events`: what rings hold (management guide 9.3)."""

from __future__ import annotations

from telamon.plan.process import StatsLevel
from telamon.runtime.commands.base import Command, Context
from telamon.runtime.ports import CommandError

_NO_SINK, _BAD_OPTION = "No such event sink", "unknown option"
"""HAProxy says these without the line end of other answers."""
_HEAD = "Supported events sinks are listed below. Add -w(wait), -n(new). Any key to stop\n"


def show_events(context: Context, words: list[str]) -> str:
    """Without a name: the rings. Bytes that are not UTF-8 come as they are."""
    if not words:
        lines = (
            f"    {ring.name:<10} : type=buffer, {ring.dropped} dropped, {ring.description}\n"
            for ring in context.control.rings()
        )
        return _HEAD + "".join(lines)
    name, *options = words
    letters = {letter for option in options for letter in option[1:]}
    if any(option[:1] != "-" for option in options) or letters - {"w", "n"}:
        return _BAD_OPTION
    events = context.control.ring_events(name)
    if events is None:
        return _NO_SINK
    if "w" in letters:
        raise CommandError("'show events -w' is known to HAProxy, not yet to Telamon.")
    if "n" in letters:
        return ""
    return "".join(event.decode(errors="surrogateescape") + "\n" for event in events)


COMMANDS = (
    Command(
        "show events", "[<ring>] [-n]", "show events kept in a ring", show_events,
        StatsLevel.OPERATOR,
    ),
)  # fmt: skip
