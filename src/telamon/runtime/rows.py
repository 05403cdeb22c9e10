"""The lines of the statistics, made from the engine's counters and the control loop's knowledge.

Which columns a line has follows HAProxy: a column that has no meaning for a kind of line is
absent (empty in the CSV), not zero. The order of lines is HAProxy's too: proxies in file order, in
each the frontend, its servers, the backend.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag

from telamon.base.address import InetAddress
from telamon.engine import Counters, ProxySnapshot, Snapshot
from telamon.plan.proxy import Mode, Proxy, Server
from telamon.runtime.fields import H2_FIELDS, SEPARATOR, SSL_FIELDS, RowKind
from telamon.runtime.ports import AdminState, CheckStatus, ProxyControl, ServerHealth

Value = int | str

FORCED = AdminState.FORCED_MAINT | AdminState.INHERITED_MAINT | AdminState.CONFIG_MAINT
DRAINED = AdminState.FORCED_DRAIN | AdminState.INHERITED_DRAIN

CHECK_TEXTS: dict[CheckStatus, str] = {
    CheckStatus.UNKNOWN: "Unknown",
    CheckStatus.INITIALISING: "Initializing",
    CheckStatus.HEALTH_ANALYZE: "Health analyze",
    CheckStatus.SOCKET_ERROR: "Socket error",
    CheckStatus.L4_OK: "Layer4 check passed",
    CheckStatus.L4_TIMEOUT: "Layer4 timeout",
    CheckStatus.L4_CONNECTION_ERROR: "Layer4 connection problem",
    CheckStatus.L6_OK: "Layer6 check passed",
    CheckStatus.L6_TIMEOUT: "Layer6 timeout",
    CheckStatus.L6_RESPONSE_ERROR: "Layer6 invalid response",
    CheckStatus.L7_OK: "Layer7 check passed",
    CheckStatus.L7_OK_CONDITIONAL: "Layer7 check conditionally passed",
    CheckStatus.L7_TIMEOUT: "Layer7 timeout",
    CheckStatus.L7_RESPONSE_ERROR: "Layer7 invalid response",
    CheckStatus.L7_STATUS_ERROR: "Layer7 wrong status",
    CheckStatus.PROCESS_ERROR: "External check error",
    CheckStatus.PROCESS_TIMEOUT: "External check timeout",
    CheckStatus.PROCESS_OK: "External check passed",
}
"""What the words of `check_status` mean (management guide 9.1, field 36)."""


class Select(IntFlag):
    """Which kinds of lines `show stat <iid> <type> <sid>` asks for (guide, `show stat`)."""

    FRONTENDS = 1
    BACKENDS = 2
    SERVERS = 4


@dataclass(frozen=True, slots=True)
class Filter:
    """`iid` and `sid` -1 stand for all; `scope` is a part that a proxy's name must contain."""

    iid: int = -1
    kinds: Select = Select.FRONTENDS | Select.BACKENDS | Select.SERVERS
    sid: int = -1
    hide_down: bool = False
    hide_maint: bool = False
    names: tuple[str, ...] = ()
    scope: str = ""

    def takes(self, proxy: Proxy) -> bool:
        return (
            self.iid in (-1, proxy.id)
            and (not self.names or proxy.name in self.names)
            and self.scope in proxy.name
        )


@dataclass(frozen=True, slots=True)
class Row:
    """One line. `values` holds what the line has, by column name; `colour` its CSS class."""

    kind: RowKind
    proxy: Proxy
    server: Server | None
    values: dict[str, Value]
    colour: str


def rows(
    control: ProxyControl, only: Filter | None = None, snapshot: Snapshot | None = None
) -> Iterator[Row]:
    """The statistics of this moment."""
    only = only or Filter()
    snapshot = snapshot or control.snapshot()
    for proxy in control.plan.proxies:
        counters = snapshot.proxies.get(proxy.id)
        if counters is None or not only.takes(proxy):
            continue
        yield from _proxy_rows(control, proxy, counters, only)


def _proxy_rows(
    control: ProxyControl, proxy: Proxy, counters: ProxySnapshot, only: Filter
) -> Iterator[Row]:
    if proxy.frontend and counters.frontend is not None and Select.FRONTENDS in only.kinds:
        yield _frontend_row(control, proxy, counters.frontend)
    if proxy.backend is None or counters.backend is None:
        return
    if Select.SERVERS in only.kinds:
        for server in proxy.backend.servers:
            health = control.health(proxy.id, server.id)
            if (
                only.sid not in (-1, server.id)
                or (only.hide_down and not (health.up and not health.admin & FORCED))
                or (only.hide_maint and health.admin & FORCED)
            ):
                continue
            yield _server_row(control, proxy, server, health, counters.servers.get(server.id, {}))
    if Select.BACKENDS in only.kinds:
        yield _backend_row(control, proxy, counters.backend, only.hide_down)


