"""Content rules in mode tcp: what is withheld, what is refused, and what the log says of it."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl

import pytest

from telamon.engine import IoEngine
from tests.engine.duel import (
    CLOSE,
    END,
    EOF,
    LAST,
    NAP,
    OK,
    RESET,
    STAY,
    Case,
    Outcome,
    Pour,
    Stage,
    Until,
    fight,
    needs_haproxy,
    ours,
    running_text,
)
from tests.engine.rig import PATIENCE, until

pytestmark = needs_haproxy

TCP = "    mode tcp\n    option tcplog\n"
HELLO = (Until(b"hello"), b"welcome", Until(b"bye"), END)


def rules(*lines: str, tail: str = "") -> str:
    text = "".join(f"    {line}\n" for line in lines).replace("{", "{{").replace("}", "}}")
    return f"{TCP}{text}    server s1 {{server}}{tail}"


CASES = [
    Case("accept", ((b"hello", Until(b"welcome"), b"bye", EOF, END),), (HELLO,),
         rules("tcp-request content accept")),
    Case("reject", ((END,),), (HELLO,), rules("tcp-request content reject")),
    Case("reject by source", ((END,),), (HELLO,),
         rules("tcp-request inspect-delay 300ms",
               "tcp-request content reject if { src 127.0.0.1 }")),
    Case("response rejected", ((END,),), ((END,),),
         rules("tcp-response inspect-delay 300ms", "tcp-response content reject if WAIT_END")),
    Case("response closed", ((END,),), ((END,),),
         rules("tcp-response inspect-delay 300ms", "tcp-response content close if WAIT_END")),
    Case("response accepted", ((b"hello", Until(b"welcome"), b"bye", EOF, END),), (HELLO,),
         rules("tcp-response inspect-delay 300ms", "tcp-response content accept")),
    Case("use-server", ((b"hello", Until(b"welcome"), b"bye", EOF, END),), (HELLO,),
         rules("use-server s2 if { src 127.0.0.1 }", tail="\n    server s2 {server}")),
    Case("silent drop", ((b"hello", NAP, NAP),), (HELLO,),
         rules("tcp-request content silent-drop")),
]  # fmt: skip


def hello(name: str) -> bytes:
    """A TLS ClientHello that asks for this name."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    return outgoing.read()


SNI = ("tcp-request inspect-delay 2s", "tcp-request content accept if { req.ssl_hello_type 1 }",
       "use_backend two if { req.ssl_sni -i b.example }")  # fmt: skip
TWO = "\nbackend two\n    mode tcp\n    server t1 {server}"
OWN = (
    "\nbackend two\n    mode tcp\n    tcp-request inspect-delay 2s\n"
    "    tcp-request content accept if {{ req.len gt 3 }}\n    server t1 {server}"
)
TALK = (NAP, b"hi", END)
LONG = ("tcp-request inspect-delay 2s", "tcp-request content accept if { req.len gt 3 }",
        "tcp-request content reject")  # fmt: skip
