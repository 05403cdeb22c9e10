"""When an event of the demo counts as failed, without a cluster."""

from __future__ import annotations

import dataclasses

import pytest

from telamon.lab.demo import EVENTS, Event, Window, judge
from telamon.lab.samples import Sample
from telamon.lab.watch import Watch

MOVES = Event("moves", lambda _: None, lambda _: None, moves=True, limit=2.0)
STAYS = dataclasses.replace(MOVES, title="stays", moves=False)


def requests(*silences: tuple[float, float]) -> list[Sample]:
    """A request each 100 ms from 0 to 20 s; those that start in a silence are lost."""
    record: list[Sample] = []
    for tick in range(200):
        started = tick / 10
        lost = any(begin <= started < end for begin, end in silences)
        record.append(
            Sample(started, started + 0.01, "" if lost else "node1", "timeout" if lost else "")
        )
    return record


def watched(*changes: tuple[float, str]) -> Watch:
    watch = Watch()
    for at, names in changes:
        watch.saw(at, frozenset(names.split()))
    return watch


def test_a_good_move() -> None:
    window = Window(MOVES, 5.0, "node1", "node2", 10.0)
    watch = watched((0, "node1"), (5, ""), (6, "node2"))
    outcome = judge(window, requests((5, 6)), watch)
    assert outcome.problem == ""
    assert outcome.outage == pytest.approx(1.01)
    assert (outcome.lost, outcome.served) == (10, 40)


def test_a_good_stay() -> None:
    outcome = judge(Window(STAYS, 5.0, "node1", "node1", 10.0), requests(), watched((0, "node1")))
    assert outcome.problem == ""


def test_a_long_outage_fails() -> None:
    window = Window(MOVES, 5.0, "node1", "node2", 10.0)
    outcome = judge(window, requests((5, 8)), watched((0, "node1"), (5, "node2")))
    assert outcome.problem == "the outage is above 2000 ms"


def test_only_the_time_until_it_settled_is_called_the_outage() -> None:
    window = Window(MOVES, 5.0, "node1", "node2", 15.0, settled=10.0)
    outcome = judge(window, requests((5, 5.5), (11, 12)), watched((0, "node1"), (5, "node2")))
    assert outcome.problem == ""
    assert outcome.outage == pytest.approx(0.51, abs=0.11)
    assert outcome.lost == 15


def test_an_outage_of_the_bringing_back_counts_as_well() -> None:
    window = Window(MOVES, 5.0, "node1", "node2", 15.0)
    outcome = judge(window, requests((5, 5.5), (11, 14)), watched((0, "node1"), (5, "node2")))
    assert outcome.problem == "the outage is above 2000 ms"


def test_two_holders_fail() -> None:
    window = Window(MOVES, 5.0, "node1", "node2", 10.0)
    watch = watched((0, "node1"), (6, "node1 node2"), (7.5, "node2"))
    assert judge(window, requests(), watch).problem == "two nodes had the VIP for 1500 ms"


def test_the_wrong_holder_in_the_end_fails() -> None:
    watch = watched((0, "node1"))
    for event, after in ((MOVES, "node1"), (MOVES, ""), (STAYS, "node2"), (STAYS, "")):
        outcome = judge(Window(event, 5.0, "node1", after, 10.0), requests(), watch)
        assert outcome.problem == f"the VIP was at {after or 'nobody'} in the end"


def test_what_was_seen_at_the_time_comes_first() -> None:
    window = Window(MOVES, 5.0, "node1", "node1", 10.0, "the VIP stayed on node1")
    outcome = judge(window, requests((5, 10)), watched((0, "node1")))
    assert outcome.problem == "the VIP stayed on node1"


def test_the_story_has_what_was_asked_for() -> None:
    assert len({event.title for event in EVENTS}) == len(EVENTS) == 5
    assert [event.moves for event in EVENTS] == [True, True, True, True, False]