# What is copied from the engine's counters as it stands, by kind of line.
_FRONTEND_COPY = (
    "scur smax stot bin bout dreq dresp ereq rate rate_max req_rate req_rate_max req_tot conn_rate "
    "conn_rate_max conn_tot dcon dses wrew eint"
).split()
_TRAFFIC_COPY = (
    "qcur qmax scur smax stot bin bout dresp econ eresp wretr wredis lbtot rate rate_max cli_abrt "
    "srv_abrt qtime ctime rtime ttime qtime_max ctime_max rtime_max ttime_max connect reuse wrew "
    "eint"
).split()
_SERVER_COPY = "srv_icur idle_conn_cur safe_conn_cur used_conn_cur need_conn_est".split()
_RESPONSES = "hrsp_1xx hrsp_2xx hrsp_3xx hrsp_4xx hrsp_5xx hrsp_other".split()
_COMPRESSION = "comp_in comp_out comp_byp comp_rsp".split()
_CACHE = "cache_lookups cache_hits".split()


def _copy(counters: Counters, *names: list[str] | tuple[str, ...]) -> dict[str, Value]:
    return {name: counters.get(name, 0) for group in names for name in group}


def _head(proxy: Proxy, name: str, kind: RowKind, sid: int = 0) -> dict[str, Value]:
    return {
        "pxname": proxy.name,
        "svname": name,
        "pid": 1,
        "iid": proxy.id,
        "sid": sid,
        "type": kind.number,
        "mode": proxy.mode.value,
        SEPARATOR: SEPARATOR,
    }


def frontend_limit(control: ProxyControl, proxy: Proxy, counters: Counters) -> int:
    """The frontend's maxconn that holds: set at run time, in the file, or the process's."""
    given = counters.get("slim", 0)
    if given:
        return given
    if proxy.frontend is not None and proxy.frontend.maxconn is not None:
        return proxy.frontend.maxconn
    return control.max_connections


def frontend_status(control: ProxyControl, proxy: Proxy, counters: Counters) -> str:
    """HAProxy's word for whether it accepts."""
    if control.stopping or proxy.disabled or counters.get("closed", 0):
        return "STOP"
    return "OPEN" if counters.get("enabled", 1) else "PAUSED"


def _frontend_row(control: ProxyControl, proxy: Proxy, counters: Counters) -> Row:
    values = _head(proxy, "FRONTEND", RowKind.FRONTEND)
    values |= _copy(counters, _FRONTEND_COPY, _COMPRESSION, SSL_FIELDS, H2_FIELDS)
    values["slim"] = frontend_limit(control, proxy, counters)
    values["rate_lim"] = counters.get("rate_lim", 0)
    values["status"] = frontend_status(control, proxy, counters)
    if proxy.mode is Mode.HTTP:
        values |= _copy(counters, _RESPONSES, _CACHE, ("intercepted",))
        values |= {"sess_other": 0, "h1sess": counters.get("stot", 0), "h2sess": 0, "h3sess": 0}
        values |= {"req_other": 0, "h1req": counters.get("req_tot", 0), "h2req": 0, "h3req": 0}
    return Row(RowKind.FRONTEND, proxy, None, values, "frontend")


def _server_row(
    control: ProxyControl, proxy: Proxy, server: Server, health: ServerHealth, counters: Counters
) -> Row:
    values = _head(proxy, server.name, RowKind.SERVER, server.id)
    values |= _copy(counters, _TRAFFIC_COPY, _SERVER_COPY, SSL_FIELDS)
    limit = counters.get("slim", server.maxconn)
    if limit:
        values["slim"] = limit
    if server.maxqueue:
        values["qlimit"] = server.maxqueue
    values["status"] = server_status(health)
    values["weight"] = values["uweight"] = health.weight
    if "throttle" in counters:
        values["throttle"] = counters["throttle"]
    values["act"], values["bck"] = int(not server.backup), int(server.backup)
    values["lastchg"] = int(control.now() - health.last_change)
    values["lastsess"] = counters.get("lastsess", -1)
    host, port = control.server_address(proxy.id, server.id)
    values["addr"] = show_address(host, port, isinstance(server.address, InetAddress))
    if health.check_enabled:
        values |= _check_values(control, server, health)
    if proxy.mode is Mode.HTTP:
        values |= _copy(counters, _RESPONSES, ("req_tot",))
    return Row(RowKind.SERVER, proxy, server, values, server_colour(server, health))


def _check_values(control: ProxyControl, server: Server, health: ServerHealth) -> dict[str, Value]:
    down_now = 0.0 if health.up else control.now() - health.last_change
    values: dict[str, Value] = {
        "chkfail": health.checks_failed,
        "chkdown": health.went_down,
        "downtime": int(health.down_time + down_now),
    }
    if health.admin & FORCED:
        return values
    mark = "* " if health.check_running else ""
    values |= {
        "check_status": mark + health.check_status.value,
        "check_rise": health.rise,
        "check_fall": health.fall,
        "check_health": health.health,
    }
    if server.check is not None and server.check.observe is not None:
        values["hanafail"] = health.observed_failures
    if health.check_status not in (CheckStatus.UNKNOWN, CheckStatus.INITIALISING):
        values["check_desc"] = CHECK_TEXTS[health.check_status]
        values["check_duration"] = health.check_duration_ms or 0
        if health.check_code is not None:
            values["check_code"] = health.check_code
        if health.check_description:
            values["last_chk"] = health.check_description
    return values


