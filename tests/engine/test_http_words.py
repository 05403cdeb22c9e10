"""Words of mode http, one by one, beside HAProxy: persistence, bodies, names, addresses."""

from __future__ import annotations

import re

import pytest

from telamon.engine import IoEngine
from tests.engine.duel import (
    CLOSE,
    END,
    EOF,
    GET,
    LAST,
    NAP,
    OK,
    STAY,
    Case,
    Pour,
    Script,
    Step,
    Until,
    fight,
    needs_haproxy,
    ours,
    pattern,
)

pytestmark = needs_haproxy

SERVER = "    server s1 {server}"
POST = b"POST /p HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 5\r\n"
CHUNKS = b"POST /p HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
ONCE: tuple[Script, ...] = ((Until(), OK),)


def config(*lines: str, servers: str = SERVER) -> str:
    """`{server}` is filled in; other braces stay."""
    text = "".join(f"    {line}\n" for line in lines)
    return text.replace("{", "{{").replace("}", "}}") + servers


def asked(request: bytes, name: str, *lines: str, servers: str = SERVER) -> Case:
    return Case(name, ((request, END),), ONCE, config(*lines, servers=servers))


COOKIE = LAST.replace(b"Host", b"Cookie: S=two\r\nHost")
TWO = "    server s1 {server} cookie one\n    server s2 {server} cookie two"
DOWN = "    server s1 {server} cookie one\n    server s2 {server} cookie two disabled"
PERSISTENCE = [
    asked(COOKIE, "ignored", "cookie S insert", "ignore-persist if { path /last }", servers=TWO),
    asked(COOKIE, "not ignored", "cookie S insert", "ignore-persist if { path /x }", servers=TWO),
    asked(COOKIE, "ignored, indirect", "cookie S insert indirect", "ignore-persist if TRUE",
          servers=TWO),
    asked(COOKIE, "forced", "cookie S insert", "force-persist if { path /last }", servers=DOWN),
    asked(COOKIE, "not forced", "cookie S insert", "force-persist if { path /x }", servers=DOWN),
    asked(COOKIE, "the first rule counts", "cookie S insert", "ignore-persist if TRUE",
          "force-persist if TRUE", servers=TWO),
    asked(LAST, "use-server of one that is down", "use-server s2 if TRUE", servers=DOWN),
    asked(LAST, "use-server, persist", "option persist", "use-server s2 if TRUE", servers=DOWN),
]  # fmt: skip

BODIES = [
    Case("buffered", ((POST + b"\r\nab", NAP, b"cde", END),), ((Until(b"abcde"), OK),),
         config("option http-buffer-request")),
    Case("buffered chunks", ((CHUNKS + b"2\r\nab\r\n", b"0\r\n\r\n", END),),
         ((Until(b"0\r\n\r\n"), OK),), config("option http-buffer-request")),
    Case("buffered, late", ((POST + b"\r\nab", END),), ONCE,
         config("option http-buffer-request", "timeout http-request 300ms")),
    Case("buffered, client's timeout", ((POST + b"\r\nab", END),), ONCE,
         config("option http-buffer-request")),
    Case("buffered, gone", ((POST + b"\r\nab", EOF, END),), ONCE,
         config("option http-buffer-request")),
    Case("buffered, asked for", ((POST + b"Expect: 100-continue\r\n\r\n", Until(), b"abcde", END),),
         ((Until(b"abcde"), OK),), config("option http-buffer-request")),
    Case("wait-for-body, late", ((POST + b"\r\nab", END),), ONCE,
         config("http-request wait-for-body time 300ms")),
    Case("wait-for-body, asked for",
         ((POST + b"Expect: 100-continue\r\n\r\n", Until(), b"abcde", END),),
         ((Until(b"abcde"), OK),), config("http-request wait-for-body time 300ms")),
]  # fmt: skip

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CLOSED = b"HTTP/1.1 200 OK\r\n\r\n"
ECHO = POST.replace(b"Connection: close\r\n", b"") + b"\r\n"
SHOWN = (
    "http-response wait-for-body time {time}",
    "http-response set-header x-body %[res.body],%[res.body_len],%[res.body_size]",
)


