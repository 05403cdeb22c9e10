"""`cookie` and `capture cookie`, beside HAProxy: what servers and clients get, and the log."""

from __future__ import annotations

import re
import time
from dataclasses import replace

import pytest

from telamon.engine import IoEngine
from tests.engine.duel import (
    END,
    EOF,
    Case,
    Outcome,
    Script,
    Until,
    fight,
    needs_haproxy,
    ours,
    theirs,
)

HEAD = b" / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
SERVERS = (
    "    server s1 {server} cookie A\n"
    "    server s2 {server} cookie B\n"
    "    server s3 {dead} cookie C disabled\n"
    "    server s4 {server} weight 0"
)
DIGITS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def case(
    name: str, words: str, cookie: bytes = b"", sets: bytes = b"", *,
    method: bytes = b"GET", status: bytes = b"200 OK", servers: str = SERVERS,
) -> Case:  # fmt: skip
    """A `Cookie` line and the server's lines; `words` follow `cookie`, more lines if several."""
    line = b"Cookie: " + cookie + b"\r\n" if cookie else b""
    length = b"Content-Length: 0\r\n" if method == b"POST" else b""
    client: Script = (method + HEAD + length + line + b"\r\n", END)
    answer = b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n" + sets + b"\r\nok"
    config = f"    {words}\n{servers}"
    return Case(name, (client,), ((Until(), answer, EOF),), config=config)


def setting(value: bytes) -> bytes:
    return b"Set-Cookie: " + value + b"\r\n"


INSERT = "cookie SRV insert"
HIDDEN = "cookie SRV insert indirect nocache"
CAPTURE = "capture cookie SRV= len 12"

CASES = [
    case("insert", INSERT),
    case("insert, valid", INSERT, b"SRV=B"),
    case("insert, unknown", INSERT, b"SRV=X"),
    case("insert, empty", INSERT, b"SRV="),
    case("insert, down", INSERT, b"SRV=C"),
    case("insert, other case", INSERT, b"srv=B"),
    case("insert, twice", INSERT, b"SRV=B; SRV=A"),
    case("insert, unknown then valid", INSERT, b"SRV=X; SRV=B"),
    case("insert, server sets", INSERT, b"SRV=B", setting(b"SRV=own; path=/x")),
    case("insert, server sets another", INSERT, b"", setting(b"OTHER=1") + setting(b"SRV=2")),
    case("preserve", INSERT + " preserve", b"", setting(b"SRV=; path=/")),
    case("indirect", HIDDEN, b"a=1; SRV=B; b=2"),
    case("indirect, first", HIDDEN, b"SRV=B;  b=2"),
    case("indirect, last", HIDDEN, b"a=1 ; SRV=B"),
    case("indirect, alone", HIDDEN, b"SRV=B"),
    case("indirect, tight", HIDDEN, b"a=1;SRV=B;b=2;c=3"),
    case("indirect, quoted", HIDDEN, b'a="x; SRV=A"; SRV=B'),
    case("nocache", HIDDEN),
    case("nocache, 500", HIDDEN, status=b"500 No"),
    case("nocache, private", HIDDEN, sets=b"Cache-Control: private\r\n"),
    case("nocache, max-age", HIDDEN, sets=b"Cache-Control: max-age=9, public\r\n"),
    case("nocache, pragma", HIDDEN, sets=b"Pragma: no-cache\r\n"),
    case("nocache, post", HIDDEN, method=b"POST"),
    case("postonly, get", INSERT + " postonly"),
    case("postonly, post", INSERT + " postonly", method=b"POST"),
    case("attributes", INSERT + " httponly secure domain .a.b domain c.d attr X=1 attr Y"),
    case("rewrite", "cookie SRV rewrite", b"SRV=B", setting(b"SRV=own; path=/")),
    case("rewrite, not set", "cookie SRV rewrite", b"SRV=X"),
    case("nocache, etag", HIDDEN, sets=b'ETag: "x"\r\n'),
    case("nocache, etag, post", HIDDEN, sets=b'ETag: "x"\r\n', method=b"POST"),
    case("nocache, etag, 500", HIDDEN, sets=b'ETag: "x"\r\n', status=b"500 No"),
    case("nocache, expires", HIDDEN, sets=b"Expires: 0\r\n"),
    case("prefix", "cookie SRV prefix", b"a=1; SRV=B~own; b=2", setting(b"SRV=own; path=/")),
    case("prefix, bare", "cookie SRV prefix", b"SRV=own", setting(b"SRV = own")),
    case("prefix, not set", "cookie SRV prefix", b"SRV=B~"),
    case("passive", "cookie SRV", b"SRV=B", setting(b"SRV=own")),
    case("passive, unknown", "cookie SRV", b"SRV=X"),
    case("persist", "option persist\n    cookie SRV insert", b"SRV=B"),
    case("no cookie of its own", INSERT, servers="    server s1 {server}"),
    case("use-server", INSERT + "\n    use-server s1 if TRUE", b"SRV=B"),
    case("redispatched", INSERT + "\n    option redispatch 1", b"SRV=D",
         servers="    server s1 {server} cookie A\n    server s2 {dead} cookie D"),
    case("down, persist", "option persist\n    no option redispatch\n    " + INSERT, b"SRV=C"),
    case("denied", INSERT + "\n    http-request deny", b"SRV=X"),
    case("response rules", INSERT + "\n    http-response set-header X-Set %[res.cook(SRV)]\n"
         "    http-after-response set-header X-Then %[res.cook(SRV)]"),
    case("captured", CAPTURE, b"a=1; SRV=1234567890; SRV=2", setting(b"SRV=own; path=/")),
    case("captured, prefix", "capture cookie SR len 50", b'a=1; SRV="x y"', setting(b"SRX=1, 2")),
    case("captured, not there", CAPTURE, b"XSRV=1", setting(b"SRVX=1")),
    case("two lines", HIDDEN, b"a=1\r\nCookie: SRV=B\r\nCookie: c=3; SRV=A"),
]  # fmt: skip


