"""/tmp/keepalived.data: configuration and state for people and exporters, as Keepalived 2.2.7.

The shape is the contract: a heading for each block, ` VRRP Instance = NAME`, three blanks before
`Key = value`, five before the entries of a list. Lines about things that do not exist here
(IPVS, BFD's sessions) are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from telamon.plan.router import (
    AuthKind,
    InstancePlan,
    ParameterMatch,
    RouterPlan,
    SyncGroupPlan,
)
from telamon.runtime import keepalived_text as text
from telamon.runtime.keepalived_garp import garp_lines
from telamon.runtime.keepalived_globals import global_lines
from telamon.runtime.keepalived_interfaces import InterfaceLine, interface_lines
from telamon.runtime.keepalived_routes import route_line, rule_line
from telamon.runtime.keepalived_scripts import script_lines
from telamon.vrrp.detail import InstanceDetail, RouterDetail
from telamon.vrrp.states import State

_OTHER_VMACS = "Use VMAC for VIPs on other interfaces"

Descriptor = Callable[[str, int], int]
"""The descriptor of the socket on an interface for a family; -1 if there is none."""


def render(
    detail: RouterDetail, interfaces: Iterable[InterfaceLine], descriptor: Descriptor, now: float
) -> str:
    """`now`: seconds since the epoch."""
    known = list(interfaces)
    sections = [
        ("Global definitions", global_lines(detail.plan)),
        ("Gratuitous ARP delays", garp_lines(detail, (i.name for i in known), now)),
        ("Static Addresses", _static_addresses(detail.plan)),
        ("Static Routes", (f"     {route_line(r)}" for r in detail.plan.statics.routes)),
        ("Static Rules", (f"     {rule_line(r)}" for r in detail.plan.statics.rules)),
        ("Static Track groups", _track_groups(detail.plan)),
        ("VRRP Topology", _topology(detail, descriptor, now)),
        ("VRRP Sockpool", _sockets(detail.instances, descriptor)),
        ("VRRP Sync groups", _groups(detail)),
        ("VRRP Scripts", script_lines(detail)),
        ("VRRP Track files", _files(detail)),
        ("VRRP Track processes", _processes(detail)),
        ("Interfaces", interface_lines(detail.plan, known)),
    ]
    out = []
    for title, lines in sections:
        block = list(lines)
        if block:
            out += [f"------< {title} >------", *block]
    return "".join(f"{line}\n" for line in out)


def render_globals(plan: RouterPlan) -> str:
    """/tmp/keepalived_parent.data: what the parent process knows."""
    lines = ["------< Global definitions >------", *global_lines(plan, vrrp=False)]
    return "".join(f"{line}\n" for line in lines)


def _static_addresses(plan: RouterPlan) -> Iterator[str]:
    """Where none names a device the plan has put one; an address is looked up nowhere here."""
    for address in plan.statics.addresses:
        yield f"     {text.address_words(address, address.device or '')} set"


def _track_groups(plan: RouterPlan) -> Iterator[str]:
    for name, members in plan.track_groups:
        yield f" Static Track Group = {name}"
        yield "   VRRP member instances :"
        yield from (f"     {member}" for member in members)


def _topology(detail: RouterDetail, descriptor: Descriptor, now: float) -> Iterator[str]:
    for instance in detail.instances:
        yield f" VRRP Instance = {instance.plan.name}"
        yield from (f"   {line}" for line in _state(instance, now))
        yield from (f"   {line}" for line in _settings(instance))
        yield from (f"   {line}" for line in _addresses(instance))
        fd = descriptor(instance.plan.interface, instance.family)
        yield f"   fd_in {fd}, fd_out {fd}"
        yield from (f"   {line}" for line in _tracked(instance.plan))
        yield from (f"   {line}" for line in _notify(instance.plan))


def _state(detail: InstanceDetail, now: float) -> Iterator[str]:
    plan = detail.plan
    yield f"VRRP Version = {plan.version}"
    if detail.group is not None:
        yield f"Sync group = {detail.group}"
    if detail.family == 6:
        yield "Using Native IPv6"
    yield f"State = {text.state_name(detail.state)}"
    if detail.master is not None:
        yield f"Master router = {detail.master}"
        yield f"Master priority = {detail.master_priority}"
        if plan.version == 3:
            yield f"Master advert int = {detail.master_interval:.2f} sec"
    yield "Flags:" if any(_flags(plan)) else "Flags: none"
    if plan.unicast_peers:
        yield "  Using unicast"
    yield f"Wantstate = {text.state_name(text.wanted(detail))}"
    yield "Number of config faults = 0"
    yield f"Number of interface and track script faults = {len(detail.faults)}"
    yield "Number of track scripts init = 0"
    yield f"Last transition = {text.moment(now - detail.age)}"
    timeout = detail.timeout
    yield f"Read timeout = {'DISABLED' if timeout is None else text.moment(now + timeout)}"
    # Whole microseconds, cut off as there; the hundredth makes up for the float.
    yield f"Master down timer = {int(detail.down_interval * 1e6 + 0.01)} usecs"


def _flags(plan: InstancePlan) -> tuple[bool, ...]:
    """What Keepalived counts as flags; it has a line of its own only for unicast."""
    return (
        not plan.preempt,
        plan.promote_secondaries,
        not plan.track_primary,
        plan.skip_check_addresses,
        plan.track_source,
        plan.vmac is not None,
        bool(plan.unicast_peers),
    )


def _settings(detail: InstanceDetail) -> Iterator[str]:
    plan, garp = detail.plan, detail.plan.garp
    if plan.vmac is not None and plan.vmac.for_other_interfaces and not plan.vmac.for_adverts:
        yield _OTHER_VMACS
    if plan.vmac is not None and plan.vmac.for_adverts:
        base = text.truth(plan.vmac.adverts_from_base)
        yield f"Use VMAC, i/f name {text.device(plan)}, is_up = true, xmit_base = {base}"
        if plan.vmac.for_other_interfaces:
            yield _OTHER_VMACS
        outlet = ", xmit base i/f" if plan.vmac.adverts_from_base else ""
        yield f"Interface = {text.device(plan)}, vmac on {plan.interface}{outlet}"
    else:
        yield f"Interface = {plan.interface}"
    if not plan.track_primary:
        yield "VRRP interface tracking disabled"
    if plan.skip_check_addresses:
        yield "Skip checking advert IP addresses"
    if plan.strict:
        yield "Enforcing strict VRRP compliance"
    given = " (from configuration)" if plan.source is not None else ""
    yield f"Using src_ip = {detail.source or '(none)'}{given}"
    if detail.multicast is not None:
        yield f"Multicast address {detail.multicast}"
    yield f"Gratuitous ARP delay = {garp.delay:g}"
    yield f"Gratuitous ARP repeat = {garp.repeat}"
    yield f"Gratuitous ARP refresh = {garp.refresh:g}"
    yield f"Gratuitous ARP refresh repeat = {garp.refresh_repeat}"
    yield f"Gratuitous ARP lower priority delay = {garp.lower_priority_delay:g}"
    yield f"Gratuitous ARP lower priority repeat = {garp.lower_priority_repeat}"
    yield f"Down timer adverts = {plan.down_timer_adverts}"
    answers = text.truth(plan.answer_lower_priority)
    yield f"Send advert after receive lower priority advert = {answers}"
    speaks = text.truth(plan.advertise_before_yielding)
    yield f"Send advert after receive higher priority advert = {speaks}"
    yield f"Virtual Router ID = {plan.vrid}"
    yield f"Priority = {plan.priority}"
    yield f"Effective priority = {detail.priority}"
    yield f"Total priority = {detail.total_priority}"
    yield f"Advert interval = {text.interval(plan)}"
    if plan.version == 3 and detail.state is not State.MASTER:
        yield f"Master advert interval = {detail.master_interval * 1000:g} milli-sec"
    yield f"Accept = {_able(plan.accept)}"
    yield f"Preempt = {_able(plan.preempt)}"
    if plan.preempt_delay:
        yield f"Preempt delay = {plan.preempt_delay:g} secs"
    yield f"Promote_secondaries = {_able(plan.promote_secondaries)}"
    if plan.version == 2:
        passes = plan.authentication.kind is AuthKind.PASS
        yield f"Authentication type = {'SIMPLE_PASSWORD' if passes else 'none'}"
        if passes:
            secret = plan.authentication.secret.decode("utf-8", "backslashreplace")
            yield f"Password = {secret}"
    if plan.receive_buffer is not None:
        yield f"Kernel rx buffer size = {plan.receive_buffer}"


def _addresses(detail: InstanceDetail) -> Iterator[str]:
    plan = detail.plan
    if plan.addresses:
        yield f"Virtual IP ({len(plan.addresses)}):"
        yield from _listed(text.virtual_addresses(detail, plan.addresses))
    if plan.excluded_addresses:
        yield "Virtual IP Excluded :"
        yield from _listed(text.virtual_addresses(detail, plan.excluded_addresses))
    if plan.unicast_peers:
        yield f"Unicast TTL = {plan.unicast_ttl}"
        # Only peers are believed, whatever the file says about it.
        yield "Check unicast src : yes"
        yield "Unicast Peer :"
        ttls = {limit.peer: limit for limit in plan.peer_ttls}
        for peer in plan.unicast_peers:
            limit = ttls.get(peer)
            low = limit.low if limit is not None and limit.low is not None else 254
            high = limit.high if limit is not None and limit.high is not None else 255
            yield f"  {peer} min_ttl {low} max_ttl {high}"
        if detail.family == 4:
            yield f"Unicast checksum compatibility = {'yes' if plan.checksum_as_v2 else 'no'}"


def _tracked(plan: InstancePlan) -> Iterator[str]:
    blocks: tuple[tuple[str, list[str]], ...] = (
        ("Virtual Routes :", [route_line(entry) for entry in plan.routes]),
        ("Virtual Rules :", [rule_line(entry) for entry in plan.rules]),
        *_trackers(plan),
    )
    for title, lines in blocks:
        if lines:
            yield title
            yield from _listed(lines)


def _trackers(plan: InstancePlan | SyncGroupPlan) -> tuple[tuple[str, list[str]], ...]:
    return (
        (
            "Tracked interfaces :",
            [
                f"{t.interface} weight {t.weight}{text.reverse(t.reverse)}"
                for t in plan.track_interfaces
                if not t.implied
            ],
        ),
        (
            "Tracked scripts :",
            [f"{t.script} weight {t.weight}{text.reverse(t.reverse)}" for t in plan.track_scripts],
        ),
        (
            "Tracked files :",
            [f"{t.file}, weight {t.weight}{text.reverse(t.reverse)}" for t in plan.track_files],
        ),
        (
            "Tracked processes :",
            [
                f"{t.process}, weight {t.weight}{text.reverse(t.reverse)}"
                for t in plan.track_processes
            ],
        ),
    )


def _notify(plan: InstancePlan | SyncGroupPlan) -> Iterator[str]:
    notify = plan.notify
    yield f"Using smtp notification = {'yes' if notify.mail else 'no'}"
    if isinstance(plan, InstancePlan):
        deleted = notify.tell_deleted or notify.deleted is not None
        yield f"Notify deleted = {'Deleted' if deleted else 'Fault'}"
    for name, script in (
        ("Backup state transition", notify.backup),
        ("Master state transition", notify.master),
        ("Fault state transition", notify.fault),
        ("Stop state transition", notify.stop),
        ("Generic state transition", notify.any),
        ("Master rx lower pri state transition", notify.lower_priority_heard),
    ):
        if script is not None:
            user = f"{script.uid or 0}:{script.gid or 0}"
            yield f"{name} script = {text.command(script)}, uid:gid {user}"
    if isinstance(plan, InstancePlan):
        yield f"Notify priority changes = {text.truth(notify.priority_changes)}"


def _sockets(instances: Iterable[InstanceDetail], descriptor: Descriptor) -> Iterator[str]:
    shared: dict[tuple[str, int, bool], list[InstanceDetail]] = {}
    for detail in instances:
        vmac, unicast = detail.plan.vmac, detail.multicast is None
        below = vmac is None or not vmac.for_adverts or vmac.adverts_from_base or unicast
        outlet = detail.plan.interface if below else text.device(detail.plan)
        key = (outlet, detail.family, unicast)
        shared.setdefault(key, []).append(detail)
    for (interface, family, unicast), users in shared.items():
        fd = descriptor(interface, family)
        yield f" fd_in {fd} fd_out = {fd}"
        yield f"   Interface = {interface}"
        yield f"   Family = IPv{family}"
        yield "   Protocol = VRRP"
        yield f"   Type = {'Unicast' if unicast else 'Multicast'}"
        if unicast and users[0].source is not None:
            yield f"   Address = {users[0].source}"
        buffer = max((user.plan.receive_buffer or 0 for user in users), default=0)
        yield f"   Rx buf size = {buffer}"
        yield "   VRRP instances"
        yield from (f"     {user.plan.name} vrid {user.plan.vrid}" for user in users)


def _groups(detail: RouterDetail) -> Iterator[str]:
    for group in detail.plan.groups:
        state = detail.group_states.get(group.name)
        yield f" VRRP Sync Group = {group.name}, {text.state_name(state) if state else 'BACKUP'}"
        faults = sum(bool(i.faults) for i in detail.instances if i.group == group.name)
        yield f"   Num member fault {faults}, num member init 0"
        yield "   VRRP member instances :"
        yield from (f"     {member}" for member in group.members)
        if group.tracking_weight:
            yield "   sync group tracking weight set"
        mail, *scripts = _notify(group)
        yield f"   {mail}"
        for title, lines in _trackers(group):
            if lines:
                yield f"   {title}"
                yield from (f"   {line}" for line in _listed(lines))
        yield from (f"   {line}" for line in scripts)


def _files(detail: RouterDetail) -> Iterator[str]:
    for file in detail.plan.files:
        yield f" Track file = {file.name}"
        yield f"   File = {file.path}"
        yield f"   Status = {detail.known.files.get(file.name, 0)}"
        yield f"   Weight = {file.weight}{text.reverse(file.reverse)}"
        yield from _followers(
            (owner, entry.weight, entry.reverse)
            for owner, plan in _owners(detail)
            for entry in plan.track_files
            if entry.file == file.name
        )


def _processes(detail: RouterDetail) -> Iterator[str]:
    for process in detail.plan.processes:
        yield f" VRRP Track process = {process.name}"
        yield f"   Process = {process.command[0]}"
        if process.command[1:]:
            yield f"   Parameters = {' '.join(process.command[1:])}"
        if process.parameters is ParameterMatch.EXACT:
            yield "   Param match"
        elif process.parameters is not None:
            yield f"   Param match = {process.parameters}"
        yield f"   Min processes = {process.quorum}"
        if process.quorum_max is not None:
            yield f"   Max processes = {process.quorum_max}"
        yield f"   Have quorum = {text.truth(detail.known.processes.get(process.name, False))}"
        yield f"   Weight = {process.weight}{text.reverse(process.reverse)}"
        yield f"   Terminate delay = {process.terminate_delay:f}s"
        yield f"   Fork delay = {process.fork_delay:f}s"
        # To compare parameters it must be read.
        whole = process.full_command or process.parameters is not None
        yield f"   Full command = {text.truth(whole)}"
        yield from _followers(
            (owner, entry.weight, entry.reverse)
            for owner, plan in _owners(detail)
            for entry in plan.track_processes
            if entry.process == process.name
        )


def _owners(detail: RouterDetail) -> Iterator[tuple[str, InstancePlan | SyncGroupPlan]]:
    """Instances with what they track themselves, then with what their groups do."""
    yield from ((instance.plan.name, instance.plan) for instance in detail.instances)
    groups = {group.name: group for group in detail.plan.groups}
    for instance in detail.instances:
        if instance.group in groups:
            yield instance.plan.name, groups[instance.group]


def _followers(found: Iterable[tuple[str, int, bool]]) -> Iterator[str]:
    for place, (owner, weight, reverse) in enumerate(found):
        if not place:
            yield "   Tracking instances :"
        yield f"     {owner}, weight {weight}{text.reverse(reverse)}"


def _listed(lines: Iterable[str]) -> Iterator[str]:
    return (f"  {line}" for line in lines)


def _able(flag: bool) -> str:
    return "enabled" if flag else "disabled"
