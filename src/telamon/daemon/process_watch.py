"""Which tracked processes run (`vrrp_track_process`).

Where the kernel tells of forks and exits (`telamon.kernel.proc_events`), /proc is read once and
then only for processes that change. Elsewhere (containers, other network namespaces) /proc is
read again and again to find new ones; the end of a known one is still told by the kernel,
through its pidfd. It runs in the helper: a host that forks a thousand times a second must not
slow down an advert.
"""

from __future__ import annotations

import contextlib
import math
import os
import selectors
import time
from collections.abc import Callable, Iterable

from telamon.kernel import proc
from telamon.kernel.proc import Program
from telamon.kernel.proc_events import Changed, Exited, Forked, ProcEvent, ProcEvents
from telamon.plan.router import ParameterMatch, ProcessWatchPlan

Tell = Callable[[str, bool], None]

_LONGEST_NAME = 15
"""Of a process's name, in bytes (TASK_COMM_LEN in linux/sched.h)."""
_POLL = 0.25
_SHARE = 20
"""Reading /proc takes at most this part (1/n) of the time."""


def matches(plan: ProcessWatchPlan, program: Program) -> bool:
    """Whether a process is one of those that `plan` means (keepalived.conf(5))."""
    path, *parameters = plan.command
    if not plan.full_command and plan.parameters is None:
        name = os.fsdecode(os.fsencode(path)[:_LONGEST_NAME])
        return program.name == name
    if not program.arguments or program.arguments[0] != path:
        return False
    if plan.parameters is None:
        return True
    given = program.arguments[1:]
    if plan.parameters is ParameterMatch.EXACT:
        return list(given) == parameters
    if plan.parameters is ParameterMatch.PARTIAL:
        return list(given[: len(parameters)]) == parameters
    # The last one may go on, and others may follow: so does Keepalived 2.2.7.
    return "\0".join(given).startswith("\0".join(parameters))


class Quorum:
    """One plan's count, and the verdict that follows it after its delays."""

    def __init__(self, plan: ProcessWatchPlan) -> None:
        self.plan = plan
        self.pids: set[int] = set()
        self.verdict: bool | None = None
        self.due: float | None = None
        """When a change of verdict takes effect that waits for its delay."""

    @property
    def good(self) -> bool:
        most = math.inf if self.plan.quorum_max is None else self.plan.quorum_max
        return self.plan.quorum <= len(self.pids) <= most

    def count(self, pid: int, present: bool, now: float) -> None:
        """A process came or went."""
        if present == (pid in self.pids):
            return
        before = self.good
        (self.pids.add if present else self.pids.discard)(pid)
        if self.good == before:
            return
        delay = self.plan.fork_delay if present else self.plan.terminate_delay
        self.due = None if self.good == self.verdict else now + delay

    def settle(self, now: float) -> bool:
        """Whether the verdict changes now."""
        if self.verdict is None:
            # What was found at the start counts at once.
            self.verdict, self.due = self.good, None
            return True
        if self.due is None or self.due > now:
            return False
        self.verdict, self.due = self.good, None
        return True


class ProcessTable:
    """Who matches what. Fed with events and programs; opens nothing itself."""

    def __init__(self, plans: Iterable[ProcessWatchPlan]) -> None:
        self.quorums = [Quorum(plan) for plan in plans]

    @property
    def needs_arguments(self) -> bool:
        return any(q.plan.full_command or q.plan.parameters is not None for q in self.quorums)

    @property
    def deadline(self) -> float | None:
        return min((q.due for q in self.quorums if q.due is not None), default=None)

    def known(self) -> set[int]:
        """The processes that count for something."""
        return set().union(*(quorum.pids for quorum in self.quorums))

    def see(self, pid: int, program: Program | None, now: float) -> None:
        """What `pid` runs now; None: nothing any more."""
        for quorum in self.quorums:
            present = program is not None and matches(quorum.plan, program)
            quorum.count(pid, present, now)

    def inherit(self, parent: int, pid: int, now: float) -> None:
        """A fork runs what its parent does, until it executes something else."""
        for quorum in self.quorums:
            if parent in quorum.pids:
                quorum.count(pid, True, now)

    def settle(self, now: float) -> list[tuple[str, bool]]:
        """The verdicts that have changed by `now`."""
        return [
            (quorum.plan.name, bool(quorum.verdict))
            for quorum in self.quorums
            if quorum.settle(now)
        ]


