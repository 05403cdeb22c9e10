"""What the file says, block by block, before defaults are merged and names resolved.

Every node knows its statement and, in `places`, the statement that set each field, so that a
later message can point at it. None means that the file did not say.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from telamon.base.address import IPAddress
from telamon.base.span import Span
from telamon.keepalived.syntax import Statement
from telamon.plan.director import Forwarding, Protocol, Scheduler
from telamon.plan.router import HmacKey, HmacMode, InitialState, RoutePlan, RulePlan, VirtualAddress

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Placed(Generic[T]):
    """A value and the statement that wrote it."""

    value: T
    statement: Statement

    @property
    def span(self) -> Span:
        return self.statement.span


@dataclass(slots=True)
class Node:
    """A block of the file. `name` is its first argument, empty where blocks have none."""

    statement: Statement
    name: str = ""
    places: dict[str, Statement] = field(default_factory=dict)

    @property
    def span(self) -> Span:
        words = self.statement.words
        return words[1].span if len(words) > 1 else words[0].span

    def at(self, field_name: str) -> Span:
        """Where a field was set, or the block's name if it never was."""
        statement = self.places.get(field_name)
        return statement.whole if statement is not None else self.span


@dataclass(frozen=True, slots=True)
class Command:
    """A script with its arguments, and whom it runs as (None: the default script user)."""

    arguments: tuple[str, ...]
    user: str | None = None
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Tracked:
    """An entry of a `track_…` block. `weight` None: what the tracked thing itself says."""

    name: str
    weight: int | None = None
    reverse: bool | None = None


@dataclass(frozen=True, slots=True)
class Peer:
    """An entry of `unicast_peer`."""

    address: IPAddress
    min_ttl: int | None = None
    max_ttl: int | None = None


@dataclass(slots=True)
class Garp(Node):
    """Fields that `global_defs` and instances share, in the words of the instance."""

    garp_master_delay: float | None = None
    garp_master_repeat: int | None = None
    garp_master_refresh: float | None = None
    garp_master_refresh_repeat: int | None = None
    garp_lower_prio_delay: float | None = None
    garp_lower_prio_repeat: int | None = None
    garp_extra_if: int | None = None
    garp_extra_if_all: bool = False
    down_timer_adverts: int | None = None
    lower_prio_no_advert: bool | None = None
    higher_prio_send_advert: bool | None = None
    version: int | None = None
    strict: bool | None = None
    check_unicast_src: bool | None = None
    notify_priority_changes: bool | None = None
    smtp_alert: bool | None = None


@dataclass(slots=True)
class GlobalDefs(Garp):
    """`global_defs`; several blocks fill one."""

    router_id: str | None = None
    script_user: str | None = None
    script_group: str | None = None
    script_security: bool = False
    checksum_as_v2: bool = False
    garp_interval: float | None = None
    gna_interval: float | None = None
    min_garp: bool = False
    mcast_group4: IPAddress | None = None
    mcast_group6: IPAddress | None = None
    default_interface: str | None = None
    vmac_prefix: str | None = None
    vmac_addr_prefix: str | None = None
    startup_delay: float | None = None
    smtp_alert_vrrp: bool | None = None
    smtp_server: str | None = None
    smtp_port: int | None = None
    smtp_helo: str | None = None
    smtp_timeout: float | None = None
    mail_from: str | None = None
    mail_to: list[str] = field(default_factory=list)
    no_email_faults: bool = False
    notify_fifo: Command | None = None
    notify_fifo_script: Command | None = None
    vrrp_notify_fifo: Command | None = None
    vrrp_notify_fifo_script: Command | None = None
    fifo_states_on_reload: bool = False
    startup_script: Command | None = None
    shutdown_script: Command | None = None
    startup_script_timeout: int | None = None
    shutdown_script_timeout: int | None = None
    delay_after_boot: float | None = None
    dynamic_interfaces: bool = False
    written: list[Statement] = field(default_factory=list)
    """All that stands in the blocks, and the top level's words without a block."""

    def words(self) -> frozenset[str]:
        return frozenset(statement.name for statement in self.written)


@dataclass(slots=True)
class Script(Node):
    """`vrrp_script NAME`."""

    command: tuple[str, ...] = ()
    interval: float | None = None
    timeout: float | None = None
    rise: int | None = None
    fall: int | None = None
    weight: int | None = None
    reverse: bool = False
    init_fail: bool = False
    user: str | None = None
    group: str | None = None


@dataclass(slots=True)
class TrackFile(Node):
    """`track_file NAME` (old: `vrrp_track_file`)."""

    file: str | None = None
    weight: int | None = None
    reverse: bool = False
    init_value: int | None = None
    init_overwrite: bool = False


@dataclass(slots=True)
class TrackProcess(Node):
    """`vrrp_track_process NAME`."""

    process: tuple[str, ...] = ()
    param_match: str | None = None
    weight: int | None = None
    reverse: bool = False
    quorum: int | None = None
    quorum_max: int | None = None
    fork_delay: float | None = None
    terminate_delay: float | None = None
    full_command: bool = False


@dataclass(slots=True)
class Hmac(Node):
    """`auth_hmac { ... }` of an instance."""

    keys: list[HmacKey] = field(default_factory=list)
    active_key: int | None = None
    monotonic: bool = False
    time_window: int | None = None
    mode: HmacMode = HmacMode.ENFORCE


@dataclass(slots=True)
class Authentication(Node):
    """`authentication { ... }` of an instance."""

    kind: str | None = None
    password: str | None = None