SHORT = ("tcp-request inspect-delay 400ms", *LONG[1:])
WAITS = [
    Case("bytes come", ((b"ab", NAP, b"cde", Until(b"hi"), EOF, END),), ((Until(b"abcde"), b"hi"),),
         rules(*LONG)),
    Case("bytes do not come", ((b"ab", END),), (TALK,), rules(*SHORT)),
    Case("bytes end", ((b"ab", EOF, END),), (TALK,), rules(*LONG)),
    Case("nothing comes", ((END,),), (TALK,), rules(*SHORT)),
    Case("gone without a word", ((CLOSE,),), (TALK,), rules(*LONG)),
    Case("silence, and then an accept", ((Until(b"hi"), EOF, END),), (TALK,),
         rules("tcp-request inspect-delay 400ms", "tcp-request content accept if WAIT_END")),
    Case("ends while an accept waits", ((b"ab", EOF, END),), ((Until(b"ab"), b"hi", END),),
         rules("tcp-request inspect-delay 400ms", "tcp-request content accept if WAIT_END")),
    Case("longer than the client may be silent", ((END,),), (TALK,),
         rules("tcp-request inspect-delay 5s", *LONG[1:])),
    Case("reset", ((b"ab", NAP, RESET),), (TALK,), rules(*LONG)),
    Case("a full buffer", ((Pour(40000), Until(b"hi"), EOF, END),), (TALK,),
         rules("tcp-request inspect-delay 2s", "tcp-request content accept if { req.len gt 90000 }",
               "tcp-request content reject if { req.len lt 9000 }")),
    Case("by name", ((hello("b.example"), Until(b"hi"), EOF, END),), (TALK,),
         rules(*SNI, tail=TWO)),
    Case("by another name", ((hello("c.example"), Until(b"hi"), EOF, END),), (TALK,),
         rules(*SNI, tail=TWO)),
    Case("by name, in pieces",
         ((hello("b.example")[:90], NAP, hello("b.example")[90:], Until(b"hi"), EOF, END),),
         (TALK,), rules(*SNI, tail=TWO)),
    Case("server by name", ((hello("b.example"), Until(b"hi"), EOF, END),), (TALK,),
         rules(*SNI[:2], "use-server s2 if { req.ssl_sni -i b.example }",
               tail="\n    server s2 {server}")),
    Case("the backend's own", ((b"ab", NAP, b"cde", Until(b"hi"), EOF, END),), (TALK,),
         rules("use_backend two", tail=OWN)),
    Case("response in time", ((b"ab", Until(b"welcome"), EOF, END),), ((Until(b"ab"), b"welcome"),),
         rules("tcp-response inspect-delay 2s", "tcp-response content accept if { res.len gt 3 }",
               "tcp-response content reject")),
    Case("response too late", ((b"ab", END),), ((Until(b"ab"), b"we", STAY),),
         rules("tcp-response inspect-delay 400ms",
               "tcp-response content accept if { res.len gt 3 }", "tcp-response content reject")),
    Case("response refused", ((b"ab", END),), ((Until(b"ab"), b"welcome", STAY),),
         rules("tcp-response inspect-delay 2s", "tcp-response content reject if { res.len gt 3 }")),
    Case("response ends", ((b"ab", END),), ((Until(b"ab"), b"we", CLOSE),),
         rules("tcp-response inspect-delay 2s", "tcp-response content reject if { res.len gt 3 }")),
]  # fmt: skip

EMPTY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
HTTP = [
    Case("waits for time", ((LAST, END),),
         config="    tcp-request inspect-delay 400ms\n    tcp-request content accept if WAIT_END\n"
         "    server s1 {server}"),
    Case("refused", ((LAST, END),),
         config="    tcp-request content reject if {{ path /last }}\n    server s1 {server}"),
    Case("response refused in time", ((LAST, END),), ((Until(), EMPTY),),
         config="    tcp-response inspect-delay 1s\n"
         "    tcp-response content reject if {{ status 200 }}\n    server s1 {server}"),
    Case("response refused", ((LAST, END),),
         config="    tcp-response content reject if {{ status 200 }}\n    server s1 {server}"),
    Case("response closes", ((LAST, END),),
         config="    tcp-response content close if {{ status 200 }}\n    server s1 {server}"),
]  # fmt: skip


SAYS = ((Until(), OK, CLOSE),)
PROXY = b"PROXY TCP4 192.0.2.7 198.51.100.9 40000 443\r\n"
NAMED = "{ src 192.0.2.7 }"


def announced(name: str, mode: str, *lines: str) -> Case:
    """A client whose address stands in a PROXY header."""
    words = f"    mode {mode}\n" + "".join(f"    {line}\n" for line in lines)
    words = words.replace("{", "{{").replace("}", "}}") + "    server s1 {server}"
    return Case(name, ((PROXY + LAST, END),), SAYS, words, bind="accept-proxy")


