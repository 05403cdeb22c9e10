"""The router half of the plan: VRRP instances, what they track, what they own.

Durations here are seconds as float, since VRRP's own unit is finer than a millisecond
(Master_Adver_Interval in centiseconds, skew in microseconds).
"""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum

from telamon.base.address import IPAddress, IPInterface
from telamon.base.frozen import frozen

Seconds = float


class InitialState(StrEnum):
    MASTER = "MASTER"
    BACKUP = "BACKUP"


class AuthKind(StrEnum):
    NONE = "none"
    PASS = "pass"
    HMAC = "hmac"


class HmacMode(StrEnum):
    """How strict an `auth_hmac` receiver is; the steps of a roll-out without a gap."""

    RECEIVE_ONLY = "receive-only"
    PERMISSIVE = "permissive"
    ENFORCE = "enforce"


@frozen
class HmacKey:
    """One key of `auth_hmac`: `id` 1 to 255, 32 to 64 bytes. One key of the set is sent with."""

    id: int
    secret: bytes = field(repr=False)
    active: bool = False


@frozen
class Authentication:
    """VRRPv2 authentication (RFC 2338 5.3.6). `secret` is at most 8 bytes for PASS.

    For HMAC (any version) `keys` holds the keys; `monotonic` replaces time by a counter and
    `window` bounds the clocks' difference in seconds (None: max(3 x interval, 5 s)).
    """

    kind: AuthKind = AuthKind.NONE
    secret: bytes = field(default=b"", repr=False)
    keys: tuple[HmacKey, ...] = ()
    mode: HmacMode = HmacMode.ENFORCE
    monotonic: bool = False
    window: Seconds | None = None


@frozen
class VirtualAddress:
    """A VIP: address with prefix length, and where it goes (None: the instance's interface).

    The rest is ip-address(8)'s. `preferred_lifetime` is None where the kernel's default holds
    (0 deprecates an address). `track` unset: its loss from outside is of no consequence.
    """

    address: IPInterface
    device: str | None = None
    label: str | None = None
    broadcast: IPAddress | None = None
    scope: str | None = None
    peer: IPInterface | None = None
    preferred_lifetime: int | None = None
    no_prefix_route: bool = False
    manage_temporary: bool = False
    home: bool = False
    no_dad: bool = False
    autojoin: bool = False
    vmac: bool = False
    track: bool = True
    track_group: str | None = None
    source_line: str = ""


@frozen
class RoutePlan:
    """A `virtual_routes` or `static_routes` entry: `arguments` are ip-route(8)'s words.

    `family` is 4 or 6. Keepalived's own words are taken out: `track`, `track_group`.
    """

    arguments: tuple[str, ...]
    family: int = 4
    track: bool = True
    track_group: str | None = None
    source_line: str = ""


@frozen
class RulePlan:
    """A `virtual_rules` or `static_rules` entry: `arguments` are ip-rule(8)'s words."""

    arguments: tuple[str, ...]
    family: int = 4
    track: bool = True
    track_group: str | None = None
    source_line: str = ""


@frozen
class CommandPlan:
    """A program to run: argument list, and whom as (None: as the router itself)."""

    command: tuple[str, ...]
    uid: int | None = None
    gid: int | None = None


@frozen
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


@frozen
class FilePlan:
    """A `track_file`: the number in `path`, times the weight, is added to the priority.

    `initial` None: do not write; `overwrite`: write it even if the file exists.
    """

    name: str
    path: str
    weight: int = 1
    reverse: bool = False
    initial: int | None = None
    overwrite: bool = False
    source_line: str = ""


class ParameterMatch(StrEnum):
    """How a tracked process's parameters are compared (`param_match`)."""

    EXACT = "exact"
    INITIAL = "initial"
    PARTIAL = "partial"


@frozen
class ProcessWatchPlan:
    """A `vrrp_track_process`. `command` is its name, and the parameters if they are compared.

    Good while at least `quorum` and at most `quorum_max` (None: no limit) of them run.
    """

    name: str
    command: tuple[str, ...]
    parameters: ParameterMatch | None = None
    full_command: bool = False
    weight: int = 1
    reverse: bool = False
    quorum: int = 1
    quorum_max: int | None = None
    fork_delay: Seconds = 0.0
    terminate_delay: Seconds = 0.0
    source_line: str = ""


