"""Arguments of fetches and converters: how they are quoted, and what each kind becomes.

    name(argument,"argument, quoted",'another')

Within parentheses a second level of quoting holds (manual 2.2): double quotes protect commas and
parentheses, single quotes everything. A backslash protects a backslash, a quote or a blank, makes
a line feed and its like of `n`, `r` and `t`, and stays before anything else, so that most escapes
of regular expressions need not be doubled.
"""

from __future__ import annotations

import base64
import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from telamon.base.diagnostic import nearest
from telamon.base.units import UnitError, parse_integer
from telamon.haproxy.map_checks import check_map
from telamon.haproxy.pattern_files import named_file
from telamon.haproxy.regexes import regex_mistake
from telamon.haproxy.rule_model import Reference
from telamon.haproxy.samples.row import Parameter
from telamon.haproxy.scope import Scope
from telamon.haproxy.spots import Mistake
from telamon.plan.rules import Argument

SCOPES = ("proc", "sess", "txn", "req", "res", "check")
CONDITIONS = ("ifempty", "ifexists", "ifgt", "iflt", "ifnotempty", "ifnotexists", "ifnotset",
              "ifset")  # fmt: skip
"""Conditions of `set-var`."""

_VARIABLE = re.compile(r"[A-Za-z0-9_.]+\Z")
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "\\": "\\", '"': '"', "'": "'", " ": " "}


class Written(NamedTuple):
    """An argument as written: its text without quotes, and where it stands."""

    text: str
    start: int
    end: int


def split_arguments(text: str, at: int) -> tuple[list[Written], int]:
    """The arguments behind the parenthesis at `at`, and where the closing one ends."""
    opening, arguments = at, []
    while True:
        argument, at = _one(text, at + 1, opening)
        arguments.append(argument)
        if text[at] == ")":
            return ([] if arguments == [Written("", opening + 1, at)] else arguments), at + 1


def _one(text: str, start: int, opening: int) -> tuple[Written, int]:
    found, quote, at = "", "", start
    while at < len(text):
        char = text[at]
        if char == quote:
            quote = ""
        elif quote == "'":
            found += char
        elif char == "\\" and text[at + 1 : at + 2] in _ESCAPED:
            at += 1
            found += _ESCAPED[text[at]]
        elif quote:
            found += char
        elif char in "\"'":
            quote = char
        elif char in ",)":
            return Written(found, start, at), at
        else:
            found += char
        at += 1
    raise Mistake("this parenthesis is never closed", opening, opening + 1, help="add ')'")


def check_variable(text: str) -> str:
    """A variable's name, `scope.name` (manual 2.8 of 3.x; 7.3.2, `var`)."""
    scope, dot, name = text.partition(".")
    if not dot or not name or scope not in SCOPES:
        raise ValueError(
            f"'{text}' is no variable: a name begins with its scope, one of {', '.join(SCOPES)}, "
            "and a dot"
        )
    if _VARIABLE.match(text) is None:
        raise ValueError(f"'{text}' is no variable: names have letters, digits, '_' and '.'")
    return text


def convert(parameter: Parameter, written: Written, scope: Scope, row: str) -> Argument:
    """What the engine gets for one argument; Mistake if it is not of its kind."""
    if parameter.choices:
        return _choice(parameter, written, row)
    try:
        if parameter.kind == "mapfile":
            return _map_file(written, scope, row)
        return _KINDS[parameter.kind](written, scope)
    except ValueError as error:
        raise Mistake(
            f"'{written.text}' cannot be '{parameter.name}' of '{row}': {error}",
            written.start, written.end,
        ) from None  # fmt: skip


def _choice(parameter: Parameter, written: Written, row: str) -> Argument:
    if row in ("digest", "hmac"):
        written = written._replace(text=written.text.lower())
    if written.text not in parameter.choices:
        near = nearest(written.text, parameter.choices)
        raise Mistake(
            f"'{written.text}' cannot be '{parameter.name}' of '{row}'",
            written.start, written.end,
            help=f"did you mean '{near}'?" if near else f"write {parameter.what}",
        )  # fmt: skip
    return int(written.text) if written.text.isdigit() else written.text


def _text(written: Written, _: Scope) -> Argument:
    return written.text


def _marks(written: Written, _: Scope) -> str:
    if not written.text:
        raise ValueError("at least one byte must part fields or words")
    return written.text


def _method(written: Written, _: Scope) -> str:
    if re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", written.text) is None:
        raise ValueError("a method is a token (RFC 9110 9.1)")
    return written.text


def _integer(written: Written, _: Scope) -> int:
    try:
        return parse_integer(written.text, -(2**63), 2**63 - 1)
    except UnitError as error:
        raise ValueError(str(error)) from None


def _regex(written: Written, _: Scope) -> str:
    wrong = regex_mistake(written.text)
    if wrong:
        raise ValueError(wrong)
    return written.text


def _regex_flags(written: Written, _: Scope) -> str:
    if set(written.text) - set("ig"):
        raise ValueError("flags are 'i' (ignore case) and 'g' (all of them)")
    return written.text


def _base64(written: Written, _: Scope) -> str:
    """A key: base64, or the variable that has it."""
    if written.text.partition(".")[0] in SCOPES:
        return check_variable(written.text)
    try:
        base64.b64decode(written.text, validate=True)
    except ValueError:
        raise ValueError("write base64 digits, or a variable's name") from None
    return written.text


