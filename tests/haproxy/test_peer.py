"""What `haproxy -c` takes, we take; what it refuses, we refuse.

Files that only need what Telamon does not carry out yet are left out. `STRICTER` lists statements
in which HAProxy 2.6 lets nonsense pass, `MORE_LENIENT` what loads here on purpose.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from telamon.base.diagnostic import Severity, render
from telamon.haproxy.load import load
from tests.support.peers import need

pytestmark = pytest.mark.peer

_TIMEOUTS = "defaults\n timeout client 1s\n timeout server 1s\n timeout connect 1s\n"
_NOT_YET = {"H031", "H034", "H078"}

BIND = """
*:80|:80|80|:::443|[::]:443|ipv4@:80|ipv6@:80|ipv4@::1:80|/tmp/x|unix@/tmp/x|abns@x|fd@x|udp@:80
1.2.3.4:80-82|1.2.3.4:82-80|1.2.3.4:70000|1.2.3.4:80,1.2.3.5:81 name x|:80 interface lo|:80 id 0
:80 nice 2000|:80 nice -5|:::80 v4v6|:::80 v6only|/tmp/s mode 999|/tmp/s user no-such-user
/tmp/s user root group root mode 660|:80 nme x|:80 name|foo@:80|:80 :81|:80 id 4
"""
SERVER = """
s 1.2.3.4:80|s|s 1.2.3.4:80 chek|s 1.2.3.4:80 check inter 0|s 1.2.3.4:80 check inter 1s fall 2
s 1.2.3.4:80 weight 256|s 1.2.3.4:80 weight 257|s 1.2.3.4:80 weight -1|s 1.2.3.4:80 rise 0
s 1.2.3.4:80 id 0|s 1.2.3.4:80 backup disabled|s [::1]:80|s ::1:80|s /tmp/x|s abns@x|s fd@3
s 1.2.3.4:80-90|s 1.2.3.4:x|s!x 1.2.3.4:80|s/x 1.2.3.4:80|s 1.2.3.4:80 inter
s 1.2.3.4:80 check port 81 addr 1.2.3.5|s 1.2.3.4:80 no-check no-backup|# 1.2.3.4:80
"""
LISTEN = """
balance roundrobin|balance foo|balance random(3)|balance random(0)|balance first|mode foo
mode health|retries 3|retries|timeout client|timeout client x|timeout client 1s 2s|timeout foo 1s
timeout server 2147483647|timeout server 25d|option redispatch 3|option foo|option|no option foo
option dontlognull|option dontlognull x|no option dontlognull|no maxconn 3|option contstats
description a b|description|disabled x|id 7|id 0|default_backend nowhere|default_backend a
stats enable|stats refresh x|stats auth a:b|stats foo|log global|log 127.0.0.1 local0
log 127.0.0.1|log 127.0.0.1 foo|log 127.0.0.1 local0 info err|log 127.0.0.1 local0 info err x
log 127.0.0.1 len 10 local0|log 127.0.0.1 format rfc5424 local0|log /dev/log local0|no log
log stdout format raw local0|log ::1 local0|redispatch|clitimeout 5|reqrep a b|chek|user root
"""
GLOBAL = """
maxconn 100|maxconn|nbthread 2|nbthread 0|chroot /tmp|user root|user no-such-user|daemon x|quiet
no daemon|hard-stop-after 5s|hard-stop-after x|spread-checks 60|stats timeout 0|stats maxconn 0
stats socket /tmp/s level admin mode 600|stats socket /tmp/s level foo|stats socket :9999
stats socket 9999|stats foo|stats enable|tune.foo 1|tune.bufsize 16384|tune.bufsize|setenv A
log global|log 127.0.0.1 local0|log-send-hostname|mode tcp|foo|node x|ulimit-n 100
"""


def _cases() -> dict[str, str]:
    def each(text: str) -> list[str]:
        return [case for line in text.split("\n") for case in line.split("|") if case]

    cases = {f"bind {c}": f"{_TIMEOUTS}listen a\n bind {c}\n" for c in each(BIND)}
    front = f"{_TIMEOUTS}listen a\n bind 127.0.0.1:8443\n"
    cases |= {f"server {c}": f"{front} server {c}\n" for c in each(SERVER)}
    cases |= {f"listen: {c}": f"{front} server s 1.2.3.4:80\n {c}\n" for c in each(LISTEN)}
    cases |= {f"global: {c}": f"global\n {c}\n{front}" for c in each(GLOBAL)}
    return cases


_CASES = _cases()


@pytest.mark.parametrize("name", _CASES)
def test_accepts_and_refuses_as_haproxy(name: str, tmp_path: Path) -> None:
    program = need("haproxy")
    path = tmp_path / "h.cfg"
    path.write_text(_CASES[name])
    done = subprocess.run([program, "-c", "-f", path], capture_output=True, text=True, timeout=60)
    ours = load([str(path)], environment={})
    errors = {d.code for d in ours.report if d.severity is Severity.ERROR}
    if errors and errors <= _NOT_YET:
        pytest.skip("known to HAProxy, not yet to Telamon")
    said = f"{done.stdout}{done.stderr}\n{render(ours.report)}"
    assert ours.report.failed is (done.returncode != 0), said