@frozen
class TrackScript:
    """An instance's `track_script` entry: which script, with what weight."""

    script: str
    weight: int
    reverse: bool = False


@frozen
class TrackInterface:
    """An instance's `track_interface` entry; weight 0 means fault when the interface is down.

    `implied`: no entry of the file, but what a route or a `track_group` needs.
    """

    interface: str
    weight: int = 0
    reverse: bool = False
    implied: bool = False


@frozen
class TrackFile:
    """A `track_file` entry of an instance or group: which file, with what weight."""

    file: str
    weight: int
    reverse: bool = False


@frozen
class TrackProcess:
    """A `track_process` entry of an instance or group; weight 0 means fault."""

    process: str
    weight: int
    reverse: bool = False


@frozen
class TrackBackend:
    """A `track_backend` entry: this node's proxy has at least `minimum` servers up in `backend`.

    Telamon's own word. A proxy that does not run has none. Weight 0 means fault.
    """

    backend: str
    minimum: int = 1
    weight: int = 0
    reverse: bool = False


@frozen
class TrackProxy:
    """A `track_proxy` entry (Telamon's own word): this node's proxy serves.

    Weight 0 means fault. `off`: the instance does not depend on the proxy that runs beside it.
    """

    weight: int = 0
    reverse: bool = False
    off: bool = False


@frozen
class NotifyPlan:
    """What is run on a change of state, and what else is told.

    `deleted` is the answer to an instance that a reload removes: `tell_deleted` says DELETED
    instead of FAULT. `mail` sends mail through `RouterPlan.mail`.
    """

    master: CommandPlan | None = None
    backup: CommandPlan | None = None
    fault: CommandPlan | None = None
    stop: CommandPlan | None = None
    deleted: CommandPlan | None = None
    tell_deleted: bool = False
    any: CommandPlan | None = None
    lower_priority_heard: CommandPlan | None = None
    priority_changes: bool = False
    mail: bool = False


@frozen
class VmacPlan:
    """`use_vmac`: adverts and VIPs on a macvlan with the virtual router's own MAC address.

    `name` and `address` None: `vrrp.VRID` and the RFC's. `adverts_from_base`: `vmac_xmit_base`.
    `for_other_interfaces`: `use_vmac_addr`. `for_adverts`: `use_vmac` itself is there.
    Names begin with `prefix`, those for single addresses with `address_prefix`.
    """

    name: str | None = None
    address: str | None = None
    adverts_from_base: bool = False
    for_other_interfaces: bool = False
    for_adverts: bool = True
    prefix: str = "vrrp"
    address_prefix: str = "vrrp"


@frozen
class PeerTtl:
    """TTL range that a unicast peer's adverts must have; None: not checked."""

    peer: IPAddress
    low: int | None = None
    high: int | None = None


@frozen
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
    extra_interfaces_every: Seconds = 0.0
    extra_on_all: bool = False


@frozen
class GarpGroupPlan:
    """Interfaces on which announcements are spaced together; None: not said in the file."""

    interfaces: tuple[str, ...]
    interval: Seconds | None = None
    na_interval: Seconds | None = None