ANNOUNCED = [
    announced("connection", "tcp", f"tcp-request connection reject if {NAMED}", "option tcplog"),
    announced("session of another", "tcp", "tcp-request session reject if { src 127.0.0.1 }",
              "option tcplog"),
    announced("content", "tcp", f"tcp-request content reject if {NAMED}", "option tcplog"),
    announced("content that waits", "tcp", "tcp-request inspect-delay 2s",
              f"tcp-request content accept if {{ req.len gt 9 }} {NAMED}",
              "tcp-request content reject", "option tcplog"),
    announced("content, http", "http", f"tcp-request content reject if {NAMED}"),
    announced("request", "http", "http-request set-header x-ends %[src],%[fc_src],%[dst_port]"),
]  # fmt: skip


@pytest.mark.parametrize("case", ANNOUNCED, ids=[case.name for case in ANNOUNCED])
def test_rules_behind_a_proxy_header(io: IoEngine, case: Case) -> None:
    fight(case, io)


ASKS = (LAST[:30], NAP, LAST[30:], Until(b"ok"), END)
BY_HOST = ("tcp-request inspect-delay 2s", "tcp-request content accept if { hdr(host) a }",
           "tcp-request content reject")  # fmt: skip
SPOKEN = [
    Case("by a header", (ASKS,), SAYS, rules(*BY_HOST)),
    Case("by another header", ((*ASKS[:3], END),), SAYS,
         rules(BY_HOST[0], "tcp-request content accept if { hdr(host) b }", BY_HOST[2])),
    Case("no HTTP", ((b"\x16\x03", END),), SAYS, rules(*BY_HOST)),
    Case("accept if HTTP", (ASKS,), SAYS,
         rules(BY_HOST[0], "tcp-request content accept if HTTP", BY_HOST[2])),
    Case("a backend by a header", (ASKS,), SAYS,
         rules(BY_HOST[0], "tcp-request content accept if HTTP",
               "use_backend two if { hdr(host) a } { path /last }", tail=TWO)),
]  # fmt: skip


@pytest.mark.parametrize("case", SPOKEN, ids=[case.name for case in SPOKEN])
def test_http_in_mode_tcp(io: IoEngine, case: Case) -> None:
    fight(case, io)


@pytest.mark.parametrize("case", WAITS, ids=[case.name for case in WAITS])
def test_what_waits(io: IoEngine, case: Case) -> None:
    fight(case, io)


@pytest.mark.parametrize("case", HTTP, ids=[case.name for case in HTTP])
def test_in_mode_http(io: IoEngine, case: Case) -> None:
    fight(case, io)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_as_haproxy_does(io: IoEngine, case: Case) -> None:
    fight(case, io)


DROPS = [
    ("tcp", "tcp-request connection silent-drop"),
    ("tcp", "tcp-request content silent-drop"),
    ("http", "http-request silent-drop"),
]


@pytest.mark.skipif(os.geteuid() != 0, reason="a quiet end needs CAP_NET_ADMIN")
@pytest.mark.parametrize(("mode", "rule"), DROPS, ids=[rule for _, rule in DROPS])
def test_a_silent_drop_says_nothing(io: IoEngine, mode: str, rule: str) -> None:
    words = f"    mode {mode}\n    {rule}\n    server s1 {{server}}"
    stage = Stage(Case("drop", (), (), words, lines=0))
    with running_text(stage, io) as engine, socket.socket() as client:
        client.settimeout(PATIENCE)
        client.connect(("127.0.0.1", stage.front.port))
        if mode == "http":
            client.sendall(LAST)
        until(lambda: engine.snapshot().proxies[1].frontend["stot"] == 1)  # type: ignore[index]
        until(lambda: engine.active() == 0, "the engine has forgotten it")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(1)
    stage.over.set()
    stage.close(Outcome())


@pytest.mark.parametrize("mode", ["tcp", "http"])
def test_a_session_that_is_refused_behind_a_proxy_header(io: IoEngine, mode: str) -> None:
    """HAProxy writes a line of its own about it; we count it."""
    words = f"    mode {mode}\n    tcp-request session reject if {{{{ src 192.0.2.7 }}}}\n"
    case = Case("refused", ((PROXY, END),), SAYS, words + "    server s1 {server}", lines=0,
                bind="accept-proxy")  # fmt: skip
    outcome = ours(case, io)
    assert (outcome.clients, outcome.servers, outcome.log) == ([(b"", "closed")], [], [])
