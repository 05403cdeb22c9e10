"""Fetches and converters give HAProxy's values: one answer shows those of many expressions."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest

from telamon.engine import IoEngine
from tests.engine.duel import END, OK, Case, Step, Until, fight, needs_haproxy

pytestmark = [pytest.mark.peer, needs_haproxy]

REQUEST = (
    b"GET /p/a;b?x=1&y=22&x=3 HTTP/1.1\r\nHost: A.example:81\r\nUser-Agent: t\r\n"
    b"Accept-Language: de;q=0.5, en-GB;q=0.9, fr;q=0\r\n"
    b"Authorization: Basic YWxpY2U6b3BlbjpzZXNhbWU=\r\nX-Token: bearer abc.def\r\n"
    b'J: {"a":{"b":[1,2.5,"x"],"my.key":true,"n":null,"big":12345678901,"f":1e3,"neg":-7},'
    b'"arr":[1,[2,3]],"fl":false}\r\n'
    b"JW: eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwi"
    b"aWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c\r\n"
    b"Connection: close\r\n\r\n"
)
ABSOLUTE = b"GET http://10.1.2.3:8080/p?q HTTP/1.1\r\nHost: 10.1.2.3\r\nConnection: close\r\n\r\n"
STAR = b"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
BEARER = b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer  x.y z\r\nConnection: close\r\n\r\n"
OTHER = b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Digest a=b\r\nConnection: close\r\n\r\n"

URLS = r"""
path pathq query url
base baseq base32 base32,hex base32+src,hex url32 url32+src,hex url_ip url_port urlp_val(y)
urlp_val(z)
urlp_val(x) http_auth_user http_auth_pass http_auth_type http_auth_bearer http_auth_bearer(x-token)
capture.req.ver
"""
STATES = """
fe_client_timeout fe_defbe fc_http_major fc_err fc_err_str dst_conn nbproc proc prio_class
prio_offset last_rule_line req.proto_http wait_end req.body_size srv_iweight(front/s1)
srv_uweight(front/s1) fc_rcvd_proxy fc_pp_authority fc_pp_unique_id fc_retrans fc_lost fc_unacked
be_server_timeout be_tunnel_timeout cur_server_timeout cur_tunnel_timeout fc_rtt fc_src_is_local
"""
RESPONSES = """
bc_err bc_err_str bc_src bc_http_major be_server_timeout cur_server_timeout res.body_size
capture.res.ver res.hdrs_bin,hex status last_rule_line
"""


MOST = 18
"""Expressions of one rule: HAProxy takes 64 words a line."""


CONVERTERS = r"""
bin(01020304050607),be2hex
bin(01020304050607),be2hex(:,2)
bin(01020304050607),be2hex(--,2,1)
bin(01020304050607),be2hex(,3,1)
bin(01020304050607),be2dec(:,2)
bin(01020304050607),be2dec(-,2,1)
bin(01020304050607),be2dec(,2,1)
bin(7f000001),be2dec(.,1)
bin(ffffffffffffffff),be2dec(.,8)
int(-1),htonl,hex
int(4294967297),htonl,hex
req.hdr(,1)
req.hdr(,4)
req.hdr(,-1)
req.fhdr(,3)
req.fhdr(,-2)
req.hdr(,99)
str(a),add_item(:,,x)
str(),add_item(:,,x)
str(a),add_item(:,txn.no)
str(a),add_item(:,txn.no,y)
req.fhdr(accept-language),language(de;en;fr)
req.fhdr(accept-language),language(en-GB;en)
req.fhdr(accept-language),language(es,xx)
req.fhdr(accept-language),language(es,),length
req.fhdr(accept-language),language(fr)
int(1700000000),utime('%a %A %b %B %c %C %d %D %e %F %g %G %h %H %I %j %k %l %m %M')
int(1700000000),utime('%p %P %r %R %s %S %T %u %U %V %w %W %x %X %y %Y %z %Z %% %Ey %Od %q')
int(951868799),utime('%c %U %W %V %G %j')
int(1104537600),utime('%c %U %W %V %G %j %-d|%_m|%^a')
int(0),utime(%F,86400)
int(1700000000),ltime('%F %T %z %Z')
int(1700000000),http_date
int(1700000000),http_date(10)
int(1700000000123),http_date(1000,ms)
req.fhdr(j),json_query('\$.a.b[0]')
req.fhdr(j),json_query('\$.a.b[1]')
req.fhdr(j),json_query('\$.a.my\\\\.key')
req.fhdr(j),json_query('\$.a.n')
req.fhdr(j),json_query('\$.a.big')
req.fhdr(j),json_query('\$.a.f')
req.fhdr(j),json_query('\$.a.neg')
req.fhdr(j),json_query('\$.arr[1][0]')
req.fhdr(j),json_query('\$.fl')
req.fhdr(j),json_query('\$.a')
req.fhdr(j),json_query('\$.x')
req.fhdr(j),json_query('\$.a.b[9]')
req.fhdr(j),json_query('\$.a.b[1]','int')
req.fhdr(j),json_query('\$.a.big','int')
req.fhdr(j),json_query('\$.a.f','int')
req.hdr(jw),jwt_header_query('\$.alg')
req.hdr(jw),jwt_payload_query('\$.iat','int')
req.hdr(jw),jwt_payload_query('\$.name')
req.hdr(jw),jwt_verify(HS256,your-256-bit-secret)
req.hdr(jw),jwt_verify(HS256,x)
req.hdr(jw),jwt_verify(HS512,x)
str(a.b),jwt_verify(HS256,x)
str(a.b.),jwt_verify(none,x)
str(a.b.cc),jwt_verify(none,x)
str(front),nbsrv
str(nobody),nbsrv
str(front/s1),srv_queue
str(s1),srv_queue
str(x),srv_queue
""".strip().split("\n")


def _wire() -> list[str]:
    """Converters of protocols on messages that are whole, cut, and wrong."""

    def fix(version: str, body: str, sum: int | None = None) -> bytes:
        text = f"8={version}|9={len(body)}|{body}".replace("|", "\x01").encode()
        return text + b"10=%03d\x01" % (sum_of(text) if sum is None else sum)

    def sum_of(text: bytes) -> int:
        return sum(text) % 256

    def text(value: bytes) -> bytes:
        return len(value).to_bytes(2) + value

    def mqtt(first: int, body: bytes) -> bytes:
        return bytes([first, len(body)]) + body

    good = fix("FIX.4.2", "35=A|49=S|56=T|")
    found = [
        *(f"bin({one.hex()}),fix_is_valid" for one in (
            good, fix("FIXT.1.1", "35=A|"), fix("FIX.5.0", "35=A|49=S|"),
            fix("FIX.4.2", "35=A|", 1), good[:-3], good + b"x", fix("FIX.4.2", "35=A|x=3|"),
        )),
        *(f"bin({good.hex()}),fix_tag_value({tag})" for tag in (35, "SenderCompID", 9, 10, 99)),
    ]  # fmt: skip
    will = text(b"wt") + text(b"wp") + text(b"user") + text(b"pass")
    four = mqtt(16, text(b"MQTT") + b"\x04\xc6\x00\x3c" + text(b"cid") + will)
    properties = b"\x11\x00\x00\x01\x2c\x21\x00\x14\x19\x01\x15" + text(b"am")
    five = mqtt(
        16,
        text(b"MQTT") + b"\x05\xc6\x00\x3c" + bytes([len(properties)]) + properties
        + text(b"cid") + b"\x05\x18\x00\x00\x00\x05" + will,
    )  # fmt: skip
    ack = mqtt(32, b"\x00\x87\x05\x1f" + text(b"ab"))
    wrong = [mqtt(48, text(b"t")), mqtt(16, text(b"MQTT") + b"\x09\x02\x00\x3c" + text(b"c"))]
    for one in (four, five, ack, four[:-2], four + b"x", *wrong):
        found.append(f"bin({one.hex()}),mqtt_is_valid")
    names = "flags protocol_name protocol_version client_identifier will_payload username keepalive"
    for one in (four, five):
        for name in [*names.split(), "17", "25", "21", "24", "39"]:
            found.append(f"bin({one.hex()}),mqtt_field_value(connect,{name})")
    for name in ("flags", "protocol_version", "reason_code", "31", "36"):
        found.append(f"bin({ack.hex()}),mqtt_field_value(2,{name})")
    inner = b"\x08\x96\x01\x10" + b"\xfb" + b"\xff" * 8 + b"\x01"
    message = (
        b"\x08\xac\x02\x12\x03abc\x1a" + bytes([len(inner)]) + inner + b"\x21"
        + struct.pack("<d", 2.75) + b"\x2d" + struct.pack("<f", -1.5) + b"\x30\x03\x3d"
        + struct.pack("<i", -2) + b"\x41" + struct.pack("<q", -3)
    )  # fmt: skip
    fields = """1,hex 1,int32 1,bool 2 3.1,int64 3.2,int64 3.2,int32 4,double 5,float 6,sint32
        6,enum 7,sfixed32 7,fixed32 8,sfixed64 9 3.3 2,int32 4,int32"""
    for field in fields.split():
        number, _, kind = field.partition(",")
        call = f"({number}),hex" if kind in ("", "hex") else f"({field})"
        found.append(f"bin({message.hex()}),protobuf{call}")
        grpc = b"\x00" + len(message).to_bytes(4) + message
        found.append(f"bin({grpc.hex()}),ungrpc{call}")
    return found


def answers(expressions: list[str]) -> str:
    """A rule that answers with a header for each expression."""
    headers = [f'hdr x-{at} "%[{one}]"' for at, one in enumerate(expressions)]
    return "    http-request return status 200 " + " ".join(headers)


def asked(
    name: str, request: bytes, expressions: str | list[str], before: str = ""
) -> Iterator[Case]:
    script: tuple[Step, ...] = (request, END)
    words = expressions.split() if isinstance(expressions, str) else expressions
    for at in range(0, len(words), MOST):
        rules = before + answers(words[at : at + MOST])
        config = f"{rules}\n    server s1 {{server}} weight 7"
        yield Case(f"{name} {at // MOST}", (script,), config=config)


CASES = [
    *asked("urls", REQUEST, URLS),
    *asked("absolute", ABSOLUTE, URLS),
    *asked("no path", STAR, URLS),
    *asked("bearer", BEARER, URLS),
    *asked("other scheme", OTHER, URLS),
    *asked("converters", REQUEST, CONVERTERS),
    *asked("protocols", REQUEST, _wire()),
    *asked("states", REQUEST, STATES),
    *asked(
        "priority",
        REQUEST,
        STATES,
        "    http-request set-priority-class int(-3)\n"
        "    http-request set-priority-offset int(70)\n",
    ),
    Case(
        "responses",
        ((b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", END),),
        ((Until(), OK),),
        "\n".join(
            f'    http-response set-header x-{at} "%[{one}]"'
            for at, one in enumerate(RESPONSES.split())
        )
        + "\n    server s1 {server}",
    ),
    *(
        Case(
            f"the last rule, {path}",
            ((b"GET %b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % path.encode(), END),),
            ((Until(), OK),),
            '    log-format "%[last_rule_line] %[bc_err_str] %[var(txn.x)] %[capture.res.ver]"\n'
            "    http-request set-var(txn.p) path\n"
            "    http-request allow if {{ path /a }}\n"
            "    http-request deny if {{ path /d }}\n"
            "    http-request return status 200 if {{ path /r }}\n"
            "    http-response set-var(txn.x) res.hdr(content-length)\n"
            "    http-response deny if {{ var(txn.p) -m str /e }}\n"
            "    server s1 {server}",
        )
        for path in ("/", "/a", "/d", "/r", "/e")
    ),
]


SET_COOKIES = (
    b"a=b; Path=/; Secure; Max-Age=5\r\nSet-Cookie: c=d\r\nSet-Cookie: e\r\n"
    b'Set-Cookie: f=g, h=i; X = "y;z" ; k=',
    b"a=b;Secure",
    b"a; b=c",
    b"=x; y=z;;w=v",
    b"a=b, c=d",
    b"a b=c; d=e",
    b'a="b;c=d"; e=f',
)
COOKIES = [
    Case(
        f"cookies {at}",
        ((b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", END),),
        ((Until(), OK.replace(b"Content", b"Set-Cookie: " + line + b"\r\nContent")),),
        '    http-response set-header x-a "%[res.cook]|%[res.cook_cnt]|%[res.cook_cnt(f)]"\n'
        '    http-response set-header x-b "%[res.cook(a)]|%[res.cook(h)]|%[res.cook_cnt(c)]"\n'
        "    http-response set-header x-c 1 if {{ res.cook -m str 5 }}\n"
        "    server s1 {server}",
    )
    for at, line in enumerate(SET_COOKIES)
]


NORMALIZERS = (
    "fragment-encode", "fragment-strip", "path-merge-slashes", "path-strip-dot",
    "path-strip-dotdot", "path-strip-dotdot full", "percent-decode-unreserved",
    "percent-decode-unreserved strict", "percent-to-uppercase", "percent-to-uppercase strict",
    "query-sort-by-name",
)  # fmt: skip
URIS = (
    b"/a//b/./c/../../../%7e%2f?z=1&a=%2f&b",
    b"/%7",
    b"/a%zz",
    b"/..//..",
    b"*",
    b"http://a//b",
)


def normalized(normalizer: str) -> Case:
    heads = [b"GET %b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % uri for uri in URIS]
    rules = f"    http-request normalize-uri {normalizer}\n" + answers(["url", "path", "query"])
    return Case(
        normalizer,
        tuple((head, END) for head in heads),
        config=rules + "\n    server s1 {server}",
        tune="    expose-experimental-directives",
        lines=len(heads),
    )


@pytest.mark.parametrize("normalizer", NORMALIZERS)
def test_normalizers(io: IoEngine, normalizer: str) -> None:
    fight(normalized(normalizer), io)


@pytest.mark.parametrize("case", COOKIES, ids=[case.name for case in COOKIES])
def test_cookies_that_are_set(io: IoEngine, case: Case) -> None:
    fight(case, io)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_values(io: IoEngine, case: Case) -> None:
    fight(case, io)
