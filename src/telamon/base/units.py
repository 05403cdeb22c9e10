"""Times, sizes and percentages as users write them.

HAProxy manual 2.4 ("Time format") and 2.5 ("Size format"). Times become whole milliseconds,
sizes bytes. A value that is not one raises `UnitError` whose text tells the user what to write.
"""

from __future__ import annotations

import re

Milliseconds = int
"""A duration in whole milliseconds."""

_TIME_FACTORS = {"us": 0.001, "ms": 1.0, "s": 1e3, "m": 60e3, "h": 3600e3, "d": 86400e3}
_SIZE_FACTORS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_TIME = re.compile(r"(\d+)(us|ms|s|m|h|d)?\Z")
_SIZE = re.compile(r"(\d+)([kKmMgG]?)\Z")

MAX_TIME = 2**31 - 1
"""HAProxy keeps timers in 31 bits of milliseconds: about 24.8 days."""


class UnitError(ValueError):
    """The text is not a value of its unit. `str()` is fit for a diagnostic's message."""


def parse_time(text: str, default_unit: str = "ms") -> Milliseconds:
    """`text` in milliseconds; a bare number is in `default_unit`.

    A time under one millisecond but above zero becomes 1, as a timer of zero means none.
    """
    match = _TIME.match(text)
    if match is None:
        raise UnitError(
            f"'{text}' is not a time: write a whole number with us, ms, s, m, h or d, as in 10s"
        )
    value = int(match[1]) * _TIME_FACTORS[match[2] or default_unit]
    if value > MAX_TIME:
        raise UnitError(f"'{text}' is too long: the longest time is {MAX_TIME} ms (24.8 days)")
    return max(1, int(value)) if value > 0 else 0


def parse_size(text: str) -> int:
    """`text` in bytes, with an optional k, m or g (powers of 1024)."""
    match = _SIZE.match(text)
    if match is None:
        raise UnitError(f"'{text}' is not a size: write a whole number with k, m or g, as in 16k")
    return int(match[1]) * _SIZE_FACTORS[match[2].lower()]


def parse_integer(text: str, low: int, high: int) -> int:
    """A whole number within `low` to `high`."""
    if re.fullmatch(r"[+-]?\d+", text) is None:
        raise UnitError(f"'{text}' is not a whole number")
    value = int(text)
    if not low <= value <= high:
        raise UnitError(f"{value} is outside {low} to {high}")
    return value


def format_time(ms: Milliseconds) -> str:
    """A duration for people: the largest unit that divides it."""
    for unit in ("d", "h", "m", "s"):
        factor = int(_TIME_FACTORS[unit])
        if ms and ms % factor == 0:
            return f"{ms // factor}{unit}"
    return f"{ms}ms"
