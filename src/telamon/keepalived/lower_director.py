"""From the model to the director's plan: virtual servers, real servers, their checks."""

from __future__ import annotations

import ipaddress
from typing import Any

from telamon.base.address import InetAddress
from telamon.base.diagnostic import Report
from telamon.keepalived import codes
from telamon.keepalived.keywords.readers import parse_int
from telamon.keepalived.model import Checker, Configuration, RealServer, VirtualServer
from telamon.plan import director as plan

_NOWHERE = InetAddress(ipaddress.IPv4Address(0), 0)
_SCHEDULER_FLAGS = (
    "flag-1", "flag-2", "flag-3", "sh-port", "sh-fallback", "mh-port", "mh-fallback",
)  # fmt: skip


def lower_director(configuration: Configuration, report: Report, digest: str) -> plan.DirectorPlan:
    groups = tuple(
        plan.ServerGroup(
            group.name, tuple(item.value for item in group.entries), group.statement.place
        )
        for group in configuration.server_groups
    )
    names = {group.name for group in groups}
    servers = []
    for node in configuration.virtual_servers:
        group = node.values.get("group")
        if group is not None and group not in names:
            report.warning(
                codes.MISSING_NAME, f"there is no virtual_server_group '{group}'", node.span
            )
        if not node.real_servers and "sorry_server" not in node.values:
            report.warning(
                codes.EMPTY, f"virtual_server {node.name} has no real_server", node.span,
                help="it serves nobody",
            )  # fmt: skip
        servers.append(_virtual(node))
    return plan.DirectorPlan(tuple(servers), digest, groups)


def _address(value: Any) -> InetAddress:
    return _NOWHERE if value is None else InetAddress(*value)


def _command(value: Any) -> tuple[str, ...]:
    return () if value is None else value.arguments


def _virtual(node: VirtualServer) -> plan.VirtualServer:
    get = node.values.get
    sorry = get("sorry_server")
    return plan.VirtualServer(
        address=_address(get("address")),
        protocol=node.protocol or plan.Protocol.TCP,
        scheduler=node.scheduler or plan.Scheduler.WLC,
        forwarding=node.forwarding or plan.Forwarding.NAT,
        delay_loop=get("delay_loop", 60.0),
        persistence_timeout=get("persistence_timeout"),
        sorry_server=None if sorry is None else InetAddress(*sorry),
        quorum=get("quorum", 1),
        hysteresis=get("hysteresis", 0),
        real_servers=tuple(_real(server, node) for server in node.real_servers),
        source_line=node.statement.place,
        fwmark=get("fwmark"),
        group=get("group"),
        persistence_granularity=get("persistence_granularity"),
        scheduler_flags=tuple(flag for flag in _SCHEDULER_FLAGS if get(flag)),
        one_packet=get("ops", False),
        alpha=get("alpha", False),
        omega=get("omega", False),
        only_with_vip=get("ha_suspend", False),
        quorum_up=_command(get("quorum_up")),
        quorum_down=_command(get("quorum_down")),
        sorry_server_inhibit=get("sorry_server_inhibit", False),
    )


def _real(node: RealServer, parent: VirtualServer) -> plan.RealServer:
    get = node.values.get
    host, port = node.values["address"]
    if port == 0 and "address" in parent.values:
        port = parent.values["address"][1]
    return plan.RealServer(
        address=InetAddress(host, port),
        weight=get("weight", 1),
        forwarding=node.forwarding,
        inhibit_on_failure=get(
            "inhibit_on_failure", parent.values.get("inhibit_on_failure", False)
        ),
        checks=tuple(_Check(checker, node, parent).lower() for checker in node.checkers),
        source_line=node.statement.place,
        upper_threshold=get("uthreshold"),
        lower_threshold=get("lthreshold"),
        notify_up=_command(get("notify_up")),
        notify_down=_command(get("notify_down")),
        check_interval=get("delay_loop"),
    )


class _Check:
    """A checker with the values that it inherits from its real and its virtual server."""

    def __init__(self, node: Checker, real: RealServer, virtual: VirtualServer) -> None:
        self.node = node
        self.layers = (node.values, real.values, virtual.values)

    def value(self, key: str, default: Any) -> Any:
        return next((layer[key] for layer in self.layers if key in layer), default)

    def lower(self) -> plan.CheckPlan:
        kind = self.node.kind
        if kind == "TCP_CHECK":
            return plan.TcpCheck(address=self._target(), **self._common(1, 1.0))
        if kind in ("HTTP_GET", "SSL_GET"):
            return plan.HttpCheck(
                address=self._target(),
                **self._common(1, 3.0),
                tls=kind == "SSL_GET",
                sni=self.node.values.get("enable_sni", False),
                version=self.node.values.get("http_protocol", "1.0"),
                pages=tuple(self._page(url) for url in self.node.urls),
            )
        if kind == "MISC_CHECK":
            return self._command_check()
        return plan.OtherCheck(
            kind, tuple((key, _shown(value)) for key, value in self.node.values.items())
        )

    def _common(self, retry: int, delay: float) -> dict[str, Any]:
        return {
            "timeout": self.value("connect_timeout", 5.0),
            "retry": self.value("retry", retry),
            "delay_before_retry": self.value("delay_before_retry", delay),
            "warmup": self.value("warmup", None),
        }

    def _target(self) -> InetAddress | None:
        """Where to connect, if that is not the real server itself."""
        host = self.node.values.get("connect_ip")
        port = self.node.values.get("connect_port")
        if host is None and port is None:
            return None
        own_host, own_port = self.layers[1]["address"]
        return InetAddress(host[0] if host else own_host, port or (host and host[1]) or own_port)

    def _page(self, url: Checker) -> plan.HttpPage:
        get = url.values.get
        codes_ = tuple(_range(word) for word in get("status_code", ()))
        return plan.HttpPage(
            path=get("path", "/"),
            digest=get("digest"),
            codes=tuple(item for item in codes_ if item is not None) or ((200, 299),),
            virtual_host=get("virtualhost", self.value("virtualhost", None)),
            regex=get("regex"),
            regex_must_miss=get("regex_no_match", False),
        )

    def _command_check(self) -> plan.CommandCheck:
        get = self.node.values.get
        user = get("user", ())
        return plan.CommandCheck(
            command=_command(get("misc_path")),
            timeout=get("misc_timeout"),
            dynamic=get("misc_dynamic", False),
            user=user[0] if user else None,
            group=user[1] if len(user) > 1 else None,
            retry=get("retry", 0),
            delay_before_retry=self.value("delay_before_retry", 1.0),
            warmup=self.value("warmup", None),
        )


def _range(word: str) -> tuple[int, int] | None:
    low, _, high = word.partition("-")
    first, last = parse_int(low), parse_int(high or low)
    return None if first is None or last is None else (first, last)


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(str(item) for item in value)
    return str(value)
