"""From the model to the plan: names become numbers, drafts become frozen values.

Runs only on a model without errors, after `checks.py`.
"""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Mapping

from telamon.base.address import InetAddress, SocketAddress
from telamon.base.span import Span
from telamon.haproxy.addresses import parse_server
from telamon.haproxy.lower_http import http_settings, pool_limits
from telamon.haproxy.lower_logs import LogTargets, log_profiles
from telamon.haproxy.lower_rules import Numbers, RuleLowering, pattern_sets
from telamon.haproxy.lower_users import userlists
from telamon.haproxy.model import (
    BindDraft,
    LogDraft,
    Model,
    ProcessDraft,
    ProxyDraft,
    ServerDraft,
    ServerOptions,
    SourceWords,
    StatsDraft,
)
from telamon.haproxy.pattern_files import pattern_numbers
from telamon.plan.balance import BalanceKey
from telamon.plan.process import ProcessPlan
from telamon.plan.proxy import (
    Backend,
    Check,
    Frontend,
    KeepAlive,
    Listener,
    Mode,
    Observation,
    Proxy,
    ProxyPlan,
    Server,
    StatsPage,
    Timeouts,
)


def lower(model: Model, digest: str) -> ProxyPlan:
    """The plan of a model in which `checks.check` found no error."""
    # HAProxy keeps id 1 for the stats sockets' own frontend, if there is one.
    first = 2 if model.process.stats_sockets else 1
    ids = _numbers([proxy.id for proxy in model.proxies], first)
    numbered = list(zip(model.proxies, ids, strict=True))
    numbers, logs = _rule_numbers(numbered, model), LogTargets(model)
    proxies = tuple(_proxy(proxy, RuleLowering(numbers, id), model, logs) for proxy, id in numbered)
    return ProxyPlan(
        _process(model, logs, RuleLowering(numbers, 0)),
        proxies,
        pattern_sets(model),
        variables=tuple(RuleLowering(numbers, 0).rule(rule) for rule in model.variables),
        userlists=userlists(model),
        digest=digest,
    )


def _rule_numbers(numbered: list[tuple[ProxyDraft, int]], model: Model) -> Numbers:
    """What names in rules stand for. Of twin servers the first bears the name."""
    servers: dict[tuple[int, str], int] = {}
    for proxy, id in numbered:
        for server, number in zip(proxy.servers, _server_ids(proxy), strict=True):
            servers.setdefault((id, server.name.text), number)
    return Numbers(
        backends={proxy.name.text: id for proxy, id in numbered if proxy.has_backend},
        frontends={proxy.name.text: id for proxy, id in numbered if proxy.has_frontend},
        servers=servers,
        patterns=pattern_numbers(model.pattern_ids),
    )


def _server_ids(proxy: ProxyDraft) -> list[int]:
    return _numbers([server.options.id for server in proxy.servers])


def _numbers(wanted: list[int | None], first: int = 1) -> list[int]:
    """Ids as HAProxy gives them: the wanted ones; else the own position, or the next free one."""
    taken = {id for id in wanted if id is not None}
    numbers, candidate = [], first
    for id in wanted:
        if id is None:
            while candidate in taken:
                candidate += 1
            taken.add(candidate)
            id = candidate
        numbers.append(id)
        candidate += 1
    return numbers


def _place(span: Span) -> str:
    return f"{span.source.name}:{span.line}"


def _process(model: Model, logs: LogTargets, rules: RuleLowering) -> ProcessPlan:
    draft = model.process
    values = {
        field.name: getattr(draft, field.name)
        for field in dataclasses.fields(ProcessPlan)
        if field.name not in ("rings", "log_profiles")
    }
    values["logs"] = tuple(logs.of(log) for log in draft.logs)
    values["rings"] = logs.rings()
    values["log_profiles"] = log_profiles(model, rules)
    values["python_files"] = tuple(draft.python_files)
    values["stats_sockets"] = tuple(draft.stats_sockets)
    values["header_cases"] = tuple(draft.header_cases.values())
    return ProcessPlan(**values)


