"""`tune.*` that change a result (manual 3.2); the hints stand in `process.py`."""

from __future__ import annotations

from telamon.base.units import UnitError, parse_size
from telamon.haproxy.keywords.row import Arguments, Carry, Context, Keyword
from telamon.haproxy.keywords.sections import Place

_SMALLEST_BUFFER = 1024


def _size(field: str, low: int) -> Carry:
    def carry(args: Arguments, context: Context) -> None:
        word = args.word("a size")
        try:
            size = parse_size(word.text)
        except UnitError as error:
            raise args.refuse("H042", f"'{args.keyword}': {error}", word.span) from None
        if not low <= size < 2**31:
            raise args.refuse("H042", f"'{args.keyword}' must be at least {low}", word.span)
        args.end()
        setattr(context.model.process, field, size)

    return carry


def _number(field: str, low: int, high: int) -> Carry:
    def carry(args: Arguments, context: Context) -> None:
        value = args.integer("a number", low, high)
        args.end()
        setattr(context.model.process, field, value)

    return carry


def _shared(args: Arguments, context: Context) -> None:
    shared = args.choice("'on' or 'off'", {"on": True, "off": False})
    args.end()
    context.model.process.idle_pool_shared = shared


_G = Place.GLOBAL
KEYWORDS = (
    Keyword("tune.bufsize", _G, "<size>", "A buffer, and so the largest head of a message.",
            _size("bufsize", _SMALLEST_BUFFER)),
    Keyword("tune.http.cookielen", _G, "<number>", "Longest captured cookie.",
            _number("cookie_length", 1, 65535)),
    Keyword("tune.http.logurilen", _G, "<number>", "Longest request line in a log.",
            _number("log_uri_length", 0, 65535)),
    Keyword("tune.http.maxhdr", _G, "<number>", "Most headers of a message.",
            _number("max_headers", 1, 32767)),
    Keyword("tune.idle-pool.shared", _G, "on|off",
            "Threads may take each other's idle connections to servers.", _shared),
    Keyword("tune.maxrewrite", _G, "<size>", "Room in a buffer that received heads leave free.",
            _size("maxrewrite", 0)),
)  # fmt: skip
