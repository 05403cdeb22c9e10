"""Requests and responses that are odd where fetches look."""

from __future__ import annotations

HEADS: tuple[bytes, ...] = (
    b"Host: Www.Example.COM:8080\r\nX-A: one, two ,three\r\nX-A: four\r\nX-N: 12ab\r\n"
    b"Cookie: s1=v1; S1=big; s1=again;e=; n=5\r\nX-U: a%20b+c\r\nX-Q: \"a,b\",c\r\n",
    b"Host: h\r\nX-N: -7\r\nX-IP: 10.1.2.3:80\r\nX-E: \r\nX-J: a\"b\\c\xc3\xa9\r\nX-L: ,,a,,b,\r\n",
    b"X-N: ab\r\nX-IP: [::1]\r\nX-B64: Zm9vYmE=\r\nX-Hex: 0x1F\r\nX-Bin: \x80\xff\xfe\r\n"
    b"Host: 1:0\r\n",
    b"Host: a:b\r\nX-Big: 99999999999999999999\r\nX-N: 0x10\r\nCookie: n=12; n=x\r\n"
    b"Cookie: q=\"z y\"\r\n",
    b"Host: [::1]:80\r\nX-N: +3\r\nX-IP: ::1\r\nX-A: \r\nX-D: Sat, 10 May 2025 10:00:00 GMT\r\n",
    b"Host: h\r\nX-N:   5  \r\nX-IP: 10.1.2.256\r\nX-A: ,\r\nX-U: %zz%4\r\nX-Hex: ff\r\n"
    b"X-Q: \"a\\\"b,c\",d\r\n",
)  # fmt: skip
URIS: tuple[bytes, ...] = (
    b"/a/b?q=1&r=a%20b&q=2;z=9&e=&flag", b"/", b"/?", b"/x?q", b"/%41//b/?e=1&Q=3", b"/a;p=1?q=%zz",
)  # fmt: skip
BODIES: tuple[bytes, ...] = (
    b"", b"p1=v1&q=v%202&p3&s1=x", b"\x02\x01\xff", b"12", b"abc", b"n=1&n=2",
)  # fmt: skip

RESPONSES: tuple[bytes, ...] = (
    b"207 Weird Reason\r\nX-A: r1, r2\r\nX-A: r3\r\nX-N: 12ab\r\n"
    b"Set-Cookie: s1=1; path=/; HttpOnly\r\nSet-Cookie: n=2\r\n"
    b"X-D: Wed, 01 Jan 2025 01:02:03 GMT, x\r\n",
    b"404\r\nX-N: -7\r\nX-IP: 10.1.2.3:80\r\nX-E: \r\nX-L: ,,a,,b,\r\nConnection: keep-alive\r\n",
    b"500 \r\nX-N: ab\r\nX-IP: ::1\r\nX-B64: Zm9vYmE=\r\nX-Hex: ff\r\nX-Bin: \x80\xff\xfe\r\n"
    b"Set-Cookie: s1\r\nSet-Cookie: =x\r\n",
)  # fmt: skip


def response(index: int) -> bytes:
    return b"HTTP/1.1 " + RESPONSES[index % len(RESPONSES)] + b"Content-Length: 2\r\n\r\nok"


def request(index: int, group: int) -> bytes:
    """The request of that number, to one group of questions."""
    head, uri, body = (pool[index % len(pool)] for pool in (HEADS, URIS, BODIES))
    return (
        b"POST %s HTTP/1.1\r\n" % uri + head + b"X-Group: %d\r\n" % group
        + b"X-Number: %d\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % (index, len(body))
        + body
    )  # fmt: skip