def answered(name: str, *steps: Step, time: str = "900ms") -> Case:
    lines = [line.replace("{time}", time) for line in SHOWN]
    return Case(name, ((LAST, END),), ((Until(), *steps),), config(*lines))


REPLIES = [
    answered("whole", HEAD + b"abcde"),
    answered("in pieces", HEAD + b"ab", NAP, b"cde"),
    answered("head alone first", HEAD, NAP, b"abcde"),
    answered("a chunk", CHUNKED + b"5\r\nab", NAP, b"cde\r\n0\r\n\r\n"),
    answered("until the close", CLOSED + b"ab", NAP, b"cde", CLOSE),
    answered("none", b"HTTP/1.1 204 No Content\r\n\r\n"),
    answered("late", HEAD + b"ab", STAY, time="300ms"),
    answered("the server's timeout", HEAD + b"ab", STAY, time="5s"),
    answered("as much as wanted", HEAD + b"abc", NAP, b"de", time="900ms at-least 3"),
    answered("as much as wanted, in pieces", HEAD + b"ab", NAP, b"cd", NAP, b"e",
             time="900ms at-least 4"),
    answered("cut", HEAD + b"ab", NAP, CLOSE),
    answered("broken chunks", CHUNKED + b"2\r\nab\r\n", NAP, b"x\r\n"),
    answered("two waits", HEAD + b"a", NAP, b"bc", NAP, b"de",
             time="900ms at-least 2\n    http-response wait-for-body time 900ms"),
    Case("the client goes", ((LAST, NAP, CLOSE),), ((Until(), HEAD + b"ab", NAP, NAP, b"cde"),),
         config("http-response wait-for-body time 900ms")),
    Case("kept", ((GET, Until(b"abcde"), LAST, END),),
         ((Until(), HEAD + b"ab", NAP, b"cde", Until(), HEAD + b"abcde"),),
         config("http-response wait-for-body time 900ms"), lines=2),
]  # fmt: skip

ODD = LAST.replace(b"Host", b"X_Odd: 1\r\nX-Even: 2\r\nHost")
SET_COOKIE = OK.replace(b"Content", b"Set-Cookie: a=b\r\nContent")
NAMES = [
    asked(ODD, "names preserved", "option http-restrict-req-hdr-names preserve"),
    asked(ODD, "names deleted", "option http-restrict-req-hdr-names delete"),
    asked(ODD, "names rejected", "option http-restrict-req-hdr-names reject"),
    Case("checkcache", ((LAST, END),), ((Until(), SET_COOKIE),), config("option checkcache")),
    Case("checkcache, private", ((LAST, END),),
         ((Until(), SET_COOKIE.replace(b"Set", b"Cache-Control: private\r\nSet")),),
         config("option checkcache")),
    Case("checkcache, no cookie", ((LAST, END),), ONCE, config("option checkcache")),
]  # fmt: skip

TWICE = LAST.replace(b"/last", b"/first").replace(b"Connection: close\r\n", b"")
ADDRESSES = [
    Case("set-src holds for one request", ((TWICE, Until(b"ok"), LAST, END),),
         ((Until(), OK, Until(), OK),),
         config("http-request set-src hdr(x-a) if { path /first }",
                "http-request set-src str(10.1.2.3) if { path /first }",
                "http-request set-header X-Src %[src],%[fc_src]"), lines=2),
    Case("set-src of the connection", ((TWICE, Until(b"ok"), LAST, END),),
         ((Until(), OK, Until(), OK),),
         config("tcp-request connection set-src str(10.1.2.3)",
                "http-request set-header X-Src %[src],%[fc_src]",
                "option forwardfor"), lines=2),
    Case("balance hash", ((LAST, END),), ONCE, config("balance hash path")),
    Case("check_post", ((POST.replace(b": 5", b": 7") + b"\r\nid=", b"1234", END),),
         ((Until(b"1234"), OK),), config("balance url_param id check_post")),
]  # fmt: skip


