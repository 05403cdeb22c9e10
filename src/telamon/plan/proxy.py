"""The proxy half of the plan: frontends, backends, servers, all names resolved.

The Rust crate `telamon-plan` mirrors these types field by field (the JSON that
`telamon.plan.codec` writes is the border); `tests/plan/test_mirror.py` holds the two together.

A proxy is one named section (`frontend`, `backend` or `listen`), as on HAProxy's stats page: a
`listen` has both a frontend and a backend under one name and one id.
"""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum

from telamon.base.address import SocketAddress
from telamon.base.frozen import frozen
from telamon.base.units import Milliseconds
from telamon.plan.balance import Algorithm, BalanceKey, Hashing, HashKey, HashMethod
from telamon.plan.http import HttpSettings, PoolLimits
from telamon.plan.process import LogStep, LogTarget, ProcessPlan
from telamon.plan.rules import Format, PatternSet, Rule, RuleSets
from telamon.plan.users import UserList


class Mode(StrEnum):
    TCP = "tcp"
    HTTP = "http"


class LogFormat(StrEnum):
    """HAProxy's ready-made log lines (manual 8.2.1 to 8.2.4)."""

    DEFAULT = "default"
    TCP = "tcplog"
    HTTP = "httplog"
    CLF = "httplog clf"
    HTTPS = "httpslog"


@frozen
class Timeouts:
    """All `timeout` lines of one proxy; None means none was set: wait for ever.

    `check` bounds the read of a health check after its connect (which `connect` bounds).
    """

    client: Milliseconds | None = None
    server: Milliseconds | None = None
    connect: Milliseconds | None = None
    queue: Milliseconds | None = None
    check: Milliseconds | None = None
    tunnel: Milliseconds | None = None
    client_fin: Milliseconds | None = None
    server_fin: Milliseconds | None = None
    http_request: Milliseconds | None = None
    http_keep_alive: Milliseconds | None = None
    tarpit: Milliseconds | None = None


@frozen
class Listener:
    """One bound address. A `bind` line with several addresses or a port range makes several.

    `id` is unique within its proxy and counts from 1 (HAProxy's luid). `source_line` says where
    the bind line stands (`file:line`), for messages about it. A negative `mss` is by how much our
    segments are smaller than the client allows. `threads` has a bit for each thread that takes
    connections, None: all.
    """

    id: int
    name: str
    address: SocketAddress
    interface: str | None = None
    maxconn: int | None = None
    backlog: int | None = None
    nice: int = 0
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    v6only: bool = False
    v4v6: bool = False
    accept_proxy: bool = False
    defer_accept: bool = False
    mss: int | None = None
    threads: int | None = None
    fast_open: bool = False
    transparent: bool = False
    tcp_ut: Milliseconds | None = None
    source_line: str = ""


@frozen
class KeepAlive:
    """TCP's own keep-alive probes (tcp(7)); None leaves what the system says."""

    count: int | None = None
    idle: Milliseconds | None = None
    interval: Milliseconds | None = None


class Layer(StrEnum):
    """What of the traffic `observe` looks at: connects alone, or HTTP responses too."""

    LAYER4 = "layer4"
    LAYER7 = "layer7"


class OnError(StrEnum):
    """What errors in a row lead to (`on-error`)."""

    FASTINTER = "fastinter"
    FAIL_CHECK = "fail-check"
    SUDDEN_DEATH = "sudden-death"
    MARK_DOWN = "mark-down"


@frozen
class Observation:
    """`observe`: the traffic counts for the health too. `limit` is how many errors in a row."""

    layer: Layer
    limit: int = 10
    action: OnError = OnError.FAIL_CHECK


@frozen
class Check:
    """A server's health check. None of the intervals may be 0.

    `address` overrides the server's own. `fast_interval` holds while the state is in doubt,
    `down_interval` while the server is down; None means `interval` (manual 5.2). `send_proxy` is
    the version of the PROXY protocol's header that is sent, 0: none.
    """

    interval: Milliseconds = 2000
    fast_interval: Milliseconds | None = None
    down_interval: Milliseconds | None = None
    rise: int = 2
    fall: int = 3
    address: SocketAddress | None = None
    observe: Observation | None = None
    send_proxy: int = 0


class Presented(StrEnum):
    """Whose address a server sees in place of ours (`usesrc`)."""

    ADDRESS = "address"
    CLIENT = "client"
    CLIENT_IP = "clientip"
    HEADER = "header"


@frozen
class UseSource:
    """`usesrc`: `address` for ADDRESS, `header` and `occurrence` (from 1, or from -1 backwards)
    for HEADER."""

    whose: Presented
    address: SocketAddress | None = None
    header: str = ""
    occurrence: int = -1


