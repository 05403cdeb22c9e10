"""The words that open a section (manual 2.1, 3, 4), and what each becomes."""

from __future__ import annotations

from enum import Flag, auto


class Place(Flag):
    """Where a keyword is legal."""

    GLOBAL = auto()
    DEFAULTS = auto()
    FRONTEND = auto()
    LISTEN = auto()
    BACKEND = auto()
    ERRORS = auto()
    RING = auto()
    PROFILE = auto()
    USERS = auto()

    FRONT = FRONTEND | LISTEN
    BACK = LISTEN | BACKEND
    PROXY = FRONTEND | LISTEN | BACKEND
    ANY_PROXY = DEFAULTS | PROXY
    ANY_FRONT = DEFAULTS | FRONT
    ANY_BACK = DEFAULTS | BACK


NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:")
"""What the name of a proxy or server may hold (manual 4)."""

PLACES = {
    "global": Place.GLOBAL,
    "defaults": Place.DEFAULTS,
    "frontend": Place.FRONTEND,
    "listen": Place.LISTEN,
    "backend": Place.BACKEND,
    "http-errors": Place.ERRORS,
    "ring": Place.RING,
    "log-profile": Place.PROFILE,
    "userlist": Place.USERS,
}

NOT_YET = {
    "acme": "automatic certificates",
    "cache": "the HTTP cache",
    "crt-store": "certificate stores",
    "fcgi-app": "FastCGI applications",
    "healthcheck": "shared health checks",
    "log-forward": "forwarding of syslog messages",
    "mailers": "e-mail alerts",
    "peers": "replication of stick tables",
    "program": "side programs of the master process",
    "resolvers": "run-time DNS resolution",
    "traces": "traces",
}
"""Sections known to HAProxy, not yet to Telamon, and what they are about."""

SECTIONS = frozenset(PLACES) | frozenset(NOT_YET)
