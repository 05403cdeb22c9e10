"""The model: sections as the file means them, before names are resolved.

Mutable on purpose: the keywords' rows fill it in, statement by statement. A proxy begins with a
copy of its defaults' settings, which is exactly what HAProxy's language means by defaults. Words
are kept wherever a later step may have to point at them.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import TypeVar

from telamon.base.address import SocketAddress
from telamon.base.frozen import frozen
from telamon.base.span import Span
from telamon.haproxy.http_model import ErrorsDraft, HttpDraft
from telamon.haproxy.keywords.sections import Place
from telamon.haproxy.lexer import Word
from telamon.haproxy.paths import DefaultPath
from telamon.haproxy.rule_model import PatternFile, Reference, RulesDraft
from telamon.plan.balance import Algorithm, BalanceKey, Hashing, HashKey
from telamon.plan.process import (
    HeaderCase,
    LogHeader,
    LogRule,
    LogStep,
    LogTarget,
    RingServer,
    StatsSocket,
)
from telamon.plan.proxy import (
    AdminRule,
    Layer,
    LogFormat,
    Mode,
    OnError,
    StatsUser,
    UseSource,
)
from telamon.plan.rules import Rule
from telamon.script.registry import Kind, Signature


@dataclass(frozen=True, slots=True)
class SourceWords:
    """Where connections to servers come from, through which interface, and whose address they
    show in place of ours; port 0: the system chooses one each time."""

    address: SocketAddress
    interface: str | None = None
    usesrc: UseSource | None = None
    usesrc_word: Word | None = None


@dataclass(slots=True)
class ServerOptions:
    """What follows a server's address, or `default-server`. Times are milliseconds."""

    weight: int = 1
    maxconn: int = 0
    minconn: int = 0
    maxqueue: int = 0
    backup: bool = False
    disabled: bool = False
    check: bool = False
    inter: int = 2000
    fastinter: int | None = None
    downinter: int | None = None
    rise: int = 2
    fall: int = 3
    source: SourceWords | None = None
    fast_open: bool = False
    init_addr: tuple[str, ...] = ("last", "libc")
    redirect: str | None = None
    send_proxy: int = 0
    tcp_ut: int | None = None
    hash_key: HashKey = HashKey.ID
    end_streams_on_down: bool = False
    end_backups_on_up: bool = False
    check_port: int | None = None
    check_send_proxy: bool = False
    check_address: Word | None = None
    id: int | None = None
    check_words: tuple[Word, ...] = ()
    observe: Layer | None = None
    observe_word: Word | None = None
    error_limit: int = 10
    on_error: OnError = OnError.FAIL_CHECK
    on_error_words: tuple[Word, ...] = ()
    cookie: Word | None = None
    pool_max_conn: int | None = None
    pool_low_conn: int = 0
    pool_purge_delay: int = 5000
    max_reuse: int | None = None
    slowstart: int | None = None
    proxy_options: tuple[str, ...] = ()

    def copy(self) -> ServerOptions:
        """Quicker than `copy.copy`, which sets one by one: each server line wants one."""
        return ServerOptions(*_option_values(self))


_option_values = attrgetter(*(item.name for item in fields(ServerOptions)))


@dataclass(slots=True)
class ServerDraft:
    """One `server` line."""

    name: Word
    address: SocketAddress
    options: ServerOptions
    port_offset: int | None = None
    id_word: Word | None = None


@dataclass(slots=True)
class BindDraft:
    """One `bind` line: its addresses and the options they share."""

    word: Word
    addresses: list[SocketAddress]
    name: str = ""
    id: int | None = None
    id_word: Word | None = None
    interface: str | None = None
    maxconn: int | None = None
    backlog: int | None = None
    nice: int = 0
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    v6only: bool = False
    v4v6: bool = False
    accept_proxy: Word | None = None
    defer_accept: bool = False
    tcp_ut: int | None = None
    mss: int | None = None
    threads: int | None = None
    threads_word: Word | None = None
    fast_open: bool = False
    transparent: bool = False
    level: str = "operator"
    expose_fd: bool = False