def _proxy(draft: ProxyDraft, rules: RuleLowering, model: Model, logs: LogTargets) -> Proxy:
    settings, process = draft.settings, model.process
    options, formats = settings.options, draft.settings.rules
    return Proxy(
        id=rules.id,
        name=draft.name.text,
        mode=settings.mode,
        frontend=_frontend(draft, rules.numbers.backends) if draft.has_frontend else None,
        backend=_backend(draft, rules) if draft.has_backend else None,
        timeouts=_timeouts(draft),
        logs=tuple(logs.of(log) for log in _logs(draft, process)),
        log_format=settings.log_format,
        log_tag=settings.log_tag,
        dontlognull="dontlognull" in options,
        dontlog_normal="dontlog-normal" in options,
        logasap="logasap" in options,
        log_health_checks="log-health-checks" in options,
        stats=_stats(settings.stats, draft, process) if settings.stats else None,
        disabled=settings.disabled,
        description=settings.description,
        client_keepalive=_keepalive(draft, "cli"),
        server_keepalive=_keepalive(draft, "srv"),
        nolinger="nolinger" in options,
        http=http_settings(draft, model, rules),
        rules=rules.rule_sets(draft),
        log_line=rules.optional(formats.log_line),
        error_log_line=rules.optional(formats.error_log_line),
        log_structured=rules.optional(formats.log_structured),
        log_separate_errors="log-separate-errors" in options,
        log_steps=settings.log_steps,
        source_line=_place(draft.header),
    )


def _keepalive(draft: ProxyDraft, side: str) -> KeepAlive | None:
    """`option tcpka` speaks of both sides, `clitcpka` and `srvtcpka` of one."""
    settings = draft.settings
    if "tcpka" not in settings.options and f"{side}tcpka" not in settings.options:
        return None
    words = {"count": "cnt", "idle": "idle", "interval": "intvl"}
    values = {name: settings.keepalive.get(f"{side}tcpka-{word}") for name, word in words.items()}
    return KeepAlive(**values)


def _timeouts(draft: ProxyDraft) -> Timeouts:
    """A timeout of 0 is no timeout (manual 4.2, `timeout client`)."""
    return Timeouts(**{name: value or None for name, value in draft.settings.timeouts.items()})


def _logs(draft: ProxyDraft, process: ProcessDraft) -> list[LogDraft]:
    own = draft.settings.logs
    return [*own, *process.logs] if draft.settings.log_global else own


def _frontend(draft: ProxyDraft, backends: Mapping[str, int]) -> Frontend:
    settings = draft.settings
    default = settings.default_backend
    addressed = [(bind, address) for bind in draft.binds for address in bind.addresses]
    # The id of a bind line counts for its first address only.
    first = {id(bind.addresses[0]): bind.id for bind in draft.binds}
    wanted = [
        first.get(id(address)) if address is bind.addresses[0] else None
        for bind, address in addressed
    ]
    return Frontend(
        listeners=tuple(
            _listener(bind, address, number)
            for (bind, address), number in zip(addressed, _numbers(wanted), strict=True)
        ),
        maxconn=settings.maxconn or None,
        backlog=settings.backlog or None,
        default_backend=backends.get(default.text) if default else None,
    )


def _listener(bind: BindDraft, address: SocketAddress, id: int) -> Listener:
    return Listener(
        id=id,
        name=bind.name or f"sock-{id}",
        address=address,
        interface=bind.interface,
        maxconn=bind.maxconn,
        backlog=bind.backlog,
        nice=bind.nice,
        mode=bind.mode,
        uid=bind.uid,
        gid=bind.gid,
        v6only=bind.v6only,
        v4v6=bind.v4v6,
        accept_proxy=bind.accept_proxy is not None,
        defer_accept=bind.defer_accept,
        tcp_ut=bind.tcp_ut or None,
        mss=bind.mss,
        threads=bind.threads,
        fast_open=bind.fast_open,
        transparent=bind.transparent,
        source_line=_place(bind.word.span),
    )


