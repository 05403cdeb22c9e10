"""The live view of the demo: on a terminal a block that refreshes, elsewhere plain lines."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TextIO

_CLEAR_BELOW = "\x1b[0J"
_BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, slots=True)
class NodeState:
    """One node's line. `proxy`, `router` and `api` are its own words, empty if not there."""

    name: str
    address: str
    holds_vip: bool
    proxy: str
    router: str
    api: str


@dataclass(frozen=True, slots=True)
class State:
    """What is seen at one moment. `rates` are the answered requests of the last seconds,
    oldest first; `asked` is how many were asked each second."""

    elapsed: float
    doing: str
    nodes: tuple[NodeState, ...]
    rates: tuple[int, ...]
    asked: int
    lost: int


class View(Protocol):
    """Where the demo tells its story."""

    wants_state: bool

    def say(self, elapsed: float, text: str) -> None:
        """Something happened: a line that stays."""
        ...

    def show(self, state: State) -> None:
        """How things are now."""
        ...

    def close(self) -> None: ...


class Lines:
    """For files and pipes: only what happened."""

    wants_state = False

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def say(self, elapsed: float, text: str) -> None:
        print(_stamped(elapsed, text), file=self._out, flush=True)

    def show(self, state: State) -> None:
        """Nothing: a line for each moment would hide what happened."""

    def close(self) -> None:
        """Nothing is left open."""


class Screen:
    """For terminals: the story scrolls, the state stays below it."""

    wants_state = True

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._height = 0
        self._last: list[str] = []

    def say(self, elapsed: float, text: str) -> None:
        self._wipe()
        self._out.write(_stamped(elapsed, text) + "\n")
        self._draw(self._last)

    def show(self, state: State) -> None:
        self._wipe()
        self._draw(block(state))

    def close(self) -> None:
        self._wipe()
        self._out.flush()

    def _wipe(self) -> None:
        if self._height:
            self._out.write(f"\x1b[{self._height}A\r{_CLEAR_BELOW}")
            self._height = 0

    def _draw(self, lines: Sequence[str]) -> None:
        # A line that wraps would break the count of lines to go up.
        width = shutil.get_terminal_size().columns - 1
        self._last = list(lines)
        for line in lines:
            self._out.write(line[:width] + "\n")
        self._height = len(lines)
        self._out.flush()


def _stamped(elapsed: float, text: str) -> str:
    return f"{elapsed:6.1f} s  {text}"


def block(state: State) -> list[str]:
    """The state as lines of text."""
    lines = ["", f"  {state.doing}"]
    for node in state.nodes:
        mark = "◀ VIP" if node.holds_vip else ""
        lines.append(
            f"  {node.name}  {node.address:<14} proxy {node.proxy or '-':<9}"
            f" router {node.router or '-':<8} api {node.api or '-':<4} {mark}"
        )
    now = state.rates[-1] if state.rates else 0
    lines.append(f"  answered {now:>4}/s {bars(state.rates, state.asked)}  lost {state.lost}")
    return lines


def bars(rates: Sequence[int], full: int) -> str:
    """One character a second: how much of what was asked was answered."""
    top = len(_BARS) - 1
    return "".join(_BARS[min(top, max(0, rate * top // max(1, full)))] for rate in rates)
