"""What goes through `mode http`, beside HAProxy: heads, bodies, statuses, connections."""

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
    WAIT,
    Case,
    Pour,
    Script,
    Until,
    fight,
    needs_haproxy,
)

POST = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
SERVED: tuple[Script, ...] = ((Until(), OK, Until(), OK, Until(), OK),)


def said(answer: bytes, request: bytes = LAST) -> dict[str, object]:
    """A request that gets this answer, whereupon the server closes."""
    return {"clients": ((request, END),), "servers": ((Until(), answer, EOF),)}


def heads(request: bytes) -> dict[str, object]:
    return {"clients": ((request, END),), "servers": ((Until(), OK),)}


def case(name: str, parts: dict[str, object], **more: object) -> Case:
    return Case(name, **{**parts, **more})  # type: ignore[arg-type]


HEADS = [
    case("plain", heads(LAST)),
    case("empty lines first", heads(b"\r\n\r\n" + LAST)),
    case("bare line feeds", heads(LAST.replace(b"\r\n", b"\n"))),
    case(
        "absolute form", heads(b"GET http://a/x?y HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    ),
    case(
        "odd fields",
        heads(
            b"GET /a%20b?c=d HTTP/1.1\r\nhOST: a\r\nX-Empty:\r\nX-Tab:\ta\t\r\nX-Twice: 1\r\n"
            b"X-Twice: 2\r\nCookie: a=b; c\r\nConnection: close\r\n\r\n"
        ),
    ),
    case(
        "hop by hop",
        heads(
            b"GET / HTTP/1.1\r\nHost: a\r\nKeep-Alive: 5\r\nProxy-Connection: keep-alive\r\n"
            b"TE: trailers\r\nX-A: 1\r\nConnection: X-A, close, TE\r\n\r\n"
        ),
    ),
    case("default port", heads(LAST.replace(b"/last", b"http://a:80/").replace(b": a", b": a:80"))),
    case("other port", heads(LAST.replace(b"/last", b"http://a:81/").replace(b": a", b": a:81"))),
    case("options star", heads(b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")),
    case("unknown method", heads(b"BREW /pot HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")),
    case("http/1.0", heads(b"GET / HTTP/1.0\r\n\r\n")),
    case("http/1.0 kept", heads(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")),
    case("forwardfor", heads(LAST), config="    option forwardfor\n    server s1 {server}"),
    case(
        "forwardfor if none",
        heads(LAST.replace(b"Host", b"X-Forwarded-For: 1.2.3.4\r\nHost")),
        config="    option forwardfor if-none\n    server s1 {server}",
    ),
    case(
        "forwardfor beside another",
        heads(LAST.replace(b"Host", b"X-Forwarded-For: 1.2.3.4\r\nHost")),
        config="    option forwardfor header X-Client\n    option originalto\n"
        "    server s1 {server}",
    ),
    case(
        "send name",
        heads(LAST),
        config="    http-send-name-header X-Server\n    server s1 {server}",
    ),
    case("head in pieces", {"clients": ((LAST[:5], LAST[5:30], LAST[30:], END),)}),
    case("send-proxy", heads(LAST), options="send-proxy", servers=((Until(b"close\r\n\r\n"), OK),)),
]

RESPONSES = [
    case("length", said(OK)),
    case("nothing", said(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")),
    case("until close", said(b"HTTP/1.1 200 OK\r\n\r\nabc")),
    case("until close, kept", said(b"HTTP/1.1 200 OK\r\n\r\nabc", GET)),
    case("1.0 until close", said(b"HTTP/1.0 200 OK\r\n\r\nabc", GET)),
    case("1.0 length", said(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc")),
    case("no reason", said(b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n")),
    case("odd status", said(b"HTTP/1.1 799 Strange\r\nContent-Length: 0\r\n\r\n")),
    case("204", said(b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n")),
    case("304", said(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 70\r\n\r\n")),
    case("205", said(b"HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n")),
    case(
        "head",
        said(
            b"HTTP/1.1 200 OK\r\nContent-Length: 70\r\n\r\n",
            b"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        ),
    ),
    case(
        "chunked",
        said(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
    ),
    case(
        "chunked to 1.0",
        said(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            b"GET / HTTP/1.0\r\n\r\n",
        ),
    ),
    case(
        "extensions and trailers",
        said(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n"
            b"3;a=b\r\nabc\r\n0;last\r\nX-T: 1\r\n\r\n"
        ),
    ),
    case(
        "length and chunked",
        said(
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"3\r\nabc\r\n0\r\n\r\n"
        ),
    ),
    case("equal lengths", said(b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok")),
    case("100 first", said(b"HTTP/1.1 100 Continue\r\n\r\n" + OK)),
    case("103 twice", said(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 2 + OK)),
    case(
        "fields",
        said(
            b"HTTP/1.1 200 Fine So\r\nX-B: 1\r\nSet-Cookie: a\r\nset-cookie: b\r\n"
            b"Content-Length: 0\r\n\r\n"
        ),
    ),
    case(
        "connection options",
        said(
            b"HTTP/1.1 200 OK\r\nConnection: X-B, keep-alive\r\nX-B: 1\r\nContent-Length: 0\r\n\r\n"
        ),
    ),
    case("more than its length", said(OK + b"surplus")),
    case(
        "in pieces", {"clients": ((LAST, END),), "servers": ((Until(), OK[:9], OK[9:30], OK[30:]),)}
    ),
]

BODIES = [
    case(
        "small post",
        {
            "clients": ((POST + b"Content-Length: 3\r\n\r\nabc", END),),
            "servers": ((Until(b"abc"), OK),),
        },
    ),
    case(
        "expect",
        {
            "clients": (
                (POST + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n", Until(), b"abc", END),
            ),
            "servers": ((Until(), b"HTTP/1.1 100 Continue\r\n\r\n", Until(b"abc"), OK),),
        },
    ),
    case(
        "chunked post",
        {
            "clients": ((CHUNKED + b"3;x=", b"y\r\nabc\r\n0\r\nX-T: 1\r\n\r\n", END),),
            "servers": ((Until(b": 1\r\n\r\n"), OK),),
        },
    ),
    case("half-closed", {"clients": ((LAST, EOF, END),)}),
    case(
        "half-closed with a body",
        {
            "clients": ((POST + b"Content-Length: 3\r\n\r\nabc", EOF, END),),
            "servers": ((Until(b"abc"), OK),),
        },
    ),
    case(
        "large post",
        {
            "clients": ((POST + b"Content-Length: 300007\r\n\r\n", Pour(300000), b"THE END", END),),
            "servers": ((Until(), Until(b"THE END"), OK),),
        },
    ),
    case(
        "large download",
        {
            "clients": ((LAST, END),),
            "servers": (
                (Until(), b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n", Pour(3000000)),
            ),
        },
    ),
    case(
        "answer before the body",
        {
            "clients": ((POST + b"Content-Length: 6\r\n\r\nabc", Until(b"ok"), MARK, b"def", END),),
            "servers": ((Until(b"abc"), OK, WAIT, Until(b"def")),),
        },
    ),
]

CONNECTIONS = [
    case(
        "three on one",
        {"clients": ((GET, Until(b"ok"), GET, Until(b"ok"), LAST, END),), "servers": SERVED},
        lines=3,
    ),
    case("pipelined", {"clients": ((GET + GET + LAST, END),), "servers": SERVED}, lines=3),
    case(
        "pipelined bodies",
        {
            "clients": (
                (
                    b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
                    + POST
                    + b"Content-Length: 3\r\n\r\ndef",
                    END,
                ),
            ),
            "servers": ((Until(b"abc"), OK, Until(b"def"), OK),),
        },
        lines=2,
    ),
    case(
        "server close",
        {"clients": ((GET, Until(b"ok"), LAST, END),), "servers": ((Until(), OK),)},
        config="    option http-server-close\n    server s1 {server}",
        lines=2,
    ),
    case(
        "close",
        {"clients": ((GET + GET, END),), "servers": ((Until(), OK),)},
        config="    option httpclose\n    server s1 {server}",
    ),
    case(
        "pretend keep-alive",
        {"clients": ((GET, Until(b"ok"), LAST, END),), "servers": ((Until(), OK),)},
        config="    option http-server-close\n    option http-pretend-keepalive\n"
        "    server s1 {server}",
        lines=2,
    ),
    case(
        "server says close",
        {
            "clients": ((GET, Until(b"ok"), LAST, END),),
            "servers": (
                (Until(), OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"), CLOSE),
                (Until(), OK),
            ),
        },
        lines=2,
    ),
    case(
        "never reuse",
        {"clients": ((GET, Until(b"ok"), LAST, END), (LAST, END)), "servers": SERVED},
        config="    http-reuse never\n    server s1 {server}",
        lines=3,
    ),
    case(
        "safe reuse",
        {
            "clients": ((GET, Until(b"ok"), LAST, END), (LAST, END)),
            "servers": SERVED,
        },
        lines=3,
    ),
    case(
        "always reuse",
        {"clients": ((LAST, END), (LAST, END)), "servers": SERVED},
        config="    http-reuse always\n    server s1 {server}",
        lines=2,
    ),
    case(
        "1.0 kept alive",
        {
            "clients": (
                (
                    b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
                    Until(b"ok"),
                    b"GET / HTTP/1.0\r\n\r\n",
                    END,
                ),
            ),
            "servers": SERVED,
        },
        lines=2,
    ),
    case(
        "logged early",
        {"clients": ((GET, Until(b"ok"), LAST, END),), "servers": SERVED},
        config="    option logasap\n    server s1 {server}",
        lines=2,
    ),
    case(
        "websocket",
        {
            "clients": (
                (
                    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                    Until(),
                    b"ping",
                    Until(b"pong"),
                    EOF,
                    END,
                ),
            ),
            "servers": (
                (
                    Until(),
                    b"HTTP/1.1 101 Switching Protocols\r\n"
                    b"Connection: upgrade\r\nUpgrade: websocket\r\n"
                    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
                    Until(b"ping"),
                    b"pong",
                    END,
                ),
            ),
        },
    ),
    case(
        "upgrade refused",
        {
            "clients": (
                (
                    b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n",
                    Until(b"ok"),
                    LAST,
                    END,
                ),
            ),
            "servers": SERVED,
        },
        lines=2,
    ),
    case(
        "connect",
        {
            "clients": (
                (
                    b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
                    Until(),
                    b"ping",
                    Until(b"pong"),
                    EOF,
                    END,
                ),
            ),
            "servers": ((Until(), b"HTTP/1.1 200 OK\r\n\r\n", Until(b"ping"), b"pong", END),),
        },
    ),
    case(
        "connect refused",
        {
            "clients": (
                (b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", Until(b"no"), LAST, END),
            ),
            "servers": ((Until(), b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", Until(), OK),),
        },
        lines=2,
    ),
]

CASES = HEADS + RESPONSES + BODIES + CONNECTIONS


@pytest.mark.peer
@needs_haproxy
@pytest.mark.parametrize("one", CASES, ids=lambda one: one.name.replace(" ", "-"))
def test_goes_through_as_with_haproxy(io: IoEngine, one: Case) -> None:
    fight(one, io)
