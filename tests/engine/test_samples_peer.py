"""Fetches and converters give HAProxy's values: one answer shows those of many expressions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from telamon.engine import IoEngine
from tests.engine.duel import END, OK, Case, Step, Until, fight, needs_haproxy

pytestmark = [pytest.mark.peer, needs_haproxy]

REQUEST = (
    b"GET /p/a;b?x=1&y=22&x=3 HTTP/1.1\r\nHost: A.example:81\r\nUser-Agent: t\r\n"
    b"Accept-Language: de;q=0.5, en-GB;q=0.9, fr;q=0\r\n"
    b"Authorization: Basic YWxpY2U6b3BlbjpzZXNhbWU=\r\nX-Token: bearer abc.def\r\n"
    b"Connection: close\r\n\r\n"
)
ABSOLUTE = b"GET http://10.1.2.3:8080/p?q HTTP/1.1\r\nHost: 10.1.2.3\r\nConnection: close\r\n\r\n"
BEARER = b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer  x.y z\r\nConnection: close\r\n\r\n"
OTHER = b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Digest a=b\r\nConnection: close\r\n\r\n"

URLS = """
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


def answers(expressions: list[str]) -> str:
    """A rule that answers with a header for each expression."""
    headers = [f'hdr x-{at} "%[{one}]"' for at, one in enumerate(expressions)]
    return "    http-request return status 200 " + " ".join(headers)


def asked(name: str, request: bytes, expressions: str, before: str = "") -> Iterator[Case]:
    script: tuple[Step, ...] = (request, END)
    words = expressions.split()
    for at in range(0, len(words), MOST):
        rules = before + answers(words[at : at + MOST])
        config = f"{rules}\n    server s1 {{server}} weight 7"
        yield Case(f"{name} {at // MOST}", (script,), config=config)


CASES = [
    *asked("urls", REQUEST, URLS),
    *asked("absolute", ABSOLUTE, URLS),
    *asked("bearer", BEARER, URLS),
    *asked("other scheme", OTHER, URLS),
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


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_values(io: IoEngine, case: Case) -> None:
    fight(case, io)