@frozen
class LogDraft:
    """One `log` line. `header` None: it depends on `log-send-hostname`. `ring` names a section;
    with `stream` the line makes a ring of its own, which is sent to `target.address`."""

    target: LogTarget
    word: Word
    header: LogHeader | None = None
    ring: Word | None = None
    stream: bool = False
    profile: Word | None = None


@dataclass(slots=True)
class RingDraft:
    """One `ring` section."""

    name: Word
    description: str | None = None
    size: int = 16384
    max_length: int = 16384
    max_length_word: Word | None = None
    header: LogHeader = LogHeader.RAW
    servers: list[RingServer] = field(default_factory=list)
    timeouts: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class ProfileDraft:
    """One `log-profile` section."""

    name: Word
    tag: str | None = None
    rules: list[LogRule] = field(default_factory=list)


@dataclass(slots=True)
class GroupDraft:
    """A `group` of a list of users, and the users that it names."""

    name: Word
    users: list[Word]


@dataclass(slots=True)
class UserDraft:
    """A `user`, and the groups that it names."""

    name: Word
    password: str | None = field(default=None, repr=False)
    hashed: bool = False
    groups: list[Word] = field(default_factory=list)


@dataclass(slots=True)
class UserListDraft:
    """One `userlist` section."""

    name: Word
    groups: dict[str, GroupDraft] = field(default_factory=dict)
    users: dict[str, UserDraft] = field(default_factory=dict)


@dataclass(slots=True)
class StatsDraft:
    """The `stats` words of one section; `word` is the first of them."""

    word: Word
    uri: str = "/haproxy?stats"
    refresh: int = 0
    realm: str = "HAProxy Statistics"
    users: list[StatsUser] = field(default_factory=list)
    hide_version: bool = False
    show_legends: bool = False
    show_modules: bool = False
    show_node: str | None = None
    node_of_host: bool = False
    show_description: str | None = None
    description_of_global: bool = False
    scopes: list[str] = field(default_factory=list)
    admin: AdminRule = AdminRule.NEVER

    def copy(self) -> StatsDraft:
        return _with_own_lists(self)


@dataclass(slots=True)
class ProxySettings:
    """Everything that a `defaults` section may say and its proxies take over."""

    mode: Mode = Mode.TCP
    mode_word: Word | None = None
    timeouts: dict[str, int] = field(default_factory=dict)
    options: dict[str, Word] = field(default_factory=dict)
    algorithm: Algorithm = Algorithm.ROUNDROBIN
    random_draws: int = 2
    balance_word: Word | None = None
    key: BalanceKey = field(default_factory=BalanceKey)
    hashing: Hashing = field(default_factory=Hashing)
    logs: list[LogDraft] = field(default_factory=list)
    log_global: bool = False
    log_format: LogFormat = LogFormat.DEFAULT
    log_format_word: Word | None = None
    log_steps: tuple[LogStep, ...] = ()
    log_tag: str | None = None
    keepalive: dict[str, int] = field(default_factory=dict)
    source: SourceWords | None = None
    retries: int = 3
    redispatch: int = 0
    maxconn: int | None = None
    backlog: int | None = None
    fullconn: int | None = None
    default_backend: Word | None = None
    default_server: ServerOptions = field(default_factory=ServerOptions)
    stats: StatsDraft | None = None
    disabled: bool = False
    transparent: Word | None = None
    description: str | None = None
    http: HttpDraft = field(default_factory=HttpDraft)
    rules: RulesDraft = field(default_factory=RulesDraft)

    def copy(self) -> ProxySettings:
        twin = _with_own_lists(self)
        twin.rules = self.rules.inherited()
        twin.default_server = self.default_server.copy()
        twin.stats = self.stats.copy() if self.stats else None
        twin.http = self.http.copy()
        return twin


