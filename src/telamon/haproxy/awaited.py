"""Words that are read into the plan and that the data plane does not carry out yet.

Nothing in a file may be skipped in silence, so these are refused by name, or, where only comfort
is lost, noted. A word leaves its table with the change that carries it out; the plan has its value
already (`load(..., ahead=True)` makes such plans, for tests).
"""

from __future__ import annotations

from telamon.base.diagnostic import Report
from telamon.haproxy.lexer import Word

REFUSED: frozenset[str] = frozenset()
NOTED = frozenset(
    {
        "tune.idle-pool.shared",
    }
)
SERVER_REFUSED: frozenset[str] = frozenset()
"""Words of `server` lines."""


def tell(word: Word, report: Report) -> None:
    """Says so of a statement's keyword, if it is one of them."""
    if word.text in REFUSED:
        refuse(word, report)
    elif word.text in NOTED:
        report.note("H038", f"'{word}' has no effect yet: the engine goes by its own", word.span)


def refuse(word: Word, report: Report, name: str = "") -> None:
    report.error(
        "H034", f"'{name or word}' is known to HAProxy, not yet to Telamon", word.span,
        help="remove it, or keep this file on HAProxy until Telamon carries it out",
    )  # fmt: skip
