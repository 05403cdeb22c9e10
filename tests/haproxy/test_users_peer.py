"""Lists of users that `haproxy -c` takes, we take; what it refuses, we refuse; warnings agree too.

A case: lines of `userlist L`, and behind ` || ` a statement of a section; ` | ` is between lines.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from telamon.base.diagnostic import Severity, render
from telamon.engine import check_rules
from telamon.haproxy.load import load
from tests.support.peers import need

pytestmark = pytest.mark.peer

_HEAD = "defaults\n timeout client 1s\n timeout server 1s\n timeout connect 1s\n mode http\n"
_SECTION = "listen a\n bind 127.0.0.1:8443\n server s 127.0.0.1:1\n"

STRICTER = frozenset(
    """
user u password
group G users
user u groups
user u password $9$abc$def
user u password $1$abcdefgh$5XhrJpGu.bBXAZh4lT8oY/ insecure-password y
group A users a users b | user a insecure-password x | user b insecure-password x
userlist L
""".strip().split("\n")
)
"""What HAProxy takes, and does not do what the line seems to say."""

WARNED = frozenset({"user u password x", "user u password $6$k6y3o.eP$x"})
"""Only we say that no password fits."""

CASES = """
group G
group G | group G
group G users
group G users x
group G foo x
group a%b
group G users u | user u insecure-password x
group G users a | group G2 | user a groups G2 insecure-password x
group G users a,,a | user a insecure-password x
group A users a users b | user a insecure-password x | user b insecure-password x
group
user u
user u insecure-password x | user u insecure-password y
user u insecure-password x
user u@example.com insecure-password x
user u insecure-password ''
user u password
user u password x
user u password $6$k6y3o.eP$x
user u password $9$abc$def
user u password $1$abcdefgh$5XhrJpGu.bBXAZh4lT8oY/
user u password $1$abcdefgh$5XhrJpGu.bBXAZh4lT8oY/ insecure-password y
user u password abnqrLigH.z/s
user u groups
user u groups G
group G | user u groups G,G insecure-password x
user u foo x
user
foo
no group x
userlist L
userlist
userlist q r
userlist a@b
 || acl a http_auth(L)
 || acl a http_auth(L) x
 || acl a http_auth(zz)
 || acl a http_auth
 || acl a http_auth_group(L) x
 || acl a http_auth_group(L)
 || acl a http_auth_group(L) -m str x
 || acl a http_auth_group(L) -m auth x
 || acl a http_auth_group(L) -i x
group x || acl a http_auth_group(L) x
group x || acl a http_auth_group(L),lower x
group x | group y || acl a http_auth_group(L) x y
 || http-request set-header x %[http_auth_group(L)]
 || http-request set-header x %[http_auth(L)]
 || http-response set-header x %[http_auth(L)]
 || http-request auth realm x unless { http_auth(L) }
 || http-request auth realm x unless { http_auth(M) } | userlist M | user a insecure-password b
"""


@pytest.mark.parametrize("case", [line for line in CASES.split("\n") if line])
def test_accepts_refuses_and_warns_as_haproxy(case: str, tmp_path: Path) -> None:
    program = need("haproxy")
    lines, _, statements = case.partition(" || ")
    text = f"{_HEAD}userlist L\n{_lines(lines)}{_SECTION}{_lines(statements)}"
    path = tmp_path / "h.cfg"
    path.write_text(text)
    done = subprocess.run([program, "-c", "-f", path], capture_output=True, text=True, timeout=60)
    ours = load([str(path)], environment={})
    failed = ours.report.failed or bool(check_rules(ours.plan) if ours.plan is not None else [])
    said = f"{done.stdout}{done.stderr}\n{render(ours.report)}"
    if case in STRICTER:
        assert failed and done.returncode == 0, said
        return
    assert failed is (done.returncode != 0), said
    if not failed:
        warned = any(d.severity is Severity.WARNING for d in ours.report)
        assert warned is ("[WARNING]" in done.stderr or case in WARNED), said


def _lines(text: str) -> str:
    return "".join(f" {line}\n" for line in text.split(" | ") if line.strip())
