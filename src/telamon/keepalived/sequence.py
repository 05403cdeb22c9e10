"""`~SEQ(...)`, `~SEQx(...)` and `~LST(...)`: a line said many times.

keepalived.conf(5), "Sequence blocks" and "List blocks".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_STEPS = 1_000_000


class SequenceError(ValueError):
    """`str()` is the message for the user."""


_HEAD = re.compile(r"~(SEQx?|LST)\((.*)\)\s*\Z", re.DOTALL)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def parse_sequence(text: str) -> Iterator[dict[str, str]]:
    """The values that each round gives to the variables. Raises `SequenceError` at once."""
    match = _HEAD.match(text)
    if match is None:
        raise SequenceError(f"'{text}' is not a sequence: write ~SEQ(VAR, start, step, end)")
    if match[1] == "LST":
        return iter(_list(match[2]))
    return _numbers(match[2], hexadecimal=match[1] == "SEQx")


def _numbers(body: str, *, hexadecimal: bool) -> Iterator[dict[str, str]]:
    name, *rest = [part.strip() for part in body.split(",")]
    _check_name(name)
    try:
        numbers = [int(part, 0) for part in rest]
    except ValueError as error:
        raise SequenceError(f"~SEQ takes whole numbers, not '{body}'") from error
    if not 1 <= len(numbers) <= 3:
        raise SequenceError("~SEQ takes a variable and one to three numbers: start, step, end")
    end = numbers[-1]
    start = numbers[0] if len(numbers) > 1 else (1 if end > 0 else -1)
    step = numbers[1] if len(numbers) == 3 else (1 if end >= start else -1)
    if step == 0:
        raise SequenceError("the step of a ~SEQ cannot be 0")
    count = (end - start) // step + 1
    if count > MAX_STEPS:
        raise SequenceError(f"~SEQ makes {count} rounds; the most is {MAX_STEPS}")
    values = range(start, end + (1 if step > 0 else -1), step)
    return ({name: f"{value:x}" if hexadecimal else str(value)} for value in values)


def _list(body: str) -> list[dict[str, str]]:
    items = _split(body)
    if len(items) < 2:
        raise SequenceError("~LST takes a variable and at least one value")
    names = _group(items[0])
    for name in names:
        _check_name(name)
    rounds = []
    for item in items[1:]:
        values = _group(item) if len(names) > 1 else [item]
        if len(values) != len(names):
            raise SequenceError(f"~LST has {len(names)} variables, but '{item}' is not as many")
        rounds.append(dict(zip(names, values, strict=True)))
    return rounds


def _split(body: str) -> list[str]:
    """Parts between commas that stand outside braces."""
    parts, depth, start = [], 0, 0
    for at, char in enumerate(body):
        if char == "{":
            depth += 1
        elif char == "}":
            depth -= 1
        elif char == "," and depth == 0:
            parts.append(body[start:at].strip())
            start = at + 1
    parts.append(body[start:].strip())
    return parts


def _group(item: str) -> list[str]:
    if item.startswith("{") and item.endswith("}"):
        return [part.strip() for part in item[1:-1].split(",")]
    return [item]


def _check_name(name: str) -> None:
    if _NAME.match(name) is None:
        raise SequenceError(f"'{name}' cannot name a variable")
