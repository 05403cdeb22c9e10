"""The vocabulary of keepalived.conf: one module a family, each keyword a row. Only lists."""

from __future__ import annotations

from telamon.keepalived.keywords import (
    checkers,
    global_defs,
    groups,
    hmac,
    instance,
    own,
    scripts,
    top,
    virtual_server,
)
from telamon.keepalived.keywords.row import Block, Keyword

ROWS: tuple[Keyword, ...] = (
    *top.ROWS,
    *global_defs.ROWS,
    *scripts.ROWS,
    *instance.ROWS,
    *hmac.ROWS,
    *groups.ROWS,
    *own.ROWS,
    *virtual_server.ROWS,
    *checkers.ROWS,
)


def table() -> dict[tuple[Block, str], Keyword]:
    """The rows by place and spelling, old spellings too."""
    found: dict[tuple[Block, str], Keyword] = {}
    for row in ROWS:
        for block in row.blocks:
            for name in (row.name, *row.old):
                found.setdefault((block, name), row)
    return found
