"""Tracked processes: what matches, quorums and delays, and real processes by both ways."""

from __future__ import annotations

import os
import selectors
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from telamon.daemon.process_watch import ProcessTable, ProcessWatch, matches
from telamon.kernel.proc import Program, program
from telamon.kernel.proc_events import (
    Acknowledged,
    Changed,
    Exited,
    Forked,
    ProcEvents,
    listen_request,
    parse,
)
from telamon.plan.router import ParameterMatch, ProcessWatchPlan

EXACT, INITIAL, PARTIAL = ParameterMatch.EXACT, ParameterMatch.INITIAL, ParameterMatch.PARTIAL
DEADLINE = 10.0


def plan(*command: str, **changes: object) -> ProcessWatchPlan:
    return replace(ProcessWatchPlan("P", command), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("watched", "arguments", "expected"),
    [
        # Each row as keepalived 2.2.7 answers it.
        (plan("web"), ("/usr/bin/web", "-x"), True),
        (plan("/usr/bin/web"), ("/usr/bin/web", "-x"), False),
        (plan("web", full_command=True), ("/usr/bin/web",), False),
        (plan("/usr/bin/web", full_command=True), ("/usr/bin/web", "-x"), True),
        (plan("web", "1001", parameters=EXACT), ("./web", "1001"), False),
        (plan("web", "1001", parameters=EXACT), ("web", "1001"), True),
        (plan("web", "1001", parameters=EXACT), ("web", "1001", "0"), False),
        (plan("web", "1001", parameters=PARTIAL), ("web", "1001", "0"), True),
        (plan("web", "1001", parameters=PARTIAL), ("web", "100"), False),
        (plan("web", parameters=PARTIAL), ("web", "1001", "0"), True),
        (plan("web", "10", parameters=INITIAL), ("web", "1001"), True),
        (plan("web", "10", parameters=INITIAL), ("web", "1001", "0"), True),
        (plan("web", "10", parameters=INITIAL), ("web", "1"), False),
        # A kernel thread has no command line.
        (plan("web", full_command=True), (), False),
    ],
)
def test_what_matches(
    watched: ProcessWatchPlan, arguments: tuple[str, ...], expected: bool
) -> None:
    assert matches(watched, Program("web", arguments)) is expected


def test_a_long_name_is_compared_as_the_kernel_keeps_it() -> None:
    assert matches(plan("a-very-long-program-name"), Program("a-very-long-pro"))
    assert not matches(plan("a-very-long-program-name"), Program("a-very-long"))


WEB = Program("web")


def told(table: ProcessTable, now: float) -> list[bool]:
    return [running for _name, running in table.settle(now)]


def test_a_quorum_has_two_bounds() -> None:
    table = ProcessTable([plan("web", quorum=2, quorum_max=3)])
    assert told(table, 0.0) == [False]
    verdicts = []
    for pid in (1, 2, 3, 4):
        table.see(pid, WEB, 0.0)
        verdicts += told(table, 0.0)
    assert verdicts == [True, False]
    table.see(4, None, 0.0)
    table.see(99, None, 0.0)
    assert told(table, 0.0) == [True]


def test_quorum_max_zero_forbids() -> None:
    table = ProcessTable([plan("web", quorum=0, quorum_max=0)])
    assert told(table, 0.0) == [True]
    table.see(1, WEB, 0.0)
    assert told(table, 0.0) == [False]


def test_delays_bridge_a_restart_and_a_short_life() -> None:
    table = ProcessTable([plan("web", fork_delay=2.0, terminate_delay=5.0)])
    table.see(1, WEB, 0.0)
    assert told(table, 0.0) == [True], "what is found at the start counts at once"
    table.see(1, None, 10.0)
    assert (told(table, 10.0), table.deadline) == ([], 15.0)
    table.see(2, WEB, 12.0)
    assert (told(table, 12.0), table.deadline) == ([], None), "it was replaced in time"
    table.see(2, None, 20.0)
    assert told(table, 25.0) == [False]
    table.see(3, WEB, 30.0)
    assert told(table, 31.0) == []
    table.see(3, None, 31.0)
    assert told(table, 99.0) == [], "it did not live for 2 s"
    table.see(4, WEB, 100.0)
    assert told(table, 102.0) == [True]


def test_a_fork_counts_until_it_executes_something_else() -> None:
    table = ProcessTable([plan("web")])
    table.see(1, WEB, 0.0)
    told(table, 0.0)
    table.inherit(1, 2, 0.0)
    table.inherit(7, 8, 0.0)
    assert table.known() == {1, 2}
    table.see(2, Program("sh"), 0.0)
    assert table.known() == {1}


