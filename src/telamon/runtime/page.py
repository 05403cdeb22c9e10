"""The stats page: from a request to a whole HTTP response (manual, `stats uri` and its kin).

The engine hands over requests whose URI begins with the page's. What follows the URI are options,
each after a `;`, as HAProxy has them: `csv`, `json`, `json-schema`, `norefresh`, `up`, `no-maint`,
`scope=NAME`, `st=CODE` (the outcome of the admin form). A form comes by POST and is answered with
a redirection, so that a reload of the page does not repeat the action.
"""

from __future__ import annotations

import base64
import hmac
import json
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from telamon.base.address import ip_or_none
from telamon.base.units import format_time
from telamon.engine import PageRequest
from telamon.plan.proxy import AdminRule, Mode, Proxy, StatsPage
from telamon.runtime import export
from telamon.runtime.admin import Outcome, carry_out
from telamon.runtime.page_html import View, render
from telamon.runtime.ports import ProxyControl
from telamon.runtime.rows import Filter, rows

MAX_SCOPE = 20
"""HAProxy's limit for the scope field of the page."""


@dataclass(frozen=True, slots=True)
class Options:
    """What stands behind the URI."""

    format: str = "html"
    refresh: bool = True
    hide_down: bool = False
    hide_maint: bool = False
    scope: str = ""
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """The parts of a request head that the page needs; header names are lower case."""

    method: str
    uri: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


def respond(request: PageRequest, control: ProxyControl) -> bytes:
    """The whole HTTP response for a request to a proxy's stats page."""
    proxy = control.plan.proxy(request.proxy_id)
    page = proxy.stats
    if page is None:
        return _response(503, "text/html", NOT_AVAILABLE)
    parsed = parse_head(request.head, request.body)
    if not _authorised(page, parsed):
        return _unauthorised(page)
    if parsed.method not in ("GET", "HEAD", "POST"):
        return _response(503, "text/html", NOT_AVAILABLE)
    admin = _may_administer(page, request.client)
    if parsed.method == "POST":
        outcome = carry_out(control, parsed.body) if admin else Outcome.DENIED
        return _redirect(f"{_plain_uri(parsed.uri)};st={outcome.value}")
    options = parse_options(parsed.uri[len(page.uri) :])
    response = _answer(control, proxy, page, options, admin)
    if parsed.method == "HEAD":
        return response[: response.index(b"\r\n\r\n") + 4]
    return response


def _answer(
    control: ProxyControl, proxy: Proxy, page: StatsPage, options: Options, admin: bool
) -> bytes:
    extra = []
    if page.refresh and options.refresh:
        extra.append(("refresh", str(max(1, page.refresh // 1000))))
    only = Filter(
        hide_down=options.hide_down,
        hide_maint=options.hide_maint,
        names=page.scopes,
        scope=options.scope,
    )
    match options.format:
        case "csv":
            return _response(200, "text/plain", export.to_csv(rows(control, only)), extra)
        case "json":
            return _response(200, "application/json", export.to_json(rows(control, only)), extra)
        case "json-schema":
            return _response(200, "application/json", json.dumps(export.JSON_SCHEMA), extra)
    view = View(
        uri=page.uri,
        page=page,
        admin=admin,
        http=proxy.mode is Mode.HTTP,
        refresh=options.refresh,
        hide_down=options.hide_down,
        scope=options.scope,
        outcome=options.outcome,
        refresh_text=format_time(page.refresh) if page.refresh else "",
    )
    snapshot = control.snapshot()
    html = render(control, view, list(rows(control, only, snapshot)), snapshot)
    return _response(200, "text/html", html, extra)


def parse_head(head: bytes, body: bytes = b"") -> Request:
    """The request line and header fields of a head that the engine has already checked."""
    lines = head.decode("latin-1").split("\r\n")
    method, _, rest = lines[0].partition(" ")
    uri = rest.rpartition(" ")[0]
    headers = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return Request(method, uri, headers, body)


def parse_options(text: str) -> Options:
    """`;csv;norefresh` and the like; what is not known is passed over, as HAProxy does."""
    chosen: dict[str, str] = {}
    for part in text.replace("&", ";").split(";"):
        name, _, value = part.lstrip("?").partition("=")
        chosen[name] = value
    form = next((f for f in ("json-schema", "json", "csv") if f in chosen), "html")
    code = chosen.get("st")
    return Options(
        format=form,
        refresh="norefresh" not in chosen,
        hide_down="up" in chosen,
        hide_maint="no-maint" in chosen,
        scope=unquote_plus(chosen.get("scope", ""))[:MAX_SCOPE],
        outcome=Outcome.of(code) if code is not None else None,
    )


def _plain_uri(uri: str) -> str:
    """The URI without the outcome of an earlier form."""
    return ";".join(part for part in uri.split(";") if not part.startswith("st="))


def _authorised(page: StatsPage, request: Request) -> bool:
    if not page.users:
        return True
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        given = base64.b64decode(token.strip(), validate=True)
    except ValueError:
        return False
    # Every user is compared, each in constant time, so that timing tells nothing.
    matches = [
        hmac.compare_digest(given, f"{user.name}:{user.password}".encode()) for user in page.users
    ]
    return any(matches)


def _may_administer(page: StatsPage, client: str) -> bool:
    match page.admin:
        case AdminRule.ALWAYS:
            return True
        case AdminRule.LOCALHOST:
            return _is_loopback(client)
    return False


def _is_loopback(client: str) -> bool:
    """The predefined ACL LOCALHOST (manual 7.4): the source is 127.0.0.0/8 or ::1."""
    host = client.rpartition(":")[0].strip("[]") if ":" in client else client
    address = ip_or_none(host)
    if address is None:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


_REASONS = {200: "OK", 303: "See Other", 401: "Unauthorized", 503: "Service Unavailable"}
NOT_AVAILABLE = (
    "<html><body><h1>503 Service Unavailable</h1>\n"
    "No server is available to handle this request.\n</body></html>\n"
)


def _response(
    status: int, kind: str, body: str, extra: list[tuple[str, str]] | None = None
) -> bytes:
    data = body.encode("utf-8", "replace")
    head = [
        f"HTTP/1.1 {status} {_REASONS[status]}",
        "cache-control: no-cache",
        f"content-type: {kind}",
        f"content-length: {len(data)}",
        *(f"{name}: {value}" for name, value in extra or []),
    ]
    return "\r\n".join(head).encode("latin-1", "replace") + b"\r\n\r\n" + data


def _redirect(location: str) -> bytes:
    return _response(303, "text/plain", "", [("location", location)])


def _unauthorised(page: StatsPage) -> bytes:
    body = (
        "<html><body><h1>401 Unauthorized</h1>\n"
        "You need a valid user and password to access this content.\n</body></html>\n"
    )
    return _response(401, "text/html", body, [("www-authenticate", f'Basic realm="{page.realm}"')])
