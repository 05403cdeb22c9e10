"""Patterns behind a criterion: what each match method takes (manual 7.1.1 to 7.1.6)."""

from __future__ import annotations

import ipaddress
import re
import socket

from telamon.haproxy.regexes import regex_mistake
from telamon.haproxy.spots import Mistake
from telamon.plan.rules import Match

_RANGE = re.compile(r"([+-]?\d+)?(?:(:)([+-]?\d+)?)?\Z")
_DOTTED = re.compile(r"(\d+)\.(\d+)\Z")

# What an operator makes of the number behind it.
OPERATORS = {
    "ge": lambda n: f"{n}:",
    "gt": lambda n: f"{n + 1}:",
    "le": lambda n: f":{n}",
    "lt": lambda n: f":{n - 1}",
}


def integers(texts: list[str], *, dotted: bool = False) -> tuple[str, ...]:
    """Numbers, ranges `a:b`, `a:` and `:b`, and operators, all as numbers and ranges.

    An operator holds for all numbers after it, not for ranges. `dotted`: versions such as 3.1 may
    stand there too, as the numbers that `req.ssl_ver` gives (65536 for each major one).
    """
    found: list[str] = []
    operator = ""
    for text in texts:
        if text == "eq" or text in OPERATORS:
            operator = text if text in OPERATORS else ""
            continue
        low, high = _bounds(text, operator, dotted)
        if operator and low is not None and ":" not in text:
            found.append(OPERATORS[operator](low))
        else:
            found.append(_range(low, high))
    return tuple(found)


def _bounds(text: str, operator: str, dotted: bool) -> tuple[int | None, int | None]:
    version = _DOTTED.match(text) if dotted else None
    if version is not None:
        number = (int(version[1]) << 16) + int(version[2])
        return number, number
    match = _RANGE.match(text)
    if match is None or text in ("", ":"):
        what = "neither a number nor one of eq, ge, gt, le, lt" if operator else "not a number"
        raise Mistake(
            f"'{text}' is {what}", 0, len(text),
            help="write numbers, ranges as in 1024:65535, or operators as in `gt 3`",
        )  # fmt: skip
    low: int | None = int(match[1]) if match[1] else None
    high: int | None = low
    if match[2]:
        high = int(match[3]) if match[3] else None
    for bound in (low, high):
        if bound is not None and not -(2**63) <= bound < 2**63:
            raise Mistake(f"'{text}' is more than 64 bits hold", 0, len(text))
    if low is not None and high is not None and low > high:
        raise Mistake(f"'{text}' ends before it begins", 0, len(text), help=f"{high}:{low}")
    return low, high


def _range(low: int | None, high: int | None) -> str:
    if low is not None and low == high:
        return str(low)
    return f"{'' if low is None else low}:{'' if high is None else high}"


def address(text: str, *, resolve: bool) -> tuple[str, ...]:
    """An address or network; a name becomes its addresses, unless `-n` forbids."""
    head, slash, mask = text.partition("/")
    try:
        if slash and not mask.isdigit():
            return (f"{ipaddress.IPv4Address(head)}/{ipaddress.IPv4Address(mask)}",)
        return (str(ipaddress.ip_network(text, strict=False)) if slash else _host(text),)
    except ValueError:
        pass
    if resolve and (whole := _abbreviated(head, mask)):
        return (whole,)
    if resolve and not slash and re.fullmatch(r"[A-Za-z0-9._-]+", text):
        try:
            found = socket.getaddrinfo(text, None, proto=socket.IPPROTO_TCP)
            return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
        except OSError:
            pass
    raise Mistake(
        f"'{text}' is not an address, a network or a name that resolves", 0, len(text),
        help="as in 192.0.2.1, 10.0.0.0/8 or 2001:db8::/32",
    )  # fmt: skip


def _abbreviated(head: str, mask: str) -> str:
    """`127.0/8`: the last number fills the bytes that are missing, as in inet_aton(3)."""
    if not re.fullmatch(r"[0-9.]+", head):
        return ""
    try:
        packed = ipaddress.IPv4Address(socket.inet_aton(head))
        return str(ipaddress.ip_network(f"{packed}/{mask or 32}", strict=False))
    except (OSError, ValueError):
        return ""


def _host(text: str) -> str:
    return str(ipaddress.ip_address(text))


def hexadecimal(text: str) -> str:
    if re.fullmatch(r"([0-9A-Fa-f]{2})*", text) is None:
        raise Mistake(f"'{text}' is not made of pairs of hexadecimal digits", 0, len(text))
    return text.lower()


def regex(text: str) -> str:
    wrong = regex_mistake(text)
    if wrong:
        raise Mistake(f"'{text}' is no regular expression: {wrong}", 0, len(text), code="H106")
    return text


def read_patterns(
    match: Match, texts: list[str], *, resolve: bool, dotted: bool
) -> tuple[str, ...]:
    """The patterns as the engine takes them; Mistake for the first that is none."""
    if match in (Match.INT, Match.LEN):
        return integers(texts, dotted=dotted)
    if match is Match.IP:
        return tuple(item for text in texts for item in address(text, resolve=resolve))
    if match is Match.BIN:
        return tuple(hexadecimal(text) for text in texts)
    if match is Match.REG:
        return tuple(regex(text) for text in texts)
    return tuple(texts)
