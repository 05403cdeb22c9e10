"""`timeout ...` (manual 4.2). Times are milliseconds unless a unit is written."""

from __future__ import annotations

from telamon.haproxy.keywords.row import Arguments, Context, Keyword
from telamon.haproxy.keywords.sections import Place

# name, where it is legal, what it bounds
_TIMEOUTS = (
    ("check", Place.ANY_BACK, "Reading the answer of a health check, after its connect."),
    ("client", Place.ANY_FRONT, "A client that says nothing."),
    ("client-fin", Place.ANY_FRONT, "A client that says nothing on a half-closed stream."),
    ("connect", Place.ANY_BACK, "Connecting to a server."),
    ("http-keep-alive", Place.ANY_PROXY, "Waiting for the next request on a kept connection."),
    ("http-request", Place.ANY_PROXY, "Receiving a request's head."),
    ("queue", Place.ANY_BACK, "Waiting for a free place on a server."),
    ("server", Place.ANY_BACK, "A server that says nothing."),
    ("server-fin", Place.ANY_BACK, "A server that says nothing on a half-closed stream."),
    ("tarpit", Place.ANY_PROXY, "How long a tarpitted request is held."),
    ("tunnel", Place.ANY_BACK, "A tunnel on which nobody says anything."),
)


def _row(name: str, places: Place, doc: str) -> Keyword:
    field = name.replace("-", "_")

    def carry(args: Arguments, context: Context) -> None:
        value = args.time()
        args.end()
        context.settings.timeouts[field] = value

    return Keyword(f"timeout {name}", places, "<time>", doc, carry)


KEYWORDS = tuple(_row(*row) for row in _TIMEOUTS)