@dataclass(slots=True)
class DefaultsDraft:
    """One `defaults` section; `name` None: anonymous."""

    name: Word | None
    settings: ProxySettings


@dataclass(slots=True)
class ProxyDraft:
    """One `frontend`, `backend` or `listen`.

    `bind_lines` counts those that could not be understood too.
    """

    place: Place
    name: Word
    header: Span
    settings: ProxySettings
    bind_lines: int = 0
    binds: list[BindDraft] = field(default_factory=list)
    servers: list[ServerDraft] = field(default_factory=list)
    id: int | None = None
    id_word: Word | None = None

    @property
    def has_frontend(self) -> bool:
        return bool(self.place & Place.FRONT)

    @property
    def has_backend(self) -> bool:
        return bool(self.place & Place.BACK)


@dataclass(slots=True)
class UnixBind:
    """`unix-bind`: what unix sockets of the `bind` lines below it begin with."""

    prefix: str = ""
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None


@dataclass(slots=True)
class ProcessDraft:
    """All `global` sections together."""

    maxconn: int | None = None
    nbthread: int | None = None
    chroot: str | None = None
    user: str | None = None
    group: str | None = None
    uid: int | None = None
    gid: int | None = None
    pidfile: str | None = None
    daemon: bool = False
    node: str | None = None
    description: str | None = None
    log_tag: str = "haproxy"
    log_send_hostname: str | None = None
    logs: list[LogDraft] = field(default_factory=list)
    stats_sockets: list[StatsSocket] = field(default_factory=list)
    stats_timeout: int = 10_000
    stats_maxconn: int = 10
    hard_stop_after: int | None = None
    ulimit_n: int | None = None
    spread_checks: int = 0
    bufsize: int = 16384
    maxrewrite: int = 1024
    max_headers: int = 101
    log_uri_length: int = 1023
    idle_pool_shared: bool = True
    header_cases: dict[str, HeaderCase] = field(default_factory=dict)
    payload_with_any_method: bool = False
    connection_rate: int | None = None
    session_rate: int | None = None
    max_pipes: int | None = None
    strict_limits: bool = False
    dumpable: bool = False
    fd_hard_limit: int | None = None
    cookie_length: int = 63
    default_path: DefaultPath = field(default_factory=DefaultPath)
    unix_bind: UnixBind = field(default_factory=UnixBind)
    zero_warning: bool = False
    master_worker: bool = False
    exit_on_failure: bool = True
    python_files: list[str] = field(default_factory=list)
    python_timeout: int = 1000


@dataclass(slots=True)
class Model:
    """All files together."""

    process: ProcessDraft = field(default_factory=ProcessDraft)
    defaults: dict[str, DefaultsDraft] = field(default_factory=dict)
    proxies: list[ProxyDraft] = field(default_factory=list)
    errors: dict[str, ErrorsDraft] = field(default_factory=dict)
    rings: dict[str, RingDraft] = field(default_factory=dict)
    profiles: dict[str, ProfileDraft] = field(default_factory=dict)
    userlists: dict[str, UserListDraft] = field(default_factory=dict)
    pattern_files: dict[str, PatternFile] = field(default_factory=dict)
    pattern_ids: list[int | None] = field(default_factory=list)
    """A place for each set of patterns, in the order of the file; what `-u` gave, or None."""
    references: list[Reference] = field(default_factory=list)
    variables: list[Rule] = field(default_factory=list)
    functions: dict[tuple[Kind, str], Signature] = field(default_factory=dict)


_Draft = TypeVar("_Draft", StatsDraft, ProxySettings)


def _with_own_lists(value: _Draft) -> _Draft:
    """A copy whose lists and dictionaries may change without the original."""
    twin = copy.copy(value)
    for item in fields(value):
        member = getattr(value, item.name)
        if isinstance(member, (list, dict)):
            setattr(twin, item.name, member.copy())
    return twin
