"""The supervisor's decisions, with a clock that the test owns."""

from __future__ import annotations

from collections.abc import Callable
from signal import SIGKILL
from typing import TypeVar

from telamon.daemon.core import (
    DEFAULT_GRACE,
    FIRST_DELAY,
    LONGEST_DELAY,
    STABLE,
    START_LIMIT,
    Core,
)
from telamon.daemon.effects import (
    AbandonReload,
    Answer,
    CommitReload,
    Effect,
    Exit,
    Kill,
    OfferPlan,
    ProxyIs,
    ReleaseListeners,
    Role,
    Send,
    Spawn,
    Started,
    TellProxyUp,
)
from telamon.daemon.messages import ProxyDown, SoftStop, Stop

E = TypeVar("E")


class World:
    """Plays the edge: forks are numbers, time is a field."""

    def __init__(self, *roles: Role, hard_stop_after: float | None = None) -> None:
        self.core = Core(roles or (Role.PROXY, Role.ROUTER), hard_stop_after)
        self.now = 0.0
        self.pids = 100
        self.effects: list[Effect] = []

    def do(self, effects: list[Effect]) -> list[Effect]:
        """Carry out spawns; remember all."""
        for effect in effects:
            self.effects.append(effect)
            if isinstance(effect, Spawn):
                self.pids += 1
                self.do(self.core.spawned(effect, self.pids, self.now))
        return effects

    def begin(self) -> World:
        self.do(self.core.start())
        for role in self.core.roles:
            self.ready(self.pid(role))
        return self

    def pid(self, role: Role) -> int:
        return self.core.current[role].pid

    def ready(self, pid: int) -> list[Effect]:
        return self.do(self.core.ready(pid, self.now))

    def exit(self, pid: int, status: int = 0) -> list[Effect]:
        return self.do(self.core.exited(pid, status, self.now))

    def pass_time(self, seconds: float) -> list[Effect]:
        self.now += seconds
        return self.do(self.core.tick(self.now))

    def until_deadline(self) -> list[Effect]:
        assert self.core.deadline is not None
        return self.pass_time(max(0.0, self.core.deadline - self.now))

    def all(self, kind: type[E], keep: Callable[[E], bool] = lambda _: True) -> list[E]:
        return [item for item in self.effects if isinstance(item, kind) and keep(item)]

    def forget(self) -> None:
        self.effects.clear()


def position(effects: list[Effect], wanted: Effect) -> int:
    return effects.index(wanted)


def test_started_once_both_are_ready() -> None:
    world = World()
    world.do(world.core.start())
    world.ready(world.pid(Role.ROUTER))
    assert not world.all(Started)
    world.ready(world.pid(Role.PROXY))
    assert len(world.all(Started)) == 1
    assert world.all(TellProxyUp) == [TellProxyUp(world.pid(Role.ROUTER), world.pid(Role.PROXY))]


def test_a_role_that_cannot_start_ends_the_run() -> None:
    world = World()
    world.do(world.core.start())
    router, proxy = world.pid(Role.ROUTER), world.pid(Role.PROXY)
    world.do(world.core.failed(proxy, "no such engine"))
    world.exit(proxy, 1)
    assert Send(router, Stop()) in world.effects
    world.exit(router)
    [end] = world.all(Exit)
    assert end.code == 1
    assert "no such engine" in end.reason


def test_a_crash_is_told_and_mended() -> None:
    world = World().begin()
    proxy, router = world.pid(Role.PROXY), world.pid(Role.ROUTER)
    world.forget()
    world.now = 1.0
    world.exit(proxy, -9)
    assert world.all(Send, lambda s: s.pid == router and isinstance(s.message, ProxyDown))
    assert not world.all(Spawn)
    assert not world.all(ReleaseListeners)
    world.until_deadline()
    assert world.all(Spawn) == [Spawn(Role.PROXY)]
    new = world.pid(Role.PROXY)
    world.ready(new)
    assert TellProxyUp(router, new) in world.effects


