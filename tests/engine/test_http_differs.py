"""Where `mode http` does on purpose other than HAProxy 2.6 (docs/compatibility.md says why)."""

from __future__ import annotations

import pytest

from telamon.engine import IoEngine
from tests.engine.duel import CLOSE, END, GET, MARK, OK, RESET, STAY, WAIT, Case, Until, ours

POST = b"POST / HTTP/1.1\r\nHost: a\r\n"
THREE = POST + b"Content-Length: 3\r\n\r\n"
BOTH = POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
BEGUN = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"
CLOSING = OK.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n")

CASES = [
    (Case("length and chunks", ((BOTH, END),)), 400, "PR"),
    (
        Case("reset while the server thinks", ((GET, WAIT, RESET),), ((Until(), MARK, STAY),)),
        -1,
        "CH",
    ),
    (
        Case("reset in the response", ((GET, Until(b"abc"), RESET),), ((Until(), BEGUN, STAY),)),
        200,
        "CD",
    ),
    (
        Case(
            "gone in the queue, abortonclose",
            ((GET, WAIT, END), (WAIT, GET, CLOSE)),
            ((Until(), MARK, STAY),),
            config="    option abortonclose\n    server s1 {server} maxconn 1",
            together=True,
            lines=2,
        ),
        503,
        "CQ",
    ),
    (Case("no body", ((THREE + b"a", END),), ((Until(), END),)), 408, "cH"),
    (
        Case("no body, answered", ((THREE + b"a", END),), ((Until(b"\r\n\r\na"), BEGUN, END),)),
        200,
        "cD",
    ),
    (
        Case(
            "an answer, then gone, while the body comes",
            ((THREE + b"a", Until(b"ok"), END),),
            ((Until(b"\r\n\r\na"), CLOSING, CLOSE),),
        ),
        200,
        "cD",
    ),
]


@pytest.mark.parametrize("case,status,end", CASES, ids=[row[0].name for row in CASES])
def test_differs(io: IoEngine, case: Case, status: int, end: str) -> None:
    outcome = ours(case, io)
    words = outcome.log[0].split()
    assert (int(words[5]), words[9][:2]) == (status, end), outcome.log
    if status > 0 and end[0] != "C":
        assert outcome.clients[0][0].startswith(b"HTTP/1.1 %d " % status)
        assert outcome.clients[0][1] == "closed"
