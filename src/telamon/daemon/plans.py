"""Reads the files of a run and makes of them what the roles carry out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from telamon.base.address import InetAddress
from telamon.base.diagnostic import Report, render
from telamon.kernel.sockets import DEFAULT_BACKLOG, SocketWish
from telamon.plan.process import StatsSocket
from telamon.plan.proxy import Listener, Proxy, ProxyPlan
from telamon.plan.rules import RuleSets

if TYPE_CHECKING:  # only a run with a router pays for its plan's many classes
    from telamon.haproxy.load import Loaded
    from telamon.plan.router import RouterPlan, TrackProxy


@dataclass(frozen=True, slots=True)
class Files:
    """What the command line names. At least one of the two kinds is given."""

    haproxy: tuple[Path, ...] = ()
    keepalived: Path | None = None


@dataclass(frozen=True, slots=True)
class Plans:
    """One plan for each role of the run; None where its file was not given. `said`: what there was
    to say of the files, for `show startup-logs`."""

    proxy: ProxyPlan | None = None
    router: RouterPlan | None = None
    said: str = ""


def load(files: Files) -> tuple[Plans | None, Report]:
    """Both files and what only both show. None in place of plans if an error was found."""
    report = Report()
    proxy = router = director = None
    # The front ends are imported here so that their cost falls on those who load files.
    if files.haproxy:
        loaded = load_proxy([str(path) for path in files.haproxy])
        proxy = loaded.plan
        report.extend(loaded.report)
    if files.keepalived is not None:
        from telamon.keepalived import load as keepalived

        other = keepalived.load(str(files.keepalived))
        router, director = other.router, other.director
        report.extend(other.report)
    if report.failed:
        return None, report
    if proxy is not None and router is not None:
        from telamon.plan.conflicts import find_conflicts

        report.extend(find_conflicts(proxy, router, director))
        if report.failed:
            return None, report
        router = follow_proxy(router)
    elif router is not None:
        from telamon.plan.conflicts import without_proxy

        report.extend(without_proxy(router))
    return Plans(proxy, router, render(report)), report


def load_proxy(paths: Sequence[str], *, zero_warning: bool = False) -> Loaded:
    """Reads haproxy.cfg files; their rules are compiled too: no mistake waits for traffic."""
    from telamon.haproxy import load as haproxy

    loaded = haproxy.load(paths, zero_warning=zero_warning)
    if loaded.plan is None or not any(proxy.rules != RuleSets() for proxy in loaded.plan.proxies):
        return loaded
    from telamon.engine import check_rules

    for text in check_rules(loaded.plan):
        loaded.report.error("H109", text)
    return replace(loaded, plan=None) if loaded.report.failed else loaded


def follow_proxy(router: RouterPlan) -> RouterPlan:
    """Every instance depends on the proxy that runs beside it, unless the file says otherwise.

    That is `track_proxy` with `off` or a weight, in the instance or in its group.
    """
    own_way = {m for g in router.groups if _own_way(g.proxy) for m in g.members}
    instances = tuple(
        instance
        if _own_way(instance.proxy) or (instance.proxy is None and instance.name in own_way)
        else replace(instance, track_proxy=True)
        for instance in router.instances
    )
    return replace(router, instances=instances, beside_proxy=True)


def _own_way(entry: TrackProxy | None) -> bool:
    return entry is not None and (entry.off or entry.weight != 0)


def tracked_backends(router: RouterPlan | None) -> frozenset[str]:
    """The backends of which the router wants to hear."""
    if router is None:
        return frozenset()
    entries = [entry for plan in router.instances for entry in plan.track_backends]
    entries += [entry for plan in router.groups for entry in plan.track_backends]
    return frozenset(entry.backend for entry in entries)


@dataclass(frozen=True, slots=True)
class Bindings:
    """All sockets that a proxy needs, listeners first, in the order of `wishes`."""

    listeners: Sequence[tuple[Proxy, Listener]]
    stats: Sequence[StatsSocket]
    wishes: Sequence[SocketWish]


def bindings(plan: ProxyPlan, *, joins: bool = False) -> Bindings:
    """The listening sockets of `plan`. `joins`: see `SocketWish`."""
    listeners = [
        (proxy, listener)
        for proxy in plan.proxies
        if proxy.frontend is not None and not proxy.disabled
        for listener in proxy.frontend.listeners
    ]
    stats = plan.process.stats_sockets
    wishes = [_listener_wish(plan, proxy, listener) for proxy, listener in listeners]
    if joins:
        wishes = [replace(wish, joins=isinstance(wish.address, InetAddress)) for wish in wishes]
    wishes += [
        SocketWish(item.address, mode=item.mode, uid=item.uid, gid=item.gid, place="stats socket")
        for item in stats
    ]
    return Bindings(listeners, stats, wishes)


def _listener_wish(plan: ProxyPlan, proxy: Proxy, listener: Listener) -> SocketWish:
    front = proxy.frontend
    assert front is not None
    # As HAProxy: the accept queue is as long as the frontend may have connections.
    backlog = (
        listener.backlog
        or front.backlog
        or listener.maxconn
        or front.maxconn
        or plan.process.maxconn
        or DEFAULT_BACKLOG
    )
    return SocketWish(
        listener.address,
        interface=listener.interface,
        mode=listener.mode,
        uid=listener.uid,
        gid=listener.gid,
        v6only=listener.v6only,
        v4v6=listener.v4v6,
        mss=listener.mss,
        fast_open=listener.fast_open,
        transparent=listener.transparent,
        backlog=backlog,
        place=listener.source_line,
    )
