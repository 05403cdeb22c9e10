"""What the router tells, without a router: FIFO lines, mails, delays, one script."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from telamon.daemon import vrrp
from telamon.daemon.mail import Mail
from telamon.daemon.one_script import run_once
from telamon.daemon.router_notify import RouterNotify
from telamon.daemon.script_messages import Notify
from telamon.kernel import libc
from telamon.plan.router import (
    CommandPlan,
    FifoPlan,
    InstancePlan,
    MailPlan,
    NotifyPlan,
    RouterPlan,
    SyncGroupPlan,
)
from telamon.vrrp.effects import GroupChanged, LowerPriorityHeard, StateChanged
from telamon.vrrp.router import Router
from telamon.vrrp.states import State
from telamon.vrrp.views import InstanceView

INSTANCE = InstancePlan("V", "em1", 7, notify=NotifyPlan(priority_changes=True, mail=True))
MAIL = MailPlan("127.0.0.1", receivers=("a@x.org",))


class Told:
    """A `RouterNotify` and all that it says."""

    def __init__(self, fifo: Path, **changes: object) -> None:
        group = SyncGroupPlan("G", ("V",), notify=NotifyPlan(mail=True))
        plan = RouterPlan("R1", (INSTANCE,), groups=(group,), fifos=(FifoPlan(str(fifo)),))
        self.plan = replace(plan, mail=MAIL, **changes)  # type: ignore[arg-type]
        self.jobs: list[Notify] = []
        self.mails: list[Mail] = []
        self.said: list[str] = []
        self.notify = RouterNotify(self.plan, self.jobs.append, self.mails.append, self.said.append)
        self._reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)

    def lines(self) -> list[str]:
        try:
            return os.read(self._reader, 65536).decode().splitlines()
        except BlockingIOError:
            return []

    def view(self, priority: int, state: State) -> tuple[InstanceView, ...]:
        (view,) = Router(self.plan).status(0.0)
        return (replace(view, priority=priority, state=state),)

    def change(self, old: State, new: State) -> None:
        self.notify.state_changed(StateChanged("V", old, new, 100, ""))

    def close(self) -> None:
        self.notify.close()
        os.close(self._reader)


@pytest.fixture
def told(tmp_path: Path) -> Iterator[Told]:
    made = Told(tmp_path / "fifo", fifo_states_on_reload=True)
    yield made
    made.close()


def test_priorities_in_keepalived_s_words(told: Told) -> None:
    assert not told.notify.priorities_changed(told.view(100, State.BACKUP))
    assert told.notify.priorities_changed(told.view(110, State.BACKUP))
    assert told.notify.priorities_changed(told.view(120, State.MASTER))
    assert told.notify.priorities_changed(told.view(130, State.FAULT))
    assert told.lines() == [
        'INSTANCE "V" BACKUP_PRIORITY 110',
        'INSTANCE "V" MASTER_PRIORITY 120',
        'INSTANCE "V" BACKUP_PRIORITY 130',
    ]
    told.notify.replan(replace(told.plan, instances=(replace(INSTANCE, notify=NotifyPlan()),)))
    assert told.notify.priorities_changed(told.view(90, State.MASTER)), "the status is told"
    assert told.lines() == []


def test_states_once_more_after_a_reload(told: Told) -> None:
    told.notify.group_changed(GroupChanged("G", State.MASTER))
    told.lines()
    told.notify.repeat(told.view(100, State.MASTER))
    assert told.lines() == ['INSTANCE "V" MASTER 100', 'GROUP "G" MASTER 0']
    told.notify.replan(replace(told.plan, fifo_states_on_reload=False))
    told.notify.repeat(told.view(100, State.MASTER))
    assert told.lines() == []


def test_a_weaker_master_is_told_of_with_and_without_a_script(told: Told) -> None:
    told.notify.lower_priority_heard(LowerPriorityHeard("V", 150))
    assert told.lines() == ['INSTANCE "V" MASTER_RX_LOWER_PRI 150']
    assert told.jobs == []
    own = CommandPlan(("/bin/true",))
    notified = replace(INSTANCE, notify=NotifyPlan(lower_priority_heard=own))
    told.notify.replan(replace(told.plan, instances=(notified,)))
    told.notify.lower_priority_heard(LowerPriorityHeard("V", 150))
    assert told.jobs == [Notify("INSTANCE V", own, once=True)], "without arguments"


def test_who_gets_mail(told: Told) -> None:
    told.change(State.INIT, State.BACKUP)
    told.change(State.BACKUP, State.MASTER)
    told.notify.group_changed(GroupChanged("G", State.MASTER))
    told.change(State.MASTER, State.FAULT)
    told.change(State.FAULT, State.STOPPED)
    assert [mail.subject for mail in told.mails] == [
        "[R1] VRRP Instance V - Entering BACKUP state",
        "[R1] VRRP Instance V - Entering MASTER state",
        "[R1] VRRP Group G - Entering MASTER state",
        "[R1] VRRP Instance V - Entering FAULT state",
    ]
    told.mails.clear()
    told.notify.replan(replace(told.plan, mail=replace(MAIL, faults=False)))
    told.change(State.BACKUP, State.FAULT)
    told.notify.replan(replace(told.plan, mail=None))
    told.change(State.FAULT, State.BACKUP)
    assert told.mails == []


def test_a_full_fifo_loses_lines_and_says_so_once(told: Told) -> None:
    for _ in range(65536 // 20 + 10):
        told.change(State.BACKUP, State.MASTER)
    assert len(told.said) == 1
    assert "is full, nobody reads it: lines are lost" in told.said[0]
    while told.lines():
        pass
    told.change(State.MASTER, State.BACKUP)
    assert "is read again" in told.said[1]
    assert told.lines() == ['INSTANCE "V" BACKUP 100']


def test_delay_after_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libc, "now", lambda: 100.0)
    plan = RouterPlan("R", delay_after_boot=160.0, startup_delay=5.0)
    assert vrrp.delayed(plan).startup_delay == 60.0
    assert vrrp.delayed(replace(plan, delay_after_boot=90.0)).startup_delay == 5.0
    assert vrrp.delayed(RouterPlan("R")).startup_delay == 0.0


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (("true",), ""),
        (("sh", "-c", "exit 3"), "exit status 3"),
        (("sh", "-c", "kill -9 $$"), "killed by SIGKILL"),
        (("no-such-command-here",), "no-such-command-here is not there or not executable"),
        # Output goes nowhere, so none can fill up.
        (("sh", "-c", "yes | head -c 1000000; yes | head -c 1000000 >&2"), ""),
    ],
)
def test_one_script(command: tuple[str, ...], reason: str) -> None:
    assert run_once(CommandPlan(command), 10.0) == reason


def test_one_script_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    text = f"trap '' TERM; sleep 1000 & echo $! > {pid}; wait; sleep 1000"
    began = time.monotonic()
    assert run_once(CommandPlan(("sh", "-c", text)), 0.5) == "no end within 0.5 s, it was killed"
    assert time.monotonic() - began < 5.0
    end = time.monotonic() + 5.0
    stat = Path(f"/proc/{pid.read_text().strip()}/stat")
    while stat.exists() and ") Z " not in stat.read_text():
        assert time.monotonic() < end
        time.sleep(0.01)
