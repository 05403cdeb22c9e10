"""What a client saw, and the figures that follow from it. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

Seconds = float


@dataclass(frozen=True, slots=True)
class Sample:
    """One request. Times are seconds of the monotonic clock.

    `server` is the name of the server that answered, empty if none did; `error` says why not.
    """

    started: Seconds
    ended: Seconds
    server: str
    error: str = ""

    @property
    def ok(self) -> bool:
        return not self.error


class SampleError(ValueError):
    """A line that is not a sample."""


def parse(line: str) -> Sample:
    """A line of `telamon.lab.client`. Raises SampleError."""
    try:
        started, ended, outcome = line.rstrip("\n").split(" ", 2)
        mark, rest = outcome[:1], outcome[1:]
        if mark == "=":
            return Sample(float(started), float(ended), rest)
        if mark == "!":
            return Sample(float(started), float(ended), "", rest or "no reason")
    except ValueError as error:
        raise SampleError(f"not a sample: {line!r}") from error
    raise SampleError(f"not a sample: {line!r}")


def largest_gap(samples: Iterable[Sample], since: Seconds, until: Seconds) -> Seconds:
    """The longest time within `since` to `until` in which no request was answered.

    The ends of the time count as well: if nothing was answered it is the whole of it.
    """
    times = sorted(s.ended for s in samples if s.ok and since <= s.ended <= until)
    edges = [since, *times, until]
    return max((b - a for a, b in itertools.pairwise(edges)), default=0.0)


@dataclass(frozen=True, slots=True)
class Count:
    """How the requests of a time ended."""

    served: int
    lost: int


def count(samples: Iterable[Sample], since: Seconds, until: Seconds) -> Count:
    """The requests that started within `since` to `until`."""
    served = lost = 0
    for sample in samples:
        if since <= sample.started < until:
            if sample.ok:
                served += 1
            else:
                lost += 1
    return Count(served, lost)


def reasons(samples: Iterable[Sample], since: Seconds, until: Seconds) -> dict[str, int]:
    """Why requests that started within the time were lost, most frequent first."""
    found: dict[str, int] = {}
    for sample in samples:
        if since <= sample.started < until and not sample.ok:
            found[sample.error] = found.get(sample.error, 0) + 1
    return dict(sorted(found.items(), key=lambda item: -item[1]))
