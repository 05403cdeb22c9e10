"""Names that HAProxy knows and Telamon does not carry out yet, or that HAProxy itself removed.

Only names: each of these is refused by name, so that nothing in a file is ever skipped. A name
leaves this list when it becomes a row of its own.
"""

from __future__ import annotations

from telamon.haproxy.keywords.sections import Place

_IN_PYTHON = "Telamon runs no Lua: write it in Python, and name the file by `telamon-python`"
INSTEAD = dict.fromkeys(("lua-load", "lua-load-per-thread", "lua-prepend-path"), _IN_PYTHON)
"""What to do instead of some of them."""

_GLOBAL = """
51degrees-allow-unmatched 51degrees-cache-size 51degrees-data-file 51degrees-difference
51degrees-drift 51degrees-property-name-list 51degrees-property-separator
51degrees-use-performance-graph 51degrees-use-predictive-graph acme.scheduler anonkey
deviceatlas-json-file deviceatlas-log-level deviceatlas-properties-cookie deviceatlas-separator
dns-accept-family external-check ssl-security-level h1-do-not-close-on-insecure-transfer-encoding
http-err-codes http-fail-codes httpclient.resolvers.disabled httpclient.resolvers.id
httpclient.resolvers.prefer httpclient.retries httpclient.ssl.ca-file httpclient.ssl.verify
httpclient.timeout.connect jwt.decrypt_alg_list load-server-state-from-file localpeer lua-load
lua-load-per-thread lua-prepend-path ocsp-update.disable ocsp-update.httpproxy ocsp-update.maxdelay
ocsp-update.mindelay ocsp-update.mode peers pp2-never-send-local server-state-base server-state-file
shm-stats-file shm-stats-file-max-objects ssl-engine ssl-f-use ssl-passphrase-cmd ssl-provider
ssl-provider-path stats-file stress-level trace unsetenv-all wurfl-cache-size wurfl-data-file
wurfl-engine-mode wurfl-information-list wurfl-information-list-separator wurfl-patch-file
wurfl-useragent-priority
"""

_PROXY = """
compression crt email-alert external-check filter force-be-switch guid http-check
load-server-state-from-file max-session-srv-conns persist quic-initial
server-state-file-name server-template stick stick-table tcp-check tcp-request-inspect use-fcgi-app
use-small-buffers dispatch-to
"""

_OPTIONS = """
external-check httpchk independent-streams ldap-check mysql-check pgsql-check
redis-check set-header smtpchk socket-stats spop-check ssl-hello-chk tcp-check use-small-buffers
"""

_BIND = """
accept-netscaler-cip allow-0rtt alpn ca-file ca-ignore-err ca-sign-file ca-sign-pass
ca-verify-file cc ciphers ciphersuites client-sigalgs crl-file crt crt-ignore-err crt-list curves
default-crt ecdhe ech force-sslv3 force-strict-sni force-tlsv10 force-tlsv11
force-tlsv12 force-tlsv13 generate-certificates guid-prefix idle-ping ktls label namespace
no-alpn no-ca-names no-sslv3 no-strict-sni no-tls-tickets no-tlsv10 no-tlsv11 no-tlsv12 no-tlsv13
npn ocsp-update prefer-client-ciphers proto quic-cc-algo quic-force-retry quic-socket
severity-output shards sigalgs ssl ssl-max-ver ssl-min-ver strict-sni tcp-md5sig
tls-ticket-keys tls-tickets verify
"""

_SERVER = """
agent-addr agent-check agent-inter agent-port agent-send allow-0rtt alpn ca-file cc check-alpn
check-pool-conn-name check-proto check-reuse-pool check-sni check-sni-auto
check-ssl check-via-socks4 ciphers ciphersuites client-sigalgs crl-file crt curves force-sslv3
force-tlsv10 force-tlsv11 force-tlsv12 force-tlsv13 guid healthcheck idle-ping
init-state ktls log-bufsize log-proto namespace no-renegotiate no-sni-auto no-check-sni-auto
no-ssl-reuse no-sslv3 no-tls-tickets no-tlsv10 no-tlsv11 no-tlsv12 no-tlsv13 no-verifyhost
non-stick npn pool-conn-name proto renegotiate resolve-net resolve-opts
resolve-prefer resolvers send-proxy-v2-ssl send-proxy-v2-ssl-cn set-proxy-v2-tlv-fmt shard sigalgs
sni sni-auto socks4 ssl ssl-max-ver ssl-min-ver ssl-reuse strict-maxconn tcp-md5sig
tls-tickets track usesrc verify verifyhost
"""

_TIMEOUTS = frozenset({"client-hs", "server-hs", "spop-engine"})

