"""`get var`: the variables of the process, which rules and `set-var` in `global` set."""

from __future__ import annotations

import ipaddress

from telamon.plan.process import StatsLevel
from telamon.runtime.commands.base import Command, Context
from telamon.runtime.ports import CommandError
from telamon.script.values import Value


def _typed(value: Value) -> tuple[str, str]:
    """HAProxy's name of its type, and its text."""
    match value:
        case bool():
            return "bool", str(int(value))
        case int():
            return "sint", str(value)
        case str():
            return "str", value
        case bytes():
            return "bin", value.decode("utf-8", "replace")
        case ipaddress.IPv4Address():
            return "ipv4", str(value)
        case ipaddress.IPv6Address():
            return "ipv6", str(value)


def get_variable(context: Context, words: list[str]) -> str:
    if not words:
        raise CommandError("Missing process-wide variable identifier.")
    name = words[0]
    value = context.control.process_variable(name) if name.startswith("proc.") else None
    if value is None:
        raise CommandError("Variable not found.")
    kind, text = _typed(value)
    # No line end: HAProxy sends this without an empty line behind it.
    return f"{name}: type={kind} value=<{text}>"


COMMANDS = (
    Command(
        "get var", "<name>", "show a variable of the process", get_variable, StatsLevel.OPERATOR
    ),
)
