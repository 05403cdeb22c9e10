"""The stats page as HTML: HAProxy's figures, columns and meanings of colours, in our own page.

Class names, anchors (`name="proxy/server"`) and the names of form fields are HAProxy's, since
scripts and style sheets of users hang on them. No script and no foreign resource is needed.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from html import escape
from itertools import groupby
from pathlib import Path

from telamon.base.version import HAPROXY_VERSION, RELEASE_DATE
from telamon.engine import Snapshot
from telamon.plan.proxy import Mode, Proxy, StatsPage
from telamon.runtime.admin import ACTIONS, Outcome
from telamon.runtime.fields import RowKind
from telamon.runtime.info import format_uptime
from telamon.runtime.ports import ProxyControl
from telamon.runtime.rows import Row, Value

STYLE = Path(__file__).with_name("page.css").read_text("utf-8")


@dataclass(frozen=True, slots=True)
class View:
    """What the reader asked for. `uri` is the page's own, without options."""

    uri: str
    page: StatsPage
    admin: bool
    http: bool
    refresh: bool
    hide_down: bool
    scope: str
    outcome: Outcome | None
    refresh_text: str

    def link(self, **changed: bool) -> str:
        """The page's URI with the present options, some of them changed."""
        hide_down = changed.get("hide_down", self.hide_down)
        refresh = changed.get("refresh", self.refresh)
        return escape(
            self.uri
            + (";up" if hide_down else "")
            + ("" if refresh else ";norefresh")
            + (f";scope={self.scope}" if self.scope else "")
        )


def render(control: ProxyControl, view: View, lines: list[Row], snapshot: Snapshot) -> str:
    """The whole document."""
    tables = "".join(
        _proxy_table(control, view, proxy, list(group))
        for proxy, group in groupby(lines, key=lambda row: row.proxy)
    )
    return (
        "<!DOCTYPE html>\n"
        f'<html lang="en"><head><meta charset="utf-8"><title>{_title(control, view)}</title>\n'
        '<link rel="icon" href="data:,">'
        f"<style>{STYLE}</style></head>\n<body>{_header(control, view)}"
        f"{_process(control, view, snapshot)}{_outcome(view)}{tables}</body></html>\n"
    )


def _node(control: ProxyControl, view: View) -> str:
    if view.page.show_node is None:
        return ""
    name = view.page.show_node or control.plan.process.node or os.uname().nodename
    return f" on {escape(name)}"


def _title(control: ProxyControl, view: View) -> str:
    return f"Statistics Report for HAProxy{_node(control, view)}"


def _header(control: ProxyControl, view: View) -> str:
    version = (
        "" if view.page.hide_version else f" version {HAPROXY_VERSION}, released {RELEASE_DATE}"
    )
    text = view.page.show_description
    described = f": {escape(text)}" if text else ""
    return (
        f"<h1>Telamon <small>for HAProxy{escape(version)}</small></h1>\n"
        f"<h2>Statistics Report for pid {control.pid}{_node(control, view)}{described}</h2>\n"
        '<hr class="hr">\n<h3>&gt; General process information</h3>\n'
    )


def _process(control: ProxyControl, view: View, snapshot: Snapshot) -> str:
    count = snapshot.process.get
    bits = 8 * count("BytesOutRate", 0) / 1000
    idle = count("Idle_pct", 100)
    return (
        '<div class="process"><div>'
        f"<p><b>pid = </b> {control.pid} (process #1, nbproc = 1, nbthread = {control.threads})<br>"
        f"<b>uptime = </b> {format_uptime(control.now() - control.started)}<br>"
        "<b>system limits:</b> memmax = unlimited; "
        f"ulimit-n = {control.max_descriptors}<br>"
        f"<b>maxsock = </b> {control.max_descriptors}; "
        f"<b>maxconn = </b> {control.max_connections}; <b>maxpipes = </b> 0<br>"
        f"current conns = {count('CurrConns', 0)}; "
        f"current pipes = {count('PipesUsed', 0)}/{count('PipesFree', 0)}; "
        f"conn rate = {count('ConnRate', 0)}/sec; bit rate = {bits:.3f} kbps<br>"
        f"Running tasks: {count('Run_queue', 0)}/{count('Tasks', 0)}; idle = {idle} %"
        f"</p></div>{_LEGEND}{_links(view)}</div>\n"
    )


