"""The director half of the plan: virtual servers that the kernel balances."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from telamon.base.address import InetAddress


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


@dataclass(frozen=True, slots=True)
class TcpCheck:
    """`TCP_CHECK`: a connect within `timeout` s to `address` (None: the real server's own)."""

    address: InetAddress | None = None
    timeout: float = 5.0
    retry: int = 1
    delay_before_retry: float = 1.0
    warmup: float | None = None


@dataclass(frozen=True, slots=True)
class RealServer:
    address: InetAddress
    weight: int = 1
    forwarding: Forwarding | None = None
    inhibit_on_failure: bool = False
    checks: tuple[TcpCheck, ...] = ()
    source_line: str = ""


@dataclass(frozen=True, slots=True)
class VirtualServer:
    """One `virtual_server IP PORT`. `delay_loop` is the check interval in seconds."""

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


@dataclass(frozen=True, slots=True)
class DirectorPlan:
    virtual_servers: tuple[VirtualServer, ...] = ()
    digest: str = ""
