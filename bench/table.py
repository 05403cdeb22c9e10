"""The result as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

BEGIN = "<!-- bench:begin (written by make bench) -->"
END = "<!-- bench:end -->"


@dataclass(frozen=True)
class Row:
    """`cells` by balancer; one that was not measured is shown as a dash."""

    title: str
    unit: str
    cells: dict[str, str]
    load: str = ""
    note: str = ""


def render(rows: Sequence[Row], names: Sequence[str], footer: str) -> str:
    lines = [
        f"| | unit | {' | '.join(names)} | CPU of load / balancer | |",
        f"|---|---|{'---|' * (len(names) + 2)}",
    ]
    for row in rows:
        cells = " | ".join(row.cells.get(name, "–") for name in names)
        lines.append(f"| {row.title} | {row.unit} | {cells} | {row.load} | {row.note} |")
    return "\n".join([*lines, "", footer, ""])


def write_between(file: Path, text: str, begin: str = BEGIN, end: str = END) -> None:
    """Replace what stands between the markers; a file without them gets them at its end."""
    old = file.read_text() if file.exists() else ""
    block = f"{begin}\n{text}{end}\n"
    if begin in old and end in old:
        before, rest = old.split(begin, 1)
        after = rest.split(end, 1)[1].removeprefix("\n")
        file.write_text(before + block + after)
    else:
        file.write_text(old + ("\n" if old else "") + block)