def _legend_cells(*cells: tuple[str, str]) -> str:
    return "".join(
        f'<td class="{colour}">&nbsp;</td><td class="noborder">{text}</td>'
        for colour, text in cells
    )


_LEGEND = (
    '<div><table class="lgd">'
    + "".join(
        f"<tr>{_legend_cells(*cells)}</tr>"
        for cells in (
            (("active_up", "active UP"), ("backup_up", "backup UP")),
            (
                ("active_going_down", "active UP, going down"),
                ("backup_going_down", "backup UP, going down"),
            ),
            (
                ("active_going_up", "active DOWN, going up"),
                ("backup_going_up", "backup DOWN, going up"),
            ),
            (("active_down", "active or backup DOWN"), ("active_no_check", "not checked")),
            (
                ("maintain", "active or backup DOWN for maintenance (MAINT)"),
                ("active_draining", "active or backup SOFT STOPPED for maintenance"),
            ),
        )
    )
    + '</table><p>Note: "NOLB"/"DRAIN" = UP with load-balancing disabled.</p></div>'
)


def _links(view: View) -> str:
    down = "Show all servers" if view.hide_down else "Hide 'DOWN' servers"
    items = [
        f'<form method="GET">Scope : <input value="{escape(view.scope)}" name="scope" size="8" '
        'maxlength="20"></form>',
        f'<a href="{view.link(hide_down=not view.hide_down)}">{down}</a>',
        f'<a href="{view.link()}">Refresh now</a>',
        f'<a href="{view.link(refresh=False).replace(";norefresh", "")};csv;norefresh">'
        "CSV export</a>",
        f'<a href="{escape(view.uri)};json;norefresh">JSON export</a> '
        f'(<a href="{escape(view.uri)};json-schema">schema</a>)',
    ]
    if view.refresh_text:
        word = f"Disable refresh ({view.refresh_text})" if view.refresh else "Enable refresh"
        items.insert(2, f'<a href="{view.link(refresh=not view.refresh)}">{word}</a>')
    listed = "".join(f"<li>{item}</li>" for item in items)
    return f"<div><b>Display option:</b><ul>{listed}</ul></div>"


def _outcome(view: View) -> str:
    if view.outcome is None:
        return ""
    colour = "active_up" if view.outcome is Outcome.DONE else "backup_down"
    if view.outcome in (Outcome.NONE, Outcome.PARTIAL):
        colour = "active_going_up"
    return (
        f'<p class="outcome {colour}">[<a href="{view.link()}" title="Remove this message">X</a>] '
        f"{view.outcome.text}</p>\n"
    )


_GROUPS = (
    ("Queue", ("Cur", "Max", "Limit")),
    ("Session rate", ("Cur", "Max", "Limit")),
    ("Sessions", ("Cur", "Max", "Limit", "Total", "LbTot", "Last")),
    ("Bytes", ("In", "Out")),
    ("Denied", ("Req", "Resp")),
    ("Errors", ("Req", "Conn", "Resp")),
    ("Warnings", ("Retr", "Redis")),
    (
        "Server",
        ("Status", "LastChk", "Wght", "Act", "Bck", "Chk", "Dwn", "Dwntme", "Thrtle"),
    ),
)


def _column_heads(with_boxes: bool) -> str:
    groups = "".join(f'<th colspan="{len(names)}">{title}</th>' for title, names in _GROUPS)
    names = "".join(f"<th>{name}</th>" for _, group in _GROUPS for name in group)
    box = '<th rowspan="2"></th>' if with_boxes else ""
    return (
        f'<tr class="titre">{box}<th rowspan="2"></th>{groups}</tr>\n'
        f'<tr class="titre">{names}</tr>\n'
    )