def _backend_row(
    control: ProxyControl, proxy: Proxy, counters: Counters, say_how_many: bool
) -> Row:
    assert proxy.backend is not None
    values = _head(proxy, "BACKEND", RowKind.BACKEND)
    values |= _copy(counters, _TRAFFIC_COPY, ("dreq",), _COMPRESSION, SSL_FIELDS, H2_FIELDS)
    tally = _tally(control, proxy)
    up = tally.usable > 0 or not proxy.backend.servers
    values |= {
        "slim": full_connections(control, proxy),
        "status": ("UP" if up else "DOWN") + (f" ({tally.up}/{tally.all})" if say_how_many else ""),
        "weight": tally.weight,
        "uweight": tally.weight,
        "act": tally.active,
        "bck": tally.backup,
        "chkdown": control.backend_went_down(proxy.id),
        "lastchg": int(control.now() - control.backend_last_change(proxy.id)),
        "lastsess": counters.get("lastsess", -1),
        "algo": proxy.backend.algorithm.value,
        "agg_server_status": 0,
        "agg_server_check_status": 0,
        "agg_check_status": 0,
    }
    if proxy.backend.servers:
        values["downtime"] = int(control.backend_down_time(proxy.id))
    if proxy.mode is Mode.HTTP:
        values |= _copy(counters, _RESPONSES, ("req_tot",), _CACHE)
    return Row(RowKind.BACKEND, proxy, None, values, "backend")


@dataclass(frozen=True, slots=True)
class Tally:
    """How a backend's servers stand: in use now, up, all; the weight of those in use."""

    active: int
    backup: int
    up: int
    all: int
    weight: int

    @property
    def usable(self) -> int:
        return self.active + self.backup


def _tally(control: ProxyControl, proxy: Proxy) -> Tally:
    assert proxy.backend is not None
    active = backup = up = 0
    active_weight = backup_weight = 0
    for server in proxy.backend.servers:
        health = control.health(proxy.id, server.id)
        if not health.up or health.admin & FORCED:
            continue
        up += 1
        if health.admin & DRAINED or health.weight == 0:
            continue
        if server.backup:
            backup += 1
            # Only the first backup server serves, unless `option allbackups` joins them.
            if backup == 1 or proxy.backend.all_backups:
                backup_weight += health.weight
        else:
            active += 1
            active_weight += health.weight
    return Tally(active, backup, up, len(proxy.backend.servers), active_weight or backup_weight)


def full_connections(control: ProxyControl, proxy: Proxy) -> int:
    """`fullconn` as given, else a tenth of what the frontends in front may bring (manual 4.2)."""
    assert proxy.backend is not None
    if proxy.backend.fullconn is not None:
        return proxy.backend.fullconn
    brought = sum(
        other.frontend.maxconn or control.max_connections
        for other in control.plan.proxies
        if other.frontend is not None and proxy.id in _reached(other)
    )
    return max(1, (brought + 9) // 10)


def _reached(frontend: Proxy) -> set[int | None]:
    """Backends that a frontend's traffic may come to; as in HAProxy, names that rules make up do
    not count."""
    assert frontend.frontend is not None
    named = {rule.backend for rule in frontend.rules.backends}
    return {frontend.id, frontend.frontend.default_backend, *named}


def server_status(health: ServerHealth) -> str:
    """The `status` column of a server: `UP`, `UP 1/3`, `DOWN 1/2`, `DRAIN`, `MAINT`, ..."""
    if health.admin & FORCED:
        return "MAINT"
    if not health.up:
        return f"DOWN {health.health}/{health.rise}" if health.health else "DOWN"
    full = health.rise + health.fall - 1
    doubt = health.check_enabled and health.health < full
    word = "DRAIN" if health.admin & DRAINED else "UP"
    if doubt:
        return f"{word} {health.health - health.rise + 1}/{health.fall}"
    if word == "UP" and not health.check_enabled:
        return "no check"
    return word


def server_colour(server: Server, health: ServerHealth) -> str:
    """The CSS class of a server's line on the stats page; the legend explains the colours."""
    if health.admin & FORCED:
        return "maintain"
    side = "backup" if server.backup else "active"
    status = server_status(health)
    if status == "no check":
        return f"{side}_no_check"
    if status.startswith("DRAIN"):
        return f"{side}_draining"
    if not health.up:
        return f"{side}_going_up" if health.health else f"{side}_down"
    return f"{side}_up" if "/" not in status else f"{side}_going_down"


def show_address(host: str, port: int, inet: bool) -> str:
    """An address as the `addr` column shows it."""
    if not inet:
        return "unix"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
