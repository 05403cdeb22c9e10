"""`show events`: what rings hold (management guide 9.3)."""

from __future__ import annotations

from dataclasses import dataclass

from telamon.plan.process import StatsLevel
from telamon.runtime.commands.base import Command, Context
from telamon.runtime.ports import ProxyControl

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
    follower = _Follower(context.control, name, events[0])
    if "w" in letters:
        context.follow = follower.more
    return "" if "n" in letters else _text(events[1])


@dataclass(slots=True)
class _Follower:
    """Who waits for a ring's lines, and the number of the next one."""

    control: ProxyControl
    name: str
    next: int

    def more(self) -> str:
        """What has come since it was last asked."""
        events = self.control.ring_events(self.name, self.next)
        if events is None:
            return ""
        self.next, lines = events
        return _text(lines)


def _text(lines: list[bytes]) -> str:
    return "".join(line.decode(errors="surrogateescape") + "\n" for line in lines)


COMMANDS = (
    Command(
        "show events", "[<ring>] [-w] [-n]", "show events kept in a ring", show_events,
        StatsLevel.OPERATOR,
    ),
)  # fmt: skip