def _backend(draft: ProxyDraft, rules: RuleLowering) -> Backend:
    settings = draft.settings
    ids = _server_ids(draft)
    return Backend(
        algorithm=settings.algorithm,
        random_draws=settings.random_draws,
        key=_balance_key(settings.key, rules),
        hashing=settings.hashing,
        servers=tuple(
            _server(server, id, settings.source)
            for server, id in zip(draft.servers, ids, strict=True)
        ),
        retries=settings.retries,
        redispatch=settings.redispatch,
        fullconn=settings.fullconn or None,
        all_backups="allbackups" in settings.options,
    )


def _balance_key(key: BalanceKey, rules: RuleLowering) -> BalanceKey:
    if key.expression is None:
        return key
    return dataclasses.replace(key, expression=rules.expression(key.expression))


def _server(draft: ServerDraft, id: int, of_section: SourceWords | None) -> Server:
    options = draft.options
    source = options.source or of_section
    return Server(
        id=id,
        name=draft.name.text,
        address=draft.address,
        weight=options.weight,
        maxconn=options.maxconn,
        minconn=options.minconn,
        maxqueue=options.maxqueue,
        backup=options.backup,
        disabled=options.disabled,
        check=_check(draft) if options.check else None,
        port_offset=draft.port_offset,
        source=source.address if source else None,
        source_interface=source.interface if source else None,
        usesrc=source.usesrc if source else None,
        fast_open=options.fast_open,
        redirect=options.redirect,
        send_proxy=options.send_proxy,
        tcp_ut=options.tcp_ut or None,
        hash_key=options.hash_key,
        end_streams_on_down=options.end_streams_on_down,
        end_backups_on_up=options.end_backups_on_up,
        cookie=options.cookie.text if options.cookie else None,
        pool=pool_limits(options),
        slowstart=options.slowstart or None,
        proxy_options=options.proxy_options,
        source_line=_place(draft.name.span),
    )


def _check(draft: ServerDraft) -> Check:
    options = draft.options
    return Check(
        interval=options.inter,
        fast_interval=options.fastinter,
        down_interval=options.downinter,
        rise=options.rise,
        fall=options.fall,
        address=_check_address(draft),
        observe=_observation(draft),
        send_proxy=_check_header(options),
    )


def _check_header(options: ServerOptions) -> int:
    """As traffic has it, unless checks go elsewhere (manual 5.2, `check-send-proxy`)."""
    elsewhere = options.check_port is not None or options.check_address is not None
    if options.check_send_proxy:
        return options.send_proxy or 1
    return 0 if elsewhere else options.send_proxy


def _observation(draft: ServerDraft) -> Observation | None:
    options = draft.options
    if options.observe is None:
        return None
    return Observation(options.observe, options.error_limit, options.on_error)


def _check_address(draft: ServerDraft) -> SocketAddress | None:
    """Where checks connect: `addr` and `port`, each of which may stand alone (manual 5.2)."""
    word, port, own = draft.options.check_address, draft.options.check_port, draft.address
    if word is None:
        if port is None or not isinstance(own, InetAddress):
            return None
        return InetAddress(own.host, port)
    address = parse_server(word.text)
    if not isinstance(address, InetAddress):
        return address
    own_port = own.port if isinstance(own, InetAddress) else 0
    return InetAddress(address.host, port or address.port or own_port)


def _stats(stats: StatsDraft, draft: ProxyDraft, process: ProcessDraft) -> StatsPage | None:
    if draft.settings.mode is not Mode.HTTP:
        return None
    node = process.node or socket.gethostname() if stats.node_of_host else stats.show_node
    description = process.description if stats.description_of_global else stats.show_description
    return StatsPage(
        uri=stats.uri,
        refresh=stats.refresh,
        realm=stats.realm,
        users=tuple(stats.users),
        hide_version=stats.hide_version,
        show_legends=stats.show_legends,
        show_modules=stats.show_modules,
        show_node=node,
        show_description=description,
        scopes=tuple(draft.name.text if scope == "." else scope for scope in stats.scopes),
        admin=stats.admin,
    )
