"""What a section does with HTTP beyond its rules (manual 4.2)."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from telamon.haproxy.keywords.row import Arguments, Carry, Context, Keyword
from telamon.haproxy.keywords.sections import Place
from telamon.plan.http import AddressHeader, ErrorReply, Reuse
from telamon.plan.rules import Reply

ERROR_STATUSES = (200, 400, 401, 403, 404, 405, 407, 408, 410, 413, 421, 422, 425, 429, 500, 501,
                  502, 503, 504)  # fmt: skip
"""The statuses that HAProxy answers by itself (manual, `errorfile`)."""

_RETRY_WORDS = (
    "none conn-failure empty-response junk-response response-timeout 0rtt-rejected "
    "all-retryable-errors"
).split()
_RETRY_STATUSES = "401 403 404 408 421 425 429 500 501 502 503 504".split()
_MODES = ("http-keep-alive", "http-server-close", "httpclose")
_MAX_ERROR_FILE = 16384 - 1024


def _mode(name: str) -> Carry:
    def carry(args: Arguments, context: Context) -> None:
        args.end()
        options = context.settings.options
        if args.negated:
            options.pop(name, None)
            return
        for other in _MODES:
            options.pop(other, None)
        options[name] = args.keyword

    return carry


def _switch(name: str) -> Carry:
    def carry(args: Arguments, context: Context) -> None:
        args.end()
        if args.negated:
            context.settings.options.pop(name, None)
        else:
            context.settings.options[name] = args.keyword

    return carry


def _reuse(args: Arguments, context: Context) -> None:
    context.settings.reuse = args.choice("a way of reuse", {one.value: one for one in Reuse})
    args.end()


def _address_header(args: Arguments, default: str) -> AddressHeader:
    header, exception, if_none = default, None, False
    while (word := args.optional()) is not None:
        match word.text:
            case "except":
                network = args.word("a network")
                try:
                    exception = str(ipaddress.ip_network(network.text, strict=False))
                except ValueError:
                    raise args.refuse(
                        "H042", f"'{network}' is not a network", network.span,
                        help="write an address or a network, as in 10.0.0.0/8",
                    ) from None  # fmt: skip
            case "header":
                header = args.word("a header's name").text
            case "if-none":
                if_none = True
            case _:
                raise args.refuse(
                    "H043", f"'{word}' is not possible here", word.span,
                    help="write one of: except <network>, header <name>, if-none",
                )  # fmt: skip
    return AddressHeader(header, exception, if_none)


def _forward_for(args: Arguments, context: Context) -> None:
    if args.negated:
        args.end()
        context.settings.forward_for = None
        context.settings.options.pop("forwardfor", None)
        return
    context.settings.forward_for = _address_header(args, "X-Forwarded-For")
    context.settings.options["forwardfor"] = args.keyword


def _original_to(args: Arguments, context: Context) -> None:
    if args.negated:
        args.end()
        context.settings.original_to = None
        context.settings.options.pop("originalto", None)
        return
    context.settings.original_to = _address_header(args, "X-Original-To")
    context.settings.options["originalto"] = args.keyword


def _monitor_uri(args: Arguments, context: Context) -> None:
    context.settings.monitor_uri = args.word("a URI").text
    args.end()


def _retry_on(args: Arguments, context: Context) -> None:
    words = [args.word("a reason to try again"), *args.rest()]
    for word in words:
        if word.text not in _RETRY_WORDS and word.text not in _RETRY_STATUSES:
            raise args.refuse(
                "H043", f"'{word}' is no reason to try again", word.span,
                help=f"write some of: {' '.join([*_RETRY_WORDS, *_RETRY_STATUSES])}",
            )  # fmt: skip
        if word.text == "none" and len(words) > 1:
            raise args.refuse("H043", "'none' stands alone", word.span)
    context.settings.retry_on = tuple(word.text for word in words)


def _send_name(args: Arguments, context: Context) -> None:
    context.settings.server_name_header = args.word("a header's name").text
    args.end()


def error_file(args: Arguments, path: str) -> bytes:
    """The content of an error file: a whole HTTP/1 response, or nothing."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise args.refuse("H044", f"'{path}': {error.strerror or error}") from None
    if len(content) > _MAX_ERROR_FILE:
        raise args.refuse(
            "H044",
            f"'{path}' has {len(content)} bytes, more than the {_MAX_ERROR_FILE} of a buffer",
        )
    if content and not content.startswith(b"HTTP/1."):
        raise args.refuse(
            "H044", f"'{path}' is no HTTP response",
            help="the file begins with a status line, then headers, an empty line and the body",
        )  # fmt: skip
    return content


