"""What only both files together show.

Each finder is a function of the plans that yields diagnostics; `find_conflicts` runs them all.
Plans keep `file:line` of what made them, so messages name the places in words and have no span.
Codes begin with `P`.
"""

from __future__ import annotations

from collections.abc import Iterator

from telamon.base.address import InetAddress, IPAddress
from telamon.base.diagnostic import Diagnostic, Severity, nearest
from telamon.base.frozen import frozen
from telamon.plan.director import DirectorPlan, Forwarding, VirtualServer
from telamon.plan.proxy import AdminRule, Listener, Proxy, ProxyPlan, Server
from telamon.plan.router import InstancePlan, RouterPlan, TrackBackend, VirtualAddress


@frozen
class _Vip:
    """A virtual address and the instance that moves it."""

    address: VirtualAddress
    instance: InstancePlan

    @property
    def host(self) -> IPAddress:
        return self.address.address.ip

    @property
    def device(self) -> str:
        return self.address.device or self.instance.interface

    @property
    def place(self) -> str:
        return self.address.source_line or self.instance.source_line


@frozen
class _Bind:
    """An internet address that the proxy listens on."""

    proxy: Proxy
    listener: Listener
    address: InetAddress

    def serves(self, host: IPAddress) -> bool:
        """True if a connection to `host` (and the right port) arrives here."""
        own = self.address.host
        if own.is_unspecified:
            both = own.version == 6 and not self.listener.v6only
            return own.version == host.version or both
        return own == host


class _Plans:
    """The plans, with what the finders look up."""

    def __init__(
        self, proxy: ProxyPlan | None, router: RouterPlan | None, director: DirectorPlan | None
    ) -> None:
        self.proxies = [item for item in (proxy.proxies if proxy else ()) if not item.disabled]
        self.tracked = list(tracked_backends(router)) if router and proxy else []
        self.virtual_servers = director.virtual_servers if director else ()
        self.vips = [
            _Vip(address, instance)
            for instance in (router.instances if router else ())
            for address in (*instance.addresses, *instance.excluded_addresses)
        ]
        self.binds = [
            _Bind(item, listener, listener.address)
            for item in self.proxies
            if item.frontend is not None
            for listener in item.frontend.listeners
            if isinstance(listener.address, InetAddress)
        ]

    def bind_on(self, host: IPAddress, port: int) -> _Bind | None:
        """The bind that takes connections to `host:port`."""
        for bind in self.binds:
            if bind.address.port == port and bind.serves(host):
                return bind
        return None


def find_conflicts(
    proxy: ProxyPlan | None, router: RouterPlan | None, director: DirectorPlan | None
) -> list[Diagnostic]:
    """All conflicts between the plans; a plan that is None was not given."""
    plans = _Plans(proxy, router, director)
    found: list[Diagnostic] = []
    for finder in (
        _caught_ports,
        _server_is_vip,
        _vip_without_bind,
        _bind_without_vip,
        _bind_on_other_interface,
        _open_stats,
        _unknown_backend,
    ):
        found.extend(finder(plans))
    return found


def tracked_backends(router: RouterPlan) -> Iterator[tuple[TrackBackend, str]]:
    """Every `track_backend`, and the `file:line` of the instance or group it stands in."""
    for instance in router.instances:
        yield from ((entry, instance.source_line) for entry in instance.track_backends)
    for group in router.groups:
        yield from ((entry, group.source_line) for entry in group.track_backends)


def without_proxy(router: RouterPlan) -> list[Diagnostic]:
    """P008: what follows a proxy where none will run beside the router."""
    places = [place for _entry, place in tracked_backends(router)]
    places += [i.source_line for i in router.instances if i.proxy is not None]
    places += [g.source_line for g in router.groups if g.proxy is not None]
    return [
        Diagnostic(
            Severity.WARNING,
            "P008",
            f"track_proxy or track_backend ({place}), but no proxy runs beside this router",
            help="without one no backend has a server up: give haproxy.cfg too (-f)",
        )
        for place in dict.fromkeys(places)
    ]


def _caught_ports(plans: _Plans) -> Iterator[Diagnostic]:
    """P001: IPVS takes packets before any socket sees them, so the bind gets nothing."""
    for server in plans.virtual_servers:
        bind = plans.bind_on(server.address.host, server.address.port)
        if bind is None:
            continue
        notes = ["the kernel's virtual server takes the packet before the proxy's socket sees it"]
        selves = [
            real for real in server.real_servers
            if real.address.port == bind.address.port and bind.address.host.is_unspecified
        ]  # fmt: skip
        if selves:
            listed = ", ".join(str(real.address) for real in selves)
            notes.append(
                f"its real servers {listed} have the port on which '{bind.proxy.name}' listens: "
                "if they are the nodes that run this proxy, each connection is balanced twice, "
                "once by the kernel to a node's proxy and once by that proxy"
            )
            notes += _forwarding_notes(server)
        yield Diagnostic(
            Severity.WARNING,
            "P001",
            f"virtual_server {server.address} ({server.source_line}) catches the port on which "
            f"'{bind.proxy.name}' listens ({bind.listener.source_line})",
            help="remove the virtual_server block: the proxy balances, and the VIP alone is "
            "enough; or give the proxy another port and point the virtual_server at that",
            notes=tuple(notes),
        )


