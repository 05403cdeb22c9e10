"""The keyword reference in docs/, made from the rows.

`python -m telamon.keepalived.keywords.page > docs/keepalived-keywords.md`
"""

from __future__ import annotations

from collections import Counter

from telamon.keepalived.keywords import ROWS
from telamon.keepalived.keywords.census import REPOSITORIES, coverage
from telamon.keepalived.keywords.row import Block, Keyword, Mark

_EXPLAINED = {
    Mark.CARRIED_OUT: "works as in Keepalived",
    Mark.NOTED: "loads, with one line that says what it means to Telamon",
    Mark.NOT_YET: "read and checked; a warning says that it is not carried out yet",
    Mark.REFUSED_YET: "read and checked; an error, as running without it would be wrong",
    Mark.REFUSED: "an error that says what to use instead",
}


def page() -> str:
    """The whole document, Markdown."""
    counts = Counter(row.mark for row in ROWS for _ in row.blocks)
    out = [
        "# Keywords of keepalived.conf",
        "",
        "Made from the rows in `src/telamon/keepalived/keywords/` by "
        "`python -m telamon.keepalived.keywords.page`; do not edit.",
        "",
        "| mark | what it means | rows |",
        "|---|---|---|",
    ]
    out += [f"| {mark} | {_EXPLAINED[mark]} | {counts[mark]} |" for mark in Mark]
    out += ["", *_census()]
    for block in Block:
        rows = sorted((row for row in ROWS if block in row.blocks), key=lambda row: row.name)
        out += ["", f"## {block.value[0].upper() + block.value[1:]}", ""]
        if block is Block.CHECKER:
            out += ["The blocks `TCP_CHECK`, `HTTP_GET` and their kin in `real_server`.", ""]
        out += ["| keyword | arguments | mark | |", "|---|---|---|---|"]
        out += [_line(row) for row in rows]
    return "\n".join(out) + "\n"


def _census() -> list[str]:
    vrrp, lvs = coverage(ROWS), coverage(ROWS, lvs=True)
    works = vrrp.share(Mark.CARRIED_OUT)
    notes, refused = vrrp.share(Mark.NOTED), vrrp.share(Mark.REFUSED, Mark.REFUSED_YET)
    return [
        f"Of {vrrp.uses.total()} uses of words of global_defs and VRRP in {REPOSITORIES} public "
        f"repositories (`census.py`) {works:.1%} work as in Keepalived, {notes:.1%} load with a "
        f"line that says what they mean here, {refused:.1%} are refused. The {lvs.uses.total()} "
        "uses of words in LVS's blocks are read and checked, not carried out.",
    ]


def _line(row: Keyword) -> str:
    text = row.documentation
    if row.old:
        text += f" (old: {', '.join(f'`{name}`' for name in row.old)})"
    if row.since:
        text += f" (since Keepalived {row.since})"
    if row.meaning:
        text += f". *{row.meaning}*"
    arguments = row.arguments.replace("|", "\\|")
    shown = f"`{arguments}`" if arguments else ""
    return f"| `{row.name}` | {shown} | {row.mark} | {text} |"


if __name__ == "__main__":
    print(page(), end="")
