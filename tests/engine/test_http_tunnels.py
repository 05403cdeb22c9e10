"""What becomes a tunnel, and what only might, beside HAProxy (RFC 9110 7.8, 9.3.6)."""

from __future__ import annotations

import pytest

from telamon.engine import IoEngine
from tests.engine.duel import END, EOF, Case, Until, fight, needs_haproxy, ours

pytestmark = [pytest.mark.peer, needs_haproxy]

ASK = b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n"
AGREED = b"HTTP/1.1 101 Fine\r\nConnection: Upgrade\r\nUpgrade: foo\r\nX-Gone: 1\r\n\r\nhello"
CONNECT = b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"
RULES = """
    option forwardfor
    cookie SRV insert indirect
    http-request set-header X-Path %[path]
    http-response set-header X-Status %[status]
    http-response del-header X-Gone
    http-after-response set-header X-After yes
    server s1 {server} cookie one
"""
OLD = b"POST / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"

CASES = [
    Case(
        "rules of a 101",
        ((ASK, Until(b"hello"), b"x", EOF, END),),
        ((Until(), AGREED, Until(b"x"), END),),
    ),
    Case(
        "rules of a CONNECT",
        ((CONNECT, Until(b"hello"), b"x", EOF, END),),
        ((Until(), b"HTTP/1.1 200 OK\r\nX-Gone: 1\r\n\r\nhello", Until(b"x"), END),),
    ),
    Case(
        "the client's end comes with its CONNECT",
        ((CONNECT, EOF, END),),
        ((Until(), b"HTTP/1.1 200 OK\r\n\r\nhello", END),),
    ),
    Case(
        "a CONNECT that is refused",
        ((CONNECT.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"), END),),
        ((Until(), b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno"),),
    ),
    Case("chunks in HTTP/1.0", ((OLD + b"2\r\nok\r\n0\r\n\r\n" + ASK, END),)),
    Case(
        "an empty coding and a length",
        ((b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", END),),
        ((Until(), b"HTTP/1.1 200 OK\r\nTransfer-Encoding: \r\nContent-Length: 2\r\n\r\nok"),),
        lines=1,
    ),
]


@pytest.mark.parametrize("ruled", [False, True], ids=["plain", "ruled"])
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_tunnels(io: IoEngine, case: Case, ruled: bool) -> None:
    config = RULES if ruled else ""
    fight(Case(case.name, case.clients, case.servers, config=config, lines=case.lines), io)


def test_a_connect_with_a_body_is_refused(io: IoEngine) -> None:
    head = CONNECT.replace(b"\r\n\r\n", b"\r\nContent-Length: 2\r\n\r\nab")
    outcome = ours(Case("body", ((head, END),)), io)
    assert outcome.clients[0][0].startswith(b"HTTP/1.1 400 ")
    assert outcome.servers == []
