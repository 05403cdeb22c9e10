"""The guide's cluster on one machine: three nodes, a switch and a client."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from telamon.lab import facts, topology
from telamon.lab.anchor import NodeFile
from telamon.lab.apiserver import COMM as API_COMM
from telamon.lab.balancers import Balancer, Originals, Telamon, View, servers_up
from telamon.lab.net import LabError, Network, Node, helper, wait_until
from telamon.lab.pki import Authority, Identity
from telamon.lab.probe import Probe
from telamon.lab.seed import VrrpVersion
from telamon.lab.topology import Machine

CA = "/run/lab/ca.pem"
_CERTIFICATE = "/run/lab/server.pem"
_KEY = "/run/lab/server.key"
_EMPTY = ("/run", "/var/run")
_COVERED = ("/etc", "/var/lib")
_DIRECTORIES = ("/run/lab", "/run/telamon", "/var/lib/haproxy")
_HAPROXY_ID = 188

_READY_LIMIT = 30.0


def accounts(passwd: str, group: str, number: int) -> tuple[str, str]:
    """The host's two files with a user and a group `haproxy` of our own number."""
    kept_users = [line for line in passwd.splitlines() if not line.startswith("haproxy:")]
    kept_groups = [line for line in group.splitlines() if not line.startswith("haproxy:")]
    user = f"haproxy:x:{number}:{number}::/var/lib/haproxy:/usr/sbin/nologin"
    return (
        "\n".join([*kept_users, user]) + "\n",
        "\n".join([*kept_groups, f"haproxy:x:{number}:"]) + "\n",
    )


class Member:
    """One of the three nodes: its machine, its API server, its load balancer."""

    def __init__(self, machine: Machine, node: Node, balancer: Balancer) -> None:
        self.machine = machine
        self.node = node
        self.balancer = balancer
        self._api: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        return self.machine.name

    def start_api(self) -> None:
        where = (self.machine.address, str(topology.API_PORT), _CERTIFICATE, _KEY)
        self._api = self.node.popen(helper("telamon.lab.apiserver", self.name, *where))

    def stop_api(self) -> None:
        if self._api is not None:
            self._api.terminate()
            self._api.wait()
            self._api = None

    def boot(self) -> None:
        """Switch the machine on: only its own address is there, then the services start."""
        self.node.ip(
            f"address flush dev {topology.INTERFACE}",
            f"address add {self.machine.address}/{topology.PREFIX} brd + dev {topology.INTERFACE}",
            f"link set {topology.INTERFACE} up",
        )
        self.start_api()
        self.balancer.start()

    def crash(self) -> None:
        """The machine is gone at once: nothing is said to anybody, everything in it is dead."""
        self.node.link_down(topology.INTERFACE)
        self.node.kill(signal.SIGKILL)
        self.balancer.forget()
        if self._api is not None:
            self._api.wait()
            self._api = None

    # What is seen from outside

    def holds_vip(self) -> bool:
        return topology.VIP in facts.local_addresses(self._net("fib_trie"))

    def api_listens(self) -> bool:
        return (self.machine.address, topology.API_PORT) in facts.listening(self._net("tcp"))

    def proxy_listens(self) -> bool:
        return ("0.0.0.0", topology.PROXY_PORT) in facts.listening(self._net("tcp"))

    def view(self) -> View:
        return self.balancer.view()

    def healthy(self) -> bool:
        """Does everything run that should, and is the proxy content with all API servers?"""
        if not (self.api_listens() and self.proxy_listens()):
            return False
        names = set(self.node.processes().values())
        if not {"haproxy", "keepalived", API_COMM} <= names:
            return False
        view = self.view()
        if not view.proxy or not view.router or "FAULT" in view.router:
            return False
        return len(servers_up(self.node)) == len(topology.MACHINES)

    def _net(self, name: str) -> str:
        try:
            return Path(f"/proc/{self.node.pid}/net/{name}").read_text()
        except OSError as error:
            raise LabError(f"{self.name} has ended: {error.strerror}") from error


