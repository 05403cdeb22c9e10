"""What only the whole model shows: names that nothing bears, twins, modes that do not fit.

One function a rule; `RULES` lists them. Severities are HAProxy's own where it has the rule, save
the few where an old file's meaning is plain and today's HAProxy refuses it: those are warnings
that say what was understood.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator

from telamon.base.address import InetAddress, SocketAddress
from telamon.base.diagnostic import Report, Severity, nearest
from telamon.base.span import Span
from telamon.haproxy.addresses import AddressError, parse_server
from telamon.haproxy.http_model import ErrorsUse
from telamon.haproxy.keywords.sections import Place
from telamon.haproxy.lexer import Word
from telamon.haproxy.model import Model, ProxyDraft, ServerDraft
from telamon.haproxy.rule_checks import check_rules
from telamon.plan.balance import Algorithm
from telamon.plan.proxy import Layer, LogFormat, Mode, Presented


def check(model: Model, report: Report) -> None:
    """Applies all rules.

    What seems to be absent may stand in a line that was refused, so absences are told only of
    files without an error.
    """
    refused = report.failed
    for rule in RULES if refused else (*RULES, *ABSENCES):
        rule(model, report)


def _line(span: Span) -> str:
    return f"{span.source.name}:{span.line}"


def _backends(model: Model) -> dict[str, ProxyDraft]:
    return {proxy.name.text: proxy for proxy in model.proxies if proxy.has_backend}


def _missing_threads(model: Model, report: Report) -> None:
    """A listener's threads must be there (manual 5.1, `thread`)."""
    count = model.process.nbthread
    for proxy in model.proxies:
        for bind in proxy.binds:
            if count is None or bind.threads is None or bind.threads & ((1 << count) - 1):
                continue
            assert bind.threads_word is not None
            report.error(
                "H042", f"there is no such thread: 'nbthread' says {count}",
                bind.threads_word.span,
            )  # fmt: skip


def _foreign_sources(model: Model, report: Report) -> None:
    """`usesrc` needs root's rights when it connects, a header mode http (manual 4.2, `source`)."""
    process = model.process
    keeps_rights = not process.uid and process.user in (None, "root")
    for proxy in model.proxies:
        for source in (proxy.settings.source, *(one.options.source for one in proxy.servers)):
            if source is None or source.usesrc is None or source.usesrc_word is None:
                continue
            span = source.usesrc_word.span
            if not keeps_rights:
                report.error(
                    "H042", "'usesrc' needs root's rights, which 'user' or 'uid' gives up", span,
                    help="run as root, or leave 'usesrc' out",
                )  # fmt: skip
            if source.usesrc.whose is Presented.HEADER and proxy.settings.mode is Mode.TCP:
                report.warning(
                    "H081", f"'hdr_ip' has no effect in '{proxy.name}': it needs mode http", span
                )


def _twin_proxies(model: Model, report: Report) -> None:
    """A frontend and a backend may share a name; two of one side may not (manual 4)."""
    seen: dict[tuple[bool, str], ProxyDraft] = {}
    for proxy in model.proxies:
        sides = [
            side for side in (True, False) if (proxy.has_frontend, proxy.has_backend)[not side]
        ]
        for side in sides:
            first = seen.setdefault((side, proxy.name.text), proxy)
            if first is not proxy:
                report.error(
                    "H071", f"a second proxy named '{proxy.name}'", proxy.name.span,
                    help=f"the first stands at {_line(first.header)}; choose another name",
                )  # fmt: skip
                break


def _twin_servers(model: Model, report: Report) -> None:
    """HAProxy before 3.x let servers share a name; the meaning is plain, so they load."""
    for proxy in model.proxies:
        named: dict[str, list[ServerDraft]] = {}
        for server in proxy.servers:
            named.setdefault(server.name.text, []).append(server)
        for name, twins in named.items():
            if len(twins) > 1:
                _tell_twins(proxy, name, twins, report)


