"""Whatever happens in whatever order: the supervisor keeps one of each and can always leave."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from telamon.daemon.core import Phase
from telamon.daemon.effects import Exit, Kill, Role, Spawn
from tests.daemon.test_core import World

ROLES = st.sampled_from(list(Role))


class AnyOrder(RuleBasedStateMachine):
    """The real world around the core: children that crash, stall, stop and get ready."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.tokens = 0

    @initialize(begun=st.booleans())
    def starts(self, begun: bool) -> None:
        if begun:
            self.world.begin()
        else:
            self.world.do(self.world.core.start())

    @property
    def pids(self) -> list[int]:
        return sorted(child.pid for child in self.world.core._children())

    @property
    def over(self) -> bool:
        return self.world.core.finished

    def token(self) -> int:
        self.tokens += 1
        return self.tokens

    def settle(self) -> None:
        """The kernel's part: who is killed dies."""
        for kill in self.world.all(Kill):
            if kill.pid in self.pids:
                self.world.exit(kill.pid, -9)

    @rule(pick=st.integers(0, 9))
    def gets_ready(self, pick: int) -> None:
        if self.pids:
            self.world.ready(self.pids[pick % len(self.pids)])
        self.settle()

    @rule(pick=st.integers(0, 9), status=st.sampled_from([0, 1, -9, -15]))
    def exits(self, pick: int, status: int) -> None:
        if self.pids:
            self.world.exit(self.pids[pick % len(self.pids)], status)
        self.settle()

    @rule(pick=st.integers(0, 9))
    def fails(self, pick: int) -> None:
        if self.pids:
            self.world.do(self.world.core.failed(self.pids[pick % len(self.pids)], "no"))
        self.settle()

    @rule(role=ROLES)
    def operator_kills(self, role: Role) -> None:
        child = self.world.core.current.get(role)
        if child is not None:
            self.world.do(self.world.core.stopping(child.pid, "TERM", self.world.now))
        self.settle()

    @rule(seconds=st.floats(0.01, 50.0))
    def time_passes(self, seconds: float) -> None:
        self.world.pass_time(seconds)
        self.settle()

    @precondition(lambda self: self.world.core.started and not self.over)
    @rule(role=ROLES, what=st.sampled_from(["start", "stop", "restart", "reload"]))
    def commands(self, role: Role, what: str) -> None:
        core, now = self.world.core, self.world.now
        if core.closing:
            return
        if what == "start":
            self.world.do(core.command_start(role, self.token()))
        elif what == "stop":
            self.world.do(core.command_stop(role, self.token(), now))
        elif what == "restart":
            self.world.do(core.command_restart(role, self.token(), now))
        elif not core.reloading:
            self.world.do(core.reload(self.token(), "reload", now))
        self.settle()

    @precondition(lambda self: not self.over and self.tokens > 3)
    @rule(soft=st.booleans())
    def is_stopped(self, soft: bool) -> None:
        core = self.world.core
        self.world.do(core.soft_stop(self.world.now) if soft else core.stop(self.world.now))
        self.settle()

    @invariant()
    def spawned_once(self) -> None:
        """No child is forgotten: whoever was spawned is known or has exited."""
        spawned = len(self.world.all(Spawn))
        assert spawned == self.world.pids - 100

    @invariant()
    def no_child_is_left_at_the_end(self) -> None:
        if self.over:
            assert self.pids == []
            assert len(self.world.all(Exit)) == 1

    @invariant()
    def a_wanted_role_has_a_child_or_will_have(self) -> None:
        core = self.world.core
        for role in core.wanted:
            if core.closing or role in core.current:
                continue
            waits = core._back_off[role].due is not None
            coming = role is Role.PROXY and core.reloading
            assert waits or coming, f"nobody starts the {role} again"

    def teardown(self) -> None:
        """Two stops, and children that do as they are told: it always comes to an end."""
        world = self.world
        for _ in range(2):
            if not self.over:
                world.do(world.core.stop(world.now))
            world.now += 1.0
        for _ in range(20):
            world.pass_time(10.0)
            self.settle()
        assert self.over, [
            (child.role, child.phase, child.deadline) for child in world.core._children()
        ]
        assert Phase.RUNNING not in {child.phase for child in world.core._children()}


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