@dataclass(slots=True)
class ProxyEntry(Node):
    """`track_proxy` of an instance or group."""

    weight: int | None = None
    reverse: bool = False
    off: bool = False


@dataclass(slots=True)
class BackendEntry(Node):
    """`track_backend NAME` of an instance or group."""

    minimum: int | None = None
    weight: int | None = None
    reverse: bool = False


@dataclass(slots=True)
class Notified(Garp):
    """What instances and groups share: tracking and notify scripts."""

    notify: Command | None = None
    notify_master: Command | None = None
    notify_backup: Command | None = None
    notify_fault: Command | None = None
    notify_stop: Command | None = None
    notify_deleted: Command | None = None
    notify_deleted_set: bool = False
    notify_master_rx_lower_pri: Command | None = None
    track_scripts: list[Placed[Tracked]] = field(default_factory=list)
    track_interfaces: list[Placed[Tracked]] = field(default_factory=list)
    track_files: list[Placed[Tracked]] = field(default_factory=list)
    track_processes: list[Placed[Tracked]] = field(default_factory=list)
    track_bfds: list[Placed[Tracked]] = field(default_factory=list)
    track_backends: list[BackendEntry] = field(default_factory=list)
    track_proxy: ProxyEntry | None = None


@dataclass(slots=True)
class Instance(Notified):
    """`vrrp_instance NAME`."""

    interface: str | None = None
    vrid: int | None = None
    priority: int | None = None
    state: InitialState | None = None
    advert_int: float | None = None
    preempt: bool = True
    preempt_delay: float | None = None
    authentication: Authentication | None = None
    hmac: Hmac | None = None
    no_addresses: bool = False
    mcast_src_ip: IPAddress | None = None
    unicast_src_ip: IPAddress | None = None
    mcast_dst_ip: IPAddress | None = None
    unicast_peers: list[Placed[Peer]] = field(default_factory=list)
    unicast_ttl: int | None = None
    unicast_fault_no_peer: bool = False
    addresses: list[Placed[VirtualAddress]] = field(default_factory=list)
    excluded: list[Placed[VirtualAddress]] = field(default_factory=list)
    routes: list[Placed[RoutePlan]] = field(default_factory=list)
    rules: list[Placed[RulePlan]] = field(default_factory=list)
    track_primary: bool = True
    track_src_ip: bool = False
    checksum_as_v2: bool = False
    accept: bool | None = None
    vmac: bool = False
    vmac_name: str | None = None
    vmac_address: str | None = None
    vmac_addresses: bool = False
    vmac_xmit_base: bool = False
    promote_secondaries: bool = False
    timer_expired_backup: bool = False
    skip_check_adv_addr: bool | None = None
    kernel_rx_buf_size: int | None = None


@dataclass(slots=True)
class SyncGroup(Notified):
    """`vrrp_sync_group NAME`."""

    members: list[Placed[str]] = field(default_factory=list)
    tracking_weight: bool = False


@dataclass(slots=True)
class TrackGroup(Node):
    """`track_group NAME`."""

    members: list[Placed[str]] = field(default_factory=list)


@dataclass(slots=True)
class GarpGroup(Node):
    """`garp_group`: interfaces whose announcements are spaced."""

    garp_interval: float | None = None
    gna_interval: float | None = None
    interfaces: list[Placed[str]] = field(default_factory=list)


@dataclass(slots=True)
class Checker(Node):
    """One health check of a real server; `kind` is the block's keyword."""

    kind: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    urls: list[Checker] = field(default_factory=list)


@dataclass(slots=True)
class RealServer(Node):
    """`real_server IP [PORT]`."""

    values: dict[str, Any] = field(default_factory=dict)
    forwarding: Forwarding | None = None
    checkers: list[Checker] = field(default_factory=list)


@dataclass(slots=True)
class VirtualServer(Node):
    """`virtual_server …`; `name` is all of its arguments."""

    values: dict[str, Any] = field(default_factory=dict)
    scheduler: Scheduler | None = None
    forwarding: Forwarding | None = None
    protocol: Protocol | None = None
    real_servers: list[RealServer] = field(default_factory=list)


@dataclass(slots=True)
class ServerGroup(Node):
    """`virtual_server_group NAME`."""

    entries: list[Placed[tuple[str, ...]]] = field(default_factory=list)


@dataclass(slots=True)
class Bag(Node):
    """A block that is known and read, but of which only the words matter (or nothing)."""

    values: dict[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Configuration:
    """The whole file."""

    globals: GlobalDefs
    namespace: str | None = None
    scripts: list[Script] = field(default_factory=list)
    track_files: list[TrackFile] = field(default_factory=list)
    track_processes: list[TrackProcess] = field(default_factory=list)
    instances: list[Instance] = field(default_factory=list)
    groups: list[SyncGroup] = field(default_factory=list)
    track_groups: list[TrackGroup] = field(default_factory=list)
    garp_groups: list[GarpGroup] = field(default_factory=list)
    static_addresses: list[Placed[VirtualAddress]] = field(default_factory=list)
    static_routes: list[Placed[RoutePlan]] = field(default_factory=list)
    static_rules: list[Placed[RulePlan]] = field(default_factory=list)
    virtual_servers: list[VirtualServer] = field(default_factory=list)
    server_groups: list[ServerGroup] = field(default_factory=list)
    interface_delays: list[Placed[tuple[str, float, float]]] = field(default_factory=list)
    bags: list[Bag] = field(default_factory=list)
