"""Limits and meanings of the connect check."""

from __future__ import annotations

import errno
import random

from hypothesis import given
from hypothesis import strategies as st

from telamon.checks import schedule, tcp
from telamon.checks.outcome import Result
from telamon.plan.proxy import Check, Timeouts


def test_the_interval_bounds_the_whole_check() -> None:
    assert tcp.connect_limit(Check(interval=2000), Timeouts(connect=500)) == 2000


def test_timeout_check_lets_timeout_connect_bound_the_connection() -> None:
    assert tcp.connect_limit(Check(interval=2000), Timeouts(connect=500, check=10_000)) == 500
    assert tcp.connect_limit(Check(interval=200), Timeouts(connect=500, check=10_000)) == 200


def test_outcomes() -> None:
    assert tcp.connected(0.0014).duration == 1
    assert tcp.timed_out(2.0).result is Result.L4_TIMEOUT
    assert tcp.refused(errno.ECONNREFUSED, 0.0).info == "Connection refused"
    assert tcp.refused(errno.EMFILE, 0.0).result is Result.SOCKET_ERROR


def test_first_checks_are_spread_over_the_shortest_interval() -> None:
    assert schedule.first_delays([2000, 1000, 4000, 1000]) == [0, 250, 500, 750]
    assert schedule.first_delays([]) == []


@given(st.integers(1, 100_000), st.integers(0, 50), st.integers())
def test_spread_stays_within_its_reach(interval: int, spread: int, seed: int) -> None:
    delay = schedule.next_delay(interval, spread, random.Random(seed))
    assert max(1, interval - interval * spread // 100) <= delay
    assert delay <= interval + interval * spread // 100
