"""Health checks of real servers (keepalived.conf(5), "healthcheckers")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telamon.keepalived.keywords.row import Block, Keyword, Mark
from telamon.keepalived.keywords.values import host, number, script, string, switch, words
from telamon.keepalived.model import Checker, RealServer
from telamon.keepalived.syntax import Statement

if TYPE_CHECKING:
    from telamon.keepalived.reading import Reading

_R, _C, _U = (Block.REAL_SERVER,), (Block.CHECKER,), (Block.URL,)
_CU = (Block.CHECKER, Block.URL)
_YET = Mark.NOT_YET


def _checker(reading: Reading, statement: Statement, node: RealServer) -> None:
    checker = Checker(statement, kind=statement.name)
    node.checkers.append(checker)
    reading.block(Block.CHECKER, statement.entries, checker)


def _url(reading: Reading, statement: Statement, node: Checker) -> None:
    url = Checker(statement, kind="url")
    node.urls.append(url)
    reading.block(Block.URL, statement.entries, url)


def _host_block(reading: Reading, statement: Statement, node: Checker) -> None:
    """SMTP_CHECK's old `host { connect_ip ... }`: read as if it were not there."""
    reading.block(Block.CHECKER, statement.entries, node)


_KINDS = (
    ("TCP_CHECK", "a connection can be made"),
    ("HTTP_GET", "pages are as they should be"),
    ("SSL_GET", "as HTTP_GET, over TLS"),
    ("SMTP_CHECK", "a mail server answers"),
    ("DNS_CHECK", "a name server answers"),
    ("MISC_CHECK", "a program succeeds"),
    ("BFD_CHECK", "a BFD session is up"),
    ("UDP_CHECK", "no ICMP error comes back, or a reply does"),
    ("PING_CHECK", "an echo comes back"),
    ("FILE_CHECK", "a file's number"),
)

_CONNECTION_ROWS = (
    Keyword("connect_ip", _C, "ADDRESS", _YET, "where to connect", host("connect_ip"), least=1),
    Keyword("connect_port", _C, "PORT", _YET, "which port", number("connect_port", 1, 65535),
            least=1),
    Keyword("bindto", _C, "ADDRESS", _YET, "from which address", host("bindto"), least=1),
    Keyword("bind_if", _C, "INTERFACE", _YET, "from which interface", string("bind_if"), least=1),
    Keyword("bind_port", _C, "PORT", _YET, "from which port", number("bind_port", 1, 65535),
            least=1),
    Keyword("fwmark", _C, "N", _YET, "the packets' mark", number("fwmark", 0, 2**32 - 1), least=1),
    Keyword("log_all_failures", _C, "[BOOL]", _YET, "log each failure",
            switch("log_all_failures")),
)  # fmt: skip

_HTTP_ROWS = (
    Keyword("http_protocol", _C, "1.0|1.0C|1.1", _YET, "the version of HTTP",
            string("http_protocol"), least=1),
    Keyword("fast_recovery", _C, "[BOOL]", _YET, "no delay between pages while down",
            switch("fast_recovery")),
    Keyword("enable_sni", _C, "", _YET, "send the server's name", switch("enable_sni")),
    Keyword("url", _C, "{ ... }", _YET, "a page", _url, opens=Block.URL),
    Keyword("path", _U, "PATH", _YET, "the page's path", string("path"), least=1),
    Keyword("digest", _U, "MD5", _YET, "the page's MD5", string("digest"), least=1),
    Keyword("status_code", _U, "N[-N] ...", _YET, "good answers (default 200-299)",
            words("status_code"), least=1),
    Keyword("virtualhost", _CU, "NAME", _YET, "the host that is asked for", string("virtualhost"),
            least=1),
    Keyword("regex", _U, "PATTERN", _YET, "what the page must match", string("regex"), least=1),
    Keyword("regex_no_match", _U, "", _YET, "what it must not match", switch("regex_no_match")),
    Keyword("regex_options", _U, "NAME ...", _YET, "PCRE2's options", words("regex_options"),
            least=1),
    Keyword("regex_stack", _U, "START MAX", _YET, "PCRE2's stack", words("regex_stack"), least=2),
    Keyword("regex_min_offset", _U, "N", _YET, "where to begin",
            number("regex_min_offset", 0, 2**31 - 1), least=1),
    Keyword("regex_max_offset", _U, "N", _YET, "where to end",
            number("regex_max_offset", 0, 2**31 - 1), least=1),
    Keyword("tls_compliant", _C, "", _YET, "insist on a clean TLS close", switch("tls_compliant"),
            since="2.3"),
)  # fmt: skip

_OTHER_ROWS = (
    Keyword("helo_name", _C, "NAME", _YET, "the name said to the mail server",
            string("helo_name"), least=1),
    Keyword("host", _C, "{ ... }", _YET, "a mail server's address", _host_block,
            opens=Block.CHECKER),
    Keyword("type", _C, "A|NS|SOA|...", _YET, "the kind of DNS query", string("type"), least=1),
    Keyword("name", _C, "NAME", _YET, "the name to ask for, or the BFD session",
            string("name"), least=1),
    Keyword("misc_path", _C, "COMMAND", _YET, "the program", script("misc_path"), least=1),
    Keyword("misc_timeout", _C, "SECONDS", _YET, "how long it may take",
            number("misc_timeout", 1, 4294), least=1),
    Keyword("misc_dynamic", _C, "", _YET, "its exit code is the weight", switch("misc_dynamic")),
    Keyword("user", _C, "USER [GROUP]", _YET, "whom it runs as", words("user"), least=1),
    Keyword("payload", _C, "HEX", _YET, "what is sent", string("payload"), least=1),
    Keyword("require_reply", _C, "[HEX]", _YET, "what must come back", string("require_reply")),
    Keyword("min_reply_length", _C, "N", _YET, "the reply's least length",
            number("min_reply_length", 0, 65535), least=1),
    Keyword("max_reply_length", _C, "N", _YET, "the reply's greatest length",
            number("max_reply_length", 0, 65535), least=1),
    Keyword("track_file", _C, "NAME", _YET, "the file", string("track_file"), least=1),
    Keyword("weight", _C, "N [reverse]", _YET, "the factor of the number", words("weight"),
            least=1),
    Keyword("dynamic", _C, "", _YET, "the number is the weight", switch("dynamic")),
)  # fmt: skip

ROWS: tuple[Keyword, ...] = (
    *(
        Keyword(name, _R, "{ ... }", _YET, documentation, _checker, opens=Block.CHECKER)
        for name, documentation in _KINDS
    ),
    *_CONNECTION_ROWS,
    *_HTTP_ROWS,
    *_OTHER_ROWS,
)
