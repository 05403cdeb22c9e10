"""The supervisor's decisions, without a process, a socket or a clock.

The edge (`telamon.daemon.supervisor_edge`) tells what happened, with the time; each method returns
the effects to carry out, in order. The story they tell:

- Each wanted role has one *current* child. A crash puts it off for a while that doubles with
  each crash and starts anew after a stable time; an exit with 0 was somebody's will and stays.
- A reload starts a *candidate* proxy beside the current one, on the same sockets. When it is
  ready the router is offered its new plan; when that is taken too, the candidate becomes
  current and the old proxy *drains*. Until then every failure leaves things as they were.
- The router learns first: of a proxy that stops before the proxy does, of a new proxy before
  the old one goes. Closing down, the router leaves (priority 0, addresses removed) before the
  proxy's streams get their grace.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from signal import SIGKILL, Signals

from telamon.daemon.effects import (
    AbandonReload,
    Answer,
    CommitReload,
    Effect,
    Exit,
    Kill,
    Log,
    Notify,
    OfferPlan,
    ProxyIs,
    ReleaseListeners,
    Role,
    Send,
    Spawn,
    Started,
    TellProxyUp,
    Urgency,
)
from telamon.daemon.messages import ProxyDown, SoftStop, Stop

Seconds = float

START_LIMIT: Seconds = 30.0
"""A child that is not ready by then is killed."""
ROUTER_STOP_LIMIT: Seconds = 5.0
STOP_LIMIT: Seconds = 2.0
"""How much longer than its grace a proxy may take before it is killed."""
DEFAULT_GRACE: Seconds = 5.0
"""What streams get on SIGTERM when the file has no `hard-stop-after`."""
SAME_WISH: Seconds = 0.25
"""timeout(1) and others signal a process and then its group: that is one wish, not two."""
FIRST_DELAY: Seconds = 0.1
LONGEST_DELAY: Seconds = 10.0
STABLE: Seconds = 10.0
"""A child that ran this long starts the back-off anew."""


class Phase(Enum):
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


@dataclass(slots=True)
class Child:
    pid: int
    role: Role
    since: Seconds
    phase: Phase = Phase.STARTING
    deadline: Seconds | None = None
    reason: str = ""


@dataclass(slots=True)
class _BackOff:
    crashes: int = 0
    due: Seconds | None = None

    def crashed(self, now: Seconds) -> Seconds:
        """Note a crash; returns the delay before the next start."""
        delay = min(LONGEST_DELAY, FIRST_DELAY * 2.0**self.crashes)
        self.crashes = min(self.crashes + 1, 32)
        self.due = now + delay
        return delay


@dataclass(slots=True)
class _Reload:
    token: int | None
    what: str
    offered: bool = False
    deadline: Seconds = 0.0


@dataclass(slots=True)
class _Closing:
    """`grace` None lets streams run as long as they like."""

    grace: Seconds | None
    since: Seconds
    code: int = 0
    reason: str = ""


@dataclass(slots=True)
class Core:
    """One supervisor. `hard_stop_after` (seconds) comes from the plan that runs, as do the times
    that the router's `startup_script` and `shutdown_script` may take.
    """

    roles: tuple[Role, ...]
    hard_stop_after: Seconds | None = None
    startup_script: Seconds = 0.0
    shutdown_script: Seconds = 0.0
    wanted: set[Role] = field(default_factory=set)
    current: dict[Role, Child] = field(default_factory=dict)
    candidate: Child | None = None
    draining: dict[int, Child] = field(default_factory=dict)
    started: bool = False
    finished: bool = False
    _back_off: dict[Role, _BackOff] = field(default_factory=dict)
    _reload: _Reload | None = None
    _closing: _Closing | None = None
    _starts: list[tuple[int, Role]] = field(default_factory=list)
    _stops: list[tuple[int, Role]] = field(default_factory=list)
    _restarts: set[Role] = field(default_factory=set)

    # -- what the edge may ask ------------------------------------------------------------

    @property
    def closing(self) -> bool:
        return self._closing is not None

    @property
    def reloading(self) -> bool:
        return self._reload is not None

    @property
    def deadline(self) -> Seconds | None:
        """When `tick` must be called next."""
        times = [c.deadline for c in self._children() if c.deadline is not None]
        times += [b.due for b in self._back_off.values() if b.due is not None]
        if self._reload is not None:
            times.append(self._reload.deadline)
        return min(times, default=None)

    def _children(self) -> list[Child]:
        extra = [self.candidate] if self.candidate else []
        return [*self.current.values(), *extra, *self.draining.values()]

    def _running(self, role: Role) -> Child | None:
        child = self.current.get(role)
        return child if child is not None and child.phase is Phase.RUNNING else None

    # -- what happens to children ---------------------------------------------------------

    def start(self) -> list[Effect]:
        """The beginning: spawn every role."""
        self.wanted = set(self.roles)
        self._back_off = {role: _BackOff() for role in self.roles}
        return [Spawn(role) for role in self.roles]

    def spawned(self, spawn: Spawn, pid: int, now: Seconds) -> list[Effect]:
        script = self.startup_script if spawn.role is Role.ROUTER else 0.0
        child = Child(pid, spawn.role, now, deadline=now + START_LIMIT + script)
        if spawn.candidate:
            self.candidate = child
        else:
            self.current[spawn.role] = child
        return []

    def spawn_failed(self, spawn: Spawn, reason: str) -> list[Effect]:
        """The edge could not fork, or not bind the sockets of a proxy that starts again."""
        if spawn.candidate:
            return self._abandon(reason)
        self.wanted.discard(spawn.role)
        out: list[Effect] = [Log(Urgency.ERROR, f"cannot start the {spawn.role}: {reason}")]
        return out + self._answer(self._starts, spawn.role, False, reason) + self._maybe_done()

    def ready(self, pid: int, now: Seconds) -> list[Effect]:
        """A child said Ready: it carries traffic, or it took the plan it was offered."""
        if self.candidate is not None and pid == self.candidate.pid:
            return self._offer(now)
        child = next((c for c in self.current.values() if c.pid == pid), None)
        if child is None:
            return []
        if child.phase is Phase.STARTING:
            return self._child_ready(child, now)
        if child.role is Role.ROUTER and self._reload is not None and self._reload.offered:
            return self._finish_reload(now)
        return []

    def _child_ready(self, child: Child, now: Seconds) -> list[Effect]:
        child.phase, child.since, child.deadline = Phase.RUNNING, now, None
        out: list[Effect] = []
        if child.role is Role.PROXY:
            out.append(ProxyIs(child.pid))
        out += self._tell_proxy_up()
        if not self.started and all(self._running(role) for role in self.wanted):
            self.started = True
            out += [Started(), Notify(("READY=1",))]
        return out + self._answer(self._starts, child.role, True, f"{child.role} started")

    def _tell_proxy_up(self) -> list[Effect]:
        router, proxy = self._running(Role.ROUTER), self._running(Role.PROXY)
        return [TellProxyUp(router.pid, proxy.pid)] if router and proxy else []

    def _tell_proxy_down(self, reason: str) -> list[Effect]:
        router = self._running(Role.ROUTER)
        return [Send(router.pid, ProxyDown(reason))] if router else []

    def failed(self, pid: int, reason: str) -> list[Effect]:
        """A child said Failed. One that starts exits next; the router may have refused a plan."""
        for child in self._children():
            if child.pid == pid:
                child.reason = reason
        router = self.current.get(Role.ROUTER)
        offered = self._reload is not None and self._reload.offered
        if offered and router is not None and router.pid == pid:
            return self._abandon(f"the router refuses its new plan: {reason}")
        return []

    def stopping(self, pid: int, reason: str, now: Seconds) -> list[Effect]:
        """A child announced that an operator's signal stops it."""
        child = next((c for c in self.current.values() if c.pid == pid), None)
        if child is None or self.closing:
            return []
        child.phase = Phase.STOPPING
        self.wanted.discard(child.role)
        out: list[Effect] = [Log(Urgency.WARNING, f"the {child.role} stops: {reason}")]
        if self._reload is not None:
            out += self._abandon(f"the {child.role} was stopped meanwhile")
        if child.role is Role.PROXY:
            out += self._tell_proxy_down(reason)
            out.append(ReleaseListeners())
        return out

    def exited(self, pid: int, status: int, now: Seconds) -> list[Effect]:
        """A child is gone. `status` as of `os.waitstatus_to_exitcode`."""
        if self.draining.pop(pid, None) is not None:
            return self._maybe_done()
        if self.candidate is not None and pid == self.candidate.pid:
            child, self.candidate = self.candidate, None
            return self._abandon(child.reason or f"the new proxy {describe_exit(status)}")
        child_of = next((c for c in self.current.values() if c.pid == pid), None)
        if child_of is None:
            return []
        del self.current[child_of.role]
        out: list[Effect] = [ProxyIs(None)] if child_of.role is Role.PROXY else []
        if self.closing:
            return out + self._advance_close(now)
        if not self.started:
            return out + self._abort(child_of, status, now)
        if child_of.phase is Phase.STOPPING or (status == 0 and child_of.phase is Phase.RUNNING):
            return out + self._stopped(child_of)
        return out + self._crashed(child_of, status, now)

    def _abort(self, child: Child, status: int, now: Seconds) -> list[Effect]:
        reason = child.reason or f"it {describe_exit(status)}"
        self._closing = _Closing(0.0, now, 1, f"the {child.role} did not start: {reason}")
        return self._begin_close(now)

    def _stopped(self, child: Child) -> list[Effect]:
        role = child.role
        out: list[Effect] = [Log(Urgency.INFO, f"the {role} has stopped")]
        if child.phase is not Phase.STOPPING and role is Role.PROXY:
            out += self._tell_proxy_down("the proxy was stopped")
            out.append(ReleaseListeners())
        self.wanted.discard(role)
        out += self._answer(self._stops, role, True, f"{role} stopped")
        if role in self._restarts:
            self._restarts.discard(role)
            self.wanted.add(role)
            return [*out, Spawn(role)]
        if self._reload is not None and self._reload.offered and role is Role.ROUTER:
            out += self._abandon("the router stopped meanwhile")
        return out + self._maybe_done()

    def _crashed(self, child: Child, status: int, now: Seconds) -> list[Effect]:
        role, back_off = child.role, self._back_off[child.role]
        out: list[Effect] = []
        why = f"{describe_exit(status)}{': ' + child.reason if child.reason else ''}"
        if role is Role.PROXY:
            out += self._tell_proxy_down(f"the proxy {why}")
        if child.phase is Phase.RUNNING and now - child.since >= STABLE:
            back_off.crashes = 0
        if role is Role.ROUTER and self._reload is not None and self._reload.offered:
            out += self._abandon("the router died of its new plan")
        if role is Role.PROXY and self._reload is not None:
            out.append(Log(Urgency.ERROR, f"the proxy {why}; its successor is on the way"))
            return out
        delay = back_off.crashed(now)
        out.append(Log(Urgency.ERROR, f"the {role} {why}; starting it again in {delay:.1f} s"))
        return out + self._answer(self._starts, role, False, f"the {role} {why}")

    # -- reload ---------------------------------------------------------------------------

    def reload(self, token: int | None, what: str, now: Seconds) -> list[Effect]:
        """The edge holds validated plans and bound sockets: change over to them.

        `what` names it for people ("reload", "restart proxy").
        """
        self._reload = _Reload(token, what, deadline=now + START_LIMIT + 1.0)
        if Role.PROXY in self.wanted:
            self._back_off[Role.PROXY].due = None
            return [Spawn(Role.PROXY, candidate=True)]
        return self._offer(now)

    def _offer(self, now: Seconds) -> list[Effect]:
        reload, router = self._reload, self._running(Role.ROUTER)
        assert reload is not None
        if self.candidate is not None:
            self.candidate.deadline = None
        if router is None:
            return self._finish_reload(now)
        reload.offered, reload.deadline = True, now + START_LIMIT
        return [OfferPlan(router.pid)]

    def _finish_reload(self, now: Seconds) -> list[Effect]:
        reload, self._reload = self._reload, None
        assert reload is not None
        grace = self.hard_stop_after
        out: list[Effect] = [CommitReload()]
        if self.candidate is not None:
            new, self.candidate = self.candidate, None
            new.phase, new.since, new.deadline = Phase.RUNNING, now, None
            old = self.current.get(Role.PROXY)
            self.current[Role.PROXY] = new
            self._back_off[Role.PROXY] = _BackOff()
            out += [ProxyIs(new.pid), *self._tell_proxy_up()]
            if old is not None:
                out += self._drain(old, grace, now)
        text = f"{reload.what}: done"
        out += [Log(Urgency.INFO, text), Notify(("READY=1",))]
        if reload.token is not None:
            out.append(Answer(reload.token, True, text))
        return out

    def _drain(self, old: Child, grace: Seconds | None, now: Seconds) -> list[Effect]:
        old.phase = Phase.STOPPING
        old.deadline = None if grace is None else now + grace + STOP_LIMIT
        self.draining[old.pid] = old
        return [Send(old.pid, SoftStop(None if grace is None else int(grace * 1000)))]

    def _abandon(self, reason: str) -> list[Effect]:
        reload, self._reload = self._reload, None
        out: list[Effect] = [AbandonReload()]
        if self.candidate is not None:
            child, self.candidate = self.candidate, None
            child.phase, child.deadline = Phase.STOPPING, None
            self.draining[child.pid] = child
            out.append(Kill(child.pid, SIGKILL))
        if reload is None:
            return out
        text = f"{reload.what} refused, nothing changed: {reason}"
        out += [Log(Urgency.ERROR, text), Notify(("READY=1",))]
        if reload.token is not None:
            out.append(Answer(reload.token, False, text))
        if Role.PROXY in self.wanted and Role.PROXY not in self.current and not self.closing:
            out.append(Spawn(Role.PROXY))
        return out

    # -- commands of the operator ---------------------------------------------------------

    def command_start(self, role: Role, token: int) -> list[Effect]:
        if role not in self.roles:
            return [Answer(token, False, f"there is no {role} in this run")]
        if self.closing:
            return [Answer(token, False, "the supervisor is stopping")]
        if self._running(role):
            return [Answer(token, True, f"the {role} runs already")]
        self._starts.append((token, role))
        child = self.current.get(role)
        if child is not None and child.phase is Phase.STOPPING:
            self._restarts.add(role)
            return []
        waits = role in self.wanted and self._back_off[role].due is not None
        self._back_off[role] = _BackOff()
        if role in self.wanted and not waits:
            return []
        self.wanted.add(role)
        return [Spawn(role)]

    def command_stop(self, role: Role, token: int, now: Seconds) -> list[Effect]:
        if role not in self.roles:
            return [Answer(token, False, f"there is no {role} in this run")]
        child = self.current.get(role)
        if child is None:
            self.wanted.discard(role)
            self._back_off[role] = _BackOff()
            return [Answer(token, True, f"the {role} is stopped"), *self._maybe_done()]
        self._stops.append((token, role))
        self.wanted.discard(role)
        out = self._abandon(f"the {role} is being stopped") if self._reload is not None else []
        return out + self._stop_child(child, now)

    def command_restart(self, role: Role, token: int, now: Seconds) -> list[Effect]:
        """Stop and start. (The edge restarts a running proxy by `reload`, without a gap.)"""
        child = self.current.get(role)
        if child is None or role not in self.roles:
            return self.command_start(role, token)
        self._starts.append((token, role))
        self._restarts.add(role)
        return self._stop_child(child, now)

    def _stop_child(self, child: Child, now: Seconds) -> list[Effect]:
        if child.phase is Phase.STOPPING:
            return []
        child.phase = Phase.STOPPING
        if child.role is Role.ROUTER:
            child.deadline = now + ROUTER_STOP_LIMIT + self.shutdown_script
            return [Send(child.pid, Stop())]
        grace = self._term_grace()
        child.deadline = now + grace + STOP_LIMIT
        out = self._tell_proxy_down("the operator stops the proxy")
        return [*out, ReleaseListeners(), Send(child.pid, SoftStop(int(grace * 1000)))]

    def _term_grace(self) -> Seconds:
        return DEFAULT_GRACE if self.hard_stop_after is None else self.hard_stop_after

    def _answer(
        self, waiting: list[tuple[int, Role]], role: Role, ok: bool, text: str
    ) -> list[Effect]:
        due = [entry for entry in waiting if entry[1] is role]
        for entry in due:
            waiting.remove(entry)
        return [Answer(token, ok, text) for token, _ in due]

    # -- the end --------------------------------------------------------------------------

    def stop(self, now: Seconds) -> list[Effect]:
        """SIGTERM or SIGINT: a clean stop; the second one does not wait any longer."""
        if self._closing is None:
            self._closing = _Closing(self._term_grace(), now)
            return self._begin_close(now)
        if now - self._closing.since < SAME_WISH:
            return []
        self._closing.grace = 0.0
        out: list[Effect] = [Log(Urgency.WARNING, "stopping now")]
        for child in self._children():
            child.deadline = now + 1.0
            out.append(Send(child.pid, Stop()))
        return out

    def soft_stop(self, now: Seconds) -> list[Effect]:
        """SIGUSR1: take no new connections, leave when the streams have ended."""
        if self._closing is not None:
            return []
        self._closing = _Closing(self.hard_stop_after, now)
        return self._begin_close(now)

    def _begin_close(self, now: Seconds) -> list[Effect]:
        out: list[Effect] = [Notify(("STOPPING=1",))]
        if self._reload is not None or self.candidate is not None:
            out += self._abandon("the supervisor is stopping")
        for back_off in self._back_off.values():
            back_off.due = None
        self.wanted = set()
        router = self.current.get(Role.ROUTER)
        if router is not None and router.phase is not Phase.STOPPING:
            router.phase = Phase.STOPPING
            router.deadline = now + ROUTER_STOP_LIMIT + self.shutdown_script
            out.append(Send(router.pid, Stop()))
        return out + self._advance_close(now)

    def _advance_close(self, now: Seconds) -> list[Effect]:
        closing = self._closing
        assert closing is not None
        if Role.ROUTER in self.current:
            return []
        out: list[Effect] = []
        proxies = [*self.current.values(), *self.draining.values()]
        grace = closing.grace
        for child in proxies:
            fresh = child.role is Role.PROXY and child.phase is not Phase.STOPPING
            if fresh:
                out.append(ReleaseListeners())
            if fresh or (grace is not None and child.deadline is None):
                child.phase = Phase.STOPPING
                child.deadline = None if grace is None else now + grace + STOP_LIMIT
                ms = None if grace is None else int(grace * 1000)
                out.append(Send(child.pid, SoftStop(ms)))
        return out + self._maybe_done()

    def _maybe_done(self) -> list[Effect]:
        if self.finished or self.current or self.draining or self.candidate:
            return []
        if self._closing is not None:
            self.finished = True
            return [Exit(self._closing.code, self._closing.reason)]
        if not self.wanted and self._reload is None:
            self.finished = True
            return [Log(Urgency.INFO, "nothing is left to supervise"), Exit(0)]
        return []

    # -- time -----------------------------------------------------------------------------

    def tick(self, now: Seconds) -> list[Effect]:
        """Carry out what is due."""
        out: list[Effect] = []
        for child in self._children():
            if child.deadline is not None and child.deadline <= now:
                child.deadline = None
                late = "ready" if child.phase is Phase.STARTING else "gone"
                text = f"the {child.role} (pid {child.pid}) is not {late} in time: killed"
                child.reason = child.reason or f"not {late} in time"
                out += [Log(Urgency.ERROR, text), Kill(child.pid, SIGKILL)]
        for role, back_off in self._back_off.items():
            if back_off.due is not None and back_off.due <= now:
                back_off.due = None
                out.append(Spawn(role))
        if self._reload is not None and self._reload.deadline <= now:
            out += self._abandon("the new plan was not taken in time")
        return out


def describe_exit(status: int) -> str:
    """A child's end in words."""
    if status >= 0:
        return f"exited with {status}"
    try:
        name = Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"was killed by {name}"