def _forwarding_notes(server: VirtualServer) -> list[str]:
    if server.forwarding is not Forwarding.NAT:
        return []
    return [
        "with NAT, answers go from the node straight to the client, whose connection is to "
        f"{server.address.host}: they only fit if this node is the others' gateway"
    ]


def _server_is_vip(plans: _Plans) -> Iterator[Diagnostic]:
    """P002: a server that is the VIP is this very proxy on the master node."""
    vips = {vip.host: vip for vip in plans.vips}
    for proxy, server in _servers(plans):
        address = server.address
        if not isinstance(address, InetAddress) or address.host not in vips:
            continue
        bind = plans.bind_on(address.host, address.port)
        if bind is None:
            continue
        loops = bind.proxy.id == proxy.id or (
            bind.proxy.frontend is not None and bind.proxy.frontend.default_backend == proxy.id
        )
        yield Diagnostic(
            Severity.WARNING,
            "P002",
            f"server '{server.name}' ({server.source_line}) is the virtual address {address}, "
            f"on which '{bind.proxy.name}' listens ({bind.listener.source_line})",
            help="name the real machine's address",
            notes=(
                "on the node that holds the VIP the proxy connects to itself"
                + (", without end, until connections run out" if loops else ""),
            ),
        )


def _servers(plans: _Plans) -> Iterator[tuple[Proxy, Server]]:
    for proxy in plans.proxies:
        if proxy.backend is not None:
            for server in proxy.backend.servers:
                yield proxy, server


def _vip_without_bind(plans: _Plans) -> Iterator[Diagnostic]:
    """P003: the VIP moves, and nobody answers there."""
    if not plans.binds:
        return
    caught = {server.address.host for server in plans.virtual_servers}
    for vip in plans.vips:
        if vip.host in caught or any(bind.serves(vip.host) for bind in plans.binds):
            continue
        family = "0.0.0.0" if vip.host.version == 4 else "[::]"
        yield Diagnostic(
            Severity.WARNING,
            "P003",
            f"no bind of the proxy serves the virtual address {vip.host} ({vip.place})",
            help=f"write 'bind {vip.host}:PORT' or 'bind {family}:PORT' in a frontend",
            notes=("binding an address that is not on this node yet needs no sysctl here",),
        )


def _bind_without_vip(plans: _Plans) -> Iterator[Diagnostic]:
    """P004: only a note, as the address may well be the machine's own."""
    if not plans.vips:
        return
    hosts = {vip.host for vip in plans.vips}
    for bind in plans.binds:
        host = bind.address.host
        if host.is_unspecified or host.is_loopback or host in hosts:
            continue
        yield Diagnostic(
            Severity.NOTE,
            "P004",
            f"'{bind.proxy.name}' listens on {host} ({bind.listener.source_line}), which no "
            "vrrp_instance owns",
            notes=("this is right if it is the machine's own address; it does not fail over",),
        )


def _bind_on_other_interface(plans: _Plans) -> Iterator[Diagnostic]:
    """P005: a bind tied to an interface hears only what comes in there (SO_BINDTODEVICE)."""
    for vip in plans.vips:
        for bind in plans.binds:
            wanted = bind.listener.interface
            if wanted is None or wanted == vip.device or bind.address.host != vip.host:
                continue
            yield Diagnostic(
                Severity.WARNING,
                "P005",
                f"'{bind.proxy.name}' listens on {vip.host} through {wanted} "
                f"({bind.listener.source_line}), but the address lives on {vip.device} "
                f"({vip.place})",
                help=f"write 'interface {vip.device}', or leave 'interface' out",
            )


def _open_stats(plans: _Plans) -> Iterator[Diagnostic]:
    """P006: the page tells every server's address; with `stats admin` anybody can stop them."""
    for proxy in plans.proxies:
        page = proxy.stats
        if page is None or page.users:
            continue
        open_binds = [bind for bind in plans.binds if bind.proxy.id == proxy.id]
        for vip in plans.vips:
            bind = next((item for item in open_binds if item.serves(vip.host)), None)
            if bind is None:
                continue
            admin = page.admin is AdminRule.ALWAYS
            yield Diagnostic(
                Severity.WARNING if admin else Severity.NOTE,
                "P006",
                f"everybody who reaches {vip.host}:{bind.address.port} can "
                f"{'stop servers on' if admin else 'read'} the statistics page of "
                f"'{proxy.name}' ({bind.listener.source_line})",
                help="write 'stats auth USER:PASSWORD', or bind it to 127.0.0.1",
            )
            break


def _unknown_backend(plans: _Plans) -> Iterator[Diagnostic]:
    """P007: it would be a fault for ever."""
    servers = {p.name: len(p.backend.servers) for p in plans.proxies if p.backend is not None}
    for entry, place in plans.tracked:
        count = servers.get(entry.backend)
        if count is None:
            near = nearest(entry.backend, servers)
            yield Diagnostic(
                Severity.ERROR,
                "P007",
                f"track_backend '{entry.backend}' ({place}): the proxy has no such backend",
                help=f"did you mean '{near}'?" if near else "name a backend or listen section",
            )
        elif count < entry.minimum:
            yield Diagnostic(
                Severity.ERROR,
                "P007",
                f"track_backend '{entry.backend}' ({place}) wants {entry.minimum} servers up, "
                f"but the backend has {count}",
                help=f"write 'min {count}' or less" if count else "give it servers",
            )
