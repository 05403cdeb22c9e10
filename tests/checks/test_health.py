"""The counter against HAProxy's documented behaviour, for every rise and fall."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from telamon.checks.health import Health, interval
from telamon.plan.proxy import Check

counts = st.integers(min_value=1, max_value=6)


def test_first_failure_at_start_takes_a_server_down() -> None:
    health = Health.starting(2, 3)
    assert health.up
    assert not health.failed().up


def test_first_success_at_start_settles_it() -> None:
    health = Health.starting(2, 3).passed()
    assert health.value == health.top == 4


@given(counts, counts)
def test_fall_failures_take_a_settled_server_down(rise: int, fall: int) -> None:
    health = Health.starting(rise, fall).passed()
    for _ in range(fall - 1):
        health = health.failed()
        assert health.up
    assert not health.failed().up


@given(counts, counts)
def test_rise_successes_bring_it_up(rise: int, fall: int) -> None:
    health = Health(rise, fall, 0)
    for _ in range(rise - 1):
        health = health.passed()
        assert not health.up
    health = health.passed()
    assert health.up
    assert health.value == health.top


@given(counts, counts, st.lists(st.booleans(), max_size=60))
def test_only_a_full_run_changes_the_state(rise: int, fall: int, results: list[bool]) -> None:
    """Against a plain model: count the results in a row that disagree with the state."""
    health = Health.starting(rise, fall).passed()
    up, streak = True, 0
    for passed in results:
        health = health.passed() if passed else health.failed()
        streak = streak + 1 if passed is not up else 0
        if streak >= (fall if up else rise):
            up, streak = not up, 0
        assert health.up is up
        assert 0 <= health.value <= health.top


def test_a_success_in_between_starts_the_fall_anew() -> None:
    health = Health(2, 3, 4).failed().failed().passed()
    assert health.value == 4


def test_intervals_follow_the_counter() -> None:
    check = Check(interval=2000, fast_interval=500, down_interval=5000)
    assert interval(check, Health(2, 3, 4)) == 2000
    assert interval(check, Health(2, 3, 3)) == 500
    assert interval(check, Health(2, 3, 1)) == 500
    assert interval(check, Health(2, 3, 0)) == 5000
    plain = Check(interval=2000)
    assert {interval(plain, Health(2, 3, value)) for value in range(5)} == {2000}