def _tell_twins(proxy: ProxyDraft, name: str, twins: list[ServerDraft], report: Report) -> None:
    lines = ", ".join(str(server.name.span.line) for server in twins)
    numbers = [proxy.servers.index(server) + 1 for server in twins[:3]]
    second = twins[1]
    source = second.name.span.source
    mended = _renamed(source.line(second.name.span.line).strip(), name, _other_name(proxy, name))
    report.warning(
        "H070", f"{len(twins)} servers of '{proxy.name}' are named '{name}' (lines {lines})",
        second.name.span, label=f"same name as on line {twins[0].name.span.line}",
        help=f"give each its own name, as in `{mended}`",
        notes=(
            "understood as separate servers: each gets its share of the traffic and its own checks",
            f"commands and statistics reach the first as {proxy.name}/{name}, and each of them by "
            f"its number: {', '.join(f'{proxy.name}/#{number}' for number in numbers)}",
            "HAProxy 2.6 and 3.x refuse such a file",
        ),
    )  # fmt: skip


def _other_name(proxy: ProxyDraft, name: str) -> str:
    """A name in the style of `name` that no server of `proxy` has."""
    taken = {server.name.text for server in proxy.servers}
    stem = name.rstrip("0123456789")
    stem = stem if stem != name else f"{name}-"
    return next(other for n in range(2, len(taken) + 3) if (other := f"{stem}{n}") not in taken)


def _renamed(line: str, name: str, other: str) -> str:
    return line.replace(name, other, 1)


def _twin_ids(model: Model, report: Report) -> None:
    def tell(pairs: Iterator[tuple[int | None, Word | None]], what: str) -> None:
        seen: dict[int, Word] = {}
        for id, word in pairs:
            if id is None or word is None:
                continue
            first = seen.setdefault(id, word)
            if first is not word:
                report.error(
                    "H072", f"a second {what} with the id {id}", word.span,
                    help=f"the first stands at {_line(first.span)}",
                )  # fmt: skip

    tell(((proxy.id, proxy.id_word) for proxy in model.proxies), "proxy")
    for proxy in model.proxies:
        tell(((server.options.id, server.id_word) for server in proxy.servers), "server")
        tell(((bind.id, bind.id_word) for bind in proxy.binds), "socket")


def _default_backends(model: Model, report: Report) -> None:
    backends = _backends(model)
    for proxy in model.proxies:
        word = proxy.settings.default_backend
        if word is None or not proxy.has_frontend:
            continue
        target = backends.get(word.text)
        if target is proxy:
            report.error(
                "H074", f"'{proxy.name}' is its own default_backend", word.span,
                help="name another section",
            )  # fmt: skip
        elif target is None:
            _tell_missing_backend(model, word, backends, report)
        elif target.settings.mode is not proxy.settings.mode:
            report.error(
                "H075", f"frontend '{proxy.name}' is in mode {proxy.settings.mode}, "
                f"its default_backend '{word}' in mode {target.settings.mode}", word.span,
                help=f"give both the same mode ('{word}' stands at {_line(target.header)})",
            )  # fmt: skip


def _tell_missing_backend(
    model: Model, word: Word, backends: dict[str, ProxyDraft], report: Report
) -> None:
    if any(proxy.name.text == word.text for proxy in model.proxies):
        report.error(
            "H074", f"'{word}' is a frontend: it has no servers", word.span,
            help="name a backend or listen section",
        )  # fmt: skip
        return
    near = nearest(word.text, backends)
    report.error(
        "H073", f"there is no backend '{word}'", word.span,
        help=f"did you mean '{near}'?" if near else "add it, or correct the name",
    )  # fmt: skip


