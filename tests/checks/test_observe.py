"""What errors in the traffic do to the counter: as HAProxy 2.6 does with rise 2 and fall 3."""

from __future__ import annotations

import pytest

from telamon.checks.health import Health
from telamon.checks.observe import ServerError, after_errors, outcome
from telamon.plan.proxy import Layer, Observation, OnError

FAST, FAIL = OnError.FASTINTER, OnError.FAIL_CHECK
DEATH, DOWN = OnError.SUDDEN_DEATH, OnError.MARK_DOWN


@pytest.mark.parametrize(
    ("action", "values"),
    [
        (FAST, [4, 4, 4]),
        (FAIL, [4, 3, 2, 0, 0]),
        (DEATH, [4, 2, 0, 0]),
        (DEATH, [3, 2, 0]),
        (DOWN, [4, 0, 0]),
        # One that was up at the start on trust, and one that is on its way up.
        (FAIL, [2, 0]),
        (DEATH, [2, 0]),
        (DOWN, [2, 0]),
        (FAIL, [1, 0]),
        (DOWN, [1, 0]),
        (FAST, [1, 1]),
    ],
    ids=str,
)
def test_actions(action: OnError, values: list[int]) -> None:
    health = Health(2, 3, values[0])
    for expected in values[1:]:
        health = after_errors(action, health)
        assert health.value == expected


def test_it_says_how_many_and_what_came_last() -> None:
    found = outcome(Observation(Layer.LAYER7, limit=7), ServerError.SILENT)
    assert not found.result.passed
    assert found.result.code == "HANA"
    assert found.info == "Detected 7 consecutive errors, last one was: Read timeout (http)"


@pytest.mark.parametrize("error", ServerError)
def test_each_error_has_words(error: ServerError) -> None:
    assert outcome(Observation(Layer.LAYER4), error).info.endswith(")") or error in (
        ServerError.CONNECT,
        ServerError.STATUS,
    )
