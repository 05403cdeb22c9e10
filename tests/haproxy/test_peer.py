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
_LISTEN = "listen a\n bind 127.0.0.1:8443\n server s 1.2.3.4:80\n"
_NOT_YET = {"H031", "H034"}

BIND = """
*:80|:80|80|:::443|[::]:443|ipv4@:80|ipv6@:80|ipv4@::1:80|/tmp/x|unix@/tmp/x|abns@x|fd@x|udp@:80
1.2.3.4:80-82|1.2.3.4:82-80|1.2.3.4:70000|1.2.3.4:80,1.2.3.5:81 name x|:80 interface lo|:80 id 0
:80 nice 2000|:80 nice -5|:::80 v4v6|:::80 v6only|/tmp/s mode 999|/tmp/s user no-such-user
/tmp/s user root group root mode 660|:80 nme x|:80 name|foo@:80|:80 :81|:80 id 4
:80 thread 1|:80 thread all|:80 thread odd thread even|:80 thread 1-|:80 thread 2-1|:80 thread 1/1
:80 thread 2/1|:80 thread 0|:80 thread 65|:80 thread x|:80 thread 1,2|:80 thread -2|:80 thread
:80 mss 1400|:80 mss -100|:80 mss 0|:80 mss 70000|:80 mss -70000|:80 mss
"""
SERVER = """
s 1.2.3.4:80|s|s 1.2.3.4:80 chek|s 1.2.3.4:80 check inter 0|s 1.2.3.4:80 check inter 1s fall 2
s 1.2.3.4:80 weight 256|s 1.2.3.4:80 weight 257|s 1.2.3.4:80 weight -1|s 1.2.3.4:80 rise 0
s 1.2.3.4:80 id 0|s 1.2.3.4:80 backup disabled|s [::1]:80|s ::1:80|s /tmp/x|s abns@x|s fd@3
s 1.2.3.4:80 source 1.2.3.5 usesrc client|s 1.2.3.4:80 source 1.2.3.5:7 usesrc clientip
s 1.2.3.4:80 source 0.0.0.0 usesrc hdr_ip(x-forwarded-for,-1)|s 1.2.3.4:80 source 1.2.3.5 usesrc
s 1.2.3.4:80 source 1.2.3.5 usesrc 1.2.3.6:80|s 1.2.3.4:80 source 1.2.3.5 usesrc foo!
s 1.2.3.4:80 source 1.2.3.5 usesrc hdr_ip(x)
s 1.2.3.4:80 tfo|s 1.2.3.4:80 no-tfo|s 1.2.3.4:80 check port 81 check-send-proxy
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


HTTP = """
option http-keep-alive|option http-server-close x|no option httpclose|option httpclose
http-reuse never|http-reuse foo|http-reuse|http-reuse safe x|option http-buffer-request
option http-restrict-req-hdr-names delete|option http-restrict-req-hdr-names foo
option http-restrict-req-hdr-names|no option http-restrict-req-hdr-names|no option forwardfor
option forwardfor|option forwardfor except 127.0.0.0/8 header X-Client if-none
option forwardfor header|option forwardfor except 1.2.3.4/99|option forwardfor except ::1
option forwardfor foo|option originalto except 10.0.0.0/8 header X-D|option originalto if-none
option http-ignore-probes|option http-ignore-probes x|monitor-uri /x|monitor-uri|monitor-uri /x /y
retry-on none|retry-on all-retryable-errors|retry-on 401 403 404 408 425 500 501 502 503 504
retry-on conn-failure empty-response junk-response response-timeout 0rtt-rejected|retry-on foo
retry-on none conn-failure|retry-on conn-failure none|retry-on|retry-on all-retryable-errors 404
errorfile 400 /dev/null|errorfile 503 /nonexistent|errorfile 999 /dev/null|errorfile 503
errorfile 418 /dev/null|errorloc 503 /x|errorloc302 503 http://x/|errorloc303 400 http://x/
errorloc303 999 http://x/|errorloc 503|errorfiles foo|errorfiles|unique-id-header X-U
unique-id-header|capture request header Host len 10|capture request header Host
capture request header Host len 10 x|capture response header Host len 10|capture cookie A len 10
capture cookie A= len 10|capture cookie A len 100|capture cookie A|capture foo|capture
declare capture request len 10|declare capture response len 10|declare capture request
cookie A|cookie|cookie A insert|cookie A insert indirect nocache|cookie A rewrite|cookie A prefix
cookie A prefix insert|cookie A insert rewrite|cookie A indirect|cookie A nocache|cookie A postonly
cookie A preserve|cookie A insert preserve|cookie A insert maxidle 10|cookie A maxlife 10
cookie A insert maxidle 10s maxlife 1h|cookie A insert maxidle 0|cookie A insert maxidle 1ms
cookie A insert domain .x.com|cookie A insert domain x|cookie A insert domain .x.com domain .y.com
cookie A insert domain|cookie A insert httponly secure|cookie A httponly|cookie A insert dynamic
cookie A prefix indirect|cookie A rewrite dynamic|cookie A insert attr SameSite=Strict
cookie A insert attr|cookie A insert attr x;y|cookie A insert foo|dynamic-cookie-key
dynamic-cookie-key a|rate-limit sessions 10|rate-limit sessions|rate-limit foo 3
rate-limit sessions x|max-keep-alive-queue 10|max-keep-alive-queue -1|max-keep-alive-queue
max-keep-alive-queue x|http-send-name-header X-S|http-send-name-header|option persist
option abortonclose|option log-separate-errors|option http-no-delay|option http-use-proxy-header
option accept-invalid-http-request|option accept-invalid-http-request x
option h1-case-adjust-bogus-client|option idle-close-on-response|option disable-h2-upgrade
option accept-invalid-http-response|option prefer-last-server|option httplog
option http-pretend-keepalive
balance|balance roundrobin|balance static-rr|balance leastconn|balance source|balance first
balance uri|balance uri whole|balance uri len 5|balance uri len|balance uri len x|balance uri len 0
balance uri len -1|balance uri depth 3 len 4 whole path-only|balance uri depth 0|balance uri depth
balance uri foo|balance url_param|balance url_param x|balance url_param x check_post
balance url_param x check_post 64|balance url_param x foo|balance hdr|balance hdr()|balance hdr(x
balance hdr(x)|balance hdr(Host) use_domain_only|balance hdr(Host) foo|balance hdrx(Host)
balance hdr(a b)|balance rdp-cookie|balance rdp-cookie(x)|balance rdp-cookie()
balance rdp-cookie(x|balance rdp-cookiefoo|balance random|balance random()|balance random(x)
balance hash|balance hash src|balance hash src,ipmask(24)|balance hash req.hdr(x)
balance hash nothing|balance hash src x|balance hash res.hdr(x)
balance sticky|balance log-hash|hash-type|hash-type consistent|hash-type map-based
hash-type avalanche|hash-type consistent avalanche|hash-type map-based sdbm
hash-type consistent djb2 avalanche|hash-type map-based wt6|hash-type map-based crc32
hash-type consistent foo|hash-type consistent sdbm foo|hash-type foo sdbm|hash-balance-factor 150
hash-balance-factor 100|hash-balance-factor 0|hash-balance-factor 50|hash-balance-factor
hash-balance-factor -5
"""
HTTP_SERVER = """
cookie x|cookie|pool-max-conn 10|pool-max-conn -1|pool-max-conn -2|pool-max-conn 0|pool-max-conn
pool-low-conn 5|pool-low-conn -1|pool-purge-delay 5s|pool-purge-delay 0|pool-purge-delay -1
max-reuse 3|max-reuse -1|max-reuse|slowstart 10s|slowstart 0|slowstart|ws auto|ws h1|ws foo
proxy-v2-options unique-id|send-proxy-v2 proxy-v2-options crc32c,authority
send-proxy-v2 proxy-v2-options foo|proxy-v2-options|error-limit 3|error-limit 0|error-limit -1
on-error fastinter|check on-error foo|check observe layer7|observe layer7|check observe foo
check observe layer4 error-limit 5 on-error mark-down|check observe none|check observe
cookie a cookie b
"""
HTTP_GLOBAL = """
strict-limits|no strict-limits|strict-limits x|unix-bind mode 600|unix-bind foo|unix-bind
unix-bind mode 600 user root group root|unix-bind prefix /tmp/|unix-bind uid 0 gid 0
maxconnrate 10|maxconnrate|maxsessrate 10|set-dumpable|no set-dumpable
h1-case-adjust content-length Content-Length|h1-case-adjust content-length X
h1-case-adjust A A|h1-case-adjust a|h1-case-adjust-file /nonexistent|h1-case-adjust-file /dev/null
h1-accept-payload-with-any-method|insecure-fork-wanted|insecure-setuid-wanted|fd-hard-limit 1000
fd-hard-limit|maxpipes 10|maxcomprate 10|default-path current|default-path config
default-path parent|default-path origin /tmp|default-path foo|expose-experimental-directives
tune.bufsize x|tune.bufsize 0|tune.maxrewrite 1024|tune.http.maxhdr 101|tune.http.maxhdr 0
tune.http.maxhdr 100000|tune.http.cookielen 100|tune.http.logurilen 2000|tune.idle-pool.shared on
tune.idle-pool.shared foo
"""
ERRORS = """
errorfile 400 /dev/null|errorfile 999 /dev/null|errorfile 400 /nonexistent|errorfile 400|foo
errorloc 503 /x
"""
ERRORS_USES = "errorfiles e|errorfiles e 400|errorfiles e 400 503|errorfiles e 999|errorfiles e foo"
LOGS = """
127.0.0.1 sample 1:2 local0|127.0.0.1 sample 1-3,8-11:11 local0|127.0.0.1 sample 1:0 local0
127.0.0.1 sample 0:2 local0|127.0.0.1 sample 3:2 local0|127.0.0.1 sample 3-1:5 local0
127.0.0.1 sample 1-3,2-4:5 local0|127.0.0.1 sample 4,2:5 local0|127.0.0.1 sample 1 local0
127.0.0.1 sample x:2 local0|127.0.0.1 sample 1:2|127.0.0.1 len 80 format raw sample 1:2 local0
127.0.0.1 sample 1:2 len 80 local0|127.0.0.1 sample 1:2 sample 1:3 local0
127.0.0.1 format raw len 80 local0|127.0.0.1 len 79 local0|127.0.0.1 len 99999 local0
127.0.0.1 sample :2 local0|127.0.0.1 sample 1-:2 local0|127.0.0.1 sample 2:2 local0
127.0.0.1 format foo local0|ring@r local0|ring@r len 100 format raw sample 1:2 local0 info
stderr format short daemon|fd@99 local0|fd@x local0|udp@127.0.0.1:514 local0
tcp@127.0.0.1:514 local0|tcp4@127.0.0.1:514 local0|tcp6@127.0.0.1:514 local0|tcp@127.0.0.1 local0
uxst@/tmp/x local0|unix@/tmp/x local0|uxdg@/tmp/x local0|abns@x local0|127.0.0.1:514-515 local0
stdout:5 local0|127.0.0.1:514 local0 foo|tcp@[::1]:514 len 100 local0
"""
RING = """
size 16384|size 20000|size 10|size x|size|maxlen 100|maxlen 0|maxlen|description x|description x y
description|format rfc3164|format foo|format|timeout connect 5s|timeout server 5s|timeout client 5s
timeout server x|timeout connect|server s 127.0.0.1:514|server s udp@127.0.0.1:514|server s
server s 127.0.0.1:514 log-proto octet-count|server s 127.0.0.1:514 log-proto legacy|foo
server s 127.0.0.1:514 log-proto foo|server s 127.0.0.1:514 foo|server s /tmp/x|bind :80
maxlen 100000
"""
ERROR_FILES = {
    "ok": "HTTP/1.0 503 Gone\r\nContent-Type: text/plain\r\n\r\nhello",
    "no head": "hello\n",
    "too short": "HTTP/1.1 503 X\nContent-Length: 50\n\nhello",
    "too long": "HTTP/1.1 503 X\r\nContent-Length: 3\r\n\r\nhello",
    "two lengths": "HTTP/1.1 503 X\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nhello",
    "chunked": "HTTP/1.1 503 X\nTransfer-Encoding: chunked\n\n5\nhello\n0\n\n",
    "no empty line": "HTTP/1.1 503 X\n",
    "other status": "HTTP/1.1 404 Other\r\nA: b\r\n\r\n",
    "HTTP/2": "HTTP/2 503 X\r\nA: b\r\n\r\n",
    "huge": f"HTTP/1.1 503 X\r\nA: b\r\n\r\n{'x' * 20000}",
    "leading line": "\r\nHTTP/1.1 503 X\r\nA: b\r\n\r\n",
    "interim": "HTTP/1.1 100 X\r\nA: b\r\n\r\n",
}


def _cases() -> dict[str, str]:
    def each(text: str) -> list[str]:
        return [case for line in text.split("\n") for case in line.split("|") if case]

    cases = {f"bind {c}": f"{_TIMEOUTS}listen a\n bind {c}\n" for c in each(BIND)}
    front = f"{_TIMEOUTS}listen a\n bind 127.0.0.1:8443\n"
    cases |= {f"server {c}": f"{front} server {c}\n" for c in each(SERVER)}
    cases |= {f"listen: {c}": f"{front} server s 1.2.3.4:80\n {c}\n" for c in each(LISTEN)}
    for mode in ("http", "tcp"):
        section = f"{front} mode {mode}\n"
        cases |= {f"{mode}: {c}": f"{section} server s 1.2.3.4:80\n {c}\n" for c in each(HTTP)}
        cases |= {
            f"{mode} server {c}": f"{section} server s 1.2.3.4:80 {c}\n" for c in each(HTTP_SERVER)
        }
    cases |= {
        f"{side}: {c}": f"{_TIMEOUTS}{side} b\n mode http\n {c}\n{_LISTEN}"
        for side in ("frontend", "backend")
        for c in each(HTTP)
    }
    cases |= {f"defaults: {c}": f"{_TIMEOUTS} {c}\n{_LISTEN}" for c in each(HTTP)}
    cases |= {f"http-errors: {c}": f"http-errors e\n {c}\n{front}" for c in each(ERRORS)}
    ring = "ring r\n description x\n"
    cases |= {f"log {c}": f"{ring}{front} log {c}\n" for c in each(LOGS)}
    cases |= {f"global log {c}": f"{ring}global\n log {c}\n{front}" for c in each(LOGS)}
    cases |= {f"ring: {c}": f"ring r\n {c}\n{front}" for c in each(RING)}
    some = "http-errors e\n errorfile 400 /dev/null\n"
    cases |= {f"mode http, {c}": f"{some}{front} mode http\n {c}\n" for c in each(ERRORS_USES)}
    cases |= {f"global: {c}": f"global\n {c}\n{front}" for c in each(HTTP_GLOBAL)}
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


@pytest.mark.parametrize("mode", ["http", "tcp"])
@pytest.mark.parametrize("line", [c for row in HTTP.split("\n") for c in row.split("|") if c])
def test_warns_as_haproxy(mode: str, line: str, tmp_path: Path) -> None:
    """Whether anything is said of a line that is accepted."""
    program = need("haproxy")
    path = tmp_path / "h.cfg"
    path.write_text(
        f"{_TIMEOUTS}listen a\n bind 127.0.0.1:8443\n mode {mode}\n server s 1.2.3.4:80\n"
        f" log 127.0.0.1 local0\n {line}\n"
    )
    done = subprocess.run([program, "-c", "-f", path], capture_output=True, text=True, timeout=60)
    ours = load([str(path)], environment={})
    if done.returncode or ours.report.failed:
        pytest.skip("refused")
    said = f"{done.stdout}{done.stderr}\n{render(ours.report)}"
    warned = any(d.severity is Severity.WARNING for d in ours.report)
    assert warned is ("[WARNING]" in said), said


@pytest.mark.parametrize("name", ERROR_FILES)
def test_error_files_are_taken_as_by_haproxy(name: str, tmp_path: Path) -> None:
    program = need("haproxy")
    page, path = tmp_path / "page.http", tmp_path / "h.cfg"
    page.write_bytes(ERROR_FILES[name].encode())
    path.write_text(f"{_TIMEOUTS}{_LISTEN} mode http\n errorfile 503 {page}\n")
    done = subprocess.run([program, "-c", "-f", path], capture_output=True, text=True, timeout=60)
    ours = load([str(path)], environment={})
    said = f"{done.stdout}{done.stderr}\n{render(ours.report)}"
    assert ours.report.failed is (done.returncode != 0), said