class ProcessWatch:
    """The edge: feeds a table from the kernel. Everything is told through `tell(name, runs)`.

    `say` gets one line if the kernel does not tell of processes here.
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        tell: Tell,
        say: Callable[[str], None],
        connect: Callable[[], ProcEvents] = ProcEvents,
    ) -> None:
        self._selector, self._tell, self._say, self._connect = selector, tell, say, connect
        self._plans: tuple[ProcessWatchPlan, ...] = ()
        self._table = ProcessTable(())
        self._events: ProcEvents | None = None
        self._pidfds: dict[int, int] = {}
        self._poll_at: float | None = None

    @property
    def deadline(self) -> float | None:
        """When `turn` is wanted (seconds of the monotonic clock)."""
        moments = (self._poll_at, self._table.deadline)
        return min((moment for moment in moments if moment is not None), default=None)

    def watch(self, plans: tuple[ProcessWatchPlan, ...]) -> None:
        """Follow these from now on, and tell how each stands."""
        if plans == self._plans:
            return
        self.close()
        self._plans = plans
        self._table = ProcessTable(plans)
        if not plans:
            return
        try:
            # Open before /proc is read, so that nothing between the two is missed.
            self._events = self._connect()
        except OSError as error:
            self._say(
                "track_process: the kernel tells of no processes here "
                f"({error.strerror or error}): /proc is read each {_POLL:g} s to find new ones; "
                "the end of one is seen at once"
            )
            self._poll_at = time.monotonic()
        else:
            self._selector.register(self._events.fileno(), selectors.EVENT_READ, self._read)
        self._look()
        self._settle()

    def turn(self, now: float) -> None:
        """Do what is due."""
        if self._poll_at is not None and self._poll_at <= now:
            self._look()
        self._settle()

    def close(self) -> None:
        """Forget everything."""
        if self._events is not None:
            self._selector.unregister(self._events.fileno())
            self._events.close()
            self._events = None
        for pid in list(self._pidfds):
            self._release(pid)
        self._poll_at = None
        self._plans = ()
        self._table = ProcessTable(())

    def _read(self) -> None:
        if self._events is None:
            return
        events = self._events.events()
        if events is None:
            self._look()
        for event in events or ():
            self._apply(event, time.monotonic())
        self._settle()

    def _apply(self, event: ProcEvent, now: float) -> None:
        match event:
            case Forked(parent, pid):
                self._table.inherit(parent, pid, now)
            case Changed(pid):
                self._table.see(pid, self._program(pid), now)
            case Exited(pid):
                self._table.see(pid, None, now)

    def _look(self) -> None:
        """Read all of /proc."""
        began = time.monotonic()
        there = proc.pids()
        for pid in there:
            self._table.see(pid, self._program(pid), began)
        for pid in self._table.known().difference(there):
            self._table.see(pid, None, began)
        if self._poll_at is not None:
            self._hold()
            ended = time.monotonic()
            self._poll_at = ended + max(_POLL, (ended - began) * _SHARE)

    def _program(self, pid: int) -> Program | None:
        return proc.program(pid, with_arguments=self._table.needs_arguments)

    def _hold(self) -> None:
        """Without events: a pidfd of each process that counts, to hear of its end."""
        known = self._table.known()
        for pid in [pid for pid in self._pidfds if pid not in known]:
            self._release(pid)
        for pid in known.difference(self._pidfds):
            try:
                pidfd = os.pidfd_open(pid)
            except OSError:
                self._table.see(pid, None, time.monotonic())
                continue
            self._pidfds[pid] = pidfd
            self._selector.register(pidfd, selectors.EVENT_READ, lambda pid=pid: self._ended(pid))

    def _ended(self, pid: int) -> None:
        self._release(pid)
        self._table.see(pid, None, time.monotonic())
        # Whatever replaces it is likely to be there already.
        self._poll_at = time.monotonic()
        self._settle()

    def _release(self, pid: int) -> None:
        pidfd = self._pidfds.pop(pid, None)
        if pidfd is not None:
            with contextlib.suppress(KeyError):
                self._selector.unregister(pidfd)
            os.close(pidfd)

    def _settle(self) -> None:
        for name, running in self._table.settle(time.monotonic()):
            self._tell(name, running)