@frozen
class InstancePlan:
    """One `vrrp_instance`.

    `version` 2 or 3; `vrid` 1 to 255; `priority` 1 to 255 (255: address owner).
    `source` is the address that adverts come from (None: the interface's primary one).
    For dumps alone: `advertise_before_yielding` (a losing master always sends a last advert),
    `skip_check_addresses` (they are always checked), `receive_buffer`.
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
    track_files: tuple[TrackFile, ...] = ()
    track_processes: tuple[TrackProcess, ...] = ()
    track_source: bool = False
    notify: NotifyPlan = NotifyPlan()
    vmac: VmacPlan | None = None
    routes: tuple[RoutePlan, ...] = ()
    rules: tuple[RulePlan, ...] = ()
    accept: bool = True
    strict: bool = False
    answer_lower_priority: bool = True
    advertise_before_yielding: bool = False
    unicast_ttl: int = 255
    peer_ttls: tuple[PeerTtl, ...] = ()
    promote_secondaries: bool = False
    timer_expired_backup: bool = False
    skip_check_addresses: bool = False
    receive_buffer: int | None = None
    track_backends: tuple[TrackBackend, ...] = ()
    proxy: TrackProxy | None = None


@frozen
class SyncGroupPlan:
    """A `vrrp_sync_group`: its members are master only together.

    `tracking_weight`: members' weights count although they may differ.
    """

    name: str
    members: tuple[str, ...]
    track_interfaces: tuple[TrackInterface, ...] = ()
    track_scripts: tuple[TrackScript, ...] = ()
    track_files: tuple[TrackFile, ...] = ()
    track_processes: tuple[TrackProcess, ...] = ()
    tracking_weight: bool = False
    notify: NotifyPlan = NotifyPlan()
    source_line: str = ""
    track_backends: tuple[TrackBackend, ...] = ()
    proxy: TrackProxy | None = None


@frozen
class MailPlan:
    """Where mail about changes of state goes. `server` is a name or an address."""

    server: str
    port: int = 25
    sender: str = ""
    receivers: tuple[str, ...] = ()
    helo: str = ""
    timeout: Seconds = 30.0
    faults: bool = True


@frozen
class FifoPlan:
    """A FIFO that gets a line for each change of state, and the program that reads it.

    `vrrp_only`: the file calls it `vrrp_notify_fifo`.
    """

    path: str
    uid: int | None = None
    gid: int | None = None
    reader: CommandPlan | None = None
    vrrp_only: bool = False


@frozen
class StaticPlan:
    """What is set up at start and stays, whoever is master (`static_…` blocks)."""

    addresses: tuple[VirtualAddress, ...] = ()
    routes: tuple[RoutePlan, ...] = ()
    rules: tuple[RulePlan, ...] = ()


@frozen
class InterfaceDelay:
    """`interface_up_down_delays`: a change that lasts less is not seen."""

    interface: str
    down: Seconds
    up: Seconds


@frozen
class RouterPlan:
    """All of it. `router_id` labels logs; `digest` names the files' content (hex).

    `startup_delay` s pass before any instance starts, `delay_after_boot` s from the machine's
    boot on. `startup` and `shutdown` run before and after all else, for so long at most.
    `beside_proxy`: a proxy runs on this node, and its supervisor tells of it.
    `allow_missing_interfaces`: Keepalived's `dynamic_interfaces`. `namespace`: that of ip-netns(8)
    in which the router runs (None: where it is started).
    For dumps alone: `written`, the words of global_defs (and of the top level, where they have no
    block) with their arguments; `script_user`, the default user's numbers; `garp_groups` (each
    instance's `garp` has what it must know of them).
    """

    router_id: str
    instances: tuple[InstancePlan, ...] = ()
    scripts: tuple[ScriptPlan, ...] = ()
    digest: str = ""
    groups: tuple[SyncGroupPlan, ...] = ()
    files: tuple[FilePlan, ...] = ()
    processes: tuple[ProcessWatchPlan, ...] = ()
    statics: StaticPlan = StaticPlan()
    interface_delays: tuple[InterfaceDelay, ...] = ()
    track_groups: tuple[tuple[str, tuple[str, ...]], ...] = ()
    mail: MailPlan | None = None
    fifos: tuple[FifoPlan, ...] = ()
    fifo_states_on_reload: bool = False
    startup: CommandPlan | None = None
    shutdown: CommandPlan | None = None
    startup_delay: Seconds = 0.0
    delay_after_boot: Seconds = 0.0
    startup_timeout: Seconds = 10.0
    shutdown_timeout: Seconds = 10.0
    allow_missing_interfaces: bool = False
    script_security: bool = False
    beside_proxy: bool = False
    namespace: str | None = None
    written: tuple[tuple[str, tuple[str, ...]], ...] = ()
    script_user: tuple[int, int] = (0, 0)
    garp_groups: tuple[GarpGroupPlan, ...] = ()
