"""What a map's lines must be for the converter that reads them (manual 7.3.1, `map`)."""

from __future__ import annotations

import ipaddress
import re

from telamon.base.address import ip_or_none
from telamon.haproxy.regexes import regex_mistake
from telamon.haproxy.rule_model import PatternFile

_NUMBER = re.compile(r"[+-]?\d+\Z")
_RANGE = re.compile(r"([+-]?\d+)?(:([+-]?\d+)?)?\Z")


def check_map(converter: str, file: PatternFile) -> None:
    """ValueError for the first key or value that `map_<match>_<output>` cannot read."""
    _, match, output, *_ = [*converter.split("_"), "", ""]
    for line in file.lines or ():
        wrong = _key(match, line.key) or _value(output, line.value or "")
        if wrong:
            raise ValueError(f"line {line.number} of '{file.path}': {wrong}")


def _key(match: str, key: str) -> str:
    if match == "int":
        found = _RANGE.match(key)
        if not found or key in ("", ":"):
            return f"'{key}' is neither a number nor a range as in 1:5"
        if found[1] and found[3] and int(found[1]) > int(found[3]):
            return f"'{key}' ends before it begins"
    if match == "ip" and not _is_network(key):
        return f"'{key}' is neither an address nor a network as in 10.0.0.0/8"
    if match == "reg" and (mistake := regex_mistake(key)):
        return f"'{key}' is no regular expression: {mistake}"
    return ""


def _value(output: str, value: str) -> str:
    if output == "int" and not (_NUMBER.match(value) and -(2**63) <= int(value) < 2**63):
        return f"'{value}' is not a number"
    if output == "ip" and ip_or_none(value) is None:
        return f"'{value}' is not an address"
    return ""


def _is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True
