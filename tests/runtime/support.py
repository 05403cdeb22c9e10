"""A small proxy plan that has one of each thing."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

from telamon.base.address import InetAddress, UnixAddress
from telamon.plan.process import ProcessPlan, StatsLevel, StatsSocket
from telamon.plan.proxy import (
    AdminRule,
    Backend,
    Check,
    Frontend,
    Listener,
    Mode,
    Proxy,
    ProxyPlan,
    Server,
    StatsPage,
)
from telamon.testing.control import FakeControl
from tests.support.peers import answers, program_running

STANDIN = [
    sys.executable,
    "-c",
    "from telamon.cli.haproxy_main import main; import sys; sys.exit(main(sys.argv[1:]))",
]
"""`telamon haproxy`."""


@contextlib.contextmanager
def serving(program: list[str], configuration: str) -> Iterator[Path]:
    """Runs HAProxy or what stands in for it; `{stats}` of the configuration is where the socket
    lies whose path this gives."""
    with tempfile.TemporaryDirectory() as place:  # short, as a Unix socket's path must be
        folder = Path(place)
        stats, log = folder / "s", folder / "log"
        (folder / "h.cfg").write_text(configuration.replace("{stats}", str(stats)))
        command = [*program, "-db", "-f", "h.cfg"]
        with program_running(command, log, lambda: answers(stats), folder=folder):
            yield stats


def at(port: int) -> InetAddress:
    return InetAddress(ip_address("127.0.0.1"), port)


def plan(page: StatsPage | None = None) -> ProxyPlan:
    page = page or StatsPage(uri="/haproxy?stats", refresh=30_000, admin=AdminRule.ALWAYS)
    servers = (
        Server(1, "m1", at(6001), check=Check()),
        Server(2, "m2", at(6002), weight=10, check=Check()),
        Server(3, "m3", at(6003), backup=True),
        Server(4, "m4", at(6004), disabled=True),
    )
    return ProxyPlan(
        process=ProcessPlan(stats_sockets=(StatsSocket(UnixAddress("/x"), StatsLevel.ADMIN),)),
        proxies=(
            Proxy(
                2,
                "kube-apiserver",
                Mode.TCP,
                Frontend((Listener(1, "", at(8443)),), default_backend=2),
                Backend(servers=servers),
            ),
            Proxy(3, "fe", Mode.HTTP, Frontend((Listener(1, "", at(81)),), default_backend=4)),
            Proxy(
                4, "be", Mode.HTTP, None, Backend(servers=(Server(1, "a", at(1), check=Check()),))
            ),
            Proxy(
                5,
                "haproxy-stats",
                Mode.HTTP,
                Frontend((Listener(1, "", at(8888)),), default_backend=5),
                Backend(),
                stats=page,
            ),
        ),
    )


def control(page: StatsPage | None = None) -> FakeControl:
    return FakeControl(plan(page))
