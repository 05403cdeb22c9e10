"""From the model to the router's plan: defaults merged, names resolved, limits applied."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator, Mapping

from telamon.base.diagnostic import Report
from telamon.keepalived import codes
from telamon.keepalived.lower_garp import lower_garp_groups
from telamon.keepalived.lower_instance import InstanceLowering
from telamon.keepalived.lower_notify import lower_fifos, lower_mail, lower_notify
from telamon.keepalived.lower_statics import lower_statics
from telamon.keepalived.lower_tracking import Scripts, lower_scripts, lower_tracked, lower_watches
from telamon.keepalived.model import (
    Configuration,
    SyncGroup,
)
from telamon.keepalived.users import ScriptFile
from telamon.plan.router import (
    InstancePlan,
    InterfaceDelay,
    RouterPlan,
    SyncGroupPlan,
)


def lower_router(
    configuration: Configuration,
    report: Report,
    digest: str,
    examine: Callable[[str], ScriptFile],
) -> RouterPlan:
    """The plan. Where `report` has errors afterwards it must not be used."""
    globals_ = configuration.globals
    scripts = lower_scripts(configuration, report, examine)
    files, processes = lower_watches(configuration, report)
    instances = []
    for instance in configuration.instances:
        plan = InstanceLowering(instance, configuration, scripts, report).lower()
        if plan is not None:
            instances.append(plan)
    _find_duplicates(configuration, instances, report)
    statics, instances = lower_statics(configuration, instances, report)
    groups = tuple(_lower_groups(configuration, scripts, report))
    return RouterPlan(
        router_id=globals_.router_id or socket.gethostname(),
        instances=tuple(instances),
        scripts=scripts.plans,
        digest=digest,
        groups=groups,
        files=files,
        processes=processes,
        statics=statics,
        interface_delays=tuple(
            InterfaceDelay(*item.value) for item in configuration.interface_delays
        ),
        track_groups=tuple(
            (group.name, tuple(member.value for member in group.members))
            for group in configuration.track_groups
        ),
        mail=lower_mail(globals_, _wants_mail(instances, groups), report),
        fifos=lower_fifos(globals_, scripts, report),
        fifo_states_on_reload=globals_.fifo_states_on_reload,
        startup=scripts.command(globals_.startup_script, globals_.at("startup_script"), report),
        shutdown=scripts.command(globals_.shutdown_script, globals_.at("shutdown_script"), report),
        startup_timeout=float(globals_.startup_script_timeout or 10),
        shutdown_timeout=float(globals_.shutdown_script_timeout or 10),
        startup_delay=globals_.startup_delay or 0.0,
        delay_after_boot=globals_.delay_after_boot or 0.0,
        allow_missing_interfaces=globals_.dynamic_interfaces,
        script_security=globals_.script_security,
        namespace=configuration.namespace,
        garp_groups=lower_garp_groups(configuration, (i.interface for i in instances)),
        written=tuple(
            (statement.name, tuple(word.text for word in statement.arguments))
            for statement in globals_.written
        ),
        script_user=(scripts.identity.uid, scripts.identity.gid) if scripts.identity else (0, 0),
    )


def _wants_mail(instances: Iterable[InstancePlan], groups: Iterable[SyncGroupPlan]) -> bool:
    plans = (*(i.notify for i in instances), *(g.notify for g in groups))
    return any(plan.mail for plan in plans)


def _lower_groups(
    configuration: Configuration, scripts: Scripts, report: Report
) -> Iterator[SyncGroupPlan]:
    taken: dict[str, str] = {}
    for group in configuration.groups:
        lowered = _lower_group(group, taken, configuration, scripts, report)
        if lowered is not None:
            taken.update(dict.fromkeys(lowered.members, lowered.name))
            yield lowered


def _lower_group(
    node: SyncGroup,
    taken: Mapping[str, str],
    configuration: Configuration,
    scripts: Scripts,
    report: Report,
) -> SyncGroupPlan | None:
    """`taken`: the instances that are in a group already, with its name."""
    known = {instance.name for instance in configuration.instances}
    members: list[str] = []
    for member in node.members:
        if member.value not in known:
            report.warning(
                codes.MISSING_NAME, f"there is no vrrp_instance '{member.value}'", member.span,
                help="it is left out of the group, as Keepalived does",
            )  # fmt: skip
        elif member.value in taken:
            report.warning(
                codes.ADJUSTED,
                f"'{member.value}' is in vrrp_sync_group '{taken[member.value]}' already",
                member.span,
                help="it is left out of this group, as Keepalived does: name it in one of them",
            )
        elif member.value not in members:
            members.append(member.value)
    if not members:
        report.warning(
            codes.MISSING_NAME, f"vrrp_sync_group '{node.name}' has no member", node.span,
            help="it is left out, as Keepalived does",
        )  # fmt: skip
        return None
    if len(members) == 1:
        report.warning(
            codes.ADJUSTED, f"vrrp_sync_group '{node.name}' has one member only", node.span,
            help="it changes nothing: name the instances that are to move together",
        )  # fmt: skip
    tracked = lower_tracked(node, configuration, scripts, report)
    return SyncGroupPlan(
        node.name,
        tuple(members),
        tracked.interfaces,
        tracked.scripts,
        tracked.files,
        tracked.processes,
        node.tracking_weight,
        lower_notify(node, configuration.globals, scripts, report),
        node.statement.place,
        tracked.backends,
        tracked.proxy,
    )


def _find_duplicates(
    configuration: Configuration, plans: list[InstancePlan], report: Report
) -> None:
    """Two instances that would hear each other's adverts as their own (RFC 5798 5.2.3)."""
    nodes = {node.name: node for node in configuration.instances}
    taken: dict[tuple[object, ...], InstancePlan] = {}
    for plan in plans:
        family = plan.addresses[0].address.version if plan.addresses else 4
        key = (plan.interface, plan.vrid, family, plan.multicast_group, plan.unicast_peers)
        first = taken.setdefault(key, plan)
        if first is not plan:
            report.error(
                codes.DUPLICATE_VRID,
                f"'{first.name}' and '{plan.name}' both use virtual_router_id {plan.vrid} "
                f"on {plan.interface}",
                nodes[plan.name].at("vrid"),
                help=f"give each its own number; the other one is at {first.source_line}",
            )