BIND_NOT_YET = frozenset(_BIND.split()) | {"process"}
SERVER_NOT_YET = frozenset(_SERVER.split())

GLOBAL_NOT_YET = frozenset(_GLOBAL.split()) | {"stats bind-process"}
PROXY_NOT_YET = (
    frozenset(_PROXY.split()) - {"dispatch-to", "tcp-request-inspect"}
    | {f"option {name}" for name in _OPTIONS.split()}
    | {f"timeout {name}" for name in _TIMEOUTS}
    | {"stats http-request"}
)

_RING_NOT_YET = frozenset({"backing-file"})


def not_yet(place: Place) -> frozenset[str]:
    """The names that are known to HAProxy only, in sections of this kind."""
    if place is Place.GLOBAL:
        return GLOBAL_NOT_YET
    if place is Place.RING:
        return _RING_NOT_YET
    return PROXY_NOT_YET if place & Place.ANY_PROXY else frozenset()


REMOVED = {
    "appsession": "removed in HAProxy 1.6: use `stick on cookie(...)` with a stick-table",
    "bind-process": "removed in HAProxy 2.7: there is one process; use `thread` on bind lines",
    "block": "removed in HAProxy 2.1: use `http-request deny`",
    "cliexp": "removed in HAProxy 2.1: use `http-request replace-header`",
    "clitimeout": "removed in HAProxy 2.1: write `timeout client`",
    "contimeout": "removed in HAProxy 2.1: write `timeout connect`",
    "debug": "removed in HAProxy 2.8: start the program with -d",
    "dispatch": "removed in HAProxy 3.3: write a `server` line",
    "grace": "removed in HAProxy 2.8: use `hard-stop-after`, or a load balancer's drain",
    "nbproc": "removed in HAProxy 2.5: use `nbthread`",
    "redisp": "removed in HAProxy 2.1: write `option redispatch`",
    "redispatch": "removed in HAProxy 2.1: write `option redispatch`",
    "reqadd": "removed in HAProxy 2.1: use `http-request add-header`",
    "reqallow": "removed in HAProxy 2.1: use `http-request allow`",
    "reqdel": "removed in HAProxy 2.1: use `http-request del-header`",
    "reqdeny": "removed in HAProxy 2.1: use `http-request deny`",
    "reqiallow": "removed in HAProxy 2.1: use `http-request allow`",
    "reqidel": "removed in HAProxy 2.1: use `http-request del-header`",
    "reqideny": "removed in HAProxy 2.1: use `http-request deny`",
    "reqipass": "removed in HAProxy 2.1: use `http-request allow`",
    "reqirep": "removed in HAProxy 2.1: use `http-request replace-header` or `replace-path`",
    "reqisetbe": "removed in HAProxy 2.1: use `use_backend`",
    "reqitarpit": "removed in HAProxy 2.1: use `http-request tarpit`",
    "reqpass": "removed in HAProxy 2.1: use `http-request allow`",
    "reqrep": "removed in HAProxy 2.1: use `http-request replace-header` or `replace-path`",
    "reqsetbe": "removed in HAProxy 2.1: use `use_backend`",
    "reqtarpit": "removed in HAProxy 2.1: use `http-request tarpit`",
    "rspadd": "removed in HAProxy 2.1: use `http-response add-header`",
    "rspdel": "removed in HAProxy 2.1: use `http-response del-header`",
    "rspdeny": "removed in HAProxy 2.1: use `http-response deny`",
    "rspidel": "removed in HAProxy 2.1: use `http-response del-header`",
    "rspideny": "removed in HAProxy 2.1: use `http-response deny`",
    "rspirep": "removed in HAProxy 2.1: use `http-response replace-header`",
    "rsprep": "removed in HAProxy 2.1: use `http-response replace-header`",
    "srvexp": "removed in HAProxy 2.1: use `http-response replace-header`",
    "srvtimeout": "removed in HAProxy 2.1: write `timeout server`",
    "monitor-net": "removed in HAProxy 2.0: use `http-request return status 200 if { src ... }`",
    "option forceclose": "removed in HAProxy 2.0: write `option httpclose`",
    "option http-tunnel": "removed in HAProxy 2.1: nothing is needed",
    "option http_proxy": "removed in HAProxy 2.5: use `http-request set-dst`",
    "option http-use-htx": "removed in HAProxy 2.1: nothing is needed",
    "option tcpsplice": "removed in HAProxy 1.5: use `option splice-auto`",
    "timeout clitimeout": "removed in HAProxy 2.1: write `timeout client`",
    "timeout contimeout": "removed in HAProxy 2.1: write `timeout connect`",
    "timeout srvtimeout": "removed in HAProxy 2.1: write `timeout server`",
}
"""Words of older files that HAProxy itself refuses today, and what took their place."""
