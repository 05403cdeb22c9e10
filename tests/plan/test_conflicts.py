"""What only both files together show."""

from __future__ import annotations

import ipaddress

from telamon.base.address import InetAddress
from telamon.base.diagnostic import Diagnostic, Severity
from telamon.keepalived.load import load
from telamon.plan.conflicts import find_conflicts
from telamon.plan.director import DirectorPlan
from telamon.plan.proxy import (
    AdminRule,
    Backend,
    Frontend,
    Listener,
    Mode,
    Proxy,
    ProxyPlan,
    Server,
    StatsPage,
    StatsUser,
)
from telamon.plan.router import InstancePlan, RouterPlan, VirtualAddress
from tests.keepalived.goldens import SEEDS, present


def inet(host: str, port: int) -> InetAddress:
    return InetAddress(ipaddress.ip_address(host), port)


def listen(
    *binds: tuple[str, int],
    id: int = 1,
    servers: tuple[tuple[str, int], ...] = (),
    stats: StatsPage | None = None,
    interface: str | None = None,
) -> Proxy:
    return Proxy(
        id,
        f"p{id}",
        Mode.TCP,
        Frontend(
            tuple(
                Listener(n, f"l{n}", inet(*bind), interface, source_line=f"h.cfg:{n}")
                for n, bind in enumerate(binds, start=1)
            ),
            default_backend=id,
        ),
        Backend(
            servers=tuple(
                Server(n, f"s{n}", inet(*server), source_line=f"h.cfg:{n + 50}")
                for n, server in enumerate(servers, start=1)
            )
        ),
        stats=stats,
    )


def router(*vips: str) -> RouterPlan:
    addresses = tuple(
        VirtualAddress(ipaddress.ip_interface(vip), source_line="k.conf:9") for vip in vips
    )
    return RouterPlan("r", (InstancePlan("V", "em1", 7, addresses=addresses),))


def conflicts(
    *proxies: Proxy, vips: tuple[str, ...] = (), director: DirectorPlan | None = None
) -> list[Diagnostic]:
    return find_conflicts(ProxyPlan(proxies=proxies), router(*vips) if vips else None, director)


def codes(found: list[Diagnostic]) -> list[str]:
    return [d.code for d in found]


def test_nothing_to_compare() -> None:
    assert find_conflicts(None, None, None) == []
    assert conflicts(listen(("10.0.0.1", 80))) == []
    assert find_conflicts(None, router("10.0.0.9/32"), None) == []


def test_the_users_own_files() -> None:
    loaded = load(str(SEEDS / "keepalived-v3.conf"), examine_script=present)
    nodes = tuple((f"192.168.10.{n}", 6443) for n in (80, 81, 82))
    proxy = ProxyPlan(
        proxies=(
            listen(("0.0.0.0", 8443), servers=nodes),
            listen(("0.0.0.0", 8888), id=2, stats=StatsPage()),
        )
    )
    found = find_conflicts(proxy, loaded.router, loaded.director)
    assert codes(found) == ["P001", "P006"]
    caught = found[0]
    assert caught.severity is Severity.WARNING
    assert "192.168.10.99:8443" in caught.message and "keepalived-v3.conf:35" in caught.message
    assert "remove the virtual_server" in caught.help
    assert any("balanced twice" in note and "192.168.10.80:8443" in note for note in caught.notes)
    assert found[1].severity is Severity.NOTE


def test_another_port_is_no_conflict() -> None:
    loaded = load(str(SEEDS / "keepalived-v3.conf"), examine_script=present)
    found = find_conflicts(
        ProxyPlan(proxies=(listen(("0.0.0.0", 9443)),)), loaded.router, loaded.director
    )
    assert "P001" not in codes(found)


def test_a_server_that_is_the_vip() -> None:
    found = conflicts(listen(("0.0.0.0", 80), servers=(("10.0.0.9", 80),)), vips=("10.0.0.9/32",))
    assert codes(found) == ["P002"]
    assert "without end" in found[0].notes[0]
    assert (
        conflicts(listen(("0.0.0.0", 80), servers=(("10.0.0.9", 81),)), vips=("10.0.0.9/32",)) == []
    )


def test_a_vip_that_nobody_serves() -> None:
    found = conflicts(listen(("10.0.0.1", 80)), vips=("10.0.0.9/32",))
    assert codes(found) == ["P003", "P004"]
    assert "10.0.0.9" in found[0].message and found[1].severity is Severity.NOTE
    assert conflicts(listen(("0.0.0.0", 80)), vips=("10.0.0.9/32",)) == []
    assert codes(conflicts(listen(("0.0.0.0", 80)), vips=("fd00::9/64",))) == ["P003"]
    assert conflicts(listen(("::", 80)), vips=("10.0.0.9/32", "fd00::9/64")) == []


def test_a_loopback_bind_is_not_worth_a_word() -> None:
    assert codes(conflicts(listen(("127.0.0.1", 80), ("0.0.0.0", 81)), vips=("10.0.0.9/32",))) == []


def test_a_bind_on_another_interface() -> None:
    found = conflicts(listen(("10.0.0.9", 80), interface="em2"), vips=("10.0.0.9/32",))
    assert codes(found) == ["P005"]
    assert conflicts(listen(("10.0.0.9", 80), interface="em1"), vips=("10.0.0.9/32",)) == []


def test_an_open_statistics_page() -> None:
    open_page, admin = StatsPage(), StatsPage(admin=AdminRule.ALWAYS)
    closed = StatsPage(users=(StatsUser("u", "p"),))
    vips = ("10.0.0.9/32",)
    assert codes(conflicts(listen(("0.0.0.0", 80), stats=open_page), vips=vips)) == ["P006"]
    (warning,) = conflicts(listen(("0.0.0.0", 80), stats=admin), vips=vips)
    assert warning.severity is Severity.WARNING and "stop servers" in warning.message
    assert conflicts(listen(("0.0.0.0", 80), stats=closed), vips=vips) == []
    local = listen(("127.0.0.1", 81), id=2, stats=admin)
    assert conflicts(listen(("0.0.0.0", 80)), local, vips=vips) == []
