"""Answers of the proxy's own: `errorfile`, `errorloc`, `errorfiles`, `http-errors` sections, and
`monitor-uri` (manual 4.2, 3.8).
"""

from __future__ import annotations

from pathlib import Path

from telamon.haproxy.error_files import ErrorFileError, read_message
from telamon.haproxy.http_model import ErrorsUse
from telamon.haproxy.keywords.row import Arguments, Carry, Context, Keyword
from telamon.haproxy.keywords.sections import Place
from telamon.haproxy.lexer import Word
from telamon.plan.http import ErrorReply
from telamon.plan.rules import Reply

STATUSES = (
    200, 400, 401, 403, 404, 405, 407, 408, 410, 413, 414, 421, 422, 425, 429, 431,
    500, 501, 502, 503, 504,
)  # fmt: skip
"""The statuses that the proxy answers by itself."""
_BY_TEXT = {str(status): status for status in STATUSES}


def read_error_file(args: Arguments, word: Word, context: Context) -> bytes:
    """The message in the file that `word` names; it is read now, before any chroot."""
    path = Path(context.model.process.default_path.resolve(word))
    try:
        data = path.read_bytes()
    except OSError as error:
        raise args.refuse("H044", f"'{word}' cannot be read: {error.strerror}", word.span) from None
    try:
        return read_message(data, context.model.process.bufsize)
    except ErrorFileError as error:
        raise args.refuse("H044", f"'{word}' is not an HTTP response: {error}", word.span) from None


def _errorfile(args: Arguments, context: Context) -> None:
    status = args.choice("a status that can be replaced", _BY_TEXT)
    word = args.word("a file")
    args.end()
    data = read_error_file(args, word, context)
    reply = ErrorReply(status, Reply(status, message=data.hex()))
    if context.errors is not None:
        context.errors.replies[status] = reply
    else:
        context.settings.http.errors.append(reply)


_PHRASES = {302: "Found", 303: "See Other"}


def _location(answer: int) -> Carry:
    """A redirection in place of an error."""

    def carry(args: Arguments, context: Context) -> None:
        status = args.choice("a status that can be replaced", _BY_TEXT)
        url = args.word("a location").text
        args.end()
        message = (
            f"HTTP/1.1 {answer} {_PHRASES[answer]}\r\ncache-control: no-cache\r\n"
            f"content-length: 0\r\nlocation: {url}\r\n\r\n"
        )
        reply = Reply(answer, message=message.encode().hex())
        context.settings.http.errors.append(ErrorReply(status, reply))

    return carry


def _errorfiles(args: Arguments, context: Context) -> None:
    name = args.word("the name of an http-errors section")
    statuses = []
    while (word := args.peek()) is not None:
        statuses.append((args.choice("a status that can be replaced", _BY_TEXT), word))
    context.settings.http.errors.append(ErrorsUse(name, tuple(statuses)))


def _monitor_uri(args: Arguments, context: Context) -> None:
    uri = args.word("a URI").text
    args.end()
    context.settings.http.monitor_uri = uri
    context.settings.http.words["monitor-uri"] = args.keyword.span


_ALL = Place.ANY_PROXY
KEYWORDS = (
    Keyword("errorfile", _ALL | Place.ERRORS, "<status> <file>",
            "A whole HTTP/1 response in place of an error.", _errorfile),
    Keyword("errorfiles", _ALL, "<name> [<status> ...]",
            "Responses of an `http-errors` section.", _errorfiles),
    Keyword("errorloc", _ALL, "<status> <url>", "A redirection (302) in place of an error.",
            _location(302)),
    Keyword("errorloc302", _ALL, "<status> <url>", "The same as `errorloc`.", _location(302)),
    Keyword("errorloc303", _ALL, "<status> <url>", "A redirection (303) in place of an error.",
            _location(303)),
    Keyword("monitor-uri", Place.ANY_FRONT, "<uri>", "Answer 200 to this URI, unlogged.",
            _monitor_uri),
)  # fmt: skip
