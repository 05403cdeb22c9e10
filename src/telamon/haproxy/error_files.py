"""Error files: whole HTTP/1 responses (manual 4.2, `errorfile`).

What is checked is what HAProxy checks when it loads one: a status line of HTTP/1.0 or 1.1 with a
final status, headers, an empty line, and a body as long as its Content-Length says. Lines may end
with a line feed alone. An empty file is fine: the connection is closed without an answer.

As HAProxy sends them, names of headers are in lower case, lines end with CRLF, and of `Connection`
only a `close` is left, at the end: what else there is to say about it, the engine knows.
"""

from __future__ import annotations

import re

_LINE_END = re.compile(rb"\r?\n")
_STATUS_LINE = re.compile(rb"HTTP/(\d)\.?(\d)? (\d{3})( [^\r\n]*)?\Z")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*\Z", re.DOTALL)


class ErrorFileError(ValueError):
    """Not a response that could be sent; `str()` says why."""


def read_message(data: bytes, limit: int) -> bytes:
    """The message as it is sent; `limit` is the size of a buffer."""
    if not data:
        return data
    if len(data) > limit:
        raise ErrorFileError(f"it is longer than a buffer ({limit} bytes, `tune.bufsize`)")
    head, body = _split(data)
    version = _version(head[0])
    lengths, closes, lines = set(), False, [head[0]]
    for line in head[1:]:
        match = _HEADER.match(line)
        if match is None:
            raise ErrorFileError(f"{line[:40].decode('latin-1')!r} is no header")
        name, value = match[1].lower(), match[2]
        if name == b"transfer-encoding":
            raise ErrorFileError("a Transfer-Encoding is not possible here")
        if name == b"content-length":
            lengths.add(value)
        if name == b"connection":
            closes = closes or value.lower() == b"close"
        else:
            lines.append(name + b": " + value)
    _check_length(lengths, len(body))
    if closes and version == b"1":
        lines.append(b"connection: close")
    return b"\r\n".join([*lines, b"", body])


def _split(data: bytes) -> tuple[list[bytes], bytes]:
    """The lines of the head, and the body. Empty lines before the first are skipped."""
    lines: list[bytes] = []
    at = 0
    for match in _LINE_END.finditer(data):
        line, at = data[at : match.start()], match.end()
        if line:
            lines.append(line)
        elif lines:
            return lines, data[at:]
    raise ErrorFileError("the empty line after its headers is missing")


def _version(line: bytes) -> bytes:
    """The minor version of a status line that may be sent."""
    match = _STATUS_LINE.match(line)
    if match is None:
        raise ErrorFileError("it does not begin with a status line, as in `HTTP/1.0 503 Down`")
    if (match[1], match[2]) not in ((b"1", b"0"), (b"1", b"1")):
        raise ErrorFileError("its version is neither HTTP/1.0 nor HTTP/1.1")
    if not 200 <= int(match[3]) <= 599:
        raise ErrorFileError(f"{match[3].decode()} is not the status of an error or an answer")
    return match[2]


def _check_length(lengths: set[bytes], found: int) -> None:
    if not lengths:
        return
    [text, *others] = lengths
    if others or not text.isdigit():
        raise ErrorFileError("its Content-Length is not one number")
    if int(text) != found:
        raise ErrorFileError(f"its body has {found} bytes, its Content-Length says {int(text)}")
