"""What of the rules only the whole model shows: names of other sections, modes, captures."""

from __future__ import annotations

from telamon.base.diagnostic import Report, nearest
from telamon.haproxy.actions.index import SET_NAMES, SETS
from telamon.haproxy.actions.row import At
from telamon.haproxy.keywords.sections import Place
from telamon.haproxy.model import Model, ProxyDraft
from telamon.haproxy.rule_model import Reference
from telamon.haproxy.samples.aliases import BY_NAME
from telamon.haproxy.script_checks import check_calls
from telamon.plan.proxy import Mode
from telamon.plan.rules import Format


def check_rules(model: Model, report: Report) -> None:
    for reference in model.references:
        _CHECKS[reference.kind](reference, model, report)
    for proxy in model.proxies:
        _backends(proxy, model, report)
        _servers(proxy, report)
        _inherited(proxy, report)
        _wrong_mode(proxy, report)
        check_calls(proxy, report)


def _absent(reference: Reference, what: str, known: list[str], report: Report) -> None:
    if reference.name in known:
        return
    near = nearest(reference.name, known)
    report.error(
        "H073", f"there is no {what} '{reference.name}'", reference.span,
        help=f"did you mean '{near}'?" if near else "add it, or correct the name",
    )  # fmt: skip


def _backend(reference: Reference, model: Model, report: Report) -> None:
    known = [proxy.name.text for proxy in model.proxies if proxy.has_backend]
    _absent(reference, "backend", known, report)


def _frontend(reference: Reference, model: Model, report: Report) -> None:
    known = [proxy.name.text for proxy in model.proxies if proxy.has_frontend]
    _absent(reference, "frontend", known, report)


def _server(reference: Reference, model: Model, report: Report) -> None:
    """`backend/server`, or the name of a server in the section of the rule."""
    section, slash, _ = reference.name.rpartition("/")
    section = section if slash else reference.section
    known = [
        f"{section}/{server.name}" if slash else server.name.text
        for proxy in model.proxies
        if proxy.has_backend and proxy.name.text == section
        for server in proxy.servers
    ]
    _absent(reference, f"server of '{section}' named", known, report)


def _userlist(reference: Reference, model: Model, report: Report) -> None:
    _absent(reference, "userlist", list(model.userlists), report)


def _group(reference: Reference, model: Model, report: Report) -> None:
    """A group of the userlist that stands in place of a section."""
    if (users := model.userlists.get(reference.section)) is not None:
        what = f"group in userlist '{reference.section}' named"
        _absent(reference, what, list(users.groups), report)


def _slot(reference: Reference, model: Model, report: Report) -> None:
    for proxy in model.proxies:
        if proxy.name.text != reference.section or not proxy.has_frontend:
            continue
        http = proxy.settings.http
        request = reference.kind == "request slot"
        slots = http.request_captures if request else http.response_captures
        if int(reference.name) >= len(slots):
            report.error(
                "H073", f"there is no {reference.kind} {reference.name}: '{proxy.name}' has "
                f"{len(slots)}", reference.span,
                help=f"slots count from 0; add `declare capture {reference.kind.split()[0]} "
                "len <length>`",
            )  # fmt: skip


_CHECKS = {
    "backend": _backend,
    "frontend": _frontend,
    "group": _group,
    "server": _server,
    "request slot": _slot,
    "response slot": _slot,
    "userlist": _userlist,
}


def _backends(proxy: ProxyDraft, model: Model, report: Report) -> None:
    """Targets of `use_backend`, as of `default_backend` (`checks.py`)."""
    backends = {other.name.text: other for other in model.proxies if other.has_backend}
    for switch in proxy.settings.rules.backends:
        if switch.format is not None:
            continue
        target = backends.get(switch.name.text)
        if target is None:
            near = nearest(switch.name.text, backends)
            report.error(
                "H073", f"there is no backend '{switch.name}'", switch.name.span,
                help=f"did you mean '{near}'?" if near else "add it, or correct the name",
            )  # fmt: skip
        elif target is proxy:
            report.error("H074", f"'{proxy.name}' would choose itself", switch.name.span)
        elif target.settings.mode is not proxy.settings.mode and not _upgrades(proxy, target):
            report.error(
                "H075", f"'{proxy.name}' is in mode {proxy.settings.mode}, '{switch.name}' in mode "
                f"{target.settings.mode}", switch.name.span, help="give both the same mode",
            )  # fmt: skip


def _upgrades(proxy: ProxyDraft, target: ProxyDraft) -> bool:
    """A TCP frontend may pass on to an HTTP backend: the stream becomes HTTP (manual 4, mode)."""
    return proxy.settings.mode is Mode.TCP and target.settings.mode is Mode.HTTP


def _servers(proxy: ProxyDraft, report: Report) -> None:
    known = [server.name.text for server in proxy.servers]
    for switch in proxy.settings.rules.servers:
        if switch.format is None and switch.name.text not in known:
            near = nearest(switch.name.text, known)
            report.error(
                "H073", f"there is no server '{switch.name}' in '{proxy.name}'", switch.name.span,
                help=f"did you mean '{near}'?" if near else "add it, or correct the name",
            )  # fmt: skip


def _inherited(proxy: ProxyDraft, report: Report) -> None:
    """Rules that a defaults section has and this kind of section cannot (manual 4)."""
    if proxy.place is Place.FRONTEND:
        impossible = [At.TCP_RESPONSE]
    elif proxy.place is Place.BACKEND:
        impossible = [At.CONNECTION, At.SESSION]
    else:
        return
    for at in impossible:
        if proxy.settings.rules.sets.get(SETS[at]):
            report.error(
                "H036", f"'{proxy.name}' inherits '{SET_NAMES[at]}' rules, which a "
                f"{proxy.place.name and proxy.place.name.lower()} cannot have", proxy.header,
                help="inherit from a defaults section without them",
            )  # fmt: skip


def _wrong_mode(proxy: ProxyDraft, report: Report) -> None:
    """HAProxy ignores, with a warning, the HTTP rules of a section in mode tcp; it refuses log
    formats that name parts of HTTP there."""
    if proxy.settings.mode is not Mode.TCP:
        return
    rules = proxy.settings.rules
    for field in ("log_line", "log_structured", "error_log_line", "unique_id"):
        format: Format | None = getattr(rules, field)
        for piece in format.pieces if format is not None and proxy.has_frontend else ():
            if piece.alias is not None and BY_NAME[piece.alias].http:
                report.error(
                    "H101", f"'%{piece.alias}' is possible in mode http only, and '{proxy.name}' "
                    "is in mode tcp", rules.format_words[field].span,
                )  # fmt: skip
    firsts = proxy.settings.rules.first_words
    for kind in ("http-request", "http-response", "http-after-response", "redirect"):
        if kind in firsts:
            report.warning(
                "H081", f"'{kind}' rules have no effect in '{proxy.name}': it is in mode tcp",
                firsts[kind].span, help="write `mode http`",
            )  # fmt: skip
