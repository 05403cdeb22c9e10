"""The demo: things are broken and brought back while a client keeps asking.

`EVENTS` is the story as a table. Each event is told the same way: strike, wait until the cluster
has settled (the VIP where it must be, requests answered again), bring back, wait until every node
is healthy and has been for a moment. The figures are made when all is over, so that requests that
were still on their way are counted as what became of them.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from telamon.lab import samples, topology
from telamon.lab.balancers import log_tail, servers_up
from telamon.lab.cluster import Cluster, Member
from telamon.lab.live import NodeState, State, View
from telamon.lab.net import LabError
from telamon.lab.probe import Probe
from telamon.lab.report import Outcome
from telamon.lab.samples import Sample
from telamon.lab.watch import Watch

Seconds = float

INTERVAL: Seconds = 0.01
TIMEOUT: Seconds = 5.0
"""As long as an impatient person's; longer than a proxy's retries."""

_SETTLE_LIMIT: Seconds = 15.0
_MEND_LIMIT: Seconds = 25.0
_CALM: Seconds = 1.5
"""For how long everything must be well before the next event."""
_TWO_HOLDERS_LIMIT: Seconds = 1.0
_STEP: Seconds = 0.03
_REDRAW: Seconds = 0.25
_FLOWING = 0.7
"""The share of what was asked in the last second that must have been answered."""
_SHOWN_SECONDS = 30
_BETWEEN = 0.2


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that goes wrong with a node.

    `moves`: the VIP must go to another node (otherwise it must stay). `limit` is the longest
    outage that counts as in order: what the guide's interval of 1 s and priority of 100 take,
    with room for a busy machine. `loses_api`: the node's API server is gone meanwhile.
    """

    title: str
    strike: Callable[[Member], None]
    mend: Callable[[Member], None]
    moves: bool
    limit: Seconds
    loses_api: bool = False


def _kill_proxy(member: Member) -> None:
    member.node.kill(signal.SIGKILL, "haproxy")


def _mend_killed_proxy(member: Member) -> None:
    if not member.balancer.restarts_proxy():
        member.balancer.start_proxy()


# VRRP at priority 100 and 1 s: a crash is noticed after 3.6 s, a farewell answered after 0.6 s.
EVENTS: tuple[Event, ...] = (
    Event(
        "proxy of the master stopped",
        lambda member: member.balancer.stop_proxy(),
        lambda member: member.balancer.start_proxy(),
        moves=True,
        limit=3.0,
    ),
    Event(
        "proxy of the master killed (-9)",
        _kill_proxy,
        _mend_killed_proxy,
        moves=True,
        limit=3.0,
    ),
    Event(
        "master node crashed",
        Member.crash,
        Member.boot,
        moves=True,
        limit=6.0,
        loses_api=True,
    ),
    Event(
        "master stopped in good order",
        lambda member: member.balancer.stop(),
        lambda member: member.balancer.start(),
        moves=True,
        limit=3.0,
    ),
    Event(
        "one API server stopped",
        Member.stop_api,
        Member.start_api,
        moves=False,
        limit=2.0,
        loses_api=True,
    ),
)


@dataclass(slots=True)
class Window:
    """One event's time, who held the VIP before and after, and what went wrong while it was told.

    `settled`: the others serve without what was broken (None: they did not). It ends when what was
    broken is back and all is well again.
    """

    event: Event
    began: Seconds
    before: str
    after: str = ""
    ended: Seconds = 0.0
    problem: str = ""
    settled: Seconds | None = None


