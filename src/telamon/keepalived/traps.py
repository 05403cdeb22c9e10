"""What is legal, means what it says, and still does not do what its author wants.

Each trap keeps Keepalived's meaning and tells the reason and the mended lines (keepalived.md,
part 3, has the evidence for each).
"""

from __future__ import annotations

from telamon.base.diagnostic import Report
from telamon.keepalived import codes
from telamon.keepalived.model import Configuration, Instance
from telamon.plan.router import AuthKind, InitialState, InstancePlan, RouterPlan

COMMON_VRID = 51
SLOW_SCRIPT = 10.0
"""Seconds."""
COMMON_PASSWORDS = frozenset({b"1111", b"1234", b"12345", b"password", b"12345678"})
_PROXIES = ("haproxy", "nginx", "envoy")
_PROBES = ("pidof", "pgrep", "killall")


def find_traps(configuration: Configuration, router: RouterPlan, report: Report) -> None:
    """Append warnings and notes; the plan is not changed."""
    nodes = {node.name: node for node in configuration.instances}
    for plan in router.instances:
        node = nodes[plan.name]
        _nopreempt_and_weight(node, plan, report)
        _weight_below_gap(node, plan, router, report)
        _owner(node, plan, report)
        _common_vrid(node, plan, report)
    _proxy_scripts(configuration, router, report)
    _slow_scripts(configuration, router, report)
    _shared_addresses(configuration, report)


def _nopreempt_and_weight(node: Instance, plan: InstancePlan, report: Report) -> None:
    """P1: a lower priority never moves the VIP if nobody may preempt (part 2.6)."""
    if plan.preempt:
        return
    weighted = [item.script for item in plan.track_scripts if item.weight]
    others = {
        "track_interface": [item.interface for item in plan.track_interfaces if item.weight],
        "track_process": [item.process for item in plan.track_processes if item.weight],
        "track_file": [item.file for item in plan.track_files if item.weight],
        "track_backend": [item.backend for item in plan.track_backends if item.weight],
        "track_proxy": ["the proxy"] if plan.proxy is not None and plan.proxy.weight else [],
    }
    found = [name for names in others.values() for name in names]
    if not weighted and not found:
        return
    names = ", ".join(f"'{name}'" for name in (*weighted, *found))
    block = next((word for word, tracked in others.items() if tracked), "")
    place = f"vrrp_script {weighted[0]}" if weighted else block
    report.warning(
        codes.TRAP_NOPREEMPT,
        f"nopreempt and the weight of {names} together can never move the VIP",
        node.at("preempt"),
        label="no other node may take over from a master that is alive",
        help=f"write 'weight 0' in {place} (or leave 'weight' out): a failure "
        "is then a FAULT, which gives the VIP away; or remove 'nopreempt' on all nodes",
        notes=(
            f"when {names} fails, the priority falls from {plan.priority} to "
            f"{_fallen(plan)}, and the others do not act on it",
            "when Telamon runs the proxy itself, the proxy's death gives the VIP away at once, "
            "whatever weights the file has",
        ),
    )


def _fallen(plan: InstancePlan) -> int:
    """The priority when all that is weighted fails; 1 to 254 (part 2.8)."""
    weights = [item.weight for item in plan.track_scripts]
    weights += [item.weight for item in plan.track_interfaces]
    weights += [item.weight for item in plan.track_processes]
    weights += [item.weight for item in plan.track_backends]
    weights += [plan.proxy.weight] if plan.proxy is not None else []
    value = plan.priority + sum(weight for weight in weights if weight < 0)
    return max(1, min(254, value))


def _weight_below_gap(
    node: Instance, plan: InstancePlan, router: RouterPlan, report: Report
) -> None:
    """P2: one file shows only one node's priority; say what the others' must be."""
    if plan.priority == 255 or not plan.preempt:
        return
    for item in plan.track_scripts:
        size = abs(item.weight)
        if not size:
            continue
        good = plan.priority + max(0, item.weight)
        bad = plan.priority + min(0, item.weight)
        report.note(
            codes.TRAP_WEIGHT,
            f"'{item.script}' moves the VIP only to nodes at priority {bad + 1} to {good}",
            node.at("track_scripts"),
            notes=[
                "the other nodes' priorities, with their own weights, do not stand in this file: "
                "equal ones on all nodes work, a gap larger than the weight does not",
            ],
        )


