"""Rules that `haproxy -c` takes, we take; those that it refuses, we refuse; warnings agree too.

Statements of one `listen` section in mode http, with ` | ` between those of one case. `STRICTER`
are cases in which HAProxy 2.6 lets nonsense pass, `NEWER` what 3.x knows; `WARNED` differ in
warnings.
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

_HEAD = (
    "global\n expose-experimental-directives\n"
    "defaults\n timeout client 1s\n timeout server 1s\n timeout connect 1s\n"
    "listen a\n mode http\n bind 127.0.0.1:8443\n server s 127.0.0.1:1\n"
)

STRICTER = {
    "acl a req.payload(-1,0) -m bin 33",
    "http-request set-header x %[str(a),add]",
    "http-request set-nice x",
    "http-request set-tos 300",
    "tcp-request inspect-delay 5s foo",
}
NEWER = {
    "http-response set-header X %[txn.status]",
    "http-request set-timeout client 1s",
    "http-response set-timeout server 5s",
    "http-request redirect location /x set-cookie-fmt a",
    "acl z path /x | http-request set-header x %[acl(z)]",
    "acl a uuid(7) x",
    "acl a date(,ms) 3",
}
WARNED = {
    "tcp-request content accept if { req.len gt 0 }",
    "tcp-request content capture req.len len 10",
    "tcp-response content close if { res.len 0 }",
    "tcp-response content reject if { res.len gt 0 }",
    "http-request set-header x %{+Z}ci",
    "acl a dst_port eq",
    "acl a path -m dom",
}

CASES = r"""
http-request deny if { path_beg -i /a }
http-request deny if { path -m sub /a } or { src 10.0.0.0/8 } !{ hdr(host) a }
http-request deny if { res.hdr(x) a }
http-response deny if { path /x }
http-response set-header x %[path]
http-request set-header x %[res.hdr(a)]
http-request set-header x %[src,foo]
http-request set-header x %[src,lower,ipmask(24)]
http-request set-header x %[int(3),lower]
http-request set-header x %[bool(true),lower]
http-request set-header x %[str(a),add(1)]
http-request set-header x %[src,add(1)]
http-request set-header x %[req.body,add(1)]
http-request set-header x %[str(a),add]
http-request set-header x %[str(a),lower(1)]
http-request set-header x %[path(1)]
http-request set-header x %[str]
http-request set-header x %[date(1,foo)]
http-request set-header x %[hdr(host,x)]
http-request set-header x %foo
http-request set-header x %{+Z}ci
http-request set-header x %ci%
http-request set-header x %[path
http-request set-header x "%{+Q}[path]"
http-request set-header x a%%b
http-request deny if foo
http-request deny if { foo }
http-request deny if {
http-request deny if
http-request deny unless TRUE or
http-request deny if ! TRUE
http-request deny if !!TRUE
http-request deny when TRUE
acl a path | http-request deny if a
acl a path_beg /x | acl a path_end /y | http-request deny if a
acl a path foo:bar | acl unused src 1.2.3.4
acl a/b path x
acl a src foo.invalid.zz
acl a src -n foo
acl a src 1.2.3.4/33
acl a dst_port gt 3
acl a dst_port gt 3 lt 4
acl a dst_port 3:
acl a dst_port :4
acl a dst_port 5:4
acl a dst_port foo
acl a path -m foo x
acl a path -m
acl a path_beg,lower -m beg x
acl a path_beg,lower x
acl a req.body x
acl a req.body -m bin 41zz
acl a req.body -m bin 4142
acl a path -m ip 1.2.3.4
acl a src -m str 1.2.3.4
acl a src -m int 3
acl a src -m bin 33
acl a path -m bin 33
acl a path -m found
acl a path -m found x
acl a path -m bool
acl a src -m bool
acl a path -m reg (
acl a path -m reg [a
acl a path -f /nonexistent
acl a path -f
acl a path -x y
acl a path -- -x
acl a bool(true)
acl a bool(true) foo
acl or path x
acl if path x | http-request deny if if
acl TRUE path x | http-request deny if TRUE
acl a method GET
acl a method -m beg G
acl a hdr_cnt(host) 3
acl a hdr_cnt 3
acl a hdr_foo(x) y
acl a req.hdr_beg(host) y
acl a hdr_beg y
acl a base_beg y
acl a url_ip 1.2.3.4
acl a urlp_beg(a) x
acl a ssl_fc
acl a var(foo) -m str x
acl a var(txn.a) x
acl a var(txn.a) -m str x
acl a srv_is_up(a/s)
acl a srv_is_up(s)
acl a srv_is_up(zz)
acl a nbsrv(zz) gt 1
acl a nbsrv gt 1
acl a be_conn(a) gt 1
acl a fe_conn(b) gt 1
acl a path,add x
acl a path,add() x
acl a path,add(1 x
acl a str -m str x
acl a int 3
acl a date(1,f\oo) 3
acl a date(1,"f,o"o) 3
acl a date(1,'f\o') 3
acl a date(x) 3
acl a date(1,s,3) 3
acl a date() 3
acl a date(,ms) 3
acl a path, x
acl a path,,lower x
acl a path,lower() x
acl a path)lower x
acl a path.lower x
acl a path,(1) x
acl a hdr(host,0) x
acl a hdr(host,-11) x
acl a hdr(host,5,6) x
acl a hdr(,1) x
acl a hdr() x
acl a hdr x
acl a str(a),sha2(255) -m bin 33
acl a str(a),digest(foo) -m bin 33
acl a str(a),url_enc(foo) x
acl a str(a),json(foo) x
acl a str(a),word(0,b) x
acl a str(a),field(0,b) x
acl a str(a),word(x,b) x
acl a str(a),bytes(-1) -m str x
acl a str(a),add(foo) 3
acl a str(a),add(txn.foo) 3
acl a str(a),concat(x,foo,y) x
acl a str(a),map(/nonexistent) x
acl a str(a),map x
acl a str(a),regsub(( x
acl a str(a),regsub("(a",b) x
acl a str(a),regsub(a,b,z) x
acl a src,ipmask(33) 1.2.3.4
acl a src,ipmask(24,64) 1.2.3.4
acl a src,ipmask(255.255.0.0) 1.2.3.4
acl a ipv4(x) 1.2.3.4
acl a bool(x)
acl a int(x) 3
acl a uuid(1) x
acl a uuid(7) x
acl a rand(0) 3
acl a env(FOO) x
acl a bin(4x) -m bin 41
acl a meth(foo) x
acl a var(txn.a,foo) -m str x
acl a set-var
acl a str(a),set-var(foo) -m str x
acl a str(a),set-var(txn.a,ifexists,foo) -m str x
acl a str(a),set-var(txn.a,ifexists,isgt) -m str x
acl a str(a),iif(b) x
acl a str(a),iif(b,c) x
acl a str(a),lower,length 3
acl a str(a),debug x
acl a str(a),strcmp(foo) 3
acl a str(a),strcmp(txn.foo) 3
acl a str(a),secure_memcmp(foo)
acl a str(a),hmac(sha1,foo) -m bin 33
acl a str(a),hmac(foo,foo) -m bin 33
acl a str(a),aes_gcm_dec(127,a,b,c) -m bin 33
acl a str(a),jwt_verify(foo,bar) 1
acl a str(a),json_query('$.a',foo) x
acl a str(a),json_query(a) x
acl a str(a),protobuf(1.x) -m bin 33
acl a str(a),protobuf(1.2,foo) -m bin 33
acl a str(a),mqtt_field_value(connect,foo) x
acl a str(a),mqtt_field_value(foo,17) x
acl a str(a),fix_tag_value(foo) -m str x
acl a str(a),be2dec(:,0) x
acl a str(a),be2hex(:,2) x
acl a int(3),http_date(1,x) x
acl a int(3),ltime(%d) x
acl a str(a),rtrim x
acl a str(a),url_dec(1) x
acl a str(a),crc32(x) 3
acl a str(a),wt6(5) 3
acl a str(a),in_table(zz)
acl a capture.req.hdr(0) x
acl a capture.req.hdr(-1) x
acl a req.payload(0,0) -m bin 33
acl a req.payload(-1,0) -m bin 33
acl a req.payload_lv(0,1,foo) -m bin 33
acl a url_param(a,&&) x
acl a http_auth(zz)
acl a fc_rtt(foo) 3
acl a fc_rtt(us) 3
acl a str(a),capture-req(5) x
acl a path,capture-req(0) x
acl a src,map_ip(/dev/null) x
acl a bool(true),ipmask(8) 1.2.3.4
acl a int(3),ipmask(8) 1.2.3.4
acl a method,add(3) 3
acl a method,lower get
acl a method,ipmask(8) 1.2.3.4
acl a src,not
acl a bool(true),b64dec -m bin 33
acl a bool(true),base64 x
acl a int(3),base64 x
acl a src,base64 x
acl a ipv6(::1),add(3) 3
acl a ipv6(::1),ipmask(8,8) ::1
acl a req.body,ipmask(8) 1.2.3.4
acl a req.body,lower x
acl a req.body,not
acl a src,length 3
acl a path -f /dev/null
acl a path -i -f /dev/null -i
acl a path -f /dev/null -m beg
acl a path -u 3 x
acl a path -u x x
acl a path -M -f /dev/null
acl a path -n x
acl a path -m str -i x
acl a path -mstr x
acl a dst_port eq
acl a dst_port gt foo
acl a dst_port 1: :5 2:3 le 4
acl a dst_port gt 3:4
acl a dst_port 99999999999999999999
acl a dst_port -5
acl a dst_port -- -5
acl a dst_port 0x10
acl a req.ver 1.1
acl a req.ssl_ver 3.1
acl a path -m len 3
acl a path -m len gt 3
acl a path -m int 3
acl a src 1.2.3.4 ::1/64 2001:db8::/32 10.0.0.0/255.0.0.0
acl a src localhost
acl a
acl a ""
acl "" path x
acl a path -m reg ^/a(?=b)
acl a path -m dom
acl a always_true
acl a wait_end
acl a path %[path]
http-request set-header x %ci_
http-request set-header x %ciX
http-request set-header x %{+Q}o%ci
http-request set-header x %{+Q
http-request set-header x %{+Q}
http-request set-header x "%[path ]"
http-request set-header x "%[ path]"
http-request set-header x %[path,regsub(a,])]
http-request set-header x %[path,regsub('a',b)]c
http-request set-header x %[]
http-request set-header x "a  b"
http-request set-header x %[path]%
http-request set-header x %
http-request set-header x ""
http-request set-header x
http-request set-header
http-request set-header x y z
http-request set-header x y if
http-request set-header "" y
http-request set-header x:y z
http-request foo
http-request
http-request deny deny_status 200
http-request deny deny_status 403 content-type a
http-request deny deny_status 403 content-type a string b
http-request deny deny_status 403 string b
http-request deny status 403 hdr a b
http-request deny status 600
http-request deny status 99
http-request deny deny_status x
http-request deny foo
http-request tarpit deny_status 429
http-request tarpit
http-request return
http-request return status 200
http-request return status 404
http-request return status 201 content-type text/plain
http-request return status 201 content-type text/plain string x hdr a b
http-request return status 201 string x
http-request return lf-string %[path] content-type a
http-request return lf-string %foo content-type a
http-request return file /nonexistent content-type a
http-request return errorfile /nonexistent
http-request return status 503 errorfiles foo
http-request return status 503 default-errorfiles
http-request return status 204 content-type a string x
http-request return status 150 content-type a string x
http-request return content-type a content-type b string x
http-request return string a string b content-type x
http-request return hdr a b
http-request return hdr content-length b
http-request return hdr content-type b
http-request redirect location /x
http-request redirect location /x code 303 drop-query append-slash clear-cookie a set-cookie b
http-request redirect prefix /x
http-request redirect scheme https if !{ ssl_fc }
http-request redirect foo
http-request redirect
http-request redirect location
http-request redirect location /x code 304
http-request redirect location /x prefix /y
http-request redirect location %[path] ignore-empty
http-request redirect location /x set-cookie-fmt a
redirect location /x if TRUE
redirect location /x
redirect prefix /a set-cookie A=1
http-response redirect location /x
http-request auth
http-request auth realm x
http-request auth realm
http-request auth x
http-request set-var(foo) path
http-request set-var(txn.foo) path
http-request set-var(txn.foo) path lower if TRUE
http-request set-var(txn.foo) path foo
http-request set-var(txn.foo)
http-request set-var(txn.foo,ifnotset) path
http-request set-var(txn.foo,foo) path
http-request set-var txn.foo path
http-request set-var-fmt(txn.foo) a%[path]
http-request set-var(txn.foo-bar) path
http-request set-var(txn.foo.b_c) path
http-request unset-var(txn.foo)
http-request unset-var(foo)
http-request del-header x
http-request del-header x -m beg
http-request del-header x -m foo
http-request replace-header a b
http-request replace-header a (b c
http-request replace-header a b c
http-request replace-path b c
http-request replace-path b
http-request replace-uri (a) \1
http-request set-log-level foo
http-request set-log-level silent
http-request set-nice 2000
http-request set-nice x
http-request set-tos 0x10
http-request set-tos 300
http-request set-mark 0x10
http-request set-mark x
http-request set-status 200
http-response set-status 200
http-response set-status 200 reason foo
http-response set-status 999
http-response set-status 1000
http-response set-status x
http-request capture path len 10
http-request capture path
http-request capture path id 0
http-request capture path len 0
http-request capture res.hdr(a) len 10
http-response capture path len 10
http-response capture res.hdr(a) id 0
http-request wait-for-body time 1s
http-request wait-for-body time 1s at-least 10k
http-request wait-for-body
http-request wait-for-body at-least 10
http-request strict-mode on
http-request strict-mode x
http-request normalize-uri path-strip-dot
http-request normalize-uri path-strip-dotdot full
http-request normalize-uri foo
http-request set-timeout server 1s
http-request set-timeout client 1s
http-request set-timeout tunnel 0
http-request set-timeout server int(5000)
http-request set-timeout foo 1s
http-request early-hint Link a
http-request disable-l7-retry
http-request silent-drop
http-request silent-drop rst-ttl 5
http-request reject
http-request set-src src
http-request set-src hdr(x)
http-request set-src
http-request set-dst-port int(80)
http-request set-priority-class int(1)
http-request set-method GET
http-request set-map(/nonexistent) a b
http-request add-acl(/nonexistent) a
http-request use-service prometheus-exporter
http-request use-service foo
http-request cache-use foo
http-request track-sc0 src
http-request sc-inc-gpc0(0)
http-request send-spoe-group a b
http-request allow | http-request deny
http-request deny | http-request deny
http-request wait-for-handshake
http-request do-resolve(txn.a,r) hdr(host)
http-request set-uri /x%[path]
http-request add-header a b if TRUE foo
http-response deny deny_status 500
http-response return status 200
http-response reject
http-response tarpit
http-response set-path x
http-after-response set-header a b
http-after-response deny
http-after-response set-header a %[res.hdr(x)]
http-after-response set-header a %[path]
http-after-response set-header a %[var(txn.a)]
tcp-request connection accept
tcp-request connection reject if { src 1.2.3.4 }
tcp-request connection reject if { path /x }
tcp-request connection foo
tcp-request connection set-src hdr(x)
tcp-request connection set-src src,ipmask(24)
tcp-request connection expect-proxy layer4
tcp-request connection expect-proxy
tcp-request session accept
tcp-request session set-var(sess.a) src
tcp-request content accept if { req.len gt 0 }
tcp-request content reject
tcp-request content capture req.len len 10
tcp-request content capture req.len
tcp-request content set-nice 5
tcp-request content switch-mode http
tcp-request content switch-mode tcp
tcp-request content set-priority-class int(3)
tcp-request content set-log-level info
tcp-request content use-service foo
tcp-request content do-resolve(txn.a,r) src
tcp-request content track-sc0 src
tcp-request inspect-delay 5s
tcp-request inspect-delay
tcp-request inspect-delay x
tcp-request inspect-delay 5s foo
tcp-request foo
tcp-request
tcp-request accept
tcp-response content accept
tcp-response content close
tcp-response content reject if { res.len gt 0 }
tcp-response content reject if { req.len gt 0 }
tcp-response inspect-delay 5s
tcp-response foo
use_backend a
use_backend a if TRUE
use_backend zz if TRUE
use_backend %[path]
use_backend %[path] if TRUE
use_backend
use_backend a b
use_backend x%[res.hdr(a)]
use-server s if TRUE
use-server s
use-server zz if TRUE
use-server %[path] if TRUE
use-server
force-persist if TRUE
force-persist
ignore-persist unless TRUE
log-format %ci
log-format "%ci %cp"
log-format %ci\ %cp x
log-format %[path]
log-format %[capture.req.hdr(0)]
log-format %[src]
log-format %[res.hdr(a)]
log-format
log-format-sd %ci
error-log-format %ci
unique-id-format %ci
unique-id-format %[path]
unique-id-format %[res.hdr(a)]
capture request header host len 10
capture request header host
capture request header host len 0
capture request foo
capture response header server len 10
capture cookie a len 10
capture cookie a
declare capture request len 10
declare capture response len 10
declare capture foo
declare capture request len 10 | http-request capture path id 0
declare capture request len 10 | http-request capture path id 1
monitor-uri /x
monitor fail if TRUE
monitor fail
monitor fail unless TRUE
monitor foo
mode tcp | http-request deny
mode tcp | log-format %HM
mode tcp | log-format %hr
mode tcp | tcp-request content set-var(txn.a) path
mode tcp | http-request deny if { path /x }
mode tcp | acl a path /x
mode tcp | use_backend a if { path /x }
mode tcp | redirect location /x
http-request deny if FALSE | http-request allow | http-request deny
tcp-request content accept | http-request deny
use_backend a if TRUE | http-request deny
http-request deny | tcp-request content accept
http-request deny | tcp-request connection accept
redirect location /x | http-request deny
use_backend a | use_backend a
http-request redirect location /x | http-request deny
http-request return status 200 | http-request deny
tcp-request content accept | tcp-request content reject
tcp-request inspect-delay 1s | tcp-request content accept if WAIT_END
tcp-request content accept if HTTP
http-error status 400 content-type a string x
http-error status 400
http-error status 201 content-type a string x
http-error status 400 content-type a lf-string %[path]
http-request set-header x %[fc_rtt]
http-request set-header x %[acl(a)]
acl z path /x | http-request set-header x %[acl(z)]
acl a 'date(1,a\nb)' 3
acl a 'date(1,a\\b)' 3
acl a 'date(1,a\,b)' 3
acl a 'date(1,a\)b)' 3
acl a 'date(1,a\ b)' 3
acl a 'date(1,a\"b)' 3
acl a 'date(1,"a\nb\"\1\,")' 3
acl a 'date(1,"a,b")' 3
acl a "date(1,'a\\\\nb')" 3
acl a 'date(1, a )' 3
acl a 'date( 1,s)' 3
acl a 'date(1,"a'"'"'b")' 3
acl a var(proc.x),lower -m found
acl a path -i -m beg x
acl a req.payload(0,5),hex,lower x
acl a path lower x
http-request deny if TRUE || { path_beg /x }
monitor fail if TRUE | tcp-request connection accept
monitor fail if TRUE | tcp-request content accept
monitor fail if TRUE | http-request deny
http-request deny | monitor fail if TRUE
use_backend %[path] | tcp-request content accept
use-server s if TRUE | http-request deny
use-server s if TRUE | use_backend %[path]
redirect location / | tcp-request session accept
tcp-request content accept | tcp-request session accept
tcp-request session accept | tcp-request connection accept
http-response deny | http-response deny
http-after-response allow | http-after-response allow
tcp-response content accept | http-response deny
http-request deny if TRUE | http-request deny
http-request reject | http-request deny
http-request silent-drop | http-request deny
http-request tarpit | http-request deny
http-request auth | http-request deny
http-request deny if { path_beg /a /b } or { path_end .x } !{ method POST }
http-request deny if { req.hdr(x) -m reg -i ^a.*b$ }
http-request deny if { req.hdr(x),lower,word(1,;) -m beg a }
http-request set-header X-Forwarded-Port %[dst_port]
http-request set-header X-SSL %[ssl_fc]
http-request set-header X-Date "%[date(0),http_date]"
http-request set-var(txn.host) req.hdr(host),field(1,:),lower
http-request set-header Host %[var(txn.host)]
http-request replace-value Cookie foo=([^;]*) foo=\1;ip=%bi
http-request redirect code 301 location https://%[hdr(host)]%[capture.req.uri] if { hdr(host) -i a.b }
http-request redirect prefix https://www.x.y if { hdr(host) -i x.y }
http-request add-header X-Id %[uuid()]
http-request add-header X-Id %ID
http-request set-query %[query,regsub(%3D,=,g)]
http-request set-path %[path,regsub(^/static/,/)]
http-request del-header X-Forwarded-For unless { src 10.0.0.0/8 192.168.0.0/16 }
http-response set-header Strict-Transport-Security "max-age=16000000; includeSubDomains; preload;"
http-response replace-header Location http://(.*) https://\1
http-response del-header Server
http-response set-status 503 reason "Slow Down" if { status 500 }
http-response add-header X-Cache %[res.hdr(x-c)]
http-response set-header X %[txn.status]
http-request deny deny_status 400 if { req.hdr_cnt(host) gt 1 }
http-request deny if { url_param(a) -m found } { urlp(b) x }
http-request return status 200 content-type "application/json" lf-string '{"a":"%[src]"}'
http-request return content-type text/plain string a
http-request deny hdr x y
http-request tarpit status 500 content-type a string b
http-request set-log-level silent if { path /health }
http-request capture req.hdr(User-Agent) len 128
http-request capture hdr(host) len 20 if TRUE
use_backend %[req.hdr(host),lower,map_dom(/dev/null,a)]
use_backend bk_%[path,field(2,/)] if { path_beg /x }
acl a hdr(host) -i -m dom x.y
acl a hdr_dom(host) -i x.y
acl a hdr_end(host) -i .y
acl a hdr_reg(host) -i ^(www\.)?x\.y$
acl a req.hdr(host) -m str -f /dev/null
acl a src -f /dev/null
acl a url_reg -i \.php$
acl a path_reg ^/([a-z]{2})(/|$)
acl a path_dir api
acl a method POST PUT
acl a req.body_size gt 100
acl a hdr_val(content-length) gt 10
acl a hdr_ip(x-forwarded-for) 10.0.0.0/8
acl a hdr_cnt(x) eq 0
acl a req_ver 1.1
acl a dst_port 80
acl a src_port 1:1023
acl a fe_sess_rate ge 10
acl a be_sess_rate(a) gt 5
acl a queue(a) gt 5
acl a avg_queue(a) gt 5
acl a connslots(a) lt 5
acl a nbsrv(a) lt 1
acl a srv_conn(a/s) gt 3
acl a stopping
acl a date(0,s) gt 1000
acl a rand(100) lt 50
acl a env(HOME) -m found
acl a always_false
acl a so_name x
acl a so_id 1
acl a fe_id 2
acl a be_name a
acl a srv_id 1
acl a cook(x) y
acl a cook_cnt gt 3
acl a cook_val(x) gt 3
acl a scook(x) y
acl a status 200:299
acl a shdr(x) y
acl a res.hdr(x) -m found
acl a bool(1)
acl a str(x) x
acl a int(5) 5
acl a ipv4(1.2.3.4) 1.2.3.4
acl a ipv6(::1) ::1
acl a base -m beg x
acl a base_reg x
acl a baseq -m sub x
acl a query -m sub x=1
acl a url_len gt 100
acl a path_len 0:10
acl a path_sub ../
acl a path_dom x
acl a payload(0,5) -m bin 41
acl a req.ssl_sni -i x
acl a req.ssl_hello_type 1
acl a var(txn.x) -m bool
acl a var(txn.x) -m int gt 4
acl a str(1),add(1) 2
acl a src,ipmask(24) 10.0.0.0
acl a unique-id -m found
acl a http_first_req
acl a capture.req.method GET
acl a capture.req.hdr(0) -m beg x
acl a req.cook_cnt(x) 1
acl a url_ip 1.2.3.4
acl a http_auth(users)
acl a sc0_conn_rate gt 10
acl a src_get_gpc0 gt 0
acl a internal.strm.is_htx
acl a req.hdr(x,1) y
acl a req.fhdr(x) -m len 5
http-request set-var(sess.a) int(1)
http-request set-var(proc.a) int(1)
http-request set-var(res.a) int(1)
http-request set-var(check.a) int(1)
http-response set-var(res.a) res.hdr(x)
http-request set-var(txn.a,ifnotexists,ifgt) int(1)
http-request set-map(/dev/null) %[src] %[path]
acl a src -f /dev/null | http-request add-acl(/dev/null) %[src]
acl a src -f /dev/null | http-request set-map(/dev/null) %[src] a
log-format "%{+Q}o %{-Q}ci - - [%T] %r %ST %B %{+Q}hrl"
log-format "${X} %ci"
log-format "%ci:%cp [%tr] %ft %b/%s %TR/%Tw/%Tc/%Tr/%Ta %ST %B %CC %CS %tsc %ac/%fc/%bc/%sc/%rc %sq/%bq %hr %hs %{+Q}r"
log-format "%Ts %ms %pid %rt %lc %U %Tq %Ti %Th %Td %Tu %Tl %trl %trg %HM %HP %HQ %HU %HV %HPO %H"
unique-id-format %{+X}o\ %ci:%cp_%fi:%fp_%Ts_%rt:%pid
unique-id-format %[uuid]
error-log-format %ci:%cp\ [%tr]\ %ft
redirect scheme https code 301 if !{ dst_port 443 }
redirect location http://x/ if { hdr_beg(host) -i y. }
redirect prefix / drop-query append-slash set-cookie A=1; if { path / }
tcp-request content reject if !HTTP
tcp-request content set-var(txn.x) src
tcp-request connection set-var(sess.x) src
tcp-request connection set-var(txn.x) src
tcp-request session set-var-fmt(sess.x) %[src]
tcp-request content set-dst ipv4(1.2.3.4)
tcp-request content set-dst-port int(80)
tcp-request session reject if { src 1.2.3.4 }
tcp-request connection silent-drop if { src 1.2.3.4 }
tcp-response content set-var(txn.x) res.len
tcp-response content close if { res.len 0 }
tcp-response content set-log-level err
http-after-response set-status 404
http-after-response replace-value a b c
http-after-response capture res.hdr(x) id 0
http-after-response allow
http-after-response deny
http-after-response set-var(txn.x) status
http-request set-uri %[url]
http-request set-pathq /x?%[query]
http-request replace-pathq (.*) \1
http-request set-method %[method]
http-request set-src req.hdr_ip(x-forwarded-for)
http-request set-src-port int(5)
http-request set-dst dst
http-request set-priority-class int(-5)
http-request set-priority-offset int(5)
http-request reject if { src 1.2.3.4 }
http-request early-hint Link "</a>; rel=preload"
http-request strict-mode off
http-response strict-mode on
http-response wait-for-body time 5s
http-response capture res.hdr(x) id 0
http-response return status 503 content-type a/b string x if { status 500 }
http-response deny if { res.hdr(x) -m found }
http-response allow if { status 200 }
http-response set-mark 5
http-response set-nice 5
http-response set-tos 46
http-response set-log-level silent
http-response set-timeout server 5s
http-response add-acl(/x) a
http-response unset-var(txn.a)
http-response track-sc0 src
http-response normalize-uri path-strip-dot
http-request unset-var(req.a) if TRUE
http-request del-header ^X- -m reg
http-request del-header x -m
http-request del-header
http-request set-log-level
http-request set-method
http-request set-nice
http-request wait-for-body time
http-request wait-for-body time 1s at-least x
http-request set-timeout server
http-request set-timeout
http-request set-var(txn.a)
http-request capture
http-request redirect location /x code
http-request return status
http-request deny if TRUE TRUE || !FALSE
http-request deny if TRUE or or FALSE
http-request deny if { TRUE }
http-request deny if {path /x}
http-request deny if !{ path /x }
http-request deny if ! { path /x }
http-request deny unless { path /x } { path /y }
http-request deny deny_status 418
http-request deny deny_status 418 hdr a b
http-request return status 418
http-request return status 418 default-errorfiles
http-request tarpit deny_status 429
http-request deny deny_status 200
http-request deny deny_status 204
"""  # noqa: E501


def _cases() -> list[str]:
    return [line for line in CASES.split("\n") if line]


@pytest.mark.parametrize("case", _cases())
def test_accepts_refuses_and_warns_as_haproxy(case: str, tmp_path: Path) -> None:
    program = need("haproxy")
    path = tmp_path / "h.cfg"
    path.write_text(_HEAD + "".join(f" {statement}\n" for statement in case.split(" | ")))
    done = subprocess.run([program, "-c", "-f", path], capture_output=True, text=True, timeout=60)
    ours = load([str(path)], environment={})
    # The engine knows of arguments what their kinds alone do not say.
    beyond = check_rules(ours.plan) if ours.plan is not None else []
    failed = ours.report.failed or bool(beyond)
    said = f"{done.stdout}{done.stderr}\n{render(ours.report)}{beyond}"
    if any("not yet to Telamon" in text for text in beyond):
        pytest.skip("known to HAProxy, not yet to Telamon")
    errors = {d.code for d in ours.report if d.severity is Severity.ERROR}
    if errors and errors <= {"H031", "H034"}:
        pytest.skip("known to HAProxy, not yet to Telamon")
    if case in STRICTER:
        assert failed and done.returncode == 0, said
    elif case in NEWER:
        assert not failed and done.returncode != 0, said
    else:
        assert failed is (done.returncode != 0), said
        if not failed and case not in WARNED:
            warned = any(d.severity is Severity.WARNING for d in ours.report)
            assert warned is ("[WARNING]" in done.stderr), said