def judge(window: Window, record: Sequence[Sample], watch: Watch) -> Outcome:
    """How an event went, by what the client and the watch recorded."""
    event = window.event
    # To start a whole node takes much of the one machine that all nodes share here: what the others
    # are slower meanwhile is not the event's outage. It counts against the limit all the same.
    outage = samples.largest_gap(record, window.began, window.settled or window.ended)
    longest = samples.largest_gap(record, window.began, window.ended)
    counted = samples.count(record, window.began, window.ended)
    two = watch.longest_with_two(window.began, window.ended)
    problem = window.problem
    if not problem and two > _TWO_HOLDERS_LIMIT:
        problem = f"two nodes had the VIP for {two * 1000:.0f} ms"
    if not problem and longest > event.limit:
        problem = f"the outage is above {event.limit * 1000:.0f} ms"
    if not problem and (not window.after or (window.after != window.before) != event.moves):
        problem = f"the VIP was at {window.after or 'nobody'} in the end"
    return Outcome(
        event.title,
        window.before,
        window.after,
        outage,
        counted.lost,
        counted.served,
        problem,
    )


class Demo:
    """One performance on a cluster that has been built but not started."""

    def __init__(self, cluster: Cluster, view: View) -> None:
        self._cluster = cluster
        self._view = view
        self._watch = Watch()
        self._born = time.monotonic()
        self._probe: Probe | None = None
        self._doing = ""
        self._drawn = 0.0

    def run(self, events: tuple[Event, ...] = EVENTS) -> list[Outcome]:
        """The whole story. Raises LabError if the cluster never becomes ready."""
        self._tell("starting three nodes")
        self._cluster.start()
        self._cluster.wait_healthy(self._look)
        with self._cluster.probe(INTERVAL, TIMEOUT) as probe:
            self._probe = probe
            if not self._wait(self._calm, _SETTLE_LIMIT):
                raise LabError(f"requests through the VIP do not flow: {self._why_not_calm()}")
            self._tell(f"ready: {self._watch.sole} holds {topology.VIP}, {self._pace()} requests/s")
            windows = [self._perform(event) for event in events]
            # Requests that are on their way get the time to end.
            self._pause(1.0)
            record = probe.samples()
            return [judge(window, record, self._watch) for window in windows]

    # One event

    def _perform(self, event: Event) -> Window:
        before = self._watch.sole
        window = Window(event, time.monotonic(), before)
        target = self._target(event, before)
        self._tell(f"▶ {event.title} ({target.name})")
        self._meanwhile(lambda: event.strike(target))
        if not self._wait(lambda: self._settled(window, target), _SETTLE_LIMIT):
            window.problem = self._unsettled(window)
        else:
            window.settled = time.monotonic()
            took = window.settled - window.began
            self._tell(f"  settled after {took:.1f} s: {self._watch.sole} holds the VIP")
        self._tell(f"  bringing {target.name} back")
        self._meanwhile(lambda: event.mend(target))
        if not self._wait(self._calm, _MEND_LIMIT):
            window.problem = window.problem or f"not healthy afterwards: {self._why_not_calm()}"
        window.ended = time.monotonic()
        window.after = self._watch.sole
        # What is under way now must not fall to the next event.
        self._pause(_BETWEEN)
        return window

    def _target(self, event: Event, holder: str) -> Member:
        """The master, but for the API server: there one that does not hold the VIP."""
        if event.moves:
            return self._cluster.member(holder or topology.MACHINES[0].name)
        return next(member for member in self._cluster.members if member.name != holder)

    def _settled(self, window: Window, target: Member) -> bool:
        holder = self._watch.sole
        if not holder or (holder != window.before) != window.event.moves:
            return False
        # What was answered before the blow says nothing of how things are now.
        if time.monotonic() - window.began < 1.0 or not self._flowing():
            return False
        left = len(topology.MACHINES) - window.event.loses_api
        return len(servers_up(self._cluster.member(holder).node)) == left

    def _unsettled(self, window: Window) -> str:
        holder = self._watch.sole
        if not holder:
            names = ", ".join(sorted(self._watch.holders)) or "nobody"
            return f"{names} had the VIP {_SETTLE_LIMIT:.0f} s later"
        if window.event.moves and holder == window.before:
            return f"the VIP stayed on {holder}"
        if not window.event.moves and holder != window.before:
            return f"the VIP went to {holder}"
        if not self._flowing():
            return f"requests were not answered again within {_SETTLE_LIMIT:.0f} s"
        return f"{holder} did not notice which API servers are there"

    # Conditions

    def _flowing(self) -> bool:
        """Was nearly all answered that was asked in the last second?"""
        return self._answered(time.monotonic() - 1.0) >= _FLOWING / INTERVAL

    def _answered(self, since: Seconds) -> int:
        assert self._probe is not None
        return sum(sample.ok for sample in self._probe.recent(since))

    def _calm(self) -> bool:
        return (
            bool(self._watch.sole)
            and self._watch.steady_for(time.monotonic()) >= _CALM
            and self._flowing()
            and all(member.healthy() for member in self._cluster.members)
        )

    def _why_not_calm(self) -> str:
        assert self._probe is not None
        now = time.monotonic()
        found = samples.reasons(self._probe.samples(), now - 2 * TIMEOUT, now)
        words = ", ".join(f"{count} {reason}" for reason, count in list(found.items())[:3])
        return f"{self._cluster.complaint()}; requests lost: {words or 'none'}"

    # Time passes

    def _wait(self, condition: Callable[[], bool], limit: Seconds) -> bool:
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            self._look()
            if condition():
                return True
            time.sleep(_STEP)
        return False

    def _pause(self, seconds: Seconds) -> None:
        self._wait(lambda: False, seconds)

    def _meanwhile(self, action: Callable[[], None]) -> None:
        """Run `action`, which may take a while, and keep looking. Raises what it raises."""
        failed: list[BaseException] = []

        def work() -> None:
            try:
                action()
            except BaseException as error:
                failed.append(error)

        worker = threading.Thread(target=work, name="event", daemon=True)
        worker.start()
        while worker.is_alive():
            self._look()
            worker.join(_STEP)
        if failed:
            raise failed[0]

    def _look(self) -> None:
        now = time.monotonic()
        if self._probe is not None and not self._probe.alive:
            raise LabError("the client has ended")
        before = self._watch.holders
        if self._watch.saw(now, self._cluster.holders()) and (before or self._watch.holders):
            names = " and ".join(sorted(self._watch.holders)) or "nobody"
            self._view.say(now - self._born, f"  {topology.VIP} is at {names}")
        if self._view.wants_state and now - self._drawn > _REDRAW:
            self._drawn = now
            self._view.show(self._state(now))

    def _state(self, now: Seconds) -> State:
        nodes = tuple(self._node_state(member) for member in self._cluster.members)
        rates = [0] * _SHOWN_SECONDS
        lost = 0
        if self._probe is not None:
            for sample in self._probe.samples():
                lost += not sample.ok
                age = int(now - sample.ended)
                if sample.ok and 0 <= age < _SHOWN_SECONDS:
                    rates[_SHOWN_SECONDS - 1 - age] += 1
        asked = round(1 / INTERVAL)
        return State(now - self._born, self._doing, nodes, tuple(rates), asked, lost)

    def _node_state(self, member: Member) -> NodeState:
        view = member.view()
        return NodeState(
            member.name,
            member.machine.address,
            member.name in self._watch.holders,
            view.proxy,
            view.router,
            "up" if member.api_listens() else "",
        )

    def _tell(self, text: str) -> None:
        self._doing = text.strip()
        self._view.say(time.monotonic() - self._born, text)

    def _pace(self) -> int:
        return round(1 / INTERVAL)


def last_words(cluster: Cluster) -> str:
    """The ends of the nodes' logs, for when something went wrong."""
    blocks = [
        f"last lines of {member.name}'s log:\n" + "\n".join(f"  {line}" for line in lines)
        for member in cluster.members
        if (lines := log_tail(member.node))
    ]
    return "\n".join(blocks)