UNSAFE = "option accept-invalid-http-request"
UNSAFE_ANSWER = "option accept-invalid-http-response"


def odd(line: bytes = b"GET /last HTTP/1.1", field: bytes = b"X-A: 1") -> bytes:
    return line + b"\r\nHost: a\r\n" + field + b"\r\nConnection: close\r\n\r\n"


def many(count: int) -> bytes:
    return odd(field=b"\r\n".join(b"X-%d: 1" % number for number in range(count)))


PARSING = [
    asked(odd(field=b"X(A): 1"), "odd name", UNSAFE),
    asked(odd(field=b"X\xe9: 1"), "name beyond ASCII", UNSAFE),
    asked(odd(field=b"X(A): 1"), "odd name, refused"),
    asked(odd(b"GET /a#b HTTP/1.1"), "fragment", UNSAFE),
    asked(odd(b"GET /a#b HTTP/1.1"), "fragment, refused"),
    asked(odd(b"GET /\xe9 HTTP/1.1"), "URI beyond ASCII", UNSAFE),
    asked(odd(b"GET /\x7f HTTP/1.1"), "URI with a control", UNSAFE),
    asked(odd(b"GET / HTTP/1.10"), "long version, refused"),
    asked(odd(b"GET http://b/ HTTP/1.1"), "two hosts", UNSAFE),
    asked(b"GET /old\r\n", "HTTP/0.9", UNSAFE),
    asked(b"GET /old\r\n", "HTTP/0.9, refused"),
    asked(b"PUT /old\r\n", "HTTP/0.9, PUT", UNSAFE),
    Case("odd name in a response", ((LAST, END),),
         ((Until(), OK.replace(b"Content", b"X(A): 1\r\nContent")),), config(UNSAFE_ANSWER)),
    Case("odd name in a response, refused", ((LAST, END),),
         ((Until(), OK.replace(b"Content", b"X(A): 1\r\nContent")),)),
    Case("payload of HTTP/1.0", ((b"GET / HTTP/1.0\r\nContent-Length: 2\r\n\r\nab", END),),
         ((Until(b"ab"), OK),), tune="    h1-accept-payload-with-any-method"),
    Case("payload of HTTP/1.0, refused",
         ((b"GET / HTTP/1.0\r\nContent-Length: 2\r\n\r\nab", END),)),
    Case("few headers", ((many(25), END),), ONCE, tune="    tune.http.maxhdr 30"),
    Case("too many headers", ((many(25), END),), ONCE, tune="    tune.http.maxhdr 20"),
    Case("small buffer", ((odd(field=b"X: " + b"a" * 2000), END),), ONCE,
         tune="    tune.bufsize 4096\n    tune.maxrewrite 1024"),
    Case("small buffer, too much", ((odd(field=b"X: " + b"a" * 3100), END),), ONCE,
         tune="    tune.bufsize 4096\n    tune.maxrewrite 1024"),
    Case("large buffer", ((odd(field=b"X: " + b"a" * 20000), END),), ONCE,
         tune="    tune.bufsize 32768"),
    Case("long URI in the log", ((odd(b"GET /" + b"a" * 2000 + b" HTTP/1.1"), END),), ONCE,
         tune="    tune.http.logurilen 500"),
    Case("short line in the log", ((LAST, END),), ONCE, tune="    tune.http.logurilen 12"),
    Case("cases", ((LAST, END),), ONCE,
         config("option h1-case-adjust-bogus-client", "option h1-case-adjust-bogus-server"),
         tune="    h1-case-adjust host HoSt\n    h1-case-adjust content-length Content-Length\n"
         "    h1-case-adjust connection Connection"),
    Case("cases of our own answers", ((LAST, END),), None,
         config("option h1-case-adjust-bogus-client", "http-request deny"),
         tune="    h1-case-adjust content-length Content-Length"),
    asked(odd(b"GET http://a/x HTTP/1.1", b"Proxy-Connection: close"), "proxy's header",
          "option http-use-proxy-header"),
    asked(odd(b"GET http://a/x HTTP/1.1"), "proxy's authentication",
          "option http-use-proxy-header", "http-request auth realm x"),
    asked(odd(), "no proxy's authentication",
          "option http-use-proxy-header", "http-request auth realm x"),
]  # fmt: skip


