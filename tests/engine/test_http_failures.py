"""What goes wrong in `mode http`, beside HAProxy: clients, servers and timeouts at each point."""

from __future__ import annotations

import pytest

from telamon.engine import IoEngine
from tests.engine.duel import (
    CLOSE,
    END,
    EOF,
    GET,
    LAST,
    MARK,
    OK,
    RESET,
    STAY,
    WAIT,
    Case,
    Until,
    fight,
    needs_haproxy,
)

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
THREE = POST + b"Content-Length: 3\r\n\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
BEGUN = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"
BEGUN_CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"


def with_lines(*lines: str) -> str:
    return "".join(f"    {line}\n" for line in lines) + "    server s1 {server}"


BAD_REQUESTS = [
    Case("no request", ((CLOSE,),)),
    Case("half a request", ((b"GET / HT", CLOSE),)),
    Case("half a request, half-closed", ((b"GET / HT", EOF, END),)),
    Case("a reset instead", ((GET, Until(b"ok"), b"GET / HT", RESET),), lines=2),
    Case("no http", ((b"\x16\x03\x01\x00\r\n\r\n", END),)),
    Case("a blank in the uri", ((b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", END),)),
    Case("two hosts", ((b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", END),)),
    Case(
        "lengths that differ",
        ((POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", END),),
    ),
    Case("unknown coding", ((POST + b"Transfer-Encoding: gzip\r\n\r\n", END),)),
    Case("http/2.0", ((b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", END),)),
    Case("too long", ((b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"a" * 17000, END),)),
    Case("bad after good", ((GET, Until(b"ok"), b"GET /\x01 HTTP/1.1\r\n\r\n", END),), lines=2),
    Case("bad chunk size", ((CHUNKED + b"x\r\n", END),), ((Until(), END),)),
    Case("bad chunk end", ((CHUNKED + b"3\r\nabcd\r\n", END),), ((Until(), END),)),
]

CLIENTS_GO = [
    Case("while connecting", ((GET, CLOSE),), None, config="    server s1 {dead}"),
    Case("while the server thinks", ((GET, WAIT, CLOSE),), ((Until(), MARK, STAY),)),
    Case(
        "while the server thinks, abortonclose",
        ((GET, WAIT, CLOSE),),
        ((Until(), MARK, STAY),),
        config=with_lines("option abortonclose"),
    ),
    Case("within its body", ((THREE + b"a", WAIT, CLOSE),), ((Until(b"\r\n\r\na"), MARK, END),)),
    Case(
        "within its body, by reset",
        ((THREE + b"a", WAIT, RESET),),
        ((Until(b"\r\n\r\na"), MARK, END),),
    ),
    Case(
        "within a chunked body",
        ((CHUNKED + b"3\r\nabc\r\n", WAIT, EOF, END),),
        ((Until(b"\r\n\r\n"), MARK, END),),
    ),
    Case("within the response", ((GET, Until(b"abc"), CLOSE),), ((Until(), BEGUN, STAY),)),
    Case(
        "in the queue",
        ((GET, WAIT, END), (WAIT, GET, CLOSE)),
        ((Until(), MARK, STAY),),
        config="    server s1 {server} maxconn 1",
        together=True,
        lines=2,
    ),
    Case("between requests", ((GET, Until(b"ok"), CLOSE),)),
]

SERVERS_GO = [
    Case("nobody listens", ((GET, END),), None),
    Case(
        "nobody listens, redispatch",
        ((GET, Until(b"ok")),),
        config="    option redispatch\n    retries 2\n    server s0 {dead}\n    server s1 {server}",
    ),
    Case("at once", ((GET, END),), ((CLOSE,),)),
    Case("at once, by reset", ((GET, END),), ((Until(), RESET),)),
    Case("after the request", ((GET, END),), ((Until(), CLOSE),)),
    Case("within the status line", ((GET, END),), ((Until(), b"HTTP/1.1 2", CLOSE),)),
    Case("within the head", ((GET, END),), ((Until(), b"HTTP/1.1 200 OK\r\nA: b\r\n", CLOSE),)),
    Case("after 100", ((GET, END),), ((Until(), b"HTTP/1.1 100 Continue\r\n\r\n", CLOSE),)),
    Case("within the body", ((GET, END),), ((Until(), BEGUN, CLOSE),)),
    Case(
        "within the body, by reset",
        ((GET, Until(b"abc"), MARK, END),),
        ((Until(), BEGUN, WAIT, RESET),),
    ),
    Case("within chunks", ((GET, END),), ((Until(), BEGUN_CHUNKS, CLOSE),)),
    Case(
        "within a body until close, by reset",
        ((GET, Until(b"abc"), MARK, END),),
        ((Until(), b"HTTP/1.1 200 OK\r\n\r\nabc", WAIT, RESET),),
    ),
    Case("bad chunks", ((GET, END),), ((Until(), BEGUN_CHUNKS + b"x\r\n", STAY),)),
    Case("no http", ((GET, END),), ((Until(), b"SSH-2.0-x\r\n", STAY),)),
    Case(
        "bad lengths",
        ((GET, END),),
        ((Until(), b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", STAY),),
    ),
    Case("too long", ((GET, END),), ((Until(), b"HTTP/1.1 200 OK\r\nA: " + b"a" * 17000, STAY),)),
    Case("101 unasked", ((GET, END),), ((Until(), b"HTTP/1.1 101 Switch\r\n\r\n", STAY),)),
    Case(
        "second request on a dead connection",
        ((GET, Until(b"ok"), GET, END),),
        ((Until(), OK, Until(), CLOSE),),
    ),
]

LATE = [
    Case("no request", ((END,),)),
    Case("no request in time", ((END,),), config=with_lines("timeout http-request 250")),
    Case("half a request", ((b"GET / HT", END),), config=with_lines("timeout http-request 250")),
    Case("half a request, client's", ((b"GET / HT", END),)),
    Case(
        "probes ignored",
        ((END,),),
        config=with_lines("timeout http-request 250", "option http-ignore-probes"),
        lines=0,
    ),
    Case(
        "probes ignored, null not logged",
        ((END,),),
        config=with_lines("timeout http-request 250", "option dontlognull"),
        lines=0,
    ),
    Case(
        "no second request",
        ((GET, Until(b"ok"), END),),
        config=with_lines("timeout http-keep-alive 250"),
    ),
    Case("no second request, client's", ((GET, Until(b"ok"), END),)),
    Case(
        "half a second request",
        ((GET, Until(b"ok"), b"GET /", END),),
        config=with_lines("timeout http-keep-alive 450", "timeout http-request 250"),
        lines=2,
    ),
    Case("no response", ((GET, END),), ((Until(), STAY),)),
    Case("no response to a body", ((THREE + b"abc", END),), ((Until(), STAY),)),
    Case("half a head", ((GET, END),), ((Until(), b"HTTP/1.1 200 OK\r\n", STAY),)),
    Case("half a body", ((GET, END),), ((Until(), BEGUN, STAY),)),
    Case(
        "tunnel",
        ((b"CONNECT a:8443 HTTP/1.1\r\nHost: a:8443\r\n\r\n", END),),
        ((Until(), b"HTTP/1.1 200 OK\r\n\r\n", END),),
        config=with_lines("timeout tunnel 250"),
    ),
    Case(
        "tunnel without its own",
        ((b"CONNECT a:8443 HTTP/1.1\r\nHost: a:8443\r\n\r\n", END),),
        ((Until(), b"HTTP/1.1 200 OK\r\n\r\n", END),),
        config=with_lines("timeout client 950"),
    ),
    Case(
        "half-closed tunnel",
        ((b"CONNECT a:8443 HTTP/1.1\r\nHost: a:8443\r\n\r\n", Until(), EOF, END),),
        ((Until(), b"HTTP/1.1 200 OK\r\n\r\n", STAY),),
        config=with_lines("timeout client-fin 250", "timeout server-fin 450"),
    ),
    Case(
        "queue",
        ((GET, END), (WAIT, GET, END)),
        ((Until(), MARK, STAY),),
        config="    timeout queue 350\n    server s1 {server} maxconn 1",
        together=True,
        lines=2,
    ),
]

RETRIES = [
    Case(
        "empty response",
        ((LAST, END),),
        ((Until(), CLOSE), (Until(), OK)),
        config=with_lines("retry-on empty-response"),
    ),
    Case(
        "empty response, by reset",
        ((LAST, END),),
        ((Until(), RESET), (Until(), OK)),
        config=with_lines("retry-on empty-response"),
    ),
    Case(
        "empty response, with a body",
        ((POST + b"Connection: close\r\nContent-Length: 3\r\n\r\nabc", END),),
        ((Until(b"abc"), CLOSE), (Until(b"abc"), OK)),
        config=with_lines("retry-on empty-response"),
    ),
    Case(
        "always empty",
        ((LAST, END),),
        ((Until(), CLOSE),),
        config=with_lines("retry-on empty-response"),
    ),
    Case(
        "status",
        ((LAST, END),),
        ((Until(), b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"), (Until(), OK)),
        config=with_lines("retry-on 503"),
    ),
    Case(
        "always the status",
        ((LAST, END),),
        ((Until(), b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n"),),
        config=with_lines("retry-on 503"),
    ),
    Case(
        "other status",
        ((LAST, END),),
        ((Until(), b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"), (Until(), OK)),
        config=with_lines("retry-on 503"),
    ),
    Case(
        "junk",
        ((LAST, END),),
        ((Until(), b"HELLO WORLD\r\n"), (Until(), OK)),
        config=with_lines("retry-on junk-response"),
    ),
    Case(
        "timeout",
        ((LAST, END),),
        ((Until(), STAY), (Until(), OK)),
        config=with_lines("retry-on response-timeout"),
    ),
    Case(
        "all",
        ((LAST, END),),
        ((Until(), CLOSE), (Until(), OK)),
        config=with_lines("retry-on all-retryable-errors"),
    ),
    Case("none", ((LAST, END),), None, config=with_lines("retry-on none")),
]

ANSWERS = [
    Case(
        "no server", ((GET, Until(b"</html>"), LAST, END),), config="", options="disabled", lines=2
    ),
    Case("no server to 1.0", ((b"GET / HTTP/1.0\r\n\r\n", END),), options="disabled"),
    Case(
        "no server to head",
        ((b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", END),),
        options="disabled",
    ),
    Case("no server, with a body to come", ((THREE + b"a", END),), options="disabled"),
    Case(
        "no server, with its body",
        ((THREE + b"abc", Until(b"</html>"), LAST, END),),
        options="disabled",
        lines=2,
    ),
    Case(
        "monitor",
        ((b"GET /up HTTP/1.1\r\nHost: a\r\n\r\n", Until(b"</html>"), LAST, END),),
        config=with_lines("monitor-uri /up"),
        lines=1,
    ),
    Case(
        "only normal ones are left out",
        ((GET, Until(b"ok"), b"GET / HTTP/9\r\n\r\n", END),),
        config=with_lines("option dontlog-normal"),
    ),
]

GROUPS = {
    "request": BAD_REQUESTS,
    "client": CLIENTS_GO,
    "server": SERVERS_GO,
    "late": LATE,
    "retry": RETRIES,
    "answer": ANSWERS,
}
CASES = [
    pytest.param(case, id=f"{group}:{case.name}".replace(" ", "-"))
    for group, cases in GROUPS.items()
    for case in cases
]


@pytest.mark.peer
@needs_haproxy
@pytest.mark.parametrize("one", CASES)
def test_fails_as_with_haproxy(io: IoEngine, one: Case) -> None:
    fight(one, io)
