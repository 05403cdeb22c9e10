"""`observe`: errors in the traffic count for a server's health (manual 5.2).

The engine counts errors in a row; here is what it means when they have reached `error-limit`.
Whatever the action, the next check comes after `fastinter` at the latest.
"""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from telamon.checks.health import Health
from telamon.checks.outcome import Outcome, Result
from telamon.plan.proxy import Observation, OnError


class ServerError(StrEnum):
    """What a server did wrong, by the engine's name for it."""

    CONNECT = "connect"
    STATUS = "status"
    HEADERS = "headers"
    CLOSED = "closed"
    BROKEN = "broken"
    SILENT = "silent"


_WORDS = {
    ServerError.CONNECT: "L4 unsuccessful connection",
    ServerError.STATUS: "Wrong http response",
    ServerError.HEADERS: "Invalid http response (headers)",
    ServerError.CLOSED: "Close from server (http)",
    ServerError.BROKEN: "Read error (http)",
    ServerError.SILENT: "Read timeout (http)",
}
"""As HAProxy logs them."""


def outcome(observation: Observation, last: ServerError) -> Outcome:
    """The check that these errors stand for."""
    text = f"Detected {observation.limit} consecutive errors, last one was: {_WORDS[last]}"
    return Outcome(Result.HEALTH_ANALYZE, None, text)


def after_errors(action: OnError, health: Health) -> Health:
    """The counter once the errors have reached their limit."""
    match action:
        case OnError.FASTINTER:
            return health
        case OnError.FAIL_CHECK:
            return health.failed()
        case OnError.SUDDEN_DEATH:
            # The next failure of a check is its last.
            return replace(health, value=min(health.value, health.rise + 1)).failed()
        case OnError.MARK_DOWN:
            return replace(health, value=min(health.value, health.rise)).failed()
