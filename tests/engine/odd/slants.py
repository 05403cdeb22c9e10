"""What is usual in a case: most are plain, some lean towards one corner of HTTP/1.

Chance alone would hardly ever put together what belongs together: an upgrade needs its two fields
and a 101, `Expect` a body and an interim response, a kept HTTP/1.0 connection its field on both
sides. A slant says what is usual then; the oddities are the same everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %b\r\n\r\n"
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


@dataclass(frozen=True)
class Slant:
    """`fields` go together; `answers` are what the server mostly says; `behind` comes after a
    request, for the case that it is no longer HTTP."""

    name: str
    methods: tuple[bytes, ...] = (b"GET", b"GET", b"POST", b"POST", b"PUT", b"HEAD", b"OPTIONS")
    targets: tuple[bytes, ...] = (b"/", b"/a/b?x=1", b"/p;q", b"/%41")
    versions: tuple[bytes, ...] = (b"HTTP/1.1",)
    fields: tuple[tuple[bytes, ...], ...] = ((),)
    answers: tuple[bytes, ...] = ()
    behind: tuple[bytes, ...] = (b"",)
    body: float | None = None
    """The share of requests with a body, if not as the method has it."""
    trailers: float = 0.15


PLAIN = Slant("plain")

SLANTS = (
    Slant(
        "upgrade",
        methods=(b"GET", b"GET", b"GET", b"POST", b"HEAD", b"OPTIONS"),
        fields=(
            (b"Connection: Upgrade", b"Upgrade: websocket", KEY, b"Sec-WebSocket-Version: 13"),
            (b"Connection: Upgrade", b"Upgrade: websocket"),
            (b"Connection: keep-alive, Upgrade", b"Upgrade: foo/2, bar"),
            (b"Connection: upgrade, close", b"Upgrade: foo"),
            (b"Upgrade: foo",),
            (b"Connection: upgrade",),
        ),
        answers=(
            SWITCH % b"foo" + b"hello",
            SWITCH % b"foo",
            SWITCH.replace(b"\r\n\r\n", b"\r\n" + ACCEPT + b"\r\n\r\n") % b"websocket" + b"hello",
            SWITCH.replace(b"Connection: Upgrade\r\n", b"") % b"foo",
            SWITCH.replace(b"Upgrade: %b\r\n", b""),
            b"HTTP/1.1 426 U\r\nUpgrade: foo\r\nConnection: upgrade\r\nContent-Length: 0\r\n\r\n",
            OK,
        ),
        behind=(b"", b"", b"words"),
    ),
    Slant(
        "connect",
        methods=(b"CONNECT", b"CONNECT", b"CONNECT", b"GET"),
        targets=(b"a:80", b"a:443", b"a:80", b"[::1]:443", b"a", b"http://a:80/", b"/", b"b:80"),
        answers=(
            b"HTTP/1.1 200 OK\r\n\r\nhello",
            b"HTTP/1.1 200 OK\r\n\r\n",
            OK,
            CHUNKS,
            b"HTTP/1.1 299 Yes\r\nConnection: close\r\n\r\n",
            b"HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno",
            b"HTTP/1.0 200 OK\r\n\r\nhello",
        ),
        behind=(b"", b"", b"words"),
        body=0.05,
    ),
    Slant(
        "expect",
        methods=(b"POST", b"PUT", b"POST", b"GET"),
        versions=(b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0"),
        fields=(
            (b"Expect: 100-continue",),
            (b"expect: 100-Continue",),
            (b"Expect: 100-continue", b"Connection: close"),
            (b"Expect: x",),
        ),
        answers=(
            b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
            b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\n" + CHUNKS,
        ),
        body=0.9,
    ),
    Slant(
        "old",
        versions=(b"HTTP/1.0",),
        fields=(
            (b"Connection: keep-alive",),
            (b"Connection: Keep-Alive", b"Keep-Alive: 30"),
            (b"Connection: close",),
            (),
        ),
        answers=(
            b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok",
            b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
            b"HTTP/1.0 200 OK\r\n\r\nok",
            b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            CHUNKS,
            OK,
        ),
    ),
    Slant(
        "absolute",
        methods=(b"GET", b"GET", b"POST", b"OPTIONS", b"HEAD"),
        targets=(
            b"http://a/", b"http://a", b"http://a:80/x?y", b"HTTP://a/", b"http://a?q", b"http://b/",
            b"https://a/x", b"https://a:443/", b"http://A/", b"*", b"ws://a/", b"http://a:81/",
        ),
    ),
    Slant(
        "interim",
        answers=(
            b"HTTP/1.1 103 Early Hints\r\nLink: </s.css>\r\n\r\n" + OK,
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" + CHUNKS,
            b"HTTP/1.1 199 X\r\nX-Y: z\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
            b"HTTP/1.0 100 Continue\r\n\r\n" + OK,
            b"HTTP/1.1 103 E\r\nContent-Length: 5\r\n\r\n" + OK,
        ),
    ),
    Slant("trailers", methods=(b"POST", b"PUT"), body=1.0, trailers=0.7),
)  # fmt: skip