def _jwt_key(written: Written, _: Scope) -> str:
    """A secret, or the path of a public key: then the file's text follows in the next line, since
    it must be read before any chroot. Which of the two it is depends on the algorithm."""
    try:
        text = Path(written.text).read_text("ascii")
    except (OSError, ValueError):
        return written.text
    return f"{written.text}\n{text}" if "-----BEGIN" in text else written.text


def _index(written: Written, scope: Scope) -> int:
    value = _integer(written, scope)
    if value == 0:
        raise ValueError("fields and words count from 1, or from -1 backwards")
    return value


def _occurrence(written: Written, scope: Scope) -> int:
    value = _integer(written, scope)
    if value < -10:
        raise ValueError("occurrences count from -10")
    return value


def _variable(written: Written, _: Scope) -> str:
    return check_variable(written.text)


def _number(written: Written, scope: Scope) -> Argument:
    if re.fullmatch(r"[+-]?\d+", written.text):
        return _integer(written, scope)
    return check_variable(written.text)


def _shift(written: Written, _: Scope) -> str:
    """A number whose sign says something, so that it stays a text."""
    if re.fullmatch(r"[+-]?\d+", written.text) is None:
        raise ValueError("write a number, with '+' or '-' if it is relative")
    return written.text


def _as_integer(written: Written, _: Scope) -> str:
    if written.text not in ("", "int"):
        raise ValueError("the only type that can be asked for is 'int'")
    return written.text


def _bool(written: Written, _: Scope) -> int:
    values = {"true": 1, "1": 1, "false": 0, "0": 0}
    if written.text not in values:
        raise ValueError("write true or false")
    return values[written.text]


def _condition(written: Written, _: Scope) -> str:
    if written.text not in CONDITIONS:
        near = nearest(written.text, CONDITIONS)
        raise ValueError(f"did you mean '{near}'?" if near else f"one of {', '.join(CONDITIONS)}")
    return written.text


def _hexadecimal(written: Written, _: Scope) -> str:
    if re.fullmatch(r"([0-9A-Fa-f]{2})*", written.text) is None:
        raise ValueError("write pairs of hexadecimal digits")
    return written.text.lower()


def _ipv4(written: Written, _: Scope) -> str:
    return str(ipaddress.IPv4Address(written.text))


def _ipv6(written: Written, _: Scope) -> str:
    return str(ipaddress.IPv6Address(written.text))


def _mask4(written: Written, _: Scope) -> str:
    if written.text.isdigit():
        return str(ipaddress.IPv4Network(f"0.0.0.0/{written.text}").netmask)
    return str(ipaddress.IPv4Address(written.text))


def _mask6(written: Written, _: Scope) -> str:
    if written.text.isdigit():
        return str(ipaddress.IPv6Network(f"::/{written.text}").netmask)
    return str(ipaddress.IPv6Address(written.text))


def _fields(written: Written, _: Scope) -> str:
    if re.fullmatch(r"\d+(\.\d+)*", written.text) is None:
        raise ValueError("write field numbers with dots between them, as in 2.1")
    return written.text


def _named(kind: str) -> Callable[[Written, Scope], Argument]:
    """A section's or server's name; `rule_checks.py` looks it up when all is read."""

    def note(written: Written, scope: Scope) -> Argument:
        scope.context.model.references.append(
            Reference(kind, written.text, scope.spot(written.start, written.end), scope.section)
        )
        return written.text

    return note


def _map_file(written: Written, scope: Scope, row: str) -> int:
    file = named_file(written.text, scope, scope.spot(written.start, written.end), is_map=True)
    check_map(row, file)
    return file.id


def _acl(written: Written, scope: Scope) -> str:
    """An ACL's place in its section, behind `!` if it is negated."""
    # A predefined ACL is read when it is first named, and reading needs this module.
    from telamon.haproxy.acls import find_acl
    from telamon.haproxy.scripts import check_acl

    name = written.text.lstrip("!")
    negated = (len(written.text) - len(name)) % 2 == 1
    place = find_acl(name, scope)
    if place is None:
        near = nearest(name, scope.rules.names)
        raise ValueError("there is no such ACL above" + (f"; '{near}'?" if near else ""))
    check_acl(scope.rules.acls[place], name, scope, written.start, written.end)
    return f"!{place}" if negated else str(place)


_KINDS: dict[str, Callable[[Written, Scope], Argument]] = {
    "acl": _acl,
    "argument": _text,
    "asint": _as_integer,
    "backend": _named("backend"),
    "base64": _base64,
    "bool": _bool,
    "condition": _condition,
    "fields": _fields,
    "frontend": _named("frontend"),
    "hex": _hexadecimal,
    "index": _index,
    "int": _integer,
    "ipv4": _ipv4,
    "ipv6": _ipv6,
    "jwtkey": _jwt_key,
    "mask4": _mask4,
    "mask6": _mask6,
    "marks": _marks,
    "method": _method,
    "number": _number,
    "occurrence": _occurrence,
    "regex": _regex,
    "regexflags": _regex_flags,
    "server": _named("server"),
    "shift": _shift,
    "str": _text,
    "userlist": _named("userlist"),
    "var": _variable,
}
