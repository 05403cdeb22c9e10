"""Calls of Python functions by rules: what crosses to Python, and what goes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from telamon.script.registry import Kind
from telamon.script.transaction import Edit, Request, Response, Transaction
from telamon.script.values import Value


@dataclass(frozen=True, slots=True)
class ScriptCall:
    """A rule calls a Python function. Answer with `Engine.answer(token, ...)`.

    `value` is a converter's input; only others see a `transaction` that is more than empty.
    """

    token: int
    kind: Kind
    name: str
    arguments: tuple[Value, ...]
    value: Value | None
    transaction: Transaction


@dataclass(frozen=True, slots=True)
class ScriptCallOver:
    """The request of a `ScriptCall` waits no longer: its time limit has passed."""

    token: int


def script_call(
    token: int,
    kind: str,
    name: str,
    arguments: list[Value],
    given: list[Value],
    view: tuple[Any, ...] | None,
) -> ScriptCall:
    converter = kind == Kind.CONVERTER
    return ScriptCall(
        token, Kind(kind), name, (*arguments, *(() if converter else given)),
        given[0] if converter else None,
        _transaction(*view) if view is not None else Transaction(Request("", "", "", ())),
    )  # fmt: skip


def _transaction(
    request: tuple[bytes, bytes, str, list[tuple[bytes, bytes]], bytes],
    response: tuple[int, bytes, list[tuple[bytes, bytes]], bytes] | None,
    client: str,
    frontend: str,
    backend: str,
    variables: list[tuple[str, Value]],
) -> Transaction:
    method, uri, version, headers, body = request
    answer = None
    if response is not None:
        status, reason, lines, written = response
        answer = Response(status, _text(reason), _headers(lines), written)
    return Transaction(
        Request(_text(method), _text(uri), version, _headers(headers), body),
        answer, client, frontend, backend, dict(variables),
    )  # fmt: skip


def _headers(lines: list[tuple[bytes, bytes]]) -> tuple[tuple[str, str], ...]:
    return tuple((_text(name), _text(value)) for name, value in lines)


def _text(raw: bytes) -> str:
    """What is not UTF-8 comes back from `sample` as it was."""
    return raw.decode("utf-8", "surrogateescape")


def sample(value: Value) -> Value:
    """Text that is not UTF-8 crosses as bytes."""
    if isinstance(value, str) and not value.isascii():
        raw = value.encode("utf-8", "surrogateescape")
        return value if _is_text(raw) else raw
    return value


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


def edits_of(edits: Sequence[Edit]) -> tuple[list[tuple[str, list[Value]]], int | None]:
    """The changes, and the status with which the request is denied, if it is."""
    changes: list[tuple[str, list[Value]]] = []
    deny: int | None = None
    for action, arguments in edits:
        if action == "deny":
            deny = int(str(arguments[0]))
        else:
            changes.append((action, [sample(argument) for argument in arguments]))
    return changes, deny
