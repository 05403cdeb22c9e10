"""The stats page: requests in, whole responses out."""

from __future__ import annotations

import base64
import html.parser

import pytest

from telamon.engine import PageRequest
from telamon.plan.proxy import AdminRule, StatsPage, StatsUser
from telamon.runtime.page import respond
from telamon.runtime.ports import AdminState
from telamon.testing.control import FakeControl
from tests.runtime.support import control

URI = "/haproxy?stats"


def get(
    fake: FakeControl, uri: str = URI, *headers: str, method: str = "GET", body: bytes = b"",
    client: str = "192.0.2.9:4000",
) -> tuple[int, dict[str, str], str]:  # fmt: skip
    head = "\r\n".join([f"{method} {uri} HTTP/1.1", "Host: x", *headers, "", ""]).encode()
    raw = respond(PageRequest(1, 5, client, head, body), fake)
    head_text, _, content = raw.decode().partition("\r\n\r\n")
    status, *lines = head_text.split("\r\n")
    return int(status.split()[1]), dict(line.split(": ", 1) for line in lines), content


class Outline(html.parser.HTMLParser):
    """Which rows the page has, by anchor and class; complains of tags left open."""

    VOID = frozenset(["br", "hr", "meta", "link", "input"])

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows: dict[str, str] = {}
        self._row = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self._row = named.get("class") or ""
        if tag == "a" and "/" in (named.get("name") or ""):
            self.rows[str(named["name"])] = self._row

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def outline(text: str) -> Outline:
    parser = Outline()
    parser.feed(text)
    assert parser.open == []
    return parser


def test_the_page_shows_each_line_in_its_colour() -> None:
    fake = control()
    fake.change(2, 2, up=False, health=0)
    status, headers, text = get(fake)
    assert status == 200
    assert headers["refresh"] == "30"
    assert headers["cache-control"] == "no-cache"
    assert headers["content-length"] == str(len(text.encode()))
    assert outline(text).rows == {
        "kube-apiserver/Frontend": "frontend",
        "kube-apiserver/m1": "active_up",
        "kube-apiserver/m2": "active_down",
        "kube-apiserver/m3": "backup_no_check",
        "kube-apiserver/m4": "maintain",
        "kube-apiserver/Backend": "backend",
        "fe/Frontend": "frontend",
        "be/a": "active_up",
        "be/Backend": "backend",
        "haproxy-stats/Frontend": "frontend",
        "haproxy-stats/Backend": "backend",
    }


def test_options_stand_behind_the_uri() -> None:
    fake = control()
    assert "refresh" not in get(fake, URI + ";norefresh")[1]
    assert get(fake, URI + ";csv")[2].startswith("# pxname,svname,")
    assert get(fake, URI + ";json")[2].startswith('[[{"objType":"Frontend"')
    assert "json-schema.org" in get(fake, URI + ";json-schema")[2]
    fake.change(2, 2, up=False, health=0)
    assert "kube-apiserver/m2" not in outline(get(fake, URI + ";up")[2]).rows
    scoped = outline(get(fake, URI + ";scope=stats")[2]).rows
    assert set(scoped) == {"haproxy-stats/Frontend", "haproxy-stats/Backend"}


def test_head_has_no_body() -> None:
    status, headers, text = get(control(), method="HEAD")
    assert (status, text) == (200, "")
    assert int(headers["content-length"]) > 1000


def test_other_methods_are_no_page() -> None:
    assert get(control(), method="PUT")[0] == 503


def test_users_are_asked_for_their_password() -> None:
    page = StatsPage(uri=URI, users=(StatsUser("u", "p:q"),), realm="the realm")
    fake = control(page)
    status, headers, _ = get(fake)
    assert status == 401
    assert headers["www-authenticate"] == 'Basic realm="the realm"'
    for given, expected in (("u:p:q", 200), ("u:x", 401), ("", 401)):
        token = base64.b64encode(given.encode()).decode()
        assert get(fake, URI, f"Authorization: Basic {token}")[0] == expected
    assert get(fake, URI, "Authorization: Basic !!!")[0] == 401


def test_version_and_legends_are_shown_as_asked() -> None:
    shown = get(control(StatsPage(uri=URI, show_legends=True)))[2]
    hidden = get(control(StatsPage(uri=URI, hide_version=True)))[2]
    assert "released" in shown
    assert "cap: proxy, mode: tcp, id: 2" in shown
    assert "released" not in hidden
    assert "cap: proxy" not in hidden


@pytest.mark.parametrize(
    ("form", "code"),
    [
        (b"s=m1&action=maint&b=%232", "DONE"),
        (b"s=m1&s=nope&action=maint&b=kube-apiserver", "PART"),
        (b"s=nope&action=maint&b=kube-apiserver", "ERRP"),
        (b"action=maint&b=kube-apiserver", "NONE"),
        (b"s=m1&action=explode&b=kube-apiserver", "ERRP"),
        (b"s=m1&action=maint&b=nobody", "ERRP"),
        (b"", "ERRP"),
        (b"x" * 20000, "EXCD"),
    ],
)
def test_forms_are_answered_by_a_redirection(form: bytes, code: str) -> None:
    status, headers, _ = get(control(), method="POST", body=form)
    assert status == 303
    assert headers["location"] == f"{URI};st={code}"
    assert "outcome" in get(control(), f"{URI};st={code}")[2]


def test_a_form_changes_the_servers() -> None:
    fake = control()
    get(fake, method="POST", body=b"s=m1&s=%232&action=drain&b=%232")
    assert fake.health(2, 1).admin is AdminState.FORCED_DRAIN
    assert fake.health(2, 2).admin is AdminState.FORCED_DRAIN
    assert fake.health(2, 3).admin is AdminState.READY


def test_only_who_may_administers() -> None:
    form = b"s=m1&action=maint&b=%232"
    fake = control(StatsPage(uri=URI, admin=AdminRule.LOCALHOST))
    assert get(fake, method="POST", body=form)[1]["location"].endswith("st=DENY")
    assert fake.health(2, 1).admin is AdminState.READY
    for client in ("127.0.0.1:5", "[::1]:5", "[::ffff:127.0.0.1]:5"):
        assert get(fake, method="POST", body=form, client=client)[1]["location"].endswith("st=DONE")
    assert "checkbox" not in get(fake)[2]
    assert "checkbox" in get(fake, client="127.0.0.1:5")[2]


def test_names_cannot_break_the_page() -> None:
    outline(get(control(), URI + ";scope=<script>")[2])
    assert "<script" not in get(control(), URI + ";scope=<script>")[2]