def test_the_back_off_doubles_to_its_end_and_forgets() -> None:
    world = World(Role.PROXY).begin()
    delays = []
    for _ in range(12):
        before = world.now
        world.exit(world.pid(Role.PROXY), -11)
        world.until_deadline()
        delays.append(world.now - before)
        world.ready(world.pid(Role.PROXY))
    assert [round(d, 6) for d in delays[:4]] == [FIRST_DELAY * 2**n for n in range(4)]
    assert round(delays[-1], 6) == LONGEST_DELAY
    world.pass_time(STABLE)
    before = world.now
    world.exit(world.pid(Role.PROXY), -11)
    world.until_deadline()
    assert round(world.now - before, 6) == FIRST_DELAY


def test_an_operators_stop_is_no_crash() -> None:
    world = World().begin()
    proxy, router = world.pid(Role.PROXY), world.pid(Role.ROUTER)
    world.do(world.core.stopping(proxy, "SIGTERM came", world.now))
    assert world.all(ReleaseListeners)
    assert world.all(Send, lambda s: s.pid == router and isinstance(s.message, ProxyDown))
    world.exit(proxy)
    world.pass_time(60)
    assert Role.PROXY not in world.core.current
    assert not world.all(Exit)
    world.do(world.core.command_start(Role.PROXY, 7))
    world.ready(world.pid(Role.PROXY))
    assert world.all(Answer)[-1] == Answer(7, True, "proxy started")


def test_nothing_left_to_supervise_ends_the_run() -> None:
    world = World().begin()
    for role in (Role.PROXY, Role.ROUTER):
        pid = world.pid(role)
        world.do(world.core.stopping(pid, "SIGTERM came", world.now))
        world.exit(pid)
    assert world.all(Exit) == [Exit(0)]


def test_the_router_leaves_before_the_streams() -> None:
    world = World().begin()
    proxy, router = world.pid(Role.PROXY), world.pid(Role.ROUTER)
    world.do(world.core.stop(world.now))
    assert Send(router, Stop()) in world.effects
    assert not world.all(Send, lambda s: s.pid == proxy)
    assert not world.all(ReleaseListeners)
    world.exit(router)
    assert Send(proxy, SoftStop(int(DEFAULT_GRACE * 1000))) in world.effects
    assert world.all(ReleaseListeners)
    world.exit(proxy)
    assert world.all(Exit) == [Exit(0)]


def test_a_router_that_does_not_leave_is_killed() -> None:
    world = World().begin()
    router = world.pid(Role.ROUTER)
    world.do(world.core.stop(world.now))
    world.until_deadline()
    assert Kill(router, SIGKILL) in world.effects


def test_soft_stop_waits_for_ever_without_a_limit() -> None:
    world = World(Role.PROXY).begin()
    proxy = world.pid(Role.PROXY)
    world.do(world.core.soft_stop(world.now))
    assert Send(proxy, SoftStop(None)) in world.effects
    assert world.core.deadline is None
    world.pass_time(1e6)
    assert not world.all(Kill)


def test_a_second_stop_hurries() -> None:
    world = World(Role.PROXY, hard_stop_after=3600.0).begin()
    proxy = world.pid(Role.PROXY)
    world.do(world.core.stop(world.now))
    # timeout(1) signals the process and its group.
    world.do(world.core.stop(world.now + 0.01))
    assert Send(proxy, Stop()) not in world.effects
    world.now += 1.0
    world.do(world.core.stop(world.now))
    assert Send(proxy, Stop()) in world.effects
    world.pass_time(1.0)
    assert Kill(proxy, SIGKILL) in world.effects


def test_reload_tells_the_router_of_the_new_before_the_old_goes() -> None:
    world = World().begin()
    old, router = world.pid(Role.PROXY), world.pid(Role.ROUTER)
    world.forget()
    world.do(world.core.reload(5, "reload", world.now))
    candidate = world.core.candidate
    assert candidate is not None
    world.ready(candidate.pid)
    assert world.all(OfferPlan) == [OfferPlan(router)]
    assert not world.all(CommitReload)
    done = world.ready(router)
    up, off = TellProxyUp(router, candidate.pid), Send(old, SoftStop(None))
    assert position(done, CommitReload()) < position(done, up) < position(done, off)
    assert ProxyIs(candidate.pid) in done
    assert world.all(Answer) == [Answer(5, True, "reload: done")]
    assert list(world.core.draining) == [old]
    world.exit(old)
    assert world.core.draining == {}
    assert not world.all(Exit)


