"""The router half of the plan: VRRP instances, what they track, what they own.

Durations here are seconds as float, since VRRP's own unit is finer than a millisecond
(Master_Adver_Interval in centiseconds, skew in microseconds).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from telamon.base.address import IPAddress, IPInterface

Seconds = float


class InitialState(StrEnum):
    MASTER = "MASTER"
    BACKUP = "BACKUP"


class AuthKind(StrEnum):
    NONE = "none"
    PASS = "pass"


@dataclass(frozen=True, slots=True)
class Authentication:
    """VRRPv2 authentication (RFC 2338 5.3.6). `secret` is at most 8 bytes for PASS."""

    kind: AuthKind = AuthKind.NONE
    secret: bytes = b""


@dataclass(frozen=True, slots=True)
class VirtualAddress:
    """A VIP: address with prefix length, and where it goes (None: the instance's interface)."""

    address: IPInterface
    device: str | None = None
    label: str | None = None
    broadcast: IPAddress | None = None
    scope: str | None = None


@dataclass(frozen=True, slots=True)
class ScriptPlan:
    """A `vrrp_script`. `command` is the argument list; `weight` 0 means fault on failure.

    `uid`/`gid` None mean: as the router itself. `init_fail`: count as failed until it ran.
    """

    name: str
    command: tuple[str, ...]
    interval: Seconds = 1.0
    timeout: Seconds = 1.0
    rise: int = 1
    fall: int = 1
    weight: int = 0
    reverse: bool = False
    init_fail: bool = False
    uid: int | None = None
    gid: int | None = None
    source_line: str = ""


@dataclass(frozen=True, slots=True)
class TrackScript:
    """An instance's `track_script` entry: which script, with what weight."""

    script: str
    weight: int
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class TrackInterface:
    """An instance's `track_interface` entry; weight 0 means fault when the interface is down."""

    interface: str
    weight: int = 0
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class GarpPlan:
    """When gratuitous ARP (RFC 5798 8.2.1) and unsolicited NA are sent (`garp_*`).

    `repeat` packets a burst; a second burst `delay` s after the first (0: none); then every
    `refresh` s `refresh_repeat` packets (0: never). `lower_priority_*` govern the bursts that
    follow a lower-priority advert heard as master. `interval`/`na_interval` space packets.
    """

    repeat: int = 5
    delay: Seconds = 5.0
    refresh: Seconds = 0.0
    refresh_repeat: int = 1
    lower_priority_repeat: int = 5
    lower_priority_delay: Seconds = 5.0
    interval: Seconds = 0.0
    na_interval: Seconds = 0.0


@dataclass(frozen=True, slots=True)
class InstancePlan:
    """One `vrrp_instance`.

    `version` 2 or 3; `vrid` 1 to 255; `priority` 1 to 255 (255: address owner).
    `source` is the address that adverts come from (None: the interface's primary one).
    `unicast_peers` empty means multicast. `down_timer_adverts` is RFC 5798's 3.
    """

    name: str
    interface: str
    vrid: int
    version: int = 2
    priority: int = 100
    initial_state: InitialState = InitialState.BACKUP
    advert_interval: Seconds = 1.0
    preempt: bool = True
    preempt_delay: Seconds = 0.0
    authentication: Authentication = Authentication()
    source: IPAddress | None = None
    unicast_peers: tuple[IPAddress, ...] = ()
    multicast_group: IPAddress | None = None
    addresses: tuple[VirtualAddress, ...] = ()
    excluded_addresses: tuple[VirtualAddress, ...] = ()
    track_interfaces: tuple[TrackInterface, ...] = ()
    track_scripts: tuple[TrackScript, ...] = ()
    track_proxy: bool = False
    garp: GarpPlan = GarpPlan()
    down_timer_adverts: int = 3
    checksum_as_v2: bool = False
    track_primary: bool = True
    source_line: str = ""


@dataclass(frozen=True, slots=True)
class RouterPlan:
    """All of it. `router_id` labels logs; `digest` names the files' content (hex)."""

    router_id: str
    instances: tuple[InstancePlan, ...] = ()
    scripts: tuple[ScriptPlan, ...] = ()
    digest: str = ""