def _listening(model: Model, report: Report) -> None:
    for proxy in model.proxies:
        if proxy.has_frontend and not proxy.bind_lines and not proxy.settings.disabled:
            report.warning(
                "H076", f"{proxy.place.name and proxy.place.name.lower()} '{proxy.name}' has no "
                "'bind' line: nothing can reach it", proxy.header,
                help="add one, as in `bind :8443`",
            )  # fmt: skip
    if not any(proxy.bind_lines for proxy in model.proxies):
        # HAProxy checks such a file with exit status 2 and does not start.
        report.add(
            Severity.WARNING if model.process.stats_sockets else Severity.ERROR,
            "H079",
            "no section listens anywhere: there is nothing to do",
            help="add a `frontend` or `listen` section with a `bind` line",
        )


def _timeouts(model: Model, report: Report) -> None:
    """HAProxy's "missing timeouts" warning: one that is absent lets dead peers stay for ever."""
    for proxy in model.proxies:
        needed = []
        if proxy.has_frontend:
            needed.append("client")
        if proxy.has_backend and proxy.servers:
            needed += ["connect", "server"]
        absent = [name for name in needed if not proxy.settings.timeouts.get(name)]
        if absent and not proxy.settings.disabled:
            report.warning(
                "H077", f"'{proxy.name}' has no timeout for: {', '.join(absent)}", proxy.header,
                help="; ".join(f"`timeout {name} 30s`" for name in absent),
                notes=("without it, a peer that vanished holds its connection for ever",),
            )  # fmt: skip


def _transparent(model: Model, report: Report) -> None:
    for proxy in model.proxies:
        word = proxy.settings.transparent
        if word is None or not proxy.has_backend:
            continue
        if proxy.servers:
            meaning = "it has no effect, since the section has servers"
        elif proxy.settings.mode is Mode.HTTP and proxy.settings.stats is not None:
            meaning = "it has no effect, since the section only serves the stats page"
        else:
            report.error(
                "H034", "'option transparent' without a server (connect to the address that the "
                "client meant) is known to HAProxy, not yet to Telamon", word.span,
            )  # fmt: skip
            continue
        if word.text == "transparent":
            report.warning(
                "H080", f"'transparent' was understood as 'option transparent': {meaning}",
                word.span, help="remove the line",
                notes=(
                    "without a server, HAProxy would pass connections to the address that the "
                    "client meant to reach",
                    "today's HAProxy knows the word as `option transparent`",
                ),
            )  # fmt: skip


def _wrong_mode(model: Model, report: Report) -> None:
    for proxy in model.proxies:
        settings = proxy.settings
        if settings.mode is not Mode.TCP:
            continue
        if settings.stats is not None:
            report.warning(
                "H082", f"'stats' has no effect in '{proxy.name}': it needs mode http",
                settings.stats.word.span, help="write `mode http` in a section of its own",
            )  # fmt: skip
        for name, span in _words_for_http(proxy):
            report.warning(
                "H081", f"'{name}' has no effect in '{proxy.name}': it needs mode http", span
            )
        word = settings.log_format_word
        if settings.log_format in _HTTP_LINES and proxy.has_frontend and word is not None:
            report.warning(
                "H081", f"'{word}' in '{proxy.name}' (mode tcp) falls back to tcplog",
                word.span, help="write `option tcplog`",
            )  # fmt: skip
            settings.log_format = LogFormat.TCP


_HTTP_LINES = (LogFormat.HTTP, LogFormat.CLF, LogFormat.HTTPS)
_OPTIONS_FOR_HTTP = (
    "accept-invalid-http-request", "accept-unsafe-violations-in-http-request",
    "accept-invalid-http-response", "accept-unsafe-violations-in-http-response",
    "disable-h2-upgrade", "http-buffer-request", "http-ignore-probes", "http-no-delay",
    "http-pretend-keepalive", "http-use-proxy-header", "idle-close-on-response",
    "prefer-last-server",
)  # fmt: skip
"""Of the options that mean nothing in mode tcp, those of which HAProxy says so."""


