"""`get var`, `set var`: the variables of the process, which rules and `global` set as well."""

from __future__ import annotations

import ipaddress

from telamon.haproxy.late_variables import read_variable
from telamon.plan.process import StatsLevel
from telamon.runtime.commands.base import INFO, Command, Context
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
    return context.say(INFO, f"{name}: type={kind} value=<{text}>")


def set_variable(context: Context, words: list[str]) -> str:
    """`<name> <expression>`, `<name> expr <expression>` or `<name> fmt <format>`."""
    match words:
        case []:
            raise CommandError("Missing process-wide variable identifier.")
        case [_]:
            raise CommandError("Missing either 'expr', 'fmt' or expression.")
        case [name, value]:
            is_format = False
        case [name, "expr" | "fmt" as kind, value, *_]:
            is_format = kind == "fmt"
        case [_, kind, *_]:
            raise CommandError(
                f"'set var': arg type must be either 'expr' or 'fmt' but got '{kind}'."
            )
    _check_name(name)
    try:
        rule = read_variable(name, value, is_format=is_format)
    except ValueError as error:
        raise CommandError(str(error)) from error
    context.control.set_variable(rule)
    return ""


_SCOPES = ("proc", "sess", "txn", "req", "res", "check")


def _check_name(name: str) -> None:
    scope, _, rest = name.partition(".")
    if scope not in _SCOPES or not rest:
        *others, last = (f"'{one}'" for one in _SCOPES)
        raise CommandError(
            f"invalid variable name '{name}'. A variable name must be start by its scope. The "
            f"scope can be {', '.join(others)} or {last}"
        )
    if scope != "proc":
        raise CommandError(
            f"'set var': cannot set variable '{name}', only scope 'proc' is permitted here."
        )


COMMANDS = (
    Command(
        "set var", "<name> [expr|fmt] <value>", "set a variable of the process", set_variable,
        StatsLevel.ADMIN, mode="experimental",
    ),
    Command(
        "get var", "<name>", "show a variable of the process", get_variable, StatsLevel.OPERATOR
    ),
)  # fmt: skip