CREDENTIALS = b"Proxy-Authorization: Basic dXNlcjpwYXNz"
PROXIED = [
    asked(odd(b"GET http://a/x HTTP/1.1", CREDENTIALS), "credentials for a proxy",
          "option http-use-proxy-header", "http-request set-header x-user %[http_auth_user]"),
    asked(odd(b"GET /x HTTP/1.1", CREDENTIALS), "credentials for a proxy that is none",
          "option http-use-proxy-header", "http-request set-header x-user %[http_auth_user]"),
]  # fmt: skip
VALID = LAST.replace(b"Host", b"Cookie: S=two\r\nHost")
ANSWERS = [
    Case("an error made of parts", ((LAST, END),), None,
         config("http-error status 503 content-type text/plain lf-string 'no %[path]' hdr x-a b",
                servers="    server s1 {dead}\n    retries 0")),
    Case("a denial made of parts", ((LAST, END),), None,
         config("http-error status 403 content-type text/plain string no", "http-request deny",
                servers="")),
    asked(VALID, "denied, with a cookie", "cookie S insert", "http-request deny", servers=TWO),
    asked(LAST, "sent to the server",
          servers="    server s1 {server} redir http://there.example"),
    asked(GET, "sent to the server, kept",
          servers="    server s1 {server} redir http://there.example"),
    asked(POST + b"\r\nabcde", "not sent to the server",
          servers="    server s1 {server} redir http://there.example"),
    asked(odd(b"GET http://a/x?y HTTP/1.1"), "sent there, absolute form",
          servers="    server s1 {server} redir http://there.example"),
]  # fmt: skip


@pytest.mark.parametrize("case", PERSISTENCE, ids=[case.name for case in PERSISTENCE])
def test_persistence(io: IoEngine, case: Case) -> None:
    fight(case, io)


@pytest.mark.parametrize("case", BODIES, ids=[case.name for case in BODIES])
def test_bodies_that_are_awaited(io: IoEngine, case: Case) -> None:
    fight(case, io)


@pytest.mark.parametrize("case", REPLIES, ids=[case.name for case in REPLIES])
def test_replies_that_are_awaited(io: IoEngine, case: Case) -> None:
    fight(case, io)


def test_more_than_a_buffer_is_not_awaited(io: IoEngine) -> None:
    """HAProxy's buffer holds the head too, so that it sees less of the body."""
    size = 300_000
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
    words = config("http-response wait-for-body time 5s",
                   "http-response set-header x-len %[res.body_len]")  # fmt: skip
    outcome = ours(Case("large", ((LAST, END),), ((Until(), head, Pour(size)),), words), io)
    got, body = outcome.clients[0][0].split(b"\r\n\r\n", 1)
    assert body == pattern(size)
    seen = re.search(rb"x-len: (\d+)", got)
    assert seen is not None and 16384 <= int(seen[1]) < size


def test_the_request_goes_on_while_the_reply_is_awaited(io: IoEngine) -> None:
    """The server answers with what it has read so far: nobody waits for the other."""
    words = config("http-response wait-for-body time 5s",
                   "http-response set-header x-body %[res.body]")  # fmt: skip
    client = (ECHO + b"ab", NAP, b"cde", Until(b"x-body: abcde\r\n"), Until(b"abcde"))
    server = (Until(b"ab"), HEAD + b"ab", Until(b"cde"), b"cde")
    outcome = ours(Case("echo", (client,), (server,), words), io)
    assert outcome.clients[0][1] == "open", outcome