def _words_for_http(proxy: ProxyDraft) -> Iterator[tuple[str, Span]]:
    """What HAProxy warns about in mode tcp."""
    settings = proxy.settings
    yield from settings.http.words.items()
    for name in _OPTIONS_FOR_HTTP:
        if (option := settings.options.get(name)) is not None:
            yield option.text, option.span
    for server in proxy.servers:
        if (cookie := server.options.cookie) is not None:
            yield f"cookie {cookie}", cookie.span


def _error_sections(model: Model, report: Report) -> None:
    """`errorfiles` names a section, and statuses that it should have."""
    for proxy in model.proxies:
        for use in proxy.settings.http.errors:
            if isinstance(use, ErrorsUse):
                _check_errors_use(model, use, report)


def _check_errors_use(model: Model, use: ErrorsUse, report: Report) -> None:
    section = model.errors.get(use.name.text)
    if section is None:
        near = nearest(use.name.text, model.errors)
        report.error(
            "H073", f"there is no http-errors section '{use.name}'", use.name.span,
            help=f"did you mean '{near}'?" if near else "add it, or correct the name",
        )  # fmt: skip
        return
    for status, word in use.statuses:
        if status not in section.replies:
            report.warning(
                "H085", f"the http-errors section '{use.name}' has no {status}", word.span,
                help=f"it stands at {_line(section.name.span)}",
            )  # fmt: skip


def _layer_7_hash(model: Model, report: Report) -> None:
    """HAProxy's "Layer 7 hash not possible": there is no request to take the key from."""
    for proxy in model.proxies:
        settings = proxy.settings
        if not (proxy.has_backend and settings.mode is Mode.TCP and settings.algorithm.needs_http):
            continue
        word = settings.balance_word
        report.warning(
            "H081", f"'balance {word}' has no effect in '{proxy.name}': it needs mode http",
            word.span if word else proxy.header, help="write `mode http`, or `balance source`",
            notes=("servers are taken in turn (roundrobin), as HAProxy does here",),
        )  # fmt: skip
        settings.algorithm = Algorithm.ROUNDROBIN


def _useless_words(model: Model, report: Report) -> None:
    for proxy in model.proxies:
        if proxy.has_backend and not proxy.has_frontend:
            continue
        default = proxy.settings.default_backend
        if default is not None and proxy.servers and proxy.place is Place.LISTEN:
            report.warning(
                "H081", f"'{proxy.name}' has servers that are never used: all goes to "
                f"'{default}'", default.span,
            )  # fmt: skip


def _logs_nowhere(model: Model, report: Report) -> None:
    for proxy in model.proxies:
        settings = proxy.settings
        word = settings.log_format_word
        silent = not settings.logs and not (settings.log_global and model.process.logs)
        if silent and word is not None and proxy.has_frontend and not settings.disabled:
            report.warning(
                "H084", f"'{word}' has no effect in '{proxy.name}': it logs nowhere", word.span,
                help="add `log global`, and a `log` line to the global section",
            )  # fmt: skip


def _rings(model: Model, report: Report) -> None:
    for ring in model.rings.values():
        if ring.max_length > ring.size and ring.max_length_word is not None:
            report.warning(
                "H042", f"lines of '{ring.name}' are cut at its size, {ring.size}",
                ring.max_length_word.span,
            )  # fmt: skip
    shared = [draft for proxy in model.proxies for draft in proxy.settings.logs]
    for draft in dict.fromkeys([*model.process.logs, *shared]):
        _named(draft.ring, "ring", model.rings, report)
        _named(draft.profile, "log-profile", model.profiles, report)


def _named(name: Word | None, kind: str, known: Collection[str], report: Report) -> None:
    if name is not None and name.text not in known:
        near = nearest(name.text, known)
        report.error(
            "H073", f"there is no {kind} '{name}'", name.span,
            help=f"did you mean '{near}'?" if near else f"add a `{kind}` section of this name",
        )  # fmt: skip


