"""The index: every family's rows, and how a statement's first words find theirs."""

from __future__ import annotations

from functools import cache

from telamon.haproxy.keywords import (
    balance,
    bind,
    http_captures,
    http_connections,
    http_cookies,
    http_errors,
    http_headers,
    log_profiles,
    logging,
    options,
    process,
    proxy,
    rings,
    rules_formats,
    rules_http,
    rules_routing,
    rules_tcp,
    scripts,
    server,
    stats,
    timeouts,
    tuning,
    unix_bind,
    users,
)
from telamon.haproxy.keywords.known import REMOVED, not_yet
from telamon.haproxy.keywords.row import Keyword
from telamon.haproxy.keywords.sections import Place

FAMILIES = (
    balance,
    bind,
    http_captures,
    http_connections,
    http_cookies,
    http_errors,
    http_headers,
    log_profiles,
    logging,
    options,
    process,
    proxy,
    rings,
    rules_formats,
    rules_http,
    rules_routing,
    rules_tcp,
    scripts,
    server,
    stats,
    timeouts,
    tuning,
    unix_bind,
    users,
)

KEYWORDS: tuple[Keyword, ...] = tuple(row for family in FAMILIES for row in family.KEYWORDS)

PREFIXES = frozenset({"option", "timeout", "stats"})
"""First words that mean nothing without the second."""


def _by_name() -> dict[str, tuple[Keyword, ...]]:
    names: dict[str, tuple[Keyword, ...]] = {}
    for row in KEYWORDS:
        names[row.name] = (*names.get(row.name, ()), row)
    return names


_BY_NAME = _by_name()


def find(name: str, place: Place) -> Keyword | None:
    """The row of `name` (one or two words) that is legal in `place`; else any row of that name,
    first one of proxies."""
    rows = _BY_NAME.get(name, ())
    for legal in (place, Place.ANY_PROXY):
        for row in rows:
            if row.places & legal:
                return row
    return rows[0] if rows else None


def places(name: str) -> Place:
    """Where `name` is legal, in any of its meanings."""
    found = Place(0)
    for row in _BY_NAME.get(name, ()):
        found |= row.places
    return found


@cache
def names(place: Place) -> tuple[str, ...]:
    """All names that HAProxy knows in such a section, for the nearest one to a mistyped word."""
    ours = [row.name for row in KEYWORDS if row.places & place]
    return (*ours, *not_yet(place), *REMOVED)
