"""The router role: the core's decisions, carried out.

One process, one thread, one loop that waits in one place. Each wake-up reads everything that has
arrived (adverts, link and address changes, script results, the proxy's death, the supervisor),
hands it to the core and carries out the effects in the order given; only then are timers looked
at, so that a node that wakes late hears what was said meanwhile before it speaks.

Nothing in here may wait: scripts run in a helper (`telamon.daemon.scripts`), the log is written
only when it takes the line (`telamon.kernel.steady_log`), the supervisor's channel likewise, and
netlink answers within its own system call.

Without a supervisor (`channel` None) the role runs alone, as `keepalived` does.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from telamon.base.address import IPAddress
from telamon.daemon.mail import Mail
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
from telamon.daemon.one_script import run_once
from telamon.daemon.router_addresses import RouterAddresses
from telamon.daemon.router_notify import RouterNotify
from telamon.daemon.router_sockets import RouterSockets
from telamon.daemon.router_supervisor import SupervisorLink, router_status
from telamon.daemon.router_surroundings import Surroundings
from telamon.daemon.router_vmacs import arrange
from telamon.daemon.script_messages import (
    FileNumber,
    HelperSays,
    Notify,
    NotifyFailed,
    ProcessVerdict,
    ScriptResult,
)
from telamon.daemon.scripts import Helper, HelperGone
from telamon.daemon.standalone_dump import Dumper
from telamon.daemon.standalone_signals import DUMPS, REAL_TIME, Function
from telamon.kernel import libc, realtime, sysctl
from telamon.kernel.announce import Announcer
from telamon.kernel.interfaces import Interfaces
from telamon.kernel.netlink import Monitor, Netlink
from telamon.kernel.process import die_with_parent, set_name
from telamon.kernel.reaping import reap, signal_socket
from telamon.kernel.rtnetlink import Address, AddressAdded, AddressRemoved, Link, LinkGone
from telamon.kernel.steady_log import SteadyLog
from telamon.kernel.vrrp_socket import Datagram, VrrpSocket
from telamon.plan.router import CommandPlan, RouterPlan
from telamon.vrrp import effects as do
from telamon.vrrp.events import Interface, Received
from telamon.vrrp.notices import Notice
from telamon.vrrp.router import Router
from telamon.vrrp.states import State

NAME = "keepalived"
"""What `pidof`, `pgrep -x` and `killall` know the role by."""

Write = Callable[[do.Urgency, str], None]

_HELPER_RESTART = 1.0
_HELPER_LEAVES_WITHIN = 2.0
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


class _Readable(Protocol):
    def fileno(self) -> int: ...


def run(
    plan: RouterPlan,
    channel: Channel | None,
    *,
    log: Write | None = None,
    supervisor: int | None = None,
    reload: Callable[[], RouterPlan | None] | None = None,
    habits: Habits | None = None,
) -> int:
    """Be the router until told to stop; the exit status.

    `supervisor` is the parent's pid, if the role shall not outlive it. Without a `channel`,
    `reload` gives the new plan on SIGHUP, or None (having said why) to keep the old one.
    """
    if supervisor is not None:
        die_with_parent(supervisor)
    set_name(NAME)
    write = log or _to_stderr()
    _run_script("startup_script", plan.startup, plan.startup_timeout, write)
    plan = delayed(plan)
    # First of all: a fork gets dearer and riskier with everything that is open.
    helper = Helper.start()
    try:
        role = _Role(plan, channel, helper, log, reload, habits or Habits())
    except OSError as error:
        reason = f"the router cannot start: {error.strerror or error} (CAP_NET_RAW, CAP_NET_ADMIN?)"
        if channel is not None:
            channel.send(Failed(reason))
        write(do.Urgency.ERROR, reason)
        helper.close()
        os.waitpid(helper.pid, 0)
        return 1
    try:
        status = role.run()
    except Exception:
        role.give_up(traceback.format_exc())
        return 1
    finally:
        role.close()
    _run_script("shutdown_script", role.plan.shutdown, role.plan.shutdown_timeout, write)
    return status


def _run_script(word: str, command: CommandPlan | None, timeout: float, write: Write) -> None:
    """A script that stands before or after everything; a failure stops nothing."""
    if command is None:
        return
    write(do.Urgency.INFO, f"running {word} {command.command[0]}")
    problem = run_once(command, timeout)
    if problem:
        write(do.Urgency.WARNING, f"{word} {command.command[0]}: {problem}")


def delayed(plan: RouterPlan) -> RouterPlan:
    """With what `vrrp_delay_after_boot` leaves; `libc.now` counts from the boot."""
    left = plan.delay_after_boot - libc.now()
    return replace(plan, startup_delay=max(plan.startup_delay, left))


def _to_stderr() -> Write:
    steady = SteadyLog(2)
    return lambda urgency, text: _write(steady, urgency, text)


_SYSLOG = {do.Urgency.INFO: 6, do.Urgency.WARNING: 4, do.Urgency.ERROR: 3}


def _write(steady: SteadyLog, urgency: do.Urgency, text: str) -> None:
    steady.entry("telamon-vrrp", urgency.name.lower(), _SYSLOG[urgency], text)


@dataclass(slots=True)
class _Proxy:
    """The proxy as the supervisor told of it; its pidfd is readable once it has died."""

    pid: int
    pidfd: int


class _Role:
    def __init__(
        self,
        plan: RouterPlan,
        channel: Channel | None,
        helper: Helper,
        log: Write | None,
        reload: Callable[[], RouterPlan | None] | None,
        habits: Habits,
    ) -> None:
        self.plan = plan
        self._habits = habits
        self._supervisor = SupervisorLink(channel)
        self._helper: Helper | None = helper
        self._helper_at: float | None = None
        self._write_log = log
        self._steady = SteadyLog(2)
        self._reload = reload
        self._proxy: _Proxy | None = None
        self._script_problems: dict[str, str] = {}
        self._unsendable: dict[str, int] = {}
        self._told: dict[str, Interface] = {}
        self._status_at = libc.now() + _STATUS_EVERY
        self._heard: tuple[Datagram, Received] | None = None
        self._running = True
        self._due = False
        self._handlers: dict[int, Callable[[], None]] = {}
        self._epoll = select.epoll()
        self._timer = libc.Timer()
        self._signals, self._signal_writer = signal_socket(REAL_TIME)
        self._monitor = Monitor()
        self._netlink = Netlink()
        self._announcer = Announcer()
        # The monitor is open by now, so that no change between the two is missed.
        self._interfaces = Interfaces(self._netlink.links(), self._netlink.addresses())
        self._addresses = RouterAddresses(
            self._netlink, self._interfaces, self._tell_guard, self._warn
        )
        self._sockets = RouterSockets(
            self._interfaces, self._socket_opened, self._socket_closed, self._warn
        )
        self._notify = RouterNotify(plan, self._run_notify, self._send_mail, self._warn)
        self._surroundings = Surroundings(
            self._netlink, self._interfaces, self._addresses, self._announce_extra, self._warn
        )
        arranged = self._surroundings.plan(plan, libc.now())
        # A VMAC was down while it was made: that is no news for the core.
        self._monitor.changes()
        self._interfaces.replace(self._netlink.links(), self._netlink.addresses())
        self._core = Router(arranged)
        self._dumper = Dumper(self._core, self._interfaces, self._sockets.get, self._warn)

    def run(self) -> int:
        self._info(realtime.enter())
        self._watch(self._timer, self._timer_fired)
        self._watch(self._signals, self._read_signals)
        self._watch(self._monitor, self._read_monitor)
        self._watch(self._surroundings.monitor, lambda: self._surroundings.read_monitor(libc.now()))
        if self._helper is not None:
            self._watch(self._helper, self._read_helper)
            self._helper.watch(self.plan.scripts, self.plan.processes, self.plan.files)
        if self._supervisor.channel is not None:
            self._watch(self._supervisor.channel, self._read_channel)
        self._sockets.require(self._surroundings.vmacs.transports(self._core.transports()))
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
        self._log(do.Urgency.ERROR, f"the router failed and leaves: {why}")
        with contextlib.suppress(Exception):
            self._carry_out(self._core.stop(libc.now()))
            self._surroundings.remove()

    def close(self) -> None:
        """Let go of everything; the helper is given a moment to end its scripts."""
        self._forget_proxy()
        self._notify.close()
        self._sockets.close()
        if self._helper is not None:
            self._helper.close()
            reap(self._helper.pid, _HELPER_LEAVES_WITHIN)
        for closable in (
            self._announcer, self._netlink, self._monitor, self._timer, self._epoll,
            self._signals, self._surroundings,
        ):  # fmt: skip
            closable.close()
        signal.set_wakeup_fd(-1)
        self._signal_writer.close()
        self._steady.flush()

    # The loop

    def _turn(self) -> None:
        self._arm()
        events = self._epoll.poll()
        # The wall clock may be set at any time, and signed adverts carry it.
        if self._core.wants_wall_clock:
            self._core.handle_wall_clock(time.time(), libc.now())
        if self._proxy is not None and len(events) > 1:
            # Its death goes before all else: every moment of it, clients are refused.
            pidfd = self._proxy.pidfd
            events.sort(key=lambda event: event[0] != pidfd)
        for fd, _events in events:
            # An earlier handler of this very round may have closed a later one's descriptor.
            handler = self._handlers.get(fd)
            if handler is not None:
                handler()
        if not self._running:
            return
        if self._due:
            self._due = False
            self._handle_timeouts(libc.now())
        if self._behind:
            self._steady.flush()
            self._supervisor.flush()

    def _timer_fired(self) -> None:
        # Only noted: what else has arrived goes first.
        self._timer.fired()
        self._due = True

    def _handle_timeouts(self, now: float) -> None:
        self._carry_out(self._core.handle_timeout(now))
        self._addresses.retry(now)
        self._surroundings.handle_timeout(now)
        for name in self._surroundings.delays.due(now):
            self._tell_interface(name)
        if self._helper_at is not None and self._helper_at <= now:
            self._restart_helper()
        if now >= self._status_at:
            # How late timers fire changes without an event.
            self._status_at = now + _STATUS_EVERY
            self._say_status()

    @property
    def _behind(self) -> bool:
        """Does something wait that a slow reader has not let us say?"""
        return self._steady.behind or self._supervisor.behind

    def _arm(self) -> None:
        deadline = self._core.next_timeout()
        # Rarely anything but the core waits for a time; a hundred wake-ups a second count.
        around = self._surroundings.deadline
        if self._addresses.deadline or around or self._helper_at or self._behind:
            again = libc.now() + _LOG_AGAIN if self._behind else None
            others = (deadline, self._addresses.deadline, around, self._helper_at, again)
            deadline = min(moment for moment in others if moment is not None)
        self._timer.arm(deadline)

    def _watch(self, source: _Readable, handler: Callable[[], None]) -> None:
        fd = source.fileno()
        self._handlers[fd] = handler
        self._epoll.register(fd, select.EPOLLIN)

    def _unwatch(self, fd: int) -> None:
        if self._handlers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    # Effects

    def _carry_out(self, effects: list[do.Effect]) -> None:
        changed = False
        for effect in effects:
            match effect:
                case do.SendAdvert():
                    self._send_advert(effect)
                case do.AddAddresses(instance, addresses):
                    self._addresses.add(instance, addresses, libc.now())
                case do.RemoveAddresses(instance, addresses):
                    self._addresses.remove(instance, addresses)
                case do.SendGratuitous():
                    self._announce(effect)
                case do.StateChanged():
                    self._state_changed(effect)
                    changed = True
                case do.LowerPriorityHeard():
                    self._notify.lower_priority_heard(effect)
                case do.GroupChanged(group, state):
                    self._info(f"({group}) sync group is {state.name} now")
                    self._notify.group_changed(effect)
                case do.Log(urgency, text):
                    self._log(urgency, text)
                case do.Noticed(notice):
                    self._noticed(notice)
                    changed = True
        if changed:
            self._say_status()

    def _send_advert(self, effect: do.SendAdvert) -> None:
        outlet = effect.interface
        if self._surroundings.vmacs and effect.destination.is_multicast:
            outlet = self._surroundings.vmacs.outlet(effect.instance, outlet)
        sock = self._sockets.get(outlet, effect.source.version)
        if sock is None:
            return
        try:
            sock.send(effect.payload, effect.source, effect.destination, effect.ttl)
        except OSError as error:
            number = error.errno or 0
            if self._unsendable.get(effect.instance) != number:
                self._warn(
                    f"({effect.instance}) cannot send an advert from {effect.source} to "
                    f"{effect.destination} on {effect.interface}: {error.strerror}"
                )
            self._unsendable[effect.instance] = number
        else:
            if effect.instance in self._unsendable:
                del self._unsendable[effect.instance]
                self._info(f"({effect.instance}) adverts can be sent again")

    def _announce(self, effect: do.SendGratuitous) -> None:
        link = self._interfaces.link(effect.device)
        if link is None or not link.speaks_arp:
            return
        router = effect.address.version == 6 and sysctl.ipv6_forwarding(effect.device)
        # A link that is down says so elsewhere; the next burst comes with the next election.
        with contextlib.suppress(OSError):
            self._announcer.announce(effect.address, effect.device, link.mac, router=router)

    def _announce_extra(self, instance: str, device: str, address: IPAddress) -> None:
        self._announce(do.SendGratuitous(instance, device, address))

    def _state_changed(self, effect: do.StateChanged) -> None:
        name, new = effect.instance, effect.new.name
        if effect.new in (State.MASTER, State.BACKUP, State.FAULT):
            # keepalived's very words, for everybody's log searches.
            self._info(f"({name}) Entering {new} STATE")
        self._info(
            f"({name}) {effect.old.name} -> {new}, priority {effect.priority}: {effect.reason}"
        )
        self._surroundings.state(name, effect.new is State.MASTER, libc.now())
        self._notify.state_changed(effect)

    def _noticed(self, notice: Notice) -> None:
        mend = f"; {notice.mend}" if notice.mend else ""
        urgency = do.Urgency.INFO if notice.harmless else do.Urgency.WARNING
        self._log(
            urgency,
            f"({notice.instance}) [{notice.kind.value}] {notice.peer}: {notice.text}{mend}",
        )

    # What arrives

    def _socket_opened(self, interface: str, sock: VrrpSocket) -> None:
        self._watch(sock, lambda: self._read_adverts(interface, sock))

    def _socket_closed(self, sock: VrrpSocket) -> None:
        self._unwatch(sock.fileno())

    def _read_adverts(self, interface: str, sock: VrrpSocket) -> None:
        for datagram in sock.receive():
            # The socket gives the same value again for a packet that says the same; so do we.
            if self._heard is not None and self._heard[0] is datagram:
                self._carry_out(self._core.handle_received(self._heard[1], libc.now()))
                continue
            inlet: str | None = interface
            if self._surroundings.vmacs and datagram.destination.is_multicast:
                inlet = self._surroundings.vmacs.inlet(
                    interface, datagram.payload[1:2], datagram.source.version
                )
            if inlet is None:
                continue
            received = Received(
                inlet,
                datagram.payload,
                datagram.source,
                datagram.destination,
                datagram.ttl,
            )
            self._heard = (datagram, received)
            self._carry_out(self._core.handle_received(received, libc.now()))

    def _read_monitor(self) -> None:
        changes = self._monitor.changes()
        if changes is None:
            self._warn("netlink changes were lost in a burst; asking for everything anew")
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
                    self._info(f"Netlink reports {change.address.interface} {verb} {name}")
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
        fact = Interface(name)
        if link is not None:
            up = self._surroundings.delays.seen(name, link.running, libc.now())
            fact = Interface(name, up, self._interfaces.addresses(name), link.mtu)
        if self._told.get(name) != fact:
            self._told[name] = fact
            self._carry_out(self._core.handle_interface(fact, libc.now()))
            self._say_priorities()

    def _read_helper(self) -> None:
        if self._helper is None:
            return
        try:
            for result in self._helper.results():
                match result:
                    case ScriptResult():
                        self._script_ended(result)
                    case NotifyFailed(queue, command, reason):
                        self._warn(f"({queue}) notify script {command}: {reason}")
                    case ProcessVerdict(name, running):
                        # keepalived's words
                        self._info(
                            f"Quorum {'gained' if running else 'lost'} for tracked process {name}"
                        )
                        self._carry_out(self._core.handle_process(name, running, libc.now()))
                        self._say_priorities()
                    case FileNumber(name, value):
                        self._info(f"track_file {name} holds {value}")
                        self._carry_out(self._core.handle_file(name, value, libc.now()))
                        self._say_priorities()
                    case HelperSays(text):
                        self._warn(text)
        except HelperGone:
            self._warn("the script helper died; starting another one")
            self._unwatch(self._helper.fileno())
            self._helper.close()
            reap(self._helper.pid, 0.0)
            self._helper = None
            self._helper_at = libc.now() + _HELPER_RESTART

    def _script_ended(self, result: ScriptResult) -> None:
        if result.reason != self._script_problems.get(result.name, ""):
            self._script_problems[result.name] = result.reason
            if result.reason:
                self._warn(f"script {result.name}: {result.reason}")
        self._carry_out(self._core.handle_script(result.name, result.ok, libc.now()))
        self._say_priorities()

    def _restart_helper(self) -> None:
        self._helper_at = None
        self._helper = Helper.start()
        self._watch(self._helper, self._read_helper)
        self._helper.watch(self.plan.scripts, self.plan.processes, self.plan.files)
        self._addresses.tell_guard(anew=True)

    def _run_notify(self, job: Notify) -> None:
        if self._helper is None or not self._helper.notify(job):
            self._warn(f"({job.queue}) cannot run {job.command.command[0]}: the helper is gone")

    def _send_mail(self, mail: Mail) -> None:
        if self._helper is None or not self._helper.mail(mail):
            self._warn(f"mail '{mail.subject}' is not sent: the helper is gone")

    def _tell_guard(self, addresses: tuple[Address, ...]) -> None:
        if self._helper is not None:
            self._helper.guard(addresses)

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
        if not waits and self._proxy is None:
            reason = "no proxy runs beside this router"
            self._carry_out(self._core.handle_proxy(False, reason, libc.now()))

    def _proxy_up(self, pid: int, descriptors: tuple[int, ...]) -> None:
        self._forget_proxy()
        if descriptors:
            pidfd, *rest = descriptors
            for fd in rest:
                os.close(fd)
            self._proxy = _Proxy(pid, pidfd)
            self._handlers[pidfd] = lambda: self._proxy_gone(f"proxy died (pid {pid})")
            self._epoll.register(pidfd, select.EPOLLIN)
        reason = f"proxy is ready (pid {pid})"
        self._info(reason)
        self._carry_out(self._core.handle_proxy(True, reason, libc.now()))
        self._say_priorities()

    def _proxy_gone(self, reason: str) -> None:
        # The farewell first: nothing is logged, closed or told before it is out.
        self._carry_out(self._core.handle_proxy(False, reason, libc.now()))
        if self._proxy is not None:
            # The supervisor tells of a death as well, after the pidfd has.
            self._warn(reason)
        self._forget_proxy()
        self._say_priorities()

    def _forget_proxy(self) -> None:
        if self._proxy is not None:
            self._unwatch(self._proxy.pidfd)
            os.close(self._proxy.pidfd)
            self._proxy = None

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
        self._heard = None
        self._notify.replan(plan)
        self._sockets.require(self._surroundings.vmacs.transports(self._core.transports()))
        self._carry_out(effects)
        self._expect_no_proxy()
        self._told = {n: f for n, f in self._told.items() if n in self._core.interfaces()}
        self._tell_interfaces()
        if self._helper is not None:
            self._helper.watch(plan.scripts, plan.processes, plan.files)
        self._say_priorities()
        self._notify.repeat(self._core.status(libc.now()))
        self._info("reloaded")
        self._supervisor.say(Ready())
        self._say_status()

    def _refuse(self, reason: str) -> None:
        self._warn(f"the new plan is refused, the old one stays: {reason}")
        self._supervisor.say(Failed(reason))

    def _stop(self, reason: str) -> None:
        if not self._running:
            return
        self._running = False
        effects = self._core.stop(libc.now())
        if self._habits.keep_addresses:
            effects = [e for e in effects if not isinstance(e, do.RemoveAddresses)]
            # Nor may the helper take them off once this process is gone.
            self._tell_guard(())
        self._carry_out(effects)
        self._info(f"Stopping: {reason}")
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

    # The log

    def _info(self, text: str) -> None:
        self._log(do.Urgency.INFO, text)

    def _warn(self, text: str) -> None:
        self._log(do.Urgency.WARNING, text)

    def _log(self, urgency: do.Urgency, text: str) -> None:
        if self._write_log is not None:
            self._write_log(urgency, text)
        else:
            _write(self._steady, urgency, text)