def _ring_timeouts(model: Model, report: Report) -> None:
    for ring in model.rings.values():
        absent = [name for name in ("connect", "server") if not ring.timeouts.get(name)]
        if ring.servers and absent:
            report.warning(
                "H077", f"the ring '{ring.name}' has no timeout for: {', '.join(absent)}",
                ring.name.span, help="; ".join(f"`timeout {name} 5s`" for name in absent),
            )  # fmt: skip


def _check_targets(model: Model, report: Report) -> None:
    for proxy in model.proxies:
        for server in proxy.servers:
            _check_target(server, report)


def _observing(model: Model, report: Report) -> None:
    """`observe` needs its layer; `error-limit` and `on-error` need `observe`."""
    for proxy in model.proxies:
        for server in proxy.servers:
            options, word = server.options, server.options.observe_word
            if options.observe is None:
                for useless in options.on_error_words:
                    report.note(
                        "H081", f"'{useless}' has no effect without 'observe'", useless.span
                    )
            elif options.observe is Layer.LAYER7 and proxy.settings.mode is Mode.TCP and word:
                # HAProxy alerts, and goes on without.
                report.warning(
                    "H081", f"'observe layer7' has no effect in '{proxy.name}': it needs mode http",
                    word.span, help="write `observe layer4`",
                )  # fmt: skip
                options.observe = None


def _check_target(server: ServerDraft, report: Report) -> None:
    options = server.options
    if options.check_words and not options.check:
        report.note(
            "H081", f"'{options.check_words[0]}' has no effect: the server is not checked",
            options.check_words[0].span, help="add `check` to the line",
        )  # fmt: skip
    word = options.check_address
    if word is None:
        return
    try:
        address = parse_server(word.text)
        portless = isinstance(address, InetAddress) and address.port == 0
        if portless and options.check_port is None and not isinstance(server.address, InetAddress):
            report.error("H051", "'addr' needs 'port' here", word.span)
    except AddressError as error:
        report.error(error.code, f"'{word}': {error}", word.span, help=error.help)


def _twin_addresses(model: Model, report: Report) -> None:
    """Two sockets of one address cannot both be bound."""
    seen: dict[tuple[SocketAddress, str | None], Span] = {}
    for proxy in model.proxies:
        if proxy.settings.disabled:
            continue
        for bind in proxy.binds:
            for address in bind.addresses:
                first = seen.setdefault((address, bind.interface), bind.word.span)
                if first is not bind.word.span:
                    report.warning(
                        "H083", f"{address} is bound twice", bind.word.span,
                        help=f"the first stands at {_line(first)}",
                        notes=("connections are spread over both sections as the kernel likes",),
                    )  # fmt: skip
                    break


def _members(model: Model, report: Report) -> None:
    """A group's users and a user's groups stand in the same list (manual 3.4)."""
    for draft in model.userlists.values():
        for group in draft.groups.values():
            _in_list(group.users, "user", draft.users, report)
        for user in draft.users.values():
            _in_list(user.groups, "group", draft.groups, report)


def _in_list(names: list[Word], kind: str, known: Collection[str], report: Report) -> None:
    for name in names:
        if name.text not in known:
            near = nearest(name.text, known)
            report.error(
                "H073", f"there is no {kind} '{name}' in this userlist", name.span,
                help=f"did you mean '{near}'?" if near else f"add a `{kind}` line of this name",
            )  # fmt: skip


RULES: tuple[Callable[[Model, Report], None], ...] = (
    _twin_proxies,
    _twin_servers,
    _twin_ids,
    _twin_addresses,
    _missing_threads,
    _foreign_sources,
    _default_backends,
    _transparent,
    _wrong_mode,
    _error_sections,
    _layer_7_hash,
    _useless_words,
    _check_targets,
    _observing,
    _rings,
    _members,
    check_rules,
)

ABSENCES: tuple[Callable[[Model, Report], None], ...] = (
    _listening,
    _timeouts,
    _ring_timeouts,
    _logs_nowhere,
)
