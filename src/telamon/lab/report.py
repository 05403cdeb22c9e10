"""The table at the end of a demo. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one event went. `outage` in seconds; `problem` is empty if it ended as it must."""

    title: str
    before: str
    after: str
    outage: float
    lost: int
    served: int
    problem: str = ""


_HEADS = ("event", "VIP before → after", "outage ms", "lost", "served", "")


def table(outcomes: Sequence[Outcome]) -> str:
    """The outcomes as aligned text, a line each, and the problems below."""
    rows = [_HEADS] + [
        (
            o.title,
            f"{o.before or 'nobody'} → {o.after or 'nobody'}",
            f"{o.outage * 1000:.0f}",
            str(o.lost),
            str(o.served),
            "FAILED" if o.problem else "ok",
        )
        for o in outcomes
    ]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADS))]
    lines = [_line(row, widths) for row in rows]
    lines.insert(1, "  ".join("─" * width for width in widths if width))
    problems = [f"{o.title}: {o.problem}" for o in outcomes if o.problem]
    return "\n".join([*lines, *([""] if problems else []), *problems]) + "\n"


def _line(row: tuple[str, ...], widths: list[int]) -> str:
    cells = [
        cell.rjust(width) if 2 <= i <= 4 else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]
    return "  ".join(cells).rstrip()
