"""What a proxy does with HTTP beyond its rules. Mirrored by `crates/telamon-plan/src/http.rs`."""

from __future__ import annotations

from enum import StrEnum

from telamon.base.frozen import frozen
from telamon.base.units import Milliseconds
from telamon.plan.rules import Condition, Expression, Format, Reply


class ConnectionMode(StrEnum):
    """What becomes of the two connections after a response (manual 4, "connection modes")."""

    KEEP_ALIVE = "keep-alive"
    SERVER_CLOSE = "server-close"
    CLOSE = "close"


class Reuse(StrEnum):
    """Who may use an idle connection to a server (manual, `http-reuse`)."""

    NEVER = "never"
    SAFE = "safe"
    AGGRESSIVE = "aggressive"
    ALWAYS = "always"


class NamePolicy(StrEnum):
    """`option http-restrict-req-hdr-names`: what becomes of odd header names."""

    PRESERVE = "preserve"
    DELETE = "delete"
    REJECT = "reject"


@frozen
class AddressHeader:
    """`option forwardfor` and `originalto`. `exception` is a network, as text."""

    header: str
    exception: str | None = None
    if_none: bool = False


@frozen
class ForwardedPart:
    """A parameter of RFC 7239: a value of the connection's own, or an expression."""

    expression: Expression | None = None


@frozen
class Forwarded:
    """`option forwarded` (RFC 7239)."""

    proto: bool = False
    host: ForwardedPart | None = None
    by: ForwardedPart | None = None
    by_port: ForwardedPart | None = None
    for_: ForwardedPart | None = None
    for_port: ForwardedPart | None = None


class CookieMode(StrEnum):
    """How a persistence cookie gets its value (manual, `cookie`)."""

    PASSIVE = "passive"
    REWRITE = "rewrite"
    INSERT = "insert"
    PREFIX = "prefix"


@frozen
class Cookie:
    """The `cookie` line of a backend. `maxidle` and `maxlife` are seconds."""

    name: str
    mode: CookieMode = CookieMode.PASSIVE
    indirect: bool = False
    nocache: bool = False
    postonly: bool = False
    preserve: bool = False
    httponly: bool = False
    secure: bool = False
    domains: tuple[str, ...] = ()
    maxidle: int | None = None
    maxlife: int | None = None
    dynamic: bool = False
    dynamic_key: str | None = None
    attributes: tuple[str, ...] = ()


@frozen
class Capture:
    """A slot whose value logs may show. `header` None: a slot that rules fill in."""

    header: str | None
    length: int


@frozen
class CookieCapture:
    """`capture cookie`: a name, or a prefix of one."""

    name: str
    prefix: bool
    length: int


@frozen
class ErrorReply:
    """What is answered in place of the ready-made text of a status."""

    status: int
    reply: Reply


@frozen
class HttpSettings:
    """The HTTP options of one proxy. Where a frontend and its backend may both say it, the engine
    joins them: a switch is on if either is; of two modes the stricter holds."""

    connection: ConnectionMode | None = None
    reuse: Reuse = Reuse.SAFE
    buffer_request: bool = False
    no_delay: bool = False
    pretend_keepalive: bool = False
    prefer_last_server: bool = False
    abort_on_close: bool = False
    ignore_probes: bool = False
    name_policy: NamePolicy | None = None
    unsafe_requests: bool = False
    unsafe_responses: bool = False
    use_proxy_header: bool = False
    adjust_client_case: bool = False
    adjust_server_case: bool = False
    drop_request_trailers: bool = False
    drop_response_trailers: bool = False
    forward_for: AddressHeader | None = None
    original_to: AddressHeader | None = None
    forwarded: Forwarded | None = None
    monitor_uri: str | None = None
    monitor_fail: tuple[Condition, ...] = ()
    retry_on: tuple[str, ...] = ()
    errors: tuple[ErrorReply, ...] = ()
    unique_id: Format | None = None
    unique_id_header: str | None = None
    server_name_header: str | None = None
    request_captures: tuple[Capture, ...] = ()
    response_captures: tuple[Capture, ...] = ()
    cookie_capture: CookieCapture | None = None
    cookie: Cookie | None = None
    persist: bool = False
    max_keep_alive_queue: int | None = None
    session_rate_limit: int | None = None
    idle_close_on_response: bool = False
    check_cache: bool = False


@frozen
class PoolLimits:
    """A server's idle connections; None: no limit of its own."""

    max_connections: int | None = None
    low_connections: int = 0
    purge_delay: Milliseconds = 5000
    max_reuse: int | None = None
