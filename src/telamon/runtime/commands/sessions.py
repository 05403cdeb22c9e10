"""`show sess` and `shutdown session`: the streams that run (management guide 9.3).

The lines have HAProxy's form, since scripts cut them at `fe=` and `srv=`. What only describes its
inside (analysers, flags, tasks) has no counterpart here and reads as nothing or 0. A session's
number is not an address, yet it is written like one and holds as long as the client's connection.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from telamon.engine import ServerSide, Session
from telamon.plan.process import StatsLevel
from telamon.plan.proxy import Proxy, Server
from telamon.runtime.commands.base import Command, Context, find_backend, find_frontend, find_server
from telamon.runtime.ports import CommandError, ProxyControl

_STATES = {
    ServerSide.NONE: (0, "INI"),
    ServerSide.QUEUED: (2, "QUE"),
    ServerSide.CONNECTING: (5, "CON"),
    ServerSide.ESTABLISHED: (8, "EST"),
}
"""The numbers and names that HAProxy gives to the states of a stream's server side."""

_UNITS = {"us": 1e-6, "ms": 1e-3, "": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, slots=True)
class _Names:
    """What a session's ids stand for."""

    frontend: Proxy
    backend: Proxy | None
    server: Server | None

    @classmethod
    def of(cls, control: ProxyControl, session: Session) -> _Names:
        by_id = {proxy.id: proxy for proxy in control.plan.proxies}
        backend = by_id.get(session.backend_id) if session.backend_id is not None else None
        servers = backend.backend.servers if backend and backend.backend else ()
        server = next((one for one in servers if one.id == session.server_id), None)
        return cls(by_id[session.proxy_id], backend, server)


def _human(seconds: float) -> str:
    """The two largest units of a duration."""
    whole = max(0, int(seconds))
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if days:
        return f"{days}d{hours % 24}h"
    if hours:
        return f"{hours}h{minutes % 60}m"
    if minutes:
        return f"{minutes}m{whole % 60}s"
    return f"{whole}s"


def _client(session: Session) -> tuple[str, str]:
    """Protocol and address."""
    if session.client is None:
        return "unix_stream", f"unix:{session.listener_id}"
    host, port = session.client
    return ("tcpv6" if ":" in host else "tcpv4"), f"{host}:{port}"


def _fd(descriptor: int | None) -> int:
    return -1 if descriptor is None else descriptor


def _expiry(session: Session, never: str = "") -> str:
    return never if session.expires_ms is None else _human(session.expires_ms / 1000)


def _line(control: ProxyControl, session: Session, now: float) -> str:
    names = _Names.of(control, session)
    protocol, source = _client(session)
    backend = names.backend.name if names.backend else "<NONE>"
    server = names.server.name if names.server else "<none>"
    state, _ = _STATES[session.server_side]
    channel = "[f=0h,i=0,an=00h,rx=,wx=,ax=]"
    return (
        f"{session.id:#x}: proto={protocol} src={source} fe={names.frontend.name} be={backend} "
        f"srv={server} ts=00 epoch=0 age={_human(now - session.accepted)} calls=0 rate=0 cpu=0 "
        f"lat=0 rq{channel} rp{channel} scf=[8,0h,fd={_fd(session.client_fd)}] "
        f"scb=[{state},0h,fd={_fd(session.server_fd)}] exp={_expiry(session)} "
        f"rc={session.retries} c_exp=\n"
    )


def _details(control: ProxyControl, session: Session, now: float) -> str:
    names = _Names.of(control, session)
    protocol, source = _client(session)
    accepted = datetime.fromtimestamp(session.accepted).strftime("%d/%b/%Y:%H:%M:%S.%f")
    number = session.id & 0xFFFFFFFF
    frontend, age = names.frontend, _human(now - session.accepted)
    lines = [
        f"{session.id:#x}: [{accepted}] id={number} proto={protocol} source={source}",
        f"  flags=0x0, conn_retries={session.retries}, conn_exp=<NEVER> conn_et=0x000 "
        "srv_conn=(nil), pend_pos=(nil) waiting=0 epoch=0",
        f"  frontend={frontend.name} (id={frontend.id} mode={frontend.mode.value}), "
        f"listener={_listener(frontend, session.listener_id)}",
        _backend(names.backend),
        _server(control, names),
        f"  task={session.id:#x} (state=0x00 nice=0 calls=0 rate=0 "
        f"exp={_expiry(session, '<NEVER>')} tmask=0x1 age={age})",
        f"  scf={session.id:#x} flags=0x00000000 state=EST fd={_fd(session.client_fd)}",
        f"  scb={session.id:#x} flags=0x00000000 state={_STATES[session.server_side][1]} "
        f"fd={_fd(session.server_fd)}",
        f"  req={session.id:#x} (f=0x0 an=0x0 pipe=0 tofwd=0 total={session.bytes_in})",
        f"  res={session.id:#x} (f=0x0 an=0x0 pipe=0 tofwd=0 total={session.bytes_out})",
    ]
    return "\n".join(lines) + "\n"


