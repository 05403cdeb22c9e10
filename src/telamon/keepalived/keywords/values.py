"""Readers for blocks whose fields are kept in a dictionary: virtual servers and their checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telamon.base.address import ip_or_none
from telamon.keepalived.keywords.readers import (
    make_command,
    parse_int,
    parse_seconds,
)
from telamon.keepalived.keywords.row import Reader
from telamon.keepalived.syntax import Statement

if TYPE_CHECKING:
    from telamon.keepalived.reading import Reading

_BOOLEANS = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}


def put(node: Any, key: str, value: Any, statement: Statement) -> None:
    node.values[key] = value
    node.places[key] = statement


def number(key: str, low: int, high: int, *, default: int | None = None) -> Reader:
    """A whole number; `default` is what the bare word means."""

    def read(reading: Reading, statement: Statement, node: Any) -> None:
        if not statement.arguments:
            put(node, key, default, statement)
            return
        word = statement.words[1]
        value = parse_int(word.text)
        if value is None or not low <= value <= high:
            reading.bad(
                word.span, f"{statement.name} '{word.text}' is not a number from {low} to {high}",
                "it is ignored",
            )  # fmt: skip
            return
        put(node, key, value, statement)

    return read


def timer(key: str) -> Reader:
    def read(reading: Reading, statement: Statement, node: Any) -> None:
        word = statement.words[1]
        value = parse_seconds(word.text)
        if value is None or not 0 <= value <= 4294:
            reading.bad(
                word.span, f"{statement.name} '{word.text}' is not a time in seconds",
                "it is ignored",
            )  # fmt: skip
            return
        put(node, key, value, statement)

    return read


def switch(key: str) -> Reader:
    """`[<BOOL>]`; the bare word means yes."""

    def read(reading: Reading, statement: Statement, node: Any) -> None:
        word = statement.arguments[0] if statement.arguments else None
        if word is not None and word.text not in _BOOLEANS:
            reading.bad(word.span, f"{statement.name} '{word.text}' is not on or off", "ignored")
            return
        put(node, key, True if word is None else _BOOLEANS[word.text], statement)

    return read


def string(key: str) -> Reader:
    """All arguments, joined by blanks."""

    def read(_reading: Reading, statement: Statement, node: Any) -> None:
        put(node, key, " ".join(word.text for word in statement.arguments), statement)

    return read


def words(key: str) -> Reader:
    def read(_reading: Reading, statement: Statement, node: Any) -> None:
        put(node, key, tuple(word.text for word in statement.arguments), statement)

    return read


def script(key: str) -> Reader:
    def read(_reading: Reading, statement: Statement, node: Any) -> None:
        put(node, key, make_command(statement.arguments), statement)

    return read


def host(key: str) -> Reader:
    """An address, then perhaps a port: `(address, port)`."""

    def read(reading: Reading, statement: Statement, node: Any) -> None:
        found = parse_host(reading, statement, statement.arguments)
        if found is not None:
            put(node, key, found, statement)

    return read


def parse_host(reading: Reading, statement: Statement, arguments: Any) -> Any:
    """`(address, port)`, port 0 if none was written; None with a diagnostic."""
    address = ip_or_none(arguments[0].text)
    if address is None:
        reading.bad(
            arguments[0].span, f"{statement.name} '{arguments[0].text}' is not an address",
            "it is left out, as Keepalived does",
        )  # fmt: skip
        return None
    port: int | None = 0
    if len(arguments) > 1:
        port = parse_int(arguments[1].text)
        if port is None or not 0 <= port <= 65535:
            reading.bad(
                arguments[1].span, f"port '{arguments[1].text}' is not from 1 to 65535",
                "it is left out, as Keepalived does",
            )  # fmt: skip
            return None
    return address, port