class Cluster:
    """A context manager: made on entry, gone on exit. `start` boots the nodes."""

    def __init__(self, version: VrrpVersion, *, original: bool = False) -> None:
        self.version = version
        self.kind: type[Telamon] | type[Originals] = Originals if original else Telamon
        self.network = Network()
        self.members: tuple[Member, ...] = ()
        self._client: Node | None = None

    def __enter__(self) -> Self:
        self.network.__enter__()
        try:
            self._build()
        except BaseException:
            self.network.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.network.close()

    @property
    def client(self) -> Node:
        assert self._client is not None
        return self._client

    def member(self, name: str) -> Member:
        return next(member for member in self.members if member.name == name)

    def _build(self) -> None:
        authority = Authority()
        switch = self.network.switch("switch")
        self._client = self.network.node(
            topology.CLIENT,
            empty=_EMPTY,
            directories=("/run/lab",),
            files=(NodeFile(CA, authority.certificate),),
        )
        self._client.connect(
            switch, topology.INTERFACE, f"{topology.CLIENT_ADDRESS}/{topology.PREFIX}"
        )
        members: list[Member] = []
        for machine in topology.MACHINES:
            identity = authority.issue(machine.name, (machine.address, topology.VIP))
            node = self.network.node(
                machine.name,
                empty=_EMPTY,
                covered=_COVERED,
                directories=_DIRECTORIES,
                files=self._files(identity),
            )
            address = f"{machine.address}/{topology.PREFIX}"
            node.connect(switch, topology.INTERFACE, address)
            members.append(Member(machine, node, self.kind(node)))
        self.members = tuple(members)

    def _files(self, identity: Identity) -> tuple[NodeFile, ...]:
        # Without newuidmap there is no user but 0, so that is who `user haproxy` becomes.
        number = _HAPROXY_ID if self.network.ids_mapped else 0
        passwd, group = accounts(
            Path("/etc/passwd").read_text(), Path("/etc/group").read_text(), number
        )
        files = {
            "/etc/passwd": passwd,
            "/etc/group": group,
            _CERTIFICATE: identity.certificate,
            **self.kind.files(self.version),
        }
        plain = tuple(NodeFile(path, text) for path, text in files.items())
        return (*plain, NodeFile(_KEY, identity.key, 0o600))

    def start(self) -> None:
        """Boot every node; returns at once."""
        for member in self.members:
            member.boot()

    def wait_healthy(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Until every node is healthy and one holds the VIP. Raises LabError."""

        def done() -> bool:
            meanwhile()
            return len(self.holders()) == 1 and all(m.healthy() for m in self.members)

        try:
            wait_until(done, _READY_LIMIT, "the cluster to be ready", 0.1)
        except LabError as error:
            raise LabError(f"{error}: {self.complaint()}") from error

    def complaint(self) -> str:
        """What is not as it should be, in one line."""
        words: list[str] = []
        for member in self.members:
            with contextlib.suppress(LabError):
                if member.healthy():
                    continue
                view = member.view()
                words.append(
                    f"{member.name} (proxy {view.proxy or 'absent'}, router "
                    f"{view.router or 'absent'}, API "
                    f"{'up' if member.api_listens() else 'down'}, "
                    f"{len(servers_up(member.node))} servers up)"
                )
        holders = " ".join(sorted(self.holders())) or "nobody"
        return f"{topology.VIP} at {holders}; not healthy: {', '.join(words) or 'no node'}"

    def holders(self) -> frozenset[str]:
        """The names of the nodes that have the VIP now."""
        return frozenset(member.name for member in self.members if member.holds_vip())

    def probe(self, interval: float, timeout: float) -> Probe:
        """Start the steady requests of the client through the VIP."""
        return Probe(
            self.client,
            topology.VIP,
            topology.PROXY_PORT,
            CA,
            interval=interval,
            timeout=timeout,
        )