def _proxy_table(control: ProxyControl, view: View, proxy: Proxy, lines: list[Row]) -> str:
    name = escape(proxy.name)
    boxes = view.admin and any(row.kind is RowKind.SERVER for row in lines)
    cap = "proxy" if proxy.frontend and proxy.backend else "frontend"
    cap = cap if proxy.frontend else "backend"
    legend = f"cap: {cap}, mode: {proxy.mode.value}, id: {proxy.id}"
    shown = _tip(f'<a class="px" href="#{name}">{name}</a>', legend, view.page.show_legends)
    note = f'<span class="desc">{escape(proxy.description)}</span>' if proxy.description else ""
    body = "".join(_line(view, row, boxes) for row in lines)
    table = (
        f'<h4 class="pxname"><a name="{name}"></a>{shown}</h4>{note}\n'
        f'<table class="tbl">\n{_column_heads(boxes)}{body}</table>\n'
    )
    if not boxes:
        return f"<section>{table}</section>\n"
    options = "".join(
        f'<option value="{code}">{text}</option>' for code, (text, _act) in ACTIONS.items()
    )
    return (
        f'<section><form method="post" action="{view.link()}">{table}'
        '<label>Choose the action to perform on the checked servers : <select name="action">'
        f'<option value=""></option>{options}</select></label>'
        f'<input type="hidden" name="b" value="#{proxy.id}"> '
        '<input type="submit" value="Apply"></form></section>\n'
    )


def _line(view: View, row: Row, boxes: bool) -> str:
    values = row.values
    get = values.get
    title = {RowKind.FRONTEND: "Frontend", RowKind.BACKEND: "Backend"}.get(
        row.kind, str(values["svname"])
    )
    anchor = f"{escape(row.proxy.name)}/{escape(title)}"
    label = f'<a name="{anchor}"></a><a class="lfsb" href="#{anchor}">{escape(title)}</a>'
    cells = [f'<td class="ac">{_tip(label, _legend(row), view.page.show_legends)}</td>']
    if boxes:
        box = ""
        if row.server is not None:
            box = f'<input type="checkbox" name="s" value="#{row.server.id}">'
        cells.insert(0, f"<td>{box}</td>")
    if row.kind is RowKind.FRONTEND:
        cells.append('<td colspan="3"></td>')
    else:
        cells += [_cell(get("qcur")), _cell(get("qmax")), _cell(_limit(row, "qlimit"))]
    cells += [_cell(get("rate")), _cell(get("rate_max")), _cell(_limit(row, "rate_lim"))]
    cells += [_cell(get("scur")), _cell(get("smax")), _cell(_limit(row, "slim"))]
    cells.append(f"<td>{_tip(_number(get('stot')), _session_details(row), True)}</td>")
    cells += [_cell(get("lbtot")), _cell(_last_session(row))]
    cells += [_cell(get("bin")), _cell(get("bout"))]
    cells += [_cell(get(name)) for name in ("dreq", "dresp", "ereq", "econ")]
    cells.append(f"<td>{_tip(_number(get('eresp')), _aborts(row), True)}</td>")
    cells += [_cell(get("wretr")), _cell(get("wredis"))]
    cells += _state_cells(row)
    return f'<tr class="{row.colour}">{"".join(cells)}</tr>\n'


def _state_cells(row: Row) -> list[str]:
    get = row.values.get
    status = escape(str(get("status", "")))
    if row.kind is RowKind.FRONTEND:
        return [f'<td class="ac">{status}</td><td class="ac" colspan="8"></td>']
    since = human_time(int(get("lastchg", 0)))
    shown = f"<i>{status}</i>" if status == "no check" else f"{since} {status}"
    cells = [f'<td class="ac">{shown}</td>', f'<td class="ac">{_last_check(row)}</td>']
    cells.append(f'<td class="ac">{get("weight", 0)}/{get("uweight", 0)}</td>')
    if row.kind is RowKind.SERVER:
        cells.append(f'<td class="ac">{"Y" if get("act") else "-"}</td>')
        cells.append(f'<td class="ac">{"Y" if get("bck") else "-"}</td>')
    else:
        cells += [f'<td class="ac">{get("act")}</td>', f'<td class="ac">{get("bck")}</td>']
    down = get("downtime")
    cells += [_cell(get("chkfail")), _cell(get("chkdown"))]
    cells.append(f"<td>{'' if down is None else human_time(int(down))}</td>")
    cells.append(f'<td class="ac">{get("throttle", "-" if row.server else "")}</td>')
    return cells


