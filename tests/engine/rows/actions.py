"""Actions, in each set of rules that has them.

`a ; b` are two rules. On the right: what must be in what the client got, with the head that
the server got as its body, and in the log's line.
"""

HTTP = r"""
http-request allow ; http-request deny => 200 OK
http-request auth realm here => 401 Unauthorized(?s:.)*Basic realm="here"
http-request deny deny_status 429 => 429 Too
http-request redirect location /there => 302 Found(?s:.)*location: /there
http-request reject => ^\nLOG .* PR
http-request return status 418 content-type text/plain string tea => 418 (?s:.)*\r\n\r\ntea
http-request silent-drop => ^\nLOG .* PR
http-request tarpit => 500 (?s:.)* PT
http-request add-header X-New 1 => x-new: 1
http-request del-header X-A => ^(?!(?s:.)*x-a: one)
http-request early-hint Link here => 103 Early Hints\r\nlink: here
http-request normalize-uri path-merge-slashes => GET /a/b/c\?x=1
http-request replace-header X-A o(.).* p\1 => x-a: pn
http-request replace-path /a(.*) /z\1 => GET /z//b/c\?x=1
http-request replace-pathq (.*) /q\1 => GET /q/a//b/c\?x=1
http-request replace-uri (.*) /u\1 => GET /u/a//b/c
http-request replace-value X-B b c => x-b: a,\s*c
http-request set-header X-A two => x-a: two
http-request set-method PUT => PUT /a
http-request set-path /new => GET /new\?x=1
http-request set-pathq /new?y => GET /new\?y
http-request set-query z=2 => GET /a//b/c\?z=2
http-request set-uri /whole?u => GET /whole\?u
http-request add-acl(FOLDER/words.lst) a ;
    http-request set-header X-In yes if { str(a) -f FOLDER/words.lst } => x-in: yes
http-request del-acl(FOLDER/gone.lst) a ;
    http-request set-header X-In yes unless { str(a) -f FOLDER/gone.lst } => x-in: yes
http-request set-map(FOLDER/own.map) k v ;
    http-request set-header X-Map %[str(k),map(FOLDER/own.map)] => x-map: v
http-request del-map(FOLDER/less.map) k ;
    http-request set-header X-Map -%[str(k),map(FOLDER/less.map)]- => x-map: --
http-request capture path len 10 => LOG .*\{/a//b/c\}
http-request disable-l7-retry => 200 OK
http-request pause 20 => 200 OK
http-request set-bc-mark 7 => 200 OK
http-request set-bc-tos 8 => 200 OK
http-request set-dst ipv4(127.0.0.9) ; http-request set-header X-Dst %[dst] => x-dst: 127.0.0.9
http-request set-dst-port int(99) ; http-request set-header X-Dst %[dst_port] => x-dst: 99
http-request set-fc-mark 7 => 200 OK
http-request set-fc-tos 8 => 200 OK
http-request set-log-level alert => LOG <129>
http-request set-mark 7 => 200 OK
http-request set-nice 5 => 200 OK
http-request set-priority-class int(3) ; http-request set-header X-P %[prio_class] => x-p: 3
http-request set-priority-offset int(9) ; http-request set-header X-P %[prio_offset] => x-p: 9
http-request set-retries 5 ; http-response set-header X-R %[cur_max_retries] => (?i)x-r: 5
http-request set-src ipv4(192.0.2.7) ; http-request set-header X-Src %[src] => x-src: 192.0.2.7
http-request set-src-port int(77) ; http-request set-header X-Src %[src_port] => x-src: 77
http-request set-timeout server 9s ; http-response set-header X-T %[cur_server_timeout] => x-t: 9000
http-request set-tos 8 => 200 OK
http-request set-var(txn.a) str(b) ; http-request set-header X-V %[var(txn.a)] => x-v: b
http-request set-var-fmt(txn.a) b%[int(1)] ; http-request set-header X-V %[var(txn.a)] => x-v: b1
http-request strict-mode off => 200 OK
http-request set-var(txn.a) str(b) ;
    http-request unset-var(txn.a) ;
    http-request set-header X-V -%[var(txn.a)]- => x-v: --
http-request wait-for-body time 1s => 200 OK
http-request wait-for-handshake => 200 OK
http-response allow ; http-response deny => 200 OK
http-response deny deny_status 502 => 502 Bad
http-response redirect location /there => 302 Found(?s:.)*location: /there
http-response return status 418 content-type text/plain string tea => 418 (?s:.)*\r\n\r\ntea
http-response silent-drop => ^\nLOG
http-response add-header X-New 1 => x-new: 1
http-response del-header X-Gone => ^(?!(?s:.)*x-gone)
http-response replace-header X-Code (.) \1\1 => x-code: 77
http-response replace-value X-List b c => x-list: a,\s*c
http-response set-header X-Code 8 => x-code: 8
http-response set-status 203 => 203 Non-Auth
http-response add-acl(FOLDER/rwords.lst) a ;
    http-response set-header X-In yes if { str(a) -f FOLDER/rwords.lst } => x-in: yes
http-response del-acl(FOLDER/rgone.lst) a ;
    http-response set-header X-In yes unless { str(a) -f FOLDER/rgone.lst } => x-in: yes
http-response set-map(FOLDER/rown.map) k v ;
    http-response set-header X-Map %[str(k),map(FOLDER/rown.map)] => x-map: v
http-response del-map(FOLDER/rless.map) k ;
    http-response set-header X-Map -%[str(k),map(FOLDER/rless.map)]- => x-map: --
declare capture response len 10 ; http-response capture res.hdr(x-code) id 0 => LOG .*\{7\}
http-response pause 20 => 200 OK
http-response set-fc-mark 7 => 200 OK
http-response set-fc-tos 8 => 200 OK
http-response set-log-level alert => LOG <129>
http-response set-mark 7 => 200 OK
http-response set-nice 5 => 200 OK
http-response set-timeout client 9s ;
    http-after-response set-header X-T %[cur_client_timeout] => x-t: 9000
http-response set-tos 8 => 200 OK
http-response set-var(txn.a) str(b) ; http-response set-header X-V %[var(txn.a)] => x-v: b
http-response set-var-fmt(txn.a) b%[int(1)] ; http-response set-header X-V %[var(txn.a)] => x-v: b1
http-response strict-mode off => 200 OK
http-response set-var(txn.a) str(b) ;
    http-response unset-var(txn.a) ;
    http-response set-header X-V -%[var(txn.a)]- => x-v: --
http-response wait-for-body time 1s => 200 OK
http-after-response allow ; http-after-response set-header X-No 1 => ^(?!(?s:.)*x-no)
http-after-response add-header X-New 1 => x-new: 1
http-after-response del-header X-Gone => ^(?!(?s:.)*x-gone)
http-after-response replace-header X-Code (.) \1\1 => x-code: 77
http-after-response replace-value X-List b c => x-list: a,\s*c
http-after-response set-header X-Code 8 => x-code: 8
http-after-response set-status 203 => 203 Non-Auth
declare capture response len 10 ; http-after-response capture res.hdr(x-code) id 0 => LOG .*\{7\}
http-after-response set-fc-mark 7 => 200 OK
http-after-response set-fc-tos 8 => 200 OK
http-after-response set-var(txn.a) str(b) ;
    http-after-response set-header X-V %[var(txn.a)] => x-v: b
http-after-response set-var-fmt(txn.a) b%[int(1)] ;
    http-after-response set-header X-V %[var(txn.a)] => x-v: b1
http-after-response strict-mode off => 200 OK
http-after-response set-var(txn.a) str(b) ;
    http-after-response unset-var(txn.a) ;
    http-after-response set-header X-V -%[var(txn.a)]- => x-v: --
"""