def _error_file(args: Arguments, context: Context) -> None:
    status = _status(args)
    path = args.word("a file").text
    args.end()
    _set_error(context, status, error_file(args, path))


def _status(args: Arguments) -> int:
    word = args.peek()
    status = args.integer("a status", 100, 999)
    if status not in ERROR_STATUSES:
        raise args.refuse(
            "H042", f"HAProxy answers no {status} by itself", word.span if word else None,
            help=f"write one of: {' '.join(map(str, ERROR_STATUSES))}",
        )  # fmt: skip
    return status


def _set_error(context: Context, status: int, message: bytes) -> None:
    reply = Reply(status, message=message.hex())
    context.settings.errors[status] = ErrorReply(status, reply)


def _error_location(code: int) -> Carry:
    def carry(args: Arguments, context: Context) -> None:
        status = _status(args)
        location = args.word("a URL").text
        args.end()
        phrase = {302: "Found", 303: "See Other"}[code]
        message = (
            f"HTTP/1.1 {code} {phrase}\r\nCache-Control: no-cache\r\nConnection: close\r\n"
            f"Content-length: 0\r\nLocation: {location}\r\n\r\n"
        )
        _set_error(context, status, message.encode())

    return carry


_FRONT, _BACK, _ALL = Place.ANY_FRONT, Place.ANY_BACK, Place.ANY_PROXY

KEYWORDS = (
    *(
        Keyword(f"option {name}", _ALL, "", doc, _mode(name), negatable=True)
        for name, doc in (
            ("http-keep-alive", "Keep both connections for further requests."),
            ("http-server-close", "Close the server's connection after each response."),
            ("httpclose", "Close both connections after each response."),
        )
    ),
    Keyword("option abortonclose", _BACK, "", "Drop a request whose client has left.",
            _switch("abortonclose"), negatable=True),
    Keyword("option http-ignore-probes", _FRONT, "", "Say nothing to a client that asked nothing.",
            _switch("http-ignore-probes"), negatable=True),
    Keyword("option forwardfor", _ALL, "[except <network>] [header <name>] [if-none]",
            "Tell servers the client's address.", _forward_for, negatable=True),
    Keyword("option originalto", _ALL, "[except <network>] [header <name>]",
            "Tell servers the address that the client meant.", _original_to, negatable=True),
    Keyword("http-reuse", _BACK, "never|safe|aggressive|always",
            "Who may use an idle connection to a server.", _reuse),
    Keyword("http-send-name-header", _BACK, "<header>", "Tell servers their own name.",
            _send_name),
    Keyword("monitor-uri", _FRONT, "<uri>", "A URI that is answered with 200 here.", _monitor_uri),
    Keyword("retry-on", _BACK, "<reason>*", "After which failures a request is sent again.",
            _retry_on),
    Keyword("errorfile", _ALL, "<status> <file>", "What is answered in place of a status's page.",
            _error_file),
    Keyword("errorloc", _ALL, "<status> <url>", "A redirect (302) in place of a status's page.",
            _error_location(302)),
    Keyword("errorloc302", _ALL, "<status> <url>", "A redirect (302) in place of a status's page.",
            _error_location(302)),
    Keyword("errorloc303", _ALL, "<status> <url>", "A redirect (303) in place of a status's page.",
            _error_location(303)),
)  # fmt: skip