def _listener(proxy: Proxy, listener_id: int) -> str:
    """HAProxy names those only that the file names."""
    listeners = proxy.frontend.listeners if proxy.frontend else ()
    found = next((one for one in listeners if one.id == listener_id), None)
    if found is None:
        return f"? (id={listener_id})"
    name = "?" if found.name in ("", f"sock-{found.id}") else found.name
    return f"{name} (id={found.id}) addr={found.address}"


def _backend(proxy: Proxy | None) -> str:
    if proxy is None:
        return "  backend=<NONE> (id=-1 mode=-)"
    return f"  backend={proxy.name} (id={proxy.id} mode={proxy.mode.value})"


def _server(control: ProxyControl, names: _Names) -> str:
    if names.server is None or names.backend is None:
        return "  server=<NONE> (id=-1)"
    host, port = control.server_address(names.backend.id, names.server.id)
    return f"  server={names.server.name} (id={names.server.id}) addr={host}:{port}"


Wanted = Callable[[Session], bool]


def _older(context: Context, words: list[str]) -> Wanted:
    found = re.fullmatch(r"(\d+)(us|ms|s|m|h|d)?", words[0]) if words else None
    if found is None:
        raise CommandError("Expects a duration, such as 30s or 5m.")
    least = int(found[1]) * _UNITS[found[2] or ""]
    before = time.time() - least
    return lambda session: session.accepted <= before


def _of_frontend(context: Context, words: list[str]) -> Wanted:
    proxy = find_frontend(context.control, words)
    return lambda session: session.proxy_id == proxy.id


def _of_backend(context: Context, words: list[str]) -> Wanted:
    proxy = find_backend(context.control, words[0] if words else "")
    return lambda session: session.backend_id == proxy.id


def _of_server(context: Context, words: list[str]) -> Wanted:
    proxy, server = find_server(context.control, words)
    return lambda session: (session.backend_id, session.server_id) == (proxy.id, server.id)


_FILTERS = {
    "older": _older,
    "frontend": _of_frontend,
    "backend": _of_backend,
    "server": _of_server,
}


def _number(text: str) -> int:
    """The session that a script names as `show sess` wrote it; 0 if that is no number."""
    return int(text, 16) if re.fullmatch(r"0[xX][0-9a-fA-F]{1,16}", text) else 0


def show_sessions(context: Context, words: list[str]) -> str:
    control, now = context.control, time.time()
    kind = words[0] if words else ""
    if kind == "all":
        return "".join(_details(control, one, now) for one in control.sessions())
    if number := _number(kind):
        found = next((one for one in control.sessions() if one.id == number), None)
        if found is None:
            raise CommandError("Session not found.")
        return _details(control, found, now)
    if kind and kind not in _FILTERS:
        known = ", ".join(_FILTERS)
        raise CommandError(f"'{kind}' is no session: use 'all', one's number, or {known}.")
    wanted = _FILTERS[kind](context, words[1:]) if kind else lambda session: True
    return "".join(_line(control, one, now) for one in control.sessions() if wanted(one))


def shutdown_session(context: Context, words: list[str]) -> str:
    number = _number(words[0]) if words else 0
    if not number:
        raise CommandError("Session pointer expected (use 'show sess').")
    if not context.control.shutdown_session(number):
        raise CommandError("No such session (use 'show sess').")
    return ""


COMMANDS = (
    Command(
        "show sess",
        "[<id>|all|older <age>|frontend <f>|backend <b>|server <b>/<s>]",
        "report the streams that run",
        show_sessions,
        StatsLevel.OPERATOR,
    ),
    Command("shutdown session", "<id>", "end one stream", shutdown_session, StatsLevel.ADMIN),
)
