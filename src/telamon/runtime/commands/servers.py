"""Looking at servers and changing them: `show servers`, `set server`, `enable`, `weight`, ..."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from telamon.base.address import InetAddress
from telamon.engine import Counters
from telamon.plan.process import StatsLevel
from telamon.plan.proxy import Proxy, Server
from telamon.runtime.commands import agents
from telamon.runtime.commands.base import (
    WARNING,
    Command,
    Context,
    find_server,
    whole_number,
)
from telamon.runtime.ports import AdminState, CheckStatus, CommandError, ServerHealth
from telamon.runtime.rows import FORCED

MAINT = AdminState.FORCED_MAINT
DRAIN = AdminState.FORCED_DRAIN
# What `set server ... state ready` takes away: both, and what `disabled` in the file had set.
ANY = MAINT | DRAIN | AdminState.CONFIG_MAINT

STATE_HEADER = (
    "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight "
    "srv_time_since_last_change srv_check_status srv_check_result srv_check_health "
    "srv_check_state srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord "
    "srv_use_ssl srv_check_port srv_check_addr srv_agent_addr srv_agent_port\n"
)

# The numbers that a state file holds for check outcomes (guide, `show servers state`): the status
# counted in HAProxy's own list, and whether it was neutral (1), a failure (2) or a pass (3).
CHECK_NUMBERS: dict[CheckStatus, tuple[int, int]] = {
    CheckStatus.UNKNOWN: (1, 0),
    CheckStatus.INITIALISING: (1, 0),
    CheckStatus.SOCKET_ERROR: (5, 2),
    CheckStatus.L4_OK: (6, 3),
    CheckStatus.L4_TIMEOUT: (7, 2),
    CheckStatus.L4_CONNECTION_ERROR: (8, 2),
    CheckStatus.L6_OK: (9, 3),
    CheckStatus.L6_TIMEOUT: (10, 2),
    CheckStatus.L6_RESPONSE_ERROR: (11, 2),
    CheckStatus.L7_TIMEOUT: (12, 2),
    CheckStatus.L7_RESPONSE_ERROR: (13, 2),
    CheckStatus.L7_OK: (15, 3),
    CheckStatus.L7_OK_CONDITIONAL: (16, 4),
    CheckStatus.L7_STATUS_ERROR: (17, 2),
    CheckStatus.PROCESS_ERROR: (18, 2),
    CheckStatus.PROCESS_TIMEOUT: (19, 2),
    CheckStatus.PROCESS_OK: (20, 3),
}


def _selected(context: Context, words: list[str]) -> list[Proxy]:
    proxies = [p for p in context.control.plan.proxies if p.backend is not None]
    if not words:
        return proxies
    chosen = [p for p in proxies if words[0] in (p.name, f"#{p.id}")]
    if not chosen:
        raise CommandError("Can't find backend.")
    return chosen


def show_state(context: Context, words: list[str]) -> str:
    lines = ["1\n", STATE_HEADER]
    for proxy in _selected(context, words):
        assert proxy.backend is not None
        lines += [_state_line(context, proxy, server) for server in proxy.backend.servers]
    return "".join(lines)


def _state_line(context: Context, proxy: Proxy, server: Server) -> str:
    control = context.control
    health = control.health(proxy.id, server.id)
    host, port = control.server_address(proxy.id, server.id)
    inet = isinstance(server.address, InetAddress)
    configured = 0x02 if server.check else 0
    enabled = 0x04 if server.check and health.check_enabled else 0
    paused = 0x08 if health.admin & FORCED else 0
    running = 0x01 if health.check_running else 0
    number, result = CHECK_NUMBERS[health.check_status]
    usable = health.up and not health.admin & FORCED
    return (
        f"{proxy.id} {proxy.name} {server.id} {server.name} {host if inet else '-'} "
        f"{2 if usable else 0} {int(health.admin)} {health.weight} {health.initial_weight} "
        f"{int(control.now() - health.last_change)} {number} {result} {health.health} "
        f"{configured | enabled | paused | running} 0 0 0 - {port if inet else 0} - 0 0 - - 0\n"
    )


def show_connections(context: Context, words: list[str]) -> str:
    snapshot = context.control.snapshot()
    lines = [
        "# bkname/svname bkid/svid addr port - purge_delay used_cur used_max need_est unsafe_nb "
        f"safe_nb idle_lim idle_cur idle_per_thr[{context.control.threads}]\n"
    ]
    for proxy in _selected(context, words):
        assert proxy.backend is not None
        for server in proxy.backend.servers:
            counters = snapshot.proxies[proxy.id].servers.get(server.id, {})
            host, port = context.control.server_address(proxy.id, server.id)
            idle = snapshot.proxies[proxy.id].idle.get(server.id, [0] * context.control.threads)
            lines.append(
                f"{proxy.name}/{server.name} {proxy.id}/{server.id} {host} {port} - "
                f"{_connections(server, counters)} {' '.join(map(str, idle))}\n"
            )
    return "".join(lines)


def _connections(server: Server, counters: Counters) -> str:
    """From `purge_delay` to `idle_cur`. What threads share is in no thread's own figure."""
    limit = server.pool.max_connections
    names = "used_conn_cur smax need_conn_est idle_conn_cur safe_conn_cur".split()
    figures = " ".join(str(counters.get(name, 0)) for name in names)
    limit = -1 if limit is None else limit
    return f"{server.pool.purge_delay} {figures} {limit} {counters.get('srv_icur', 0)}"


