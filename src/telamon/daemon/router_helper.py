"""The script helper as the router's loop sees it: one that dies is replaced a second later."""

from __future__ import annotations

from collections.abc import Callable

from telamon.daemon.mail import Mail
from telamon.daemon.router_log import RouterLog
from telamon.daemon.router_loop import RouterLoop
from telamon.daemon.script_messages import Notify, Told
from telamon.daemon.scripts import Helper, HelperGone
from telamon.kernel import libc
from telamon.kernel.reaping import reap
from telamon.kernel.rtnetlink import Address
from telamon.plan.router import RouterPlan

_RESTART_AFTER = 1.0
_LEAVES_WITHIN = 2.0


class RouterHelper:
    """`take` gets what it tells; `renewed` is called when another one has taken its place."""

    def __init__(
        self,
        helper: Helper,
        plan: RouterPlan,
        loop: RouterLoop,
        take: Callable[[Told], None],
        renewed: Callable[[], None],
        log: RouterLog,
    ) -> None:
        self._helper: Helper | None = helper
        self._plan, self._loop, self._log = plan, loop, log
        self._take, self._renewed = take, renewed
        self.deadline: float | None = None
        """When `handle_timeout` wants to be called; None: never."""

    def begin(self) -> None:
        """Hear what it tells, and let it watch what the plan wants watched."""
        if self._helper is not None:
            self._loop.watch(self._helper, self._read)
        self.plan(self._plan)

    def plan(self, plan: RouterPlan) -> None:
        self._plan = plan
        if self._helper is not None:
            self._helper.watch(plan.scripts, plan.processes, plan.files)

    def run_notify(self, job: Notify) -> None:
        if self._helper is None or not self._helper.notify(job):
            self._log.warn(f"({job.queue}) cannot run {job.command.command[0]}: the helper is gone")

    def send_mail(self, mail: Mail) -> None:
        if self._helper is None or not self._helper.mail(mail):
            self._log.warn(f"mail '{mail.subject}' is not sent: the helper is gone")

    def guard(self, addresses: tuple[Address, ...]) -> None:
        if self._helper is not None:
            self._helper.guard(addresses)

    def handle_timeout(self, now: float) -> None:
        if self.deadline is not None and self.deadline <= now:
            self.deadline = None
            self._helper = Helper.start()
            self.begin()
            self._renewed()

    def close(self) -> None:
        """The helper is given a moment to end its scripts."""
        if self._helper is not None:
            self._helper.close()
            reap(self._helper.pid, _LEAVES_WITHIN)

    def _read(self) -> None:
        if self._helper is None:
            return
        try:
            for told in self._helper.results():
                self._take(told)
        except HelperGone:
            self._log.warn("the script helper died; starting another one")
            self._loop.unwatch(self._helper.fileno())
            self._helper.close()
            reap(self._helper.pid, 0.0)
            self._helper = None
            self.deadline = libc.now() + _RESTART_AFTER