@frozen
class Server:
    """One `server` line. `id` counts from 1 within its backend; names need not be unique.

    `weight` 0 to 256; `maxconn` 0 means no limit; `maxqueue` 0 means no limit. With a
    `port_offset` the port is the client's plus it, and `address` has port 0. `send_proxy` is the
    version of the PROXY protocol's header, 0 for none, `proxy_options` the fields of version 2 to
    add (`proxy-v2-options`). `end_streams_on_down` and
    `end_backups_on_up` are `on-marked-down shutdown-sessions` and `on-marked-up
    shutdown-backup-sessions`. `slowstart` is how long weight and maxconn take to grow once the
    server has come up; None: no time at all. `redirect` is where GET and HEAD requests are sent
    instead (`redir`).
    """

    id: int
    name: str
    address: SocketAddress
    weight: int = 1
    maxconn: int = 0
    minconn: int = 0
    maxqueue: int = 0
    backup: bool = False
    disabled: bool = False
    check: Check | None = None
    port_offset: int | None = None
    source: SocketAddress | None = None
    send_proxy: int = 0
    tcp_ut: Milliseconds | None = None
    end_streams_on_down: bool = False
    end_backups_on_up: bool = False
    cookie: str | None = None
    hash_key: HashKey = HashKey.ID
    pool: PoolLimits = field(default_factory=PoolLimits)
    slowstart: Milliseconds | None = None
    redirect: str | None = None
    source_interface: str | None = None
    usesrc: UseSource | None = None
    fast_open: bool = False
    proxy_options: tuple[str, ...] = ()
    source_line: str = ""


@frozen
class Frontend:
    """`default_backend` is the id of a proxy that has a backend, or None: answer 503 or close."""

    listeners: tuple[Listener, ...] = ()
    maxconn: int | None = None
    backlog: int | None = None
    default_backend: int | None = None


@frozen
class Backend:
    """`redispatch` is HAProxy's interval: 0 never, 1 on each retry, -1 on the last one only."""

    algorithm: Algorithm = Algorithm.ROUNDROBIN
    random_draws: int = 2
    key: BalanceKey = field(default_factory=BalanceKey)
    hashing: Hashing = field(default_factory=Hashing)
    servers: tuple[Server, ...] = ()
    retries: int = 3
    redispatch: int = 0
    fullconn: int | None = None
    all_backups: bool = False

    @property
    def is_static(self) -> bool:
        """Whether tables of whole weights are laid out once, so that weights cannot change while
        a server is up (manual, `balance`)."""
        on_map = self.hashing.method is HashMethod.MAP_BASED
        return self.algorithm is Algorithm.STATIC_RR or (self.algorithm.hashes and on_map)


class AdminRule(StrEnum):
    """When the stats page offers its admin form (manual, `stats admin`; predefined ACLs)."""

    NEVER = "never"
    ALWAYS = "always"
    LOCALHOST = "localhost"


@frozen
class StatsUser:
    """`stats auth`: who may see the page. The password stands in clear, as in the file."""

    name: str
    password: str = field(repr=False)


@frozen
class StatsPage:
    """The `stats` words of one proxy. `uri` is the prefix that a request's URI must begin with.

    `refresh` 0 means none. `scopes` empty means all proxies ("." was resolved to the name).
    """

    uri: str = "/haproxy?stats"
    refresh: Milliseconds = 0
    realm: str = "HAProxy Statistics"
    users: tuple[StatsUser, ...] = ()
    hide_version: bool = False
    show_legends: bool = False
    show_modules: bool = False
    show_node: str | None = None
    show_description: str | None = None
    scopes: tuple[str, ...] = ()
    admin: AdminRule = AdminRule.NEVER


@frozen
class Proxy:
    """One section. `id` counts in file order, from 1 or 2 (HAProxy's iid); see `haproxy.lower`.

    `log_line`, `error_log_line` and `log_structured` are `log-format`, `error-log-format` and
    `log-format-sd`; where `log_line` is None, `log_format` says which ready-made line is written.
    """

    id: int
    name: str
    mode: Mode
    frontend: Frontend | None = None
    backend: Backend | None = None
    timeouts: Timeouts = Timeouts()
    logs: tuple[LogTarget, ...] = ()
    log_format: LogFormat = LogFormat.DEFAULT
    log_tag: str | None = None
    dontlognull: bool = False
    dontlog_normal: bool = False
    logasap: bool = False
    log_health_checks: bool = False
    stats: StatsPage | None = None
    disabled: bool = False
    description: str | None = None
    client_keepalive: KeepAlive | None = None
    server_keepalive: KeepAlive | None = None
    nolinger: bool = False
    http: HttpSettings = field(default_factory=HttpSettings)
    rules: RuleSets = field(default_factory=RuleSets)
    log_line: Format | None = None
    error_log_line: Format | None = None
    log_structured: Format | None = None
    log_separate_errors: bool = False
    log_steps: tuple[LogStep, ...] = ()
    """When lines are written; none: at the end, or earlier where `logasap` or the default line
    say so."""
    source_line: str = ""


@frozen
class ProxyPlan:
    """All of it. `variables` are the `set-var` rules of the start. `digest` names the files'
    content (hex), so that two nodes can be compared."""

    process: ProcessPlan = field(default_factory=ProcessPlan)
    proxies: tuple[Proxy, ...] = ()
    pattern_sets: tuple[PatternSet, ...] = ()
    variables: tuple[Rule, ...] = ()
    userlists: tuple[UserList, ...] = ()
    digest: str = ""

    def proxy(self, id: int) -> Proxy:
        """The proxy with this id; KeyError if there is none."""
        for proxy in self.proxies:
            if proxy.id == id:
                return proxy
        raise KeyError(id)
