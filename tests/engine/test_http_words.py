"""Words of mode http, one by one, beside HAProxy: persistence, bodies, names, addresses."""

from __future__ import annotations

import re

import pytest

from telamon.engine import IoEngine
from tests.engine.duel import (
    END,
    EOF,
    LAST,
    NAP,
    OK,
    Case,
    Script,
    Until,
    fight,
    needs_haproxy,
    ours,
)

pytestmark = needs_haproxy

SERVER = "    server s1 {server}"
POST = b"POST /p HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n"
CHUNKS = b"POST /p HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
ONCE: tuple[Script, ...] = ((Until(), OK),)


def config(*lines: str, servers: str = SERVER) -> str:
    """`{server}` is filled in; other braces stay."""
    text = "".join(f"    {line}\n" for line in lines)
    return text.replace("{", "{{").replace("}", "}}") + servers


def asked(request: bytes, name: str, *lines: str, servers: str = SERVER) -> Case:
    return Case(name, ((request, END),), ONCE, config(*lines, servers=servers))


COOKIE = LAST.replace(b"Host", b"Cookie: S=two\r\nHost")
TWO = "    server s1 {server} cookie one\n    server s2 {server} cookie two"
DOWN = "    server s1 {server} cookie one\n    server s2 {server} cookie two disabled"
PERSISTENCE = [
    asked(COOKIE, "ignored", "cookie S insert", "ignore-persist if { path /last }", servers=TWO),
    asked(COOKIE, "not ignored", "cookie S insert", "ignore-persist if { path /x }", servers=TWO),
    asked(COOKIE, "ignored, indirect", "cookie S insert indirect", "ignore-persist if TRUE",
          servers=TWO),
    asked(COOKIE, "forced", "cookie S insert", "force-persist if { path /last }", servers=DOWN),
    asked(COOKIE, "not forced", "cookie S insert", "force-persist if { path /x }", servers=DOWN),
    asked(COOKIE, "the first rule counts", "cookie S insert", "ignore-persist if TRUE",
          "force-persist if TRUE", servers=TWO),
    asked(LAST, "use-server of one that is down", "use-server s2 if TRUE", servers=DOWN),
    asked(LAST, "use-server, persist", "option persist", "use-server s2 if TRUE", servers=DOWN),
]  # fmt: skip

BODIES = [
    Case("buffered", ((POST + b"\r\nab", NAP, b"cde", END),), ((Until(b"abcde"), OK),),
         config("option http-buffer-request")),
    Case("buffered chunks", ((CHUNKS + b"2\r\nab\r\n", b"0\r\n\r\n", END),),
         ((Until(b"0\r\n\r\n"), OK),), config("option http-buffer-request")),
    Case("buffered, late", ((POST + b"\r\nab", END),), ONCE,
         config("option http-buffer-request", "timeout http-request 300ms")),
    Case("buffered, client's timeout", ((POST + b"\r\nab", END),), ONCE,
         config("option http-buffer-request")),
    Case("buffered, gone", ((POST + b"\r\nab", EOF, END),), ONCE,
         config("option http-buffer-request")),
    Case("buffered, asked for", ((POST + b"Expect: 100-continue\r\n\r\n", Until(), b"abcde", END),),
         ((Until(b"abcde"), OK),), config("option http-buffer-request")),
    Case("wait-for-body, late", ((POST + b"\r\nab", END),), ONCE,
         config("http-request wait-for-body time 300ms")),
    Case("wait-for-body, asked for",
         ((POST + b"Expect: 100-continue\r\n\r\n", Until(), b"abcde", END),),
         ((Until(b"abcde"), OK),), config("http-request wait-for-body time 300ms")),
]  # fmt: skip

ODD = LAST.replace(b"Host", b"X_Odd: 1\r\nX-Even: 2\r\nHost")
SET_COOKIE = OK.replace(b"Content", b"Set-Cookie: a=b\r\nContent")
NAMES = [
    asked(ODD, "names preserved", "option http-restrict-req-hdr-names preserve"),
    asked(ODD, "names deleted", "option http-restrict-req-hdr-names delete"),
    asked(ODD, "names rejected", "option http-restrict-req-hdr-names reject"),
    Case("checkcache", ((LAST, END),), ((Until(), SET_COOKIE),), config("option checkcache")),
    Case("checkcache, private", ((LAST, END),),
         ((Until(), SET_COOKIE.replace(b"Set", b"Cache-Control: private\r\nSet")),),
         config("option checkcache")),
    Case("checkcache, no cookie", ((LAST, END),), ONCE, config("option checkcache")),
]  # fmt: skip

TWICE = LAST.replace(b"/last", b"/first").replace(b"Connection: close\r\n", b"")
ADDRESSES = [
    Case("set-src holds for one request", ((TWICE, Until(b"ok"), LAST, END),),
         ((Until(), OK, Until(), OK),),
         config("http-request set-src hdr(x-a) if { path /first }",
                "http-request set-src str(10.1.2.3) if { path /first }",
                "http-request set-header X-Src %[src],%[fc_src]"), lines=2),
    Case("set-src of the connection", ((TWICE, Until(b"ok"), LAST, END),),
         ((Until(), OK, Until(), OK),),
         config("tcp-request connection set-src str(10.1.2.3)",
                "http-request set-header X-Src %[src],%[fc_src]",
                "option forwardfor"), lines=2),
    Case("balance hash", ((LAST, END),), ONCE, config("balance hash path")),
    Case("check_post", ((POST.replace(b": 5", b": 7") + b"\r\nid=", b"1234", END),),
         ((Until(b"1234"), OK),), config("balance url_param id check_post")),
]  # fmt: skip


@pytest.mark.parametrize("case", PERSISTENCE, ids=[case.name for case in PERSISTENCE])
def test_persistence(io: IoEngine, case: Case) -> None:
    fight(case, io)


@pytest.mark.parametrize("case", BODIES, ids=[case.name for case in BODIES])
def test_bodies_that_are_awaited(io: IoEngine, case: Case) -> None:
    fight(case, io)


@pytest.mark.parametrize("case", NAMES, ids=[case.name for case in NAMES])
def test_heads_that_are_looked_at(io: IoEngine, case: Case) -> None:
    fight(case, io)


@pytest.mark.parametrize("case", ADDRESSES, ids=[case.name for case in ADDRESSES])
def test_addresses_and_keys(io: IoEngine, case: Case) -> None:
    fight(case, io)


def test_a_dynamic_cookie_leads_back(io: IoEngine) -> None:
    """Its value depends on the server's port, so that two runs cannot be compared; the crate's
    tests compare it."""
    words = config("cookie S insert dynamic", "dynamic-cookie-key secret", servers="")
    servers = "    server s1 {dead}\n    server s2 {server}\n    option redispatch"
    first = ours(Case("dynamic", ((LAST, END),), ONCE, words + servers), io)
    found = re.search(rb"set-cookie: (S=[0-9a-f]{16}); path=/\r\n", first.clients[0][0])
    assert found is not None, first.clients
