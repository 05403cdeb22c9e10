"""What the data plane tells Python by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from telamon.checks.observe import ServerError
from telamon.engine.calls import ScriptCall, ScriptCallOver, script_call


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A request for a page that Python makes (the stats page).

    `head` is the request head as received (request line, header lines, empty line), `body` at
    most the engine's buffer size. Answer with `Engine.respond(token, ...)`.
    """

    token: int
    proxy_id: int
    client: str
    head: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class EngineMessage:
    """Something the operator should read: descriptors ran out, a log target failed, ..."""

    level: str
    text: str


@dataclass(frozen=True, slots=True)
class ServerErrors:
    """A server with `observe` has erred as often in a row as its `error-limit` says."""

    proxy_id: int
    server_id: int
    last: ServerError


EngineEvent = PageRequest | EngineMessage | ServerErrors | ScriptCall | ScriptCallOver


def event(raw: tuple[Any, ...]) -> EngineEvent:
    kind, *fields = raw
    if kind == "page":
        return PageRequest(*fields)
    if kind == "call":
        return script_call(*fields)
    if kind == "errors":
        proxy_id, server_id, last = fields
        return ServerErrors(proxy_id, server_id, ServerError(last))
    if kind == "over":
        return ScriptCallOver(*fields)
    return EngineMessage(*fields)
