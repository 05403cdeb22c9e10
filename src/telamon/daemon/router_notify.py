"""Telling others of changes of state: notify scripts, FIFOs, mail (keepalived.conf(5), "Scripts").

Here is only what to say to whom. Scripts and mails are handed to the helper, which runs and sends
them in order; a FIFO is written without ever waiting for its reader.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

from telamon.daemon.mail import Mail, group_mail, instance_mail
from telamon.daemon.script_messages import Notify
from telamon.plan.router import CommandPlan, FifoPlan, MailPlan, NotifyPlan, RouterPlan
from telamon.vrrp.effects import GroupChanged, LowerPriorityHeard, StateChanged
from telamon.vrrp.states import State
from telamon.vrrp.views import InstanceView

_TOLD = (State.MASTER, State.BACKUP, State.FAULT, State.STOPPED)
_DELETED = "DELETED"


class RouterNotify:
    """`run` hands a script to the helper, `send` a mail."""

    def __init__(
        self,
        plan: RouterPlan,
        run: Callable[[Notify], None],
        send: Callable[[Mail], None],
        log: Callable[[str], None],
    ) -> None:
        self._run = run
        self._send = send
        self._log = log
        self._plan = plan
        self._instances: dict[str, NotifyPlan] = {}
        self._groups: dict[str, NotifyPlan] = {}
        self._gone: dict[str, NotifyPlan] = {}
        self._group_states: dict[str, State] = {}
        self._priorities = {instance.name: instance.priority for instance in plan.instances}
        self._fifos: dict[FifoPlan, _Fifo] = {}
        self.replan(plan)

    def replan(self, plan: RouterPlan) -> None:
        """Live by `plan`; an instance that it lacks is deleted, and told so when it stops."""
        self._plan = plan
        names = {instance.name for instance in plan.instances}
        self._gone = {name: n for name, n in self._instances.items() if name not in names}
        self._instances = {instance.name: instance.notify for instance in plan.instances}
        self._groups = {group.name: group.notify for group in plan.groups}
        for fifo in [fifo for fifo in self._fifos if fifo not in plan.fifos]:
            self._fifos.pop(fifo).close()
        for fifo in plan.fifos:
            if fifo not in self._fifos:
                self._open(fifo)

    def state_changed(self, effect: StateChanged) -> None:
        if effect.new not in _TOLD or (effect.old, effect.new) == (State.INIT, State.STOPPED):
            return
        name, word = effect.instance, effect.new.value
        gone = self._gone.pop(name, None) if effect.new is State.STOPPED else None
        if gone is not None:
            word = _DELETED if gone.tell_deleted else State.FAULT.value
            self._tell("INSTANCE", name, gone, gone.deleted, word, effect.priority)
            return
        plan = self._instances.get(name, NotifyPlan())
        self._tell("INSTANCE", name, plan, _own(plan, effect.new), word, effect.priority)
        if plan.mail:
            self._mail(instance_mail, name, effect.new)

    def lower_priority_heard(self, effect: LowerPriorityHeard) -> None:
        """`notify_master_rx_lower_pri`; FIFOs hear of it with or without (keepalived alike)."""
        name = effect.instance
        script = self._instances.get(name, NotifyPlan()).lower_priority_heard
        if script is not None:
            # A script that is slower than the other's adverts needs no run for each of them.
            self._run(Notify(f"INSTANCE {name}", script, once=True))
        self._write(f'INSTANCE "{name}" MASTER_RX_LOWER_PRI {effect.priority}\n')

    def repeat(self, views: Iterable[InstanceView]) -> None:
        """After a reload: every state once more, for FIFOs (fifo_write_vrrp_states_on_reload)."""
        if not self._plan.fifo_states_on_reload:
            return
        for view in views:
            if view.state in _TOLD:
                self._write(f'INSTANCE "{view.name}" {view.state.value} {view.priority}\n')
        for name, state in self._group_states.items():
            if name in self._groups:
                self._write(f'GROUP "{name}" {state.value} 0\n')

    def priorities_changed(self, views: Iterable[InstanceView]) -> bool:
        """Tell the FIFOs of changed priorities where that is asked for; whether there are any."""
        news = False
        for view in views:
            if self._priorities.get(view.name) == view.priority:
                continue
            self._priorities[view.name] = view.priority
            news = True
            if self._instances.get(view.name, NotifyPlan()).priority_changes:
                # keepalived knows these two words only, whatever the state.
                word = "MASTER" if view.state is State.MASTER else "BACKUP"
                self._write(f'INSTANCE "{view.name}" {word}_PRIORITY {view.priority}\n')
        return news

    def group_changed(self, effect: GroupChanged) -> None:
        self._group_states[effect.group] = effect.state
        plan = self._groups.get(effect.group)
        if plan is not None and effect.state in _TOLD:
            own = _own(plan, effect.state)
            self._tell("GROUP", effect.group, plan, own, effect.state.value, 0)
            if plan.mail:
                self._mail(group_mail, effect.group, effect.state)

    def _mail(
        self, about: Callable[[MailPlan, str, str, State], Mail], name: str, state: State
    ) -> None:
        """Keepalived mails of three states; who stops it knows that."""
        plan = self._plan.mail
        if plan is None or state not in (State.MASTER, State.BACKUP, State.FAULT):
            return
        if state is not State.FAULT or plan.faults:
            self._send(about(plan, self._plan.router_id, name, state))

    def close(self) -> None:
        for fifo in self._fifos.values():
            fifo.close()

    def _tell(
        self,
        kind: str,
        name: str,
        plan: NotifyPlan,
        own: CommandPlan | None,
        word: str,
        priority: int,
    ) -> None:
        queue = f"{kind} {name}"
        if own is not None:
            self._run(Notify(queue, own))
        if plan.any is not None:
            self._run(Notify(queue, plan.any, (kind, name, word, str(priority))))
        self._write(f'{kind} "{name}" {word} {priority}\n')

    def _write(self, line: str) -> None:
        for fifo in self._fifos.values():
            fifo.write(line)

    def _open(self, plan: FifoPlan) -> None:
        try:
            self._fifos[plan] = _Fifo(plan, self._log)
        except OSError as error:
            self._log(f"FIFO {plan.path} cannot be used: {error.strerror or error}")
            return
        if plan.reader is not None:
            self._run(Notify(f"FIFO {plan.path}", plan.reader, (plan.path,), limit=None))


def _own(plan: NotifyPlan, state: State) -> CommandPlan | None:
    return {
        State.MASTER: plan.master,
        State.BACKUP: plan.backup,
        State.FAULT: plan.fault,
        State.STOPPED: plan.stop,
    }.get(state)


class _Fifo:
    """One named pipe. OSError if the path is something else or cannot be made."""

    def __init__(self, plan: FifoPlan, log: Callable[[str], None]) -> None:
        self._path = Path(plan.path)
        self._log = log
        self._lost = 0
        self._made = not self._path.exists()
        if self._made:
            os.mkfifo(self._path, 0o600)
            if plan.uid is not None:
                os.chown(self._path, plan.uid, -1 if plan.gid is None else plan.gid)
        elif not stat.S_ISFIFO(self._path.stat().st_mode):
            raise FileExistsError(0, "there is a file of that name that is no FIFO")
        # Open for reading as well: so it opens without a reader, and none can break it.
        self._fd = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def write(self, line: str) -> None:
        """A line is well under PIPE_BUF, hence written whole or not at all."""
        try:
            os.write(self._fd, line.encode())
        except BlockingIOError:
            self._lost += 1
            if self._lost == 1:
                self._log(f"FIFO {self._path} is full, nobody reads it: lines are lost")
            return
        if self._lost:
            self._log(f"FIFO {self._path} is read again; {self._lost} lines were lost")
            self._lost = 0

    def close(self) -> None:
        os.close(self._fd)
        if self._made:
            self._path.unlink(missing_ok=True)