def set_server(context: Context, words: list[str]) -> str:
    proxy, server = find_server(context.control, words)
    option = SERVER_OPTIONS.get(words[1] if len(words) > 1 else "")
    if option is None:
        raise CommandError(
            "usage: set server <backend>/<server> " + " | ".join(sorted(SERVER_OPTIONS))
        )
    return option(context, proxy, server, words[2:])


def _set_state(context: Context, proxy: Proxy, server: Server, words: list[str]) -> str:
    admin = context.control.health(proxy.id, server.id).admin
    match words[:1]:
        case ["ready"]:
            admin &= ~ANY
        case ["drain"]:
            admin = (admin & ~ANY) | DRAIN
        case ["maint"]:
            admin |= MAINT
        case _:
            raise CommandError("'set server <srv> state' expects 'ready', 'drain' and 'maint'.")
    context.control.set_admin(proxy.id, server.id, admin)
    return ""


def _set_health(context: Context, proxy: Proxy, server: Server, words: list[str]) -> str:
    match words[:1]:
        case ["up"]:
            context.control.set_health_up(proxy.id, server.id, True)
        case ["down"]:
            context.control.set_health_up(proxy.id, server.id, False)
        case ["stopping"]:
            raise CommandError(
                "'set server <srv> health stopping' is known to HAProxy, not yet to Telamon: "
                "use 'set server <srv> state drain'."
            )
        case _:
            raise CommandError("'set server <srv> health' expects 'up', 'stopping', or 'down'.")
    return ""


