"""What belongs to the whole proxy process: HAProxy's `global` section, resolved."""

from __future__ import annotations

from enum import IntEnum, StrEnum

from telamon.base.address import SocketAddress
from telamon.base.frozen import frozen
from telamon.base.units import Milliseconds
from telamon.plan.rules import Format


class Facility(IntEnum):
    """Syslog facilities (RFC 5424 6.2.1), named as haproxy.cfg names them."""

    KERN = 0
    USER = 1
    MAIL = 2
    DAEMON = 3
    AUTH = 4
    SYSLOG = 5
    LPR = 6
    NEWS = 7
    UUCP = 8
    CRON = 9
    AUTH2 = 10
    FTP = 11
    NTP = 12
    AUDIT = 13
    ALERT = 14
    CRON2 = 15
    LOCAL0 = 16
    LOCAL1 = 17
    LOCAL2 = 18
    LOCAL3 = 19
    LOCAL4 = 20
    LOCAL5 = 21
    LOCAL6 = 22
    LOCAL7 = 23


class Level(IntEnum):
    """Syslog severities (RFC 5424 6.2.1), named as haproxy.cfg names them."""

    EMERG = 0
    ALERT = 1
    CRIT = 2
    ERR = 3
    WARNING = 4
    NOTICE = 5
    INFO = 6
    DEBUG = 7


class LogHeader(StrEnum):
    """The framing of a log message (manual, `log ... format`).

    `RFC3164` names a host, `localhost` where no other is said; `LOCAL` is the same without it.
    """

    RFC3164 = "rfc3164"
    RFC5424 = "rfc5424"
    RAW = "raw"
    SHORT = "short"
    TIMED = "timed"
    ISO = "iso"
    LOCAL = "local"
    PRIORITY = "priority"


@frozen
class LogRange:
    """Numbers of messages, from 1, both ends included."""

    first: int
    last: int


@frozen
class LogSample:
    """`log ... sample`: of each `size` messages those in `ranges` are sent."""

    ranges: tuple[LogRange, ...]
    size: int


class LogStep(StrEnum):
    """A moment in a stream's life at which a line can be written (`log-steps`, `log-profile`).

    `ERROR` is a connection that ended before there was a stream; `ANY` in a profile is every one.
    """

    ACCEPT = "accept"
    REQUEST = "request"
    CONNECT = "connect"
    RESPONSE = "response"
    CLOSE = "close"
    ERROR = "error"
    ANY = "any"


@frozen
class LogRule:
    """What a profile makes of a step's line: another text, other structured data, or nothing."""

    step: LogStep
    drop: bool = False
    line: Format | None = None
    structured: Format | None = None


@frozen
class LogProfile:
    """A `log-profile` section: how lines differ for one target. The step's own rule counts, or
    that of `ANY`."""

    name: str
    tag: str | None = None
    rules: tuple[LogRule, ...] = ()


@frozen
class LogTarget:
    """One `log` line. `max_level` drops what is less urgent, `min_level` caps the urgency said.

    `address` is a UDP address, a unix datagram socket, or a descriptor (`fd@`, `stdout`=1,
    `stderr`=2); None: the lines go into the ring of this number, whose own header and length
    count. `length` is the longest message in bytes. `profile` is the place of a `LogProfile`.
    """

    address: SocketAddress | None
    facility: Facility
    max_level: Level = Level.DEBUG
    min_level: Level = Level.EMERG
    length: int = 1024
    header: LogHeader = LogHeader.LOCAL
    sample: LogSample | None = None
    ring: int | None = None
    profile: int | None = None


@frozen
class RingServer:
    """Where a ring's messages are sent, over a connection: each with a line feed behind it, or
    with its length before it (RFC 6587, 3.4.2 and 3.4.1)."""

    name: str
    address: SocketAddress
    octet_count: bool = False


@frozen
class Ring:
    """Messages kept in memory, the oldest leaving first (manual 3.9); `log tcp@...` makes one."""

    name: str
    description: str
    size: int = 16384
    max_length: int = 16384
    header: LogHeader = LogHeader.RAW
    servers: tuple[RingServer, ...] = ()
    connect_timeout: Milliseconds | None = None
    server_timeout: Milliseconds | None = None


class StatsLevel(StrEnum):
    """What a stats socket's users may do (manual, `stats socket ... level`)."""

    USER = "user"
    OPERATOR = "operator"
    ADMIN = "admin"


@frozen
class StatsSocket:
    """A `stats socket`: where the commands of the management guide (chapter 9.3) are taken.

    `mode`, `uid` and `gid` apply to unix sockets; None leaves what the system gives.
    """

    address: SocketAddress
    level: StatsLevel = StatsLevel.OPERATOR
    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    expose_fd_listeners: bool = False


@frozen
class HeaderCase:
    """`h1-case-adjust`: how a header's (lower-case) `name` is written for peers that care."""

    name: str
    written: str


@frozen
class ProcessPlan:
    """`global`. None means that the file did not say and the engine's own choice holds.

    `uid`/`gid` are resolved from names at load, so that an unknown user is a diagnostic.
    `daemon` asks to go to the background once everything is ready. A received head has room for
    `bufsize` less `maxrewrite` bytes. `connection_rate` and `session_rate` are the most per second
    (`maxconnrate`, `maxsessrate`); `max_pipes` how many long bodies may pass through pipes at once;
    `strict_limits`: do not start with fewer descriptors than asked.
    `python_files` have the functions that rules call, each for `python_timeout` at most.
    """

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
    logs: tuple[LogTarget, ...] = ()
    log_profiles: tuple[LogProfile, ...] = ()
    stats_sockets: tuple[StatsSocket, ...] = ()
    stats_timeout: Milliseconds = 10_000
    stats_maxconn: int = 10
    hard_stop_after: Milliseconds | None = None
    ulimit_n: int | None = None
    spread_checks: int = 0
    bufsize: int = 16384
    maxrewrite: int = 1024
    max_headers: int = 101
    log_uri_length: int = 1023
    idle_pool_shared: bool = True
    header_cases: tuple[HeaderCase, ...] = ()
    payload_with_any_method: bool = False
    connection_rate: int | None = None
    session_rate: int | None = None
    max_pipes: int | None = None
    strict_limits: bool = False
    dumpable: bool = False
    fd_hard_limit: int | None = None
    rings: tuple[Ring, ...] = ()
    master_worker: bool = False
    exit_on_failure: bool = True
    python_files: tuple[str, ...] = ()
    python_timeout: Milliseconds = 1000
