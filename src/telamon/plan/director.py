"""The director half of the plan: virtual servers that the kernel balances."""

from __future__ import annotations

from enum import StrEnum

from telamon.base.address import InetAddress
from telamon.base.frozen import frozen


class Scheduler(StrEnum):
    """IPVS schedulers (ipvsadm(8))."""

    RR = "rr"
    WRR = "wrr"
    LC = "lc"
    WLC = "wlc"
    LBLC = "lblc"
    LBLCR = "lblcr"
    SH = "sh"
    MH = "mh"
    DH = "dh"
    FO = "fo"
    OVF = "ovf"
    LBLB = "lblb"
    SED = "sed"
    NQ = "nq"
    TWOS = "twos"


class Forwarding(StrEnum):
    NAT = "NAT"
    DR = "DR"
    TUN = "TUN"


class Protocol(StrEnum):
    TCP = "TCP"
    UDP = "UDP"
    SCTP = "SCTP"


@frozen
class TcpCheck:
    """`TCP_CHECK`: a connect within `timeout` s to `address` (None: the real server's own)."""

    address: InetAddress | None = None
    timeout: float = 5.0
    retry: int = 1
    delay_before_retry: float = 1.0
    warmup: float | None = None


@frozen
class HttpPage:
    """One `url` of an HTTP check. `codes` are ranges of good answers, both ends included."""

    path: str = "/"
    digest: str | None = None
    codes: tuple[tuple[int, int], ...] = ((200, 299),)
    virtual_host: str | None = None
    regex: str | None = None
    regex_must_miss: bool = False


@frozen
class HttpCheck:
    """`HTTP_GET`, or `SSL_GET` where `tls` is set."""

    address: InetAddress | None = None
    timeout: float = 5.0
    retry: int = 1
    delay_before_retry: float = 3.0
    warmup: float | None = None
    tls: bool = False
    sni: bool = False
    version: str = "1.0"
    pages: tuple[HttpPage, ...] = ()


@frozen
class CommandCheck:
    """`MISC_CHECK`: a program's exit code; with `dynamic` codes from 2 on are weights."""

    command: tuple[str, ...]
    timeout: float | None = None
    dynamic: bool = False
    user: str | None = None
    group: str | None = None
    retry: int = 0
    delay_before_retry: float = 1.0
    warmup: float | None = None


@frozen
class OtherCheck:
    """A kind of check that is kept as it was written: `kind` is Keepalived's keyword."""

    kind: str
    options: tuple[tuple[str, str], ...] = ()


CheckPlan = TcpCheck | HttpCheck | CommandCheck | OtherCheck


@frozen
class RealServer:
    address: InetAddress
    weight: int = 1
    forwarding: Forwarding | None = None
    inhibit_on_failure: bool = False
    checks: tuple[CheckPlan, ...] = ()
    source_line: str = ""
    upper_threshold: int | None = None
    lower_threshold: int | None = None
    notify_up: tuple[str, ...] = ()
    notify_down: tuple[str, ...] = ()
    check_interval: float | None = None


@frozen
class VirtualServer:
    """One `virtual_server IP PORT`. `delay_loop` is the check interval in seconds.

    A `fwmark` or a `group` stands in place of the address's meaning where it is set; the address
    is then 0.0.0.0:0.
    """

    address: InetAddress
    protocol: Protocol = Protocol.TCP
    scheduler: Scheduler = Scheduler.WLC
    forwarding: Forwarding = Forwarding.NAT
    delay_loop: float = 60.0
    persistence_timeout: int | None = None
    sorry_server: InetAddress | None = None
    quorum: int = 1
    hysteresis: int = 0
    real_servers: tuple[RealServer, ...] = ()
    source_line: str = ""
    fwmark: int | None = None
    group: str | None = None
    persistence_granularity: str | None = None
    scheduler_flags: tuple[str, ...] = ()
    one_packet: bool = False
    alpha: bool = False
    omega: bool = False
    only_with_vip: bool = False
    quorum_up: tuple[str, ...] = ()
    quorum_down: tuple[str, ...] = ()
    sorry_server_inhibit: bool = False


@frozen
class ServerGroup:
    """A `virtual_server_group`: each entry's words."""

    name: str
    entries: tuple[tuple[str, ...], ...] = ()
    source_line: str = ""


@frozen
class DirectorPlan:
    virtual_servers: tuple[VirtualServer, ...] = ()
    digest: str = ""
    groups: tuple[ServerGroup, ...] = ()