def _owner(node: Instance, plan: InstancePlan, report: Report) -> None:
    if plan.priority != 255 or node.priority is None:
        return
    report.warning(
        codes.TRAP_OWNER,
        "priority 255 means that this machine owns the address for good",
        node.at("priority"),
        help="write 254 or less, unless the VIP is also configured on the interface itself",
        notes=["no tracked script or interface can lower it; no other node may have 255"],
    )
    if plan.initial_state is InitialState.BACKUP and plan.track_scripts:
        report.note(
            codes.TRAP_OWNER, "the weights of its scripts change nothing", node.at("track_scripts")
        )


def _common_vrid(node: Instance, plan: InstancePlan, report: Report) -> None:
    """P4: half of the world has 51 and 1111; two such clusters on one network fight."""
    auth = plan.authentication
    common = auth.kind is AuthKind.NONE or auth.secret in COMMON_PASSWORDS
    if plan.vrid != COMMON_VRID or not common or plan.unicast_peers:
        return
    password = auth.secret.decode("utf-8", "replace")
    with_password = f" with auth_pass {password}" if auth.kind is AuthKind.PASS else ""
    report.note(
        codes.TRAP_COMMON_VRID,
        f"virtual_router_id 51{with_password} is what nearly every example has",
        node.at("vrid"),
        help="choose another number if a second cluster is, or will be, on this network",
        notes=["two clusters with one number: the one with the lower priority loses its VIP"],
    )


def _proxy_scripts(configuration: Configuration, router: RouterPlan, report: Report) -> None:
    """A script that asks whether the proxy runs: Telamon knows it without asking."""
    tracked = {item.script: plan for plan in router.instances for item in plan.track_scripts}
    nodes = {node.name: node for node in configuration.scripts}
    for script in router.scripts:
        plan = tracked.get(script.name)
        words = " ".join(script.command)
        if plan is None or not any(name in words for name in _PROXIES):
            continue
        place = nodes[script.name].at("command")
        if any(probe in words for probe in _PROBES) and "haproxy" in words:
            report.note(
                codes.TRAP_PROXY_SCRIPT,
                f"'{script.name}' asks whether the proxy runs: Telamon knows that by itself",
                place,
                help="leave the script out; 'track_proxy { weight N }' in its place gives the "
                "proxy a weight, and 'track_backend NAME { min 1 }' follows its servers as well "
                "(words of Telamon's own)",
                notes=[
                    "when Telamon runs the proxy, its death is told to the router by the kernel, "
                    f"at once; the script would need {_reaction(script.interval, script.fall)}",
                    "the script runs as written and finds Telamon's proxy under the name haproxy",
                ],
            )


def _slow_scripts(configuration: Configuration, router: RouterPlan, report: Report) -> None:
    """The best known guide asks each 3 s and believes the tenth answer."""
    nodes = {node.name: node for node in configuration.scripts}
    for script in router.scripts:
        seconds = script.interval * script.fall
        if seconds < SLOW_SCRIPT:
            continue
        node = nodes[script.name]
        report.note(
            codes.TRAP_SLOW_SCRIPT,
            f"'{script.name}' acts on a failure only after {seconds:g} s",
            node.at("fall" if node.fall else "interval"),
            help="'interval 1' with 'fall 2' acts after 2 s",
            notes=[f"interval {script.interval:g} s, {script.fall} failures in a row"],
        )


def _shared_addresses(configuration: Configuration, report: Report) -> None:
    """One address in two instances: the one that leaves takes it from the one that stays."""
    owners: dict[object, Instance] = {}
    for node in configuration.instances:
        for item in (*node.addresses, *node.excluded):
            address = item.value.address.ip
            owner = owners.setdefault(address, node)
            if owner is not node:
                report.warning(
                    codes.TRAP_SHARED_ADDRESS,
                    f"{address} is a virtual address of '{owner.name}' and of '{node.name}'",
                    item.span,
                    help="keep it in one of them: when one becomes backup, it removes the address",
                )


def _reaction(interval: float, fall: int) -> str:
    return f"up to {interval * fall:g} s"
