"""The transition table itself: its shape, its meaning for adverts, and the picture of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from telamon.vrrp.instance import Instance
from telamon.vrrp.notices import NoticeKind
from telamon.vrrp.states import (
    TRANSITIONS,
    Action,
    Event,
    Rank,
    State,
    documentation,
    hear,
    next_transition,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "vrrp.md"


def test_every_state_has_its_row_and_every_event_its_use() -> None:
    assert set(TRANSITIONS) == set(State)
    assert {event for row in TRANSITIONS.values() for event in row} == set(Event)


def test_every_action_is_used_and_can_be_carried_out() -> None:
    used = {a for row in TRANSITIONS.values() for t in row.values() for a in t.actions}
    assert used == set(Action) == set(Instance.by_action)


def test_addresses_come_and_go_with_mastership() -> None:
    """No path into MASTER without adding them, none out without removing them."""
    for state, row in TRANSITIONS.items():
        for event, transition in row.items():
            enters = state is not State.MASTER and transition.state is State.MASTER
            leaves = state is State.MASTER and transition.state is not State.MASTER
            assert (Action.ADD_ADDRESSES in transition.actions) == enters, (state, event)
            if leaves:
                assert Action.REMOVE_ADDRESSES in transition.actions, (state, event)


def test_a_backup_always_waits_for_something() -> None:
    """Whatever leads into BACKUP arms the down timer, or nobody would ever take over."""
    arming = {Action.ARM_DOWN, Action.ARM_SKEW}
    for state, row in TRANSITIONS.items():
        for event, transition in row.items():
            if transition.state is State.BACKUP and state is not State.BACKUP:
                assert arming & set(transition.actions), (state, event)


def test_only_masters_speak() -> None:
    speaking = {Action.SEND_ADVERT, Action.SEND_FAREWELL, Action.ANNOUNCE, Action.ANNOUNCE_AGAIN}
    for state, row in TRANSITIONS.items():
        for event, transition in row.items():
            if State.MASTER not in (state, transition.state):
                assert not speaking & set(transition.actions), (state, event)


def test_an_event_without_meaning_changes_nothing() -> None:
    assert next_transition(State.FAULT, Event.SUPERIOR) is None
    assert next_transition(State.STOPPED, Event.READY) is None


@pytest.mark.parametrize(
    ("state", "ours", "theirs", "obeys_all", "event"),
    [
        (State.BACKUP, (100, 1), (101, 2), False, Event.SUPERIOR),
        (State.BACKUP, (100, 9), (100, 2), False, Event.SUPERIOR),
        (State.BACKUP, (100, 1), (99, 2), False, Event.INFERIOR),
        (State.BACKUP, (100, 1), (99, 2), True, Event.SUPERIOR),
        (State.BACKUP, (100, 1), (0, 2), True, Event.LEAVING),
        (State.MASTER, (100, 1), (101, 2), False, Event.SUPERIOR),
        (State.MASTER, (100, 1), (100, 2), False, Event.SUPERIOR),
        (State.MASTER, (100, 2), (100, 1), True, Event.INFERIOR),
        (State.MASTER, (100, 1), (99, 2), True, Event.INFERIOR),
        (State.MASTER, (100, 1), (0, 2), False, Event.LEAVING),
        (State.FAULT, (100, 1), (254, 2), False, None),
        (State.INIT, (100, 1), (254, 2), False, None),
    ],
)
def test_what_an_advert_means(
    state: State,
    ours: tuple[int, int],
    theirs: tuple[int, int],
    obeys_all: bool,
    event: Event | None,
) -> None:
    assert hear(state, Rank(*ours), Rank(*theirs), obeys_all=obeys_all) is event


def test_the_document_is_drawn_from_the_table() -> None:
    """To mend: put the output of `python -m telamon.vrrp.states` into docs/vrrp.md."""
    assert documentation() in DOCUMENT.read_text()


def test_the_document_lists_every_notice() -> None:
    text = DOCUMENT.read_text()
    assert [kind for kind in NoticeKind if f"| `{kind.value}` |" not in text] == []