def test_events_from_bytes() -> None:
    def event(what: int, *numbers: int) -> bytes:
        body = b"".join(n.to_bytes(4, "little") for n in (what, 0, 0, 0, *numbers))
        return listen_request(0)[:36] + body.ljust(40, b"\0")

    assert parse(event(0, 1)) == Acknowledged(1)
    assert parse(event(1, 5, 5, 6, 6)) == Forked(5, 6)
    assert parse(event(1, 5, 5, 7, 5)) is None, "a thread"
    assert parse(event(2, 6, 6)) == Changed(6)
    assert parse(event(0x200, 6, 6)) == Changed(6)
    assert parse(event(0x200, 7, 6)) is None
    assert parse(event(0x80000000, 6, 6, 0, 17)) == Exited(6)
    assert parse(event(0x80000000, 7, 6, 0, 17)) is None
    assert parse(event(4, 6, 6)) is None, "a change of user"
    for data in (b"", b"\0" * 100, event(1, 5, 5, 6, 6)[:50]):
        assert parse(data) is None


def test_reading_proc(tmp_path: Path) -> None:
    own = program(os.getpid(), with_arguments=True)
    assert own is not None
    assert own.name == Path("/proc/self/comm").read_text().strip()
    assert list(own.arguments) == Path("/proc/self/cmdline").read_text().split("\0")[:-1]
    odd = tmp_path / "a) Z (b"
    shutil.copy("/bin/sleep", odd)
    with subprocess.Popen([odd, "60"]) as child:
        found = program(child.pid)
        child.kill()
        assert found in (Program("a) Z (b"), own, Program(own.name))
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert program(child.pid) is None, "a zombie does not run"
    assert program(child.pid) is None


def refuse() -> ProcEvents:
    raise OSError(111, "Connection refused")


def served() -> bool:
    try:
        ProcEvents().close()
    except OSError:
        return False
    return True


class Watched:
    """A watch with its loop."""

    def __init__(self, connect: Callable[[], ProcEvents]) -> None:
        self.selector = selectors.DefaultSelector()
        self.verdicts: list[tuple[str, bool]] = []
        self.said: list[str] = []
        self.watch = ProcessWatch(
            self.selector, lambda n, r: self.verdicts.append((n, r)), self.said.append, connect
        )

    def run_until(self, condition: Callable[[], bool]) -> float:
        began = time.monotonic()
        while not condition():
            now = time.monotonic()
            assert now < began + DEADLINE, self.verdicts
            deadline = self.watch.deadline
            wait = 1.0 if deadline is None else max(0.0, deadline - now)
            for key, _events in self.selector.select(wait):
                key.data()
            self.watch.turn(time.monotonic())
        return time.monotonic() - began


@pytest.fixture(params=["events", "polling"])
def watched(request: pytest.FixtureRequest) -> Iterator[Watched]:
    if request.param == "events" and not served():
        pytest.skip("the kernel serves no process events here (a container, or not root)")
    made = Watched(ProcEvents if request.param == "events" else refuse)
    yield made
    made.watch.close()
    assert not made.selector.get_map()
    made.selector.close()


def test_real_processes(watched: Watched, tmp_path: Path) -> None:
    name = f"tp{os.getpid()}"
    path = tmp_path / name
    shutil.copy("/bin/sleep", path)
    watched.watch.watch((plan(name), plan(str(path), "61", name="Q", parameters=EXACT)))
    assert watched.verdicts == [("P", False), ("Q", False)]
    polls = watched.watch.deadline is not None
    assert len(watched.said) == int(polls), "the fall-back is told, once"
    with subprocess.Popen([path, "60"]) as one, subprocess.Popen([path, "61"]) as two:
        watched.run_until(lambda: set(watched.verdicts[2:]) == {("P", True), ("Q", True)})
        two.kill()
        took = watched.run_until(lambda: watched.verdicts[-1] == ("Q", False))
        assert took < 0.2, "told by the kernel, not found out"
        one.kill()
        watched.run_until(lambda: watched.verdicts[-1] == ("P", False))
    assert len(watched.said) == int(polls)


def test_a_new_plan_starts_anew(watched: Watched) -> None:
    watched.watch.watch((plan("no-such-program"),))
    watched.watch.watch((plan("no-such-program", name="R", quorum=0),))
    watched.watch.watch((plan("no-such-program", name="R", quorum=0),))
    assert watched.verdicts == [("P", False), ("R", True)]
