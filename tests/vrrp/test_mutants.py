"""The simulation can fail: with one rule of the router switched off, it finds a story.

Each mutant is a rule that somebody could break by a slip. It takes minutes, so it runs only when
asked for: `TELAMON_MUTANTS=1 pytest tests/vrrp/test_mutants.py`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from telamon.vrrp import pace
from telamon.vrrp.announce import Announcer
from telamon.vrrp.group import Group
from telamon.vrrp.instance import Instance
from telamon.vrrp.states import Event, Rank
from telamon.vrrp.timers import TimerTable
from tests.vrrp import test_core_rivals as rivals
from tests.vrrp.test_sim_lan import GroupMachine, RouterMachine

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        "TELAMON_MUTANTS" not in os.environ, reason="set TELAMON_MUTANTS=1 to hunt mutants"
    ),
]

STORIES = int(os.environ.get("TELAMON_SIM_STORIES", "600"))

_SETTINGS = settings(
    max_examples=STORIES,
    stateful_step_count=40,
    deadline=None,
    database=None,
    derandomize=True,
    # Any failing story will do; a short one is not worth the time.
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)

Owner = type[Any]


def _nothing(*_args: object, **_more: object) -> None:
    return None


def _always(value: object) -> Callable[..., object]:
    return lambda *_args, **_more: value


_SIMULATED: tuple[tuple[str, type[RouterMachine], Owner, str, object], ...] = (
    ("nopreempt is not obeyed", RouterMachine, Instance, "preempts", property(_always(True))),
    ("nobody preempts", RouterMachine, Instance, "preempts", property(_always(False))),
    ("a master that overslept speaks", RouterMachine, Instance, "oversleeps", _always(False)),
    (
        "equal masters both stay", RouterMachine, Rank, "beats",
        lambda self, other: self.priority > other.priority,
    ),
    (
        "the weaker master wins", RouterMachine, Rank, "beats",
        lambda self, other: (self.priority, self.address) < (other.priority, other.address),
    ),
    ("lost addresses stay lost", RouterMachine, Instance, "restore", _nothing),
    ("the winner of a split is silent", RouterMachine, Announcer, "again", _nothing),
    ("a master never announces", RouterMachine, Announcer, "begin", _nothing),
    ("a backup's timer is never put off", RouterMachine, Instance, "_arm_down", _nothing),
    ("members do not yield together", GroupMachine, Group, "yield_all", _nothing),
    (
        "a member takes over alone", GroupMachine, Group, "claim",
        lambda self, instance, now: instance.fire(Event.DOWN_TIMER, now, ""),
    ),
    ("each leg settles ties", GroupMachine, Group, "decides_ties", _always(True)),
)  # fmt: skip


@pytest.mark.parametrize(
    ("machine", "owner", "name", "mutant"),
    [row[1:] for row in _SIMULATED],
    ids=[row[0] for row in _SIMULATED],
)
def test_the_simulation_finds(
    machine: type[RouterMachine],
    owner: Owner,
    name: str,
    mutant: object,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(owner, name, mutant)
    if name == "_arm_down":
        actions = Instance.by_action
        table = {k: mutant if k.value == "arm down timer" else v for k, v in actions.items()}
        monkeypatch.setattr("telamon.vrrp.instance._ACTIONS", table)
    with pytest.raises(Exception) as caught:
        run_state_machine_as_test(machine, settings=_SETTINGS)
    assert isinstance(caught.value, AssertionError | ExceptionGroup), caught.value


_TOLD: tuple[tuple[str, Owner, str, object, Callable[[], None]], ...] = (
    (
        "answers without limit", pace.Pace, "allows", _always(True),
        lambda: rivals.test_a_flood_is_answered_within_limits(1),
    ),
    (
        "farewells put off the take-over", TimerTable, "deadline", _always(None),
        rivals.test_a_flood_of_farewells_does_not_keep_the_seat_empty,
    ),
    (
        "no healing", Announcer, "_heal", _nothing,
        rivals.test_a_rival_that_dies_before_it_is_met_does_not_leave_neighbours_astray,
    ),
    (
        "owners never give way", Instance, "_look_at_owners", _nothing,
        rivals.test_an_owner_gives_way_to_one_that_never_yields,
    ),
    (
        "each leg settles ties", Group, "decides_ties", _always(True),
        lambda: rivals.test_equal_groups_whose_addresses_disagree_settle(0),
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("owner", "name", "mutant", "story"), [r[1:] for r in _TOLD], ids=[r[0] for r in _TOLD]
)
def test_a_timeline_finds(
    owner: Owner,
    name: str,
    mutant: object,
    story: Callable[[], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(owner, name, mutant)
    with pytest.raises(AssertionError):
        story()