TCP = r"""
tcp-request connection accept ; tcp-request connection reject => hello
tcp-request connection reject => ^\nLOG $
tcp-request connection silent-drop => ^\nLOG $
tcp-request connection set-dst ipv4(127.0.0.9) => LOG .* dst=127.0.0.9
tcp-request connection set-dst-port int(99) => LOG .* port=99
tcp-request connection set-fc-mark 7 => hello
tcp-request connection set-fc-tos 8 => hello
tcp-request connection set-mark 7 => hello
tcp-request connection set-tos 8 => hello
tcp-request connection set-src ipv4(192.0.2.7) => LOG .* src=192.0.2.7
tcp-request connection set-src-port int(77) => LOG .* sport=77
tcp-request connection set-var(sess.a) str(b) => LOG .* v=b
tcp-request connection set-var-fmt(sess.a) b%[int(1)] => LOG .* v=b1
tcp-request connection set-var(sess.a) str(b) ;
    tcp-request connection unset-var(sess.a) => LOG .* v=-
tcp-request session accept ; tcp-request session reject => hello
tcp-request session reject => ^\nLOG $
tcp-request session silent-drop => ^\nLOG $
tcp-request session set-dst ipv4(127.0.0.9) => LOG .* dst=127.0.0.9
tcp-request session set-dst-port int(99) => LOG .* port=99
tcp-request session set-fc-mark 7 => hello
tcp-request session set-fc-tos 8 => hello
tcp-request session set-mark 7 => hello
tcp-request session set-tos 8 => hello
tcp-request session set-src ipv4(192.0.2.7) => LOG .* src=192.0.2.7
tcp-request session set-src-port int(77) => LOG .* sport=77
tcp-request session set-var(sess.a) str(b) => LOG .* v=b
tcp-request session set-var-fmt(sess.a) b%[int(1)] => LOG .* v=b1
tcp-request session set-var(sess.a) str(b) ; tcp-request session unset-var(sess.a) => LOG .* v=-
tcp-request content accept ; tcp-request content reject => hello
tcp-request content reject => ^\nLOG .* PR
tcp-request content silent-drop => ^\nLOG
tcp-request content capture src len 20 => LOG .*\{127.0.0.1\}
tcp-request content set-bc-mark 7 => hello
tcp-request content set-bc-tos 8 => hello
tcp-request content set-dst ipv4(127.0.0.9) => LOG .* dst=127.0.0.9
tcp-request content set-dst-port int(99) => LOG .* port=99
tcp-request content set-fc-mark 7 => hello
tcp-request content set-fc-tos 8 => hello
tcp-request content set-log-level alert => LOG <129>
tcp-request content set-mark 7 => hello
tcp-request content set-nice 5 => hello
tcp-request content set-priority-class int(3) => LOG .* class=3
tcp-request content set-priority-offset int(9) => LOG .* offset=9
tcp-request content set-retries 5 => hello
tcp-request content set-src ipv4(192.0.2.7) => LOG .* src=192.0.2.7
tcp-request content set-src-port int(77) => LOG .* sport=77
tcp-request content set-tos 8 => hello
tcp-request content set-var(sess.a) str(b) => LOG .* v=b
tcp-request content set-var-fmt(sess.a) b%[int(1)] => LOG .* v=b1
tcp-request content set-var(sess.a) str(b) ; tcp-request content unset-var(sess.a) => LOG .* v=-
tcp-response content accept ; tcp-response content reject => hello
tcp-response content close => ^\nLOG
tcp-response content reject => ^\nLOG
tcp-response content silent-drop => ^\nLOG
tcp-response content set-fc-mark 7 => hello
tcp-response content set-fc-tos 8 => hello
tcp-response content set-log-level alert => LOG <129>
tcp-response content set-mark 7 => hello
tcp-response content set-nice 5 => hello
tcp-response content set-tos 8 => hello
tcp-response content set-var(sess.a) str(b) => LOG .* v=b
tcp-response content set-var-fmt(sess.a) b%[int(1)] => LOG .* v=b1
tcp-response content set-var(sess.a) str(b) ; tcp-response content unset-var(sess.a) => LOG .* v=-
"""

ELSEWHERE = {"use-service": "tests/engine/test_python.py"}
"""Actions whose examples need more than a line."""

FILES = {
    "words.lst": "z\n",
    "gone.lst": "a\n",
    "own.map": "z 1\n",
    "less.map": "k 1\n",
    "rwords.lst": "z\n",
    "rgone.lst": "a\n",
    "rown.map": "z 1\n",
    "rless.map": "k 1\n",
}
