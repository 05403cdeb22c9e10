"""What the router role does with its core: what arrives goes in, effects are carried out.

`telamon.daemon.vrrp` tells what the role is. What it owns is in files of their own: the loop, the
adverts, the helper, the proxy's pidfd, addresses, notifications, what else surrounds it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from telamon.base.address import IPAddress
from telamon.daemon.messages import (
    BackendHealth,
    Channel,
    Failed,
    Message,
    NewPlan,
    ProxyDown,
    ProxyUp,
    Ready,
    ReloadWanted,
    Status,
    Stop,
    Stopping,
)
from telamon.daemon.router_addresses import RouterAddresses
from telamon.daemon.router_adverts import RouterAdverts
from telamon.daemon.router_helper import RouterHelper
from telamon.daemon.router_log import RouterLog
from telamon.daemon.router_loop import RouterLoop
from telamon.daemon.router_notify import RouterNotify
from telamon.daemon.router_proxy import RouterProxy
from telamon.daemon.router_sockets import RouterSockets
from telamon.daemon.router_supervisor import SupervisorLink, router_status
from telamon.daemon.router_surroundings import Surroundings
from telamon.daemon.router_vmacs import arrange
from telamon.daemon.script_messages import (
    FileNumber,
    HelperSays,
    NotifyFailed,
    ProcessVerdict,
    ScriptResult,
    Told,
)
from telamon.daemon.scripts import Helper
from telamon.daemon.standalone_dump import Dumper
from telamon.daemon.standalone_signals import DUMPS, REAL_TIME, Function
from telamon.kernel import libc, realtime
from telamon.kernel.interfaces import Interfaces
from telamon.kernel.netlink import Monitor, Netlink
from telamon.kernel.reaping import signal_socket
from telamon.kernel.rtnetlink import AddressAdded, AddressRemoved, Link, LinkGone
from telamon.kernel.vrrp_socket import VrrpSocket
from telamon.plan.router import RouterPlan
from telamon.vrrp import effects as do
from telamon.vrrp.events import Interface, Received
from telamon.vrrp.notices import Notice
from telamon.vrrp.router import Router
from telamon.vrrp.states import State

_LOG_AGAIN = 0.2
_STATUS_EVERY = 10.0


@dataclass(frozen=True, slots=True)
class Habits:
    """What keepalived(8)'s flags change.

    `keep_addresses` (-V): leave the virtual addresses on the interfaces at the end.
    `report_addresses` (-a): log every address that comes or goes.
    """

    keep_addresses: bool = False
    report_addresses: bool = False


class RouterRole:
    def __init__(
        self,
        plan: RouterPlan,
        channel: Channel | None,
        helper: Helper,
        log: RouterLog,
        reload: Callable[[], RouterPlan | None] | None,
        habits: Habits,
    ) -> None:
        self.plan = plan
        self._habits, self._log, self._reload = habits, log, reload
        self._script_problems: dict[str, str] = {}
        self._told: dict[str, Interface] = {}
        self._status_at = libc.now() + _STATUS_EVERY
        self._running = True
        self._loop = RouterLoop()
        self._supervisor = SupervisorLink(channel)
        self._proxy = RouterProxy(self._loop, self._proxy_gone)
        self._helper = RouterHelper(
            helper, plan, self._loop, self._helper_told, self._helper_renewed, log
        )
        self._signals, self._signal_writer = signal_socket(REAL_TIME)
        self._monitor = Monitor()
        self._netlink = Netlink()
        # The monitor is open by now, so that no change between the two is missed.
        self._interfaces = Interfaces(self._netlink.links(), self._netlink.addresses())
        self._addresses = RouterAddresses(
            self._netlink, self._interfaces, self._helper.guard, log.warn
        )
        self._sockets = RouterSockets(
            self._interfaces, self._socket_opened, self._socket_closed, log.warn
        )
        self._notify = RouterNotify(plan, self._helper.run_notify, self._helper.send_mail, log.warn)
        self._surroundings = Surroundings(
            self._netlink, self._interfaces, self._addresses, self._announce, log.warn
        )
        self._adverts = RouterAdverts(
            self._sockets, self._interfaces, self._surroundings.vmacs, self._hear, log
        )
        arranged = self._surroundings.plan(plan, libc.now())
        # A VMAC was down while it was made: that is no news for the core.
        self._monitor.changes()
        self._interfaces.replace(self._netlink.links(), self._netlink.addresses())
        self._core = Router(arranged)
        self._dumper = Dumper(self._core, self._interfaces, self._sockets.get, log.warn)

    def run(self) -> int:
        """Until told to stop; the exit status."""
        self._log.info(realtime.enter())
        self._loop.watch(self._signals, self._read_signals)
        self._loop.watch(self._monitor, self._read_monitor)
        surroundings = self._surroundings
        self._loop.watch(surroundings.monitor, lambda: surroundings.read_monitor(libc.now()))
        self._helper.begin()
        if self._supervisor.channel is not None:
            self._loop.watch(self._supervisor.channel, self._read_channel)
        self._sockets.require(surroundings.vmacs.transports(self._core.transports()))
        self._core.handle_wall_clock(time.time(), libc.now())
        self._carry_out(self._core.start(libc.now()))
        self._expect_no_proxy()
        self._tell_interfaces()
        self._supervisor.say(Ready())
        self._say_status()
        while self._running:
            self._turn()
        return 0

    def give_up(self, why: str) -> None:
        """A mistake of ours: say so, and leave the addresses to another node if that still works.

        What fails here too is done by the helper, as after a kill.
        """
        self._log.say(do.Urgency.ERROR, f"the router failed and leaves: {why}")
        with contextlib.suppress(Exception):
            self._carry_out(self._core.stop(libc.now()))
            self._surroundings.remove()

    def close(self) -> None:
        """Let go of everything; the helper is given a moment to end its scripts."""
        self._proxy.forget()
        self._notify.close()
        self._sockets.close()
        self._helper.close()
        for closable in (
            self._adverts, self._netlink, self._monitor, self._loop, self._signals,
            self._surroundings,
        ):  # fmt: skip
            closable.close()
        signal.set_wakeup_fd(-1)
        self._signal_writer.close()
        self._log.flush()

    # The loop

    def _turn(self) -> None:
        ready = self._loop.wait(self._deadline())
        # The wall clock may be set at any time, and signed adverts carry it.
        if self._core.wants_wall_clock:
            self._core.handle_wall_clock(time.time(), libc.now())
        # The proxy's death goes before all else: every moment of it, clients are refused.
        due = self._loop.handle(ready, self._proxy.pidfd)
        if not self._running:
            return
        if due:
            self._handle_timeouts(libc.now())
        if self._behind:
            self._log.flush()
            self._supervisor.flush()

    def _deadline(self) -> float | None:
        deadline = self._core.next_timeout()
        # Rarely anything but the core waits for a time; a hundred wake-ups a second count.
        around = self._surroundings.deadline
        if self._addresses.deadline or around or self._helper.deadline or self._behind:
            again = libc.now() + _LOG_AGAIN if self._behind else None
            others = (deadline, self._addresses.deadline, around, self._helper.deadline, again)
            deadline = min(moment for moment in others if moment is not None)
        return deadline

    @property
    def _behind(self) -> bool:
        """Does something wait that a slow reader has not let us say?"""
        return self._log.behind or self._supervisor.behind

    def _handle_timeouts(self, now: float) -> None:
        self._carry_out(self._core.handle_timeout(now))
        self._addresses.retry(now)
        self._surroundings.handle_timeout(now)
        for name in self._surroundings.delays.due(now):
            self._tell_interface(name)
        self._helper.handle_timeout(now)
        if now >= self._status_at:
            # How late timers fire changes without an event.
            self._status_at = now + _STATUS_EVERY
            self._say_status()

    # Effects

    def _carry_out(self, effects: list[do.Effect]) -> None:
        changed = False
        for effect in effects:
            match effect:
                case do.SendAdvert():
                    self._adverts.send(effect)
                case do.AddAddresses(instance, addresses):
                    self._addresses.add(instance, addresses, libc.now())
                case do.RemoveAddresses(instance, addresses):
                    self._addresses.remove(instance, addresses)
                case do.SendGratuitous():
                    self._adverts.announce(effect)
                case do.StateChanged():
                    self._state_changed(effect)
                    changed = True
                case do.LowerPriorityHeard():
                    self._notify.lower_priority_heard(effect)
                case do.GroupChanged(group, state):
                    self._log.info(f"({group}) sync group is {state.name} now")
                    self._notify.group_changed(effect)
                case do.Log(urgency, text):
                    self._log.say(urgency, text)
                case do.Noticed(notice):
                    self._noticed(notice)
                    changed = True
        if changed:
            self._say_status()

    def _state_changed(self, effect: do.StateChanged) -> None:
        name, new = effect.instance, effect.new.name
        if effect.new in (State.MASTER, State.BACKUP, State.FAULT):
            # keepalived's very words, for everybody's log searches.
            self._log.info(f"({name}) Entering {new} STATE")
        self._log.info(
            f"({name}) {effect.old.name} -> {new}, priority {effect.priority}: {effect.reason}"
        )
        self._surroundings.state(name, effect.new is State.MASTER, libc.now())
        self._notify.state_changed(effect)

    def _noticed(self, notice: Notice) -> None:
        mend = f"; {notice.mend}" if notice.mend else ""
        urgency = do.Urgency.INFO if notice.harmless else do.Urgency.WARNING
        self._log.say(
            urgency,
            f"({notice.instance}) [{notice.kind.value}] {notice.peer}: {notice.text}{mend}",
        )

    def _announce(self, instance: str, device: str, address: IPAddress) -> None:
        self._adverts.announce(do.SendGratuitous(instance, device, address))

    # What arrives

    def _hear(self, received: Received) -> None:
        self._carry_out(self._core.handle_received(received, libc.now()))

    def _socket_opened(self, interface: str, sock: VrrpSocket) -> None:
        self._loop.watch(sock, lambda: self._adverts.read(interface, sock))

    def _socket_closed(self, sock: VrrpSocket) -> None:
        self._loop.unwatch(sock.fileno())

    def _read_monitor(self) -> None:
        changes = self._monitor.changes()
        if changes is None:
            self._log.warn("netlink changes were lost in a burst; asking for everything anew")
            self._interfaces.replace(self._netlink.links(), self._netlink.addresses())
            for name in self._core.interfaces():
                self._sockets.refresh(name)
            self._tell_interfaces()
            for device, address in self._addresses.missing():
                self._carry_out(self._core.handle_address_removed(device, address, libc.now()))
            return
        for change in changes:
            self._interfaces.apply(change)
            if isinstance(change, AddressAdded | AddressRemoved):
                name = self._interfaces.name(change.address.index)
                if self._habits.report_addresses:
                    verb = "added to" if isinstance(change, AddressAdded) else "deleted from"
                    self._log.info(f"Netlink reports {change.address.interface} {verb} {name}")
            elif isinstance(change, Link | LinkGone):
                name = change.name
                self._sockets.refresh(name)
            else:
                continue
            self._tell_interface(name)
            self._surroundings.changed(change, name, libc.now())
            if isinstance(change, AddressRemoved):
                ip = change.address.interface.ip
                self._carry_out(self._core.handle_address_removed(name, ip, libc.now()))
            elif isinstance(change, Link):
                self._addresses.tell_guard()

    def _tell_interfaces(self) -> None:
        for name in sorted(self._core.interfaces()):
            self._tell_interface(name)

    def _tell_interface(self, name: str) -> None:
        """Tell the core what it has not been told yet of an interface that it cares for."""
        if name not in self._core.interfaces():
            return
        link = self._interfaces.link(name)
        fact = Interface(name, present=False)
        if link is not None:
            up = self._surroundings.delays.seen(name, link.running, libc.now())
            fact = Interface(name, up, self._interfaces.addresses(name), link.mtu)
        if self._told.get(name) != fact:
            self._told[name] = fact
            self._carry_out(self._core.handle_interface(fact, libc.now()))
            self._say_priorities()

    def _helper_told(self, told: Told) -> None:
        match told:
            case ScriptResult():
                self._script_ended(told)
            case NotifyFailed(queue, command, reason):
                self._log.warn(f"({queue}) notify script {command}: {reason}")
            case ProcessVerdict(name, running):
                # keepalived's words
                self._log.info(
                    f"Quorum {'gained' if running else 'lost'} for tracked process {name}"
                )
                self._carry_out(self._core.handle_process(name, running, libc.now()))
                self._say_priorities()
            case FileNumber(name, value):
                self._log.info(f"track_file {name} holds {value}")
                self._carry_out(self._core.handle_file(name, value, libc.now()))
                self._say_priorities()
            case HelperSays(text):
                self._log.warn(text)

    def _helper_renewed(self) -> None:
        self._addresses.tell_guard(anew=True)

    def _script_ended(self, result: ScriptResult) -> None:
        if result.reason != self._script_problems.get(result.name, ""):
            self._script_problems[result.name] = result.reason
            if result.reason:
                self._log.warn(f"script {result.name}: {result.reason}")
        self._carry_out(self._core.handle_script(result.name, result.ok, libc.now()))
        self._say_priorities()

    def _read_signals(self) -> None:
        for number in self._signals.recv(64):
            if number in (signal.SIGTERM, signal.SIGINT):
                name = signal.Signals(number).name
                self._stop(f"received {name}")
                self._supervisor.say(Stopping(f"{name} was sent to the router"))
            elif number in DUMPS:
                self._dumper.write(Function(number), libc.now())
            elif number in (Function.RELOAD, Function.RELOAD_FORCE):
                force = number == Function.RELOAD_FORCE
                if self._supervisor.channel is not None:
                    self._supervisor.say(ReloadWanted(force))
                elif self._reload is not None and (plan := self._reload()) is not None:
                    self._take(plan, force)

    # The proxy and the supervisor

    def _read_channel(self) -> None:
        for message, descriptors in self._supervisor.received():
            self._handle_message(message, descriptors)
            if not self._running:
                return
        if self._supervisor.gone:
            self._stop("the supervisor is gone")

    def _handle_message(self, message: Message, descriptors: tuple[int, ...]) -> None:
        match message:
            case ProxyUp(pid):
                self._proxy_up(pid, descriptors)
                return
            case ProxyDown(reason):
                self._proxy_gone(reason)
            case BackendHealth(servers_up):
                self._carry_out(self._core.handle_backends(dict(servers_up), libc.now()))
                self._say_priorities()
            case NewPlan(plan, force):
                self._take(plan, force)
            case Stop():
                self._stop("told to stop")
            case _:
                pass
        for fd in descriptors:
            os.close(fd)

    def _expect_no_proxy(self) -> None:
        """Where no proxy will ever be told of, what follows one must not wait for it."""
        waits = self.plan.beside_proxy or any(i.track_proxy for i in self.plan.instances)
        if not waits and self._proxy.pidfd is None:
            reason = "no proxy runs beside this router"
            self._carry_out(self._core.handle_proxy(False, reason, libc.now()))

    def _proxy_up(self, pid: int, descriptors: tuple[int, ...]) -> None:
        self._proxy.watch(pid, descriptors)
        reason = f"proxy is ready (pid {pid})"
        self._log.info(reason)
        self._carry_out(self._core.handle_proxy(True, reason, libc.now()))
        self._say_priorities()

    def _proxy_gone(self, reason: str) -> None:
        # The farewell first: nothing is logged, closed or told before it is out.
        self._carry_out(self._core.handle_proxy(False, reason, libc.now()))
        if self._proxy.pidfd is not None:
            # The supervisor tells of a death as well, after the pidfd has.
            self._log.warn(reason)
        self._proxy.forget()
        self._say_priorities()

    def _take(self, plan: RouterPlan, force: bool) -> None:
        """A new plan, by difference: what stays as it was is not touched."""
        if plan.namespace != self.plan.namespace:
            self._refuse("net_namespace cannot change by a reload: restart the router")
            return
        lost = self._core.losses(arrange(plan)[0])
        if lost and not force:
            names = ", ".join(str(virtual.address.ip) for virtual in lost)
            reason = f"this node holds {names} and would lose it; force the reload if that is meant"
            self._refuse(reason)
            return
        try:
            arranged = self._surroundings.plan(plan, libc.now())
            # While the core still lives by the old plan: a new VMAC was down at first.
            self._read_monitor()
            effects = self._core.reload(arranged, libc.now())
        except ValueError as error:
            self._refuse(str(error))
            return
        self.plan = plan
        self._adverts.forget()
        self._notify.replan(plan)
        self._sockets.require(self._surroundings.vmacs.transports(self._core.transports()))
        self._carry_out(effects)
        self._expect_no_proxy()
        self._told = {n: f for n, f in self._told.items() if n in self._core.interfaces()}
        self._tell_interfaces()
        self._helper.plan(plan)
        self._say_priorities()
        self._notify.repeat(self._core.status(libc.now()))
        self._log.info("reloaded")
        self._supervisor.say(Ready())
        self._say_status()

    def _refuse(self, reason: str) -> None:
        self._log.warn(f"the new plan is refused, the old one stays: {reason}")
        self._supervisor.say(Failed(reason))

    def _stop(self, reason: str) -> None:
        if not self._running:
            return
        self._running = False
        effects = self._core.stop(libc.now())
        if self._habits.keep_addresses:
            effects = [e for e in effects if not isinstance(e, do.RemoveAddresses)]
            # Nor may the helper take them off once this process is gone.
            self._helper.guard(())
        self._carry_out(effects)
        self._log.info(f"Stopping: {reason}")
        if not self._habits.keep_addresses:
            self._surroundings.remove()
        self._say_status()

    def _say_priorities(self) -> None:
        """After a tracker has changed: tell of what it did to the priorities."""
        views = self._core.status(libc.now())
        if self._notify.priorities_changed(views):
            self._say_status()

    def _say_status(self) -> None:
        views = self._core.status(libc.now())
        late = self._core.lateness()
        self._supervisor.say(router_status(views, self._surroundings.refusals, late))
        self._supervisor.say(Status(", ".join(f"{view.name} {view.state.name}" for view in views)))