def test_a_reply_is_held_back(io: IoEngine) -> None:
    """HAProxy knows `http-response pause` from 3.2 on."""
    words = config("http-response pause 300ms if { status 200 }",
                   "http-response pause int(100),add(200)",
                   "http-response set-header x-after yes")  # fmt: skip
    case = Case("held", ((LAST, END),), ((Until(), HEAD + b"ab", NAP, b"cde"),), words)
    outcome = ours(case, io)
    got = outcome.clients[0][0]
    assert got.endswith(b"abcde") and b"x-after: yes\r\n" in got
    # Tt is the last of the times: it has both pauses in it.
    times = re.search(r" (\d+)/(\d+)/(\d+)/(\d+)/(\d+) ", outcome.log[0])
    assert times is not None and int(times[5]) >= 6, outcome.log


@pytest.mark.parametrize("case", NAMES, ids=[case.name for case in NAMES])
def test_heads_that_are_looked_at(io: IoEngine, case: Case) -> None:
    fight(case, io)


@pytest.mark.parametrize("case", ADDRESSES, ids=[case.name for case in ADDRESSES])
def test_addresses_and_keys(io: IoEngine, case: Case) -> None:
    fight(case, io)


def test_a_dynamic_cookie_leads_back(io: IoEngine) -> None:
    """Its value depends on the server's port, so that two runs cannot be compared; the crate's
    tests compare it."""
    words = config("cookie S insert dynamic", "dynamic-cookie-key secret", servers="")
    servers = "    server s1 {dead}\n    server s2 {server}\n    option redispatch"
    first = ours(Case("dynamic", ((LAST, END),), ONCE, words + servers), io)
    found = re.search(rb"set-cookie: (S=[0-9a-f]{16}); path=/\r\n", first.clients[0][0])
    assert found is not None, first.clients


@pytest.mark.parametrize("case", PARSING, ids=[case.name for case in PARSING])
def test_what_is_let_pass(io: IoEngine, case: Case) -> None:
    fight(case, io)


@pytest.mark.parametrize("option", ["request", "response"])
def test_trailers_are_dropped(io: IoEngine, option: str) -> None:
    """HAProxy knows the options from 3.1 on."""
    trailed = CHUNKS + b"2\r\nab\r\n0\r\nX-T: 1\r\n\r\n"
    answer = OK.replace(b"Content-Length: 2\r\n\r\nok", b"Transfer-Encoding: chunked\r\n\r\n")
    answer += b"2\r\nok\r\n0\r\nX-T: 1\r\n\r\n"
    words = config(f"option http-drop-{option}-trailers")
    case = Case("trailers", ((trailed, END),), ((Until(b"0\r\n"), answer),), words)
    outcome = ours(case, io)
    there = b"x-t: 1" in outcome.servers[0], b"x-t: 1" in outcome.clients[0][0]
    assert there == (option == "response", option == "request")
    assert outcome.servers[0].endswith(b"\r\n\r\n")


def test_long_versions_are_the_versions_that_they_begin_with(io: IoEngine) -> None:
    """HAProxy passes them on as they are, and its own rules for 1.0 with them."""
    answer = OK.replace(b"1.1", b"1.10")
    case = Case("versions", ((odd(b"GET / HTTP/1.10"), END),), ((Until(), answer),),
                config(UNSAFE, UNSAFE_ANSWER))  # fmt: skip
    outcome = ours(case, io)
    assert outcome.servers[0].startswith(b"GET / HTTP/1.1\r\n")
    assert outcome.clients[0][0].startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("case", ANSWERS + PROXIED, ids=[one.name for one in ANSWERS + PROXIED])
def test_answers_of_our_own(io: IoEngine, case: Case) -> None:
    fight(case, io)