def test_a_candidate_that_fails_changes_nothing() -> None:
    world = World().begin()
    old = world.pid(Role.PROXY)
    world.forget()
    world.do(world.core.reload(5, "reload", world.now))
    candidate = world.core.candidate
    assert candidate is not None
    world.do(world.core.failed(candidate.pid, "no memory"))
    world.exit(candidate.pid, 1)
    assert world.all(AbandonReload)
    assert not world.all(CommitReload)
    [answer] = world.all(Answer)
    assert not answer.ok
    assert "no memory" in answer.text
    assert world.pid(Role.PROXY) == old
    assert not world.all(OfferPlan)


def test_a_candidate_that_never_gets_ready_is_given_up() -> None:
    world = World().begin()
    world.do(world.core.reload(None, "reload", world.now))
    candidate = world.core.candidate
    assert candidate is not None
    world.pass_time(START_LIMIT)
    assert Kill(candidate.pid, SIGKILL) in world.effects
    world.exit(candidate.pid, -9)
    assert world.all(AbandonReload)
    assert not world.core.reloading


def test_a_router_that_refuses_its_plan_keeps_the_old_proxy() -> None:
    world = World().begin()
    old, router = world.pid(Role.PROXY), world.pid(Role.ROUTER)
    world.do(world.core.reload(5, "reload", world.now))
    candidate = world.core.candidate
    assert candidate is not None
    world.ready(candidate.pid)
    world.do(world.core.failed(router, "no such interface"))
    assert world.all(AbandonReload)
    assert Kill(candidate.pid, SIGKILL) in world.effects
    assert world.pid(Role.PROXY) == old
    world.exit(candidate.pid, -9)
    assert world.pid(Role.PROXY) == old


def test_a_crash_during_a_reload_waits_for_the_successor() -> None:
    world = World(Role.PROXY).begin()
    world.do(world.core.reload(5, "reload", world.now))
    candidate = world.core.candidate
    assert candidate is not None
    world.forget()
    world.exit(world.pid(Role.PROXY), -11)
    assert not world.all(Spawn)
    world.ready(candidate.pid)
    assert world.pid(Role.PROXY) == candidate.pid


def test_a_crash_during_a_reload_that_fails_is_mended() -> None:
    world = World(Role.PROXY).begin()
    world.do(world.core.reload(5, "reload", world.now))
    candidate = world.core.candidate
    assert candidate is not None
    world.exit(world.pid(Role.PROXY), -11)
    world.exit(candidate.pid, 1)
    assert Role.PROXY in world.core.current
    world.ready(world.pid(Role.PROXY))
    assert ProxyIs(world.pid(Role.PROXY)) in world.effects


def test_stop_in_the_middle_of_a_reload() -> None:
    world = World().begin()
    world.do(world.core.reload(5, "reload", world.now))
    candidate = world.core.candidate
    assert candidate is not None
    proxy, router = world.pid(Role.PROXY), world.pid(Role.ROUTER)
    world.do(world.core.stop(world.now))
    for pid, status in ((candidate.pid, -9), (router, 0), (proxy, 0)):
        world.exit(pid, status)
    assert world.all(Exit) == [Exit(0)]


def test_stop_while_a_crashed_proxy_waits() -> None:
    world = World(Role.PROXY).begin()
    world.exit(world.pid(Role.PROXY), -11)
    world.do(world.core.stop(world.now))
    assert world.all(Exit) == [Exit(0)]


def test_restart_of_the_router() -> None:
    world = World().begin()
    router = world.pid(Role.ROUTER)
    world.do(world.core.command_restart(Role.ROUTER, 3, world.now))
    world.exit(router)
    new = world.pid(Role.ROUTER)
    assert new != router
    world.ready(new)
    assert Answer(3, True, "router started") in world.effects
    assert TellProxyUp(new, world.pid(Role.PROXY)) in world.effects