def _last_check(row: Row) -> str:
    get = row.values.get
    status = get("check_status")
    if status is None:
        return ""
    text = str(status)
    if "check_code" in row.values:
        text += f"/{get('check_code')}"
    if "check_duration" in row.values:
        text += f" in {get('check_duration')}ms"
    said = ": ".join(str(v) for v in (get("check_desc"), get("last_chk")) if v)
    return _tip(escape(text), escape(said), bool(said))


def _legend(row: Row) -> str:
    if row.kind is RowKind.SERVER:
        address = str(row.values.get("addr", ""))
        family = "unix" if address == "unix" else "IPv6" if address.startswith("[") else "IPv4"
        return f"{family}: {escape(address)}, id: {row.values['sid']}"
    if row.kind is RowKind.BACKEND:
        return f"balancing: {escape(str(row.values.get('algo', '')))}"
    listeners = row.proxy.frontend.listeners if row.proxy.frontend else ()
    return "<br>".join(f"{escape(str(item.address))}, id: {item.id}" for item in listeners)


def _session_details(row: Row) -> str:
    get = row.values.get
    lines: list[tuple[str, Value]] = []
    if row.kind is RowKind.FRONTEND:
        lines.append(("Cum. connections:", get("conn_tot", 0)))
    lines.append(("Cum. sessions:", get("stot", 0)))
    if row.proxy.mode is Mode.HTTP:
        lines.append(("Cum. HTTP requests:", get("req_tot", 0)))
        lines += [
            (f"- HTTP {name} responses:", get(f"hrsp_{name}", 0))
            for name in ("1xx", "2xx", "3xx", "4xx", "5xx", "other")
        ]
    if row.kind is RowKind.FRONTEND and "intercepted" in row.values:
        lines.append(("Intercepted requests:", get("intercepted", 0)))
    if row.kind is not RowKind.FRONTEND:
        times = [("qtime", "Queue"), ("ctime", "Connect"), ("ttime", "Total")]
        if row.proxy.mode is Mode.HTTP:
            times.insert(2, ("rtime", "Responses"))
        lines += [
            (f"{label} time, max / avg of 1024 [ms]:", f"{get(f'{name}_max', 0)} / {get(name, 0)}")
            for name, label in times
        ]
    cells = "".join(f"<tr><th>{label}</th><td>{_number(value)}</td></tr>" for label, value in lines)
    return f'<table class="det">{cells}</table>'


def _aborts(row: Row) -> str:
    if "cli_abrt" not in row.values:
        return ""
    client, server = row.values["cli_abrt"], row.values.get("srv_abrt", 0)
    return f"Connection resets during transfers: {client} client, {server} server"


def _limit(row: Row, name: str) -> Value | None:
    value = row.values.get(name)
    if row.kind is RowKind.BACKEND and name != "slim":
        return None
    if row.kind is RowKind.SERVER and name == "rate_lim":
        return None
    return value or "-"


def _last_session(row: Row) -> Value | None:
    if row.kind is RowKind.FRONTEND:
        return None
    last = int(row.values.get("lastsess", -1))
    return human_time(last) if last >= 0 else "?"


def _tip(text: str, tip: str, wanted: bool) -> str:
    return f'<u>{text}<div class="tips">{tip}</div></u>' if wanted and tip else text


def _cell(value: Value | None) -> str:
    return f"<td>{_number(value)}</td>"


def _number(value: Value | None) -> str:
    """A figure with its thousands apart, as they are read more easily."""
    if value is None:
        return ""
    if isinstance(value, int) and abs(value) >= 1000:
        return f'<span class="rls">{value:,}</span>'.replace(",", "&#8239;")
    return escape(str(value))


def human_time(seconds: int) -> str:
    """A duration by its two largest units: `37s`, `1m2s`, `1h3m`, `2d4h`."""
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days}d{hour}h"
    if hours:
        return f"{hours}h{minute}m"
    if minutes:
        return f"{minutes}m{second}s"
    return f"{second}s"
