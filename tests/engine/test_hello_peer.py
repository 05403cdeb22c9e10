"""First bytes of a stream in mode tcp: content rules and logs see what HAProxy's see."""

from __future__ import annotations

import ssl

import pytest

from telamon.engine import IoEngine
from tests.engine.duel import END, EOF, NAP, Case, Script, Until, fight, needs_haproxy

pytestmark = [pytest.mark.peer, needs_haproxy]


def hello(name: str | None = "A.example", alpn: tuple[str, ...] = (), newest: str = "") -> bytes:
    """The first bytes of OpenSSL's client."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if newest == "1.2":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if alpn:
        context.set_alpn_protocols(list(alpn))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


RDP = b"\x03\x00\x00\x2c\x27\xe0\x00\x00\x00\x00\x00Cookie: mstshash=alice\r\n\x01\x00\x08\x00\x00"
DISTCC = b"DIST00000001ARGC00000002ARGV00000002ccARGV00000002-cDOTI00000003abc"
HTTP = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
TLS = "ssl_hello_type ssl_sni ssl_ver ssl_alpn ssl_ec_ext ssl_st_ext"


def shows(expressions: str, before: str = "") -> str:
    """Content rules keep values, and the log shows them."""
    words = expressions.split()
    lines = [f"    tcp-request content set-var(sess.v{at}) {one}" for at, one in enumerate(words)]
    log = "|".join(f"%[var(sess.v{at})]" for at in range(len(words)))
    return (
        f"    mode tcp\n    log-format {log}\n    tcp-request inspect-delay 500ms\n{before}"
        + "\n".join(lines)
        + "\n    server s1 {server}"
    )


def case(name: str, config: str, *words: Script) -> Case:
    scripts = tuple((*word, END) for word in words)
    return Case(name, scripts, ((Until(b""), b"ok", EOF),), config, lines=len(words))


def tls() -> Case:
    fetches = " ".join(f"req.{name}" for name in TLS.split())
    before = "    tcp-request content reject unless {{ req.ssl_hello_type 1 }}\n"
    whole = hello(alpn=("h2", "http/1.1"))
    return case(
        "tls",
        shows(fetches, before),
        (whole,),
        (whole[:3], NAP, whole[3:60], NAP, whole[60:]),
        (hello(None),),
        (hello("b.example", newest="1.2"),),
        (HTTP,),
        (whole[:40],),
    )


def others() -> Case:
    fetches = (
        "req.len req.payload(0,0),hex req.payload(2,3),hex req.payload_lv(2,2),length "
        "req.payload_lv(9,1),hex req.rdp_cookie req.rdp_cookie(MSTShash) req.rdp_cookie(x) "
        "req.rdp_cookie_cnt req.proto_http distcc_param(DOTI) distcc_body(ARGV,2),hex "
        "distcc_body(DOTI),hex"
    )
    before = "    tcp-request content reject if {{ req.len 0 }} WAIT_END\n"
    return case("others", shows(fetches, before), (RDP,), (DISTCC,), (HTTP,), (b"\x00\x03abc",))


def waiting(condition: str) -> Case:
    rules = (
        "    mode tcp\n    log-format %ts|%s|%[last_rule_line]\n"
        "    tcp-request inspect-delay 500ms\n"
        f"    tcp-request content accept if {condition}\n"
        "    tcp-request content reject\n    server s1 {server}"
    )
    in_parts = (HTTP[:-2], NAP, HTTP[-2:]) if "http" in condition.lower() else (HTTP,)
    return case(condition, rules, (b"ab", NAP, b"cdef", NAP), (RDP,), in_parts)


def named() -> Case:
    rules = (
        "    mode tcp\n    log-format %s\n    tcp-request inspect-delay 500ms\n"
        "    tcp-request content accept if {{ req.ssl_hello_type 1 }}\n"
        "    use-server s1 if {{ req.ssl_sni -i a.example }}\n"
        "    use-server s2 if {{ req.ssl_sni -m end .other }}\n"
        "    server s0 {dead}\n    server s1 {server}\n    server s2 {server}"
    )
    return case("by name", rules, (hello(),), (hello("x.other"),))


CONDITIONS = (
    "{{ req.len ge 6 }}", "{{ req.payload(4,2) -m found }}", "{{ req.proto_http }}",
    "{{ req.rdp_cookie_cnt gt 0 }}", "WAIT_END", "RDP_COOKIE", "HTTP",
    "{{ req.payload(0,0),hex -m sub 646566 }}",
)  # fmt: skip
CASES = [tls(), others(), named(), *(waiting(condition) for condition in CONDITIONS)]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_first_bytes(io: IoEngine, case: Case) -> None:
    fight(case, io)
