"""When checks run: spread over the first interval, then each at its own pace.

All servers checked at once at start would be a burst that repeats for ever. As HAProxy does,
the first checks are spread evenly over the shortest interval of all, in the order of the file.
`spread-checks` adds a random part to each interval, so that other balancers' checks do not fall
into step either.
"""

from __future__ import annotations

import random

from telamon.base.units import Milliseconds


def first_delays(intervals: list[Milliseconds]) -> list[Milliseconds]:
    """When each check runs first, in ms from the start, in the order given."""
    if not intervals:
        return []
    span = min(intervals)
    return [span * position // len(intervals) for position in range(len(intervals))]


def next_delay(interval: Milliseconds, spread: int, draw: random.Random) -> Milliseconds:
    """`interval` changed at random by up to `spread` per cent either way; at least 1 ms."""
    if spread <= 0:
        return interval
    reach = interval * spread // 100
    return max(1, interval + draw.randint(-reach, reach))