def _set_weight(context: Context, proxy: Proxy, server: Server, words: list[str]) -> str:
    if not words:
        raise CommandError("Require <weight> or <weight%>.")
    health = context.control.health(proxy.id, server.id)
    text = words[0]
    percent = text.endswith("%")
    digits = text[:-1] if percent else text
    number = whole_number(digits, "Empty weight string empty or preceded by garbage")
    assert proxy.backend is not None
    # Tables of the static ones are laid out once, from the file's weights (manual, `balance`).
    static = proxy.backend.is_static
    if static and not (percent and number in (0, 100)):
        raise CommandError(
            "Backend is using a static LB algorithm and only accepts weights '0%' and '100%'."
        )
    if percent and number < 0:
        raise CommandError("Relative weight must be positive.")
    weight = min(256, health.initial_weight * number // 100) if percent else number
    if not 0 <= weight <= 256:
        raise CommandError("Absolute weight can only be between 0 and 256 inclusive.")
    context.control.set_weight(proxy.id, server.id, weight)
    return ""


def _set_address(context: Context, proxy: Proxy, server: Server, words: list[str]) -> str:
    if not words or (len(words) > 1 and (words[1] != "port" or len(words) < 3)):
        raise CommandError("set server <b>/<s> addr requires an address and optionally a port.")
    old_host, old_port = context.control.server_address(proxy.id, server.id)
    try:
        host = str(ipaddress.ip_address(words[0]))
    except ValueError:
        raise CommandError(f"Invalid addr '{words[0]}' by 'stats socket command'") from None
    port = old_port
    if len(words) > 2:
        port = whole_number(words[2], f"provided port is not an integer: '{words[2]}'")
        if not 1 <= port <= 65535:
            raise CommandError("provided port out of range")
    said = [_change("IP", "addr", old_host, host)]
    if len(words) > 2:
        said.append(_change("port", "port", str(old_port), str(port)))
    if (host, port) != (old_host, old_port):
        context.control.set_server_address(proxy.id, server.id, host, port)
    return context.say(WARNING, ", ".join(said) + " by 'stats socket command'\n")


def _change(what: str, short: str, old: str, new: str) -> str:
    if old == new:
        return f"no need to change the {short}"
    return f"{what} changed from '{old}' to '{new}'"


ServerOption = Callable[[Context, Proxy, Server, list[str]], str]
SERVER_OPTIONS: dict[str, ServerOption] = {
    **dict.fromkeys(agents.OPTIONS, agents.set_agent),
    "addr": _set_address,
    "health": _set_health,
    "state": _set_state,
    "weight": _set_weight,
}


def enable_server(context: Context, words: list[str]) -> str:
    proxy, server = find_server(context.control, words)
    admin = context.control.health(proxy.id, server.id).admin
    context.control.set_admin(proxy.id, server.id, admin & ~(MAINT | AdminState.CONFIG_MAINT))
    return ""


def disable_server(context: Context, words: list[str]) -> str:
    proxy, server = find_server(context.control, words)
    admin = context.control.health(proxy.id, server.id).admin
    context.control.set_admin(proxy.id, server.id, admin | MAINT)
    return ""


def enable_health(context: Context, words: list[str]) -> str:
    proxy, server = find_server(context.control, words)
    context.control.set_checks_enabled(proxy.id, server.id, True)
    return ""


def disable_health(context: Context, words: list[str]) -> str:
    proxy, server = find_server(context.control, words)
    context.control.set_checks_enabled(proxy.id, server.id, False)
    return ""


def set_weight(context: Context, words: list[str]) -> str:
    proxy, server = find_server(context.control, words)
    return _set_weight(context, proxy, server, words[1:])


def get_weight(context: Context, words: list[str]) -> str:
    proxy, server = find_server(context.control, words)
    health: ServerHealth = context.control.health(proxy.id, server.id)
    return f"{health.weight} (initial {health.initial_weight})\n"


def shutdown_sessions(context: Context, words: list[str]) -> str:
    proxy, server = find_server(context.control, words)
    context.control.shutdown_sessions(proxy.id, server.id)
    return ""


def set_maxconn(context: Context, words: list[str]) -> str:
    proxy, server = find_server(context.control, words)
    if len(words) < 2:
        raise CommandError("Require <maxconn>.")
    limit = whole_number(words[1], "maxconn string empty or preceded by garbage")
    if limit < 0:
        raise CommandError("Value out of range.")
    context.control.set_server_maxconn(proxy.id, server.id, limit)
    return ""


_ADMIN = StatsLevel.ADMIN
COMMANDS = (
    Command("show servers state", "[<backend>]", "dump volatile server information", show_state),
    Command(
        "show servers conn",
        "[<backend>]",
        "dump the servers' connections",
        show_connections,
        StatsLevel.OPERATOR,
    ),
    Command(
        "set server",
        "<bk>/<srv> [opts]",
        "change a server's state, weight, health or address",
        set_server,
        _ADMIN,
    ),
    Command("enable server", "<bk>/<srv>", "end a server's maintenance", enable_server, _ADMIN),
    Command("disable server", "<bk>/<srv>", "put a server in maintenance", disable_server, _ADMIN),
    Command("enable health", "<bk>/<srv>", "resume health checks", enable_health, _ADMIN),
    Command("disable health", "<bk>/<srv>", "suspend health checks", disable_health, _ADMIN),
    Command("set weight", "<bk>/<srv> <weight>", "change a server's weight", set_weight, _ADMIN),
    Command("get weight", "<bk>/<srv>", "report a server's weight", get_weight),
    Command(
        "set maxconn server", "<bk>/<srv> <n>", "change a server's maxconn", set_maxconn, _ADMIN
    ),
    Command(
        "shutdown sessions server",
        "<bk>/<srv>",
        "end all streams of a server",
        shutdown_sessions,
        _ADMIN,
    ),
)