@needs_haproxy
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_cookies(io: IoEngine, case: Case) -> None:
    fight(case, io)


def day(seconds: float) -> bytes:
    """A date as cookies have it: steps of 4 seconds, five digits of 6 bits."""
    steps = int(seconds) >> 2
    return bytes(DIGITS[steps >> shift & 63] for shift in (24, 18, 12, 6, 0))


NOW = time.time()
RECENT, LONG_AGO, FUTURE = day(NOW - 30), day(NOW - 9000), day(NOW + 100_000)
BOTH = INSERT + " indirect maxidle 5m maxlife 1h"
DATED = [
    case("dates, none", BOTH),
    case("dates, bare value", BOTH, b"SRV=B"),
    case("dates, fresh", BOTH, b"SRV=B|" + RECENT + b"|" + RECENT),
    case("dates, idle", BOTH, b"SRV=B|" + LONG_AGO + b"|" + RECENT),
    case("dates, old", BOTH, b"SRV=B|" + RECENT + b"|" + LONG_AGO),
    case("dates, future", BOTH, b"SRV=B|" + FUTURE + b"|" + RECENT),
    case("dates, future first", BOTH, b"SRV=B|" + RECENT + b"|" + FUTURE),
    case("dates, broken", BOTH, b"SRV=B|zz|-----"),
    case("dates, unasked", INSERT, b"SRV=B|" + RECENT + b"|" + RECENT),
    case("maxidle alone", INSERT + " maxidle 5m", b"SRV=B|" + RECENT + b"|" + RECENT),
    case("maxlife alone", INSERT + " maxlife 1h", b"SRV=B|" + LONG_AGO),
]


def undated(outcome: Outcome) -> Outcome:
    """With the last visit, which is now, left out."""

    def blank(text: bytes) -> bytes:
        fresh = re.sub(rb"(set-cookie: SRV=\w)\|.{5}", rb"\1|.....", text)
        return fresh if RECENT in fresh else re.sub(rb"(\|\.{5}\|).{5}", rb"\1.....", fresh)

    return replace(outcome, clients=[(blank(got), end) for got, end in outcome.clients])


@needs_haproxy
@pytest.mark.parametrize("case", DATED, ids=[case.name for case in DATED])
def test_dates(io: IoEngine, case: Case) -> None:
    assert undated(ours(case, io)) == undated(theirs(case))
