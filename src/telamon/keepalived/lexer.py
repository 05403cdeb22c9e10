"""One line of keepalived.conf, cut into pieces that cover every character of it.

The language is made of lines. A word ends at a blank or at a brace; braces stand for themselves
wherever they are not quoted and not part of `${...}`, so `virtual_ipaddress {10.0.0.1}` and
`vrrp_instance V{` are good. `#` and `!` begin a comment anywhere outside quotes, also in the
middle of a word (keepalived.conf(5), DESCRIPTION).

`"` and `'` may begin anywhere in a word and keep blanks together; inside them a backslash
escapes as in a shell (keepalived.conf(5), "Quoted strings").
"""

from __future__ import annotations

from enum import Enum, auto
from typing import NamedTuple


class Kind(Enum):
    BLANK = auto()
    WORD = auto()
    OPEN = auto()
    CLOSE = auto()
    COMMENT = auto()


class Piece(NamedTuple):
    """Characters `start` to `end` (exclusive, from 0) of a line."""

    kind: Kind
    start: int
    end: int


_BLANKS = " \t\r\f\v"
_QUOTES = "\"'"
_COMMENTS = "#!"


def scan(text: str, *, comments: bool = True) -> list[Piece]:
    """All pieces of one line. With `comments` unset, `#` and `!` are plain characters."""
    pieces: list[Piece] = []
    at, length = 0, len(text)
    while at < length:
        char = text[at]
        if char in _BLANKS:
            end = at + 1
            while end < length and text[end] in _BLANKS:
                end += 1
            pieces.append(Piece(Kind.BLANK, at, end))
        elif comments and char in _COMMENTS:
            end = length
            pieces.append(Piece(Kind.COMMENT, at, end))
        elif char == "{" or char == "}":
            end = at + 1
            pieces.append(Piece(Kind.OPEN if char == "{" else Kind.CLOSE, at, end))
        else:
            end = _word_end(text, at, comments)
            pieces.append(Piece(Kind.WORD, at, end))
        at = end
    return pieces


def _word_end(text: str, at: int, comments: bool) -> int:
    length = len(text)
    while at < length:
        char = text[at]
        if char in _QUOTES:
            at = _quote_end(text, at)
            continue
        if char == "$" and text.startswith("${", at):
            close = text.find("}", at)
            at = length if close < 0 else close + 1
            continue
        if char == "\\" and at + 1 < length and text[at + 1] in _QUOTES:
            at += 2
            continue
        if char in _BLANKS or char in "{}" or (comments and char in _COMMENTS):
            return at
        at += 1
    return length


def _quote_end(text: str, at: int) -> int:
    """The index after the quote that closes the one at `at`, or the line's end."""
    quote = text[at]
    at += 1
    while at < len(text):
        if text[at] == "\\":
            at += 2
        elif text[at] == quote:
            return at + 1
        else:
            at += 1
    return len(text)


def is_unterminated(raw: str) -> bool:
    """True if a quote in the word `raw` is never closed."""
    at = 0
    while at < len(raw):
        if raw[at] in _QUOTES:
            end = _quote_end(raw, at)
            if end - at < 2 or raw[end - 1] != raw[at] or _escaped(raw, at, end - 1):
                return True
            at = end
        elif raw[at] == "\\" and at + 1 < len(raw) and raw[at + 1] in _QUOTES:
            at += 2
        else:
            at += 1
    return False


def _escaped(raw: str, start: int, at: int) -> bool:
    count = 0
    while at - 1 - count > start and raw[at - 1 - count] == "\\":
        count += 1
    return count % 2 == 1


def decode(raw: str) -> str:
    """The word that `raw` means: quotes removed, escapes inside quotes resolved."""
    if '"' not in raw and "'" not in raw:
        return raw
    out: list[str] = []
    quote = ""
    at = 0
    while at < len(raw):
        char = raw[at]
        if char == "\\" and (quote or raw[at + 1 : at + 2] in ("'", '"')):
            value, at = _escape(raw, at + 1)
            out.append(value)
            continue
        if quote:
            if char == quote:
                quote = ""
            else:
                out.append(char)
        elif char in _QUOTES:
            quote = char
        else:
            out.append(char)
        at += 1
    return "".join(out)


_NAMED = {
    "a": "\a", "b": "\b", "E": "\x1b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
}  # fmt: skip
_HEX = "0123456789abcdefABCDEF"


def _escape(raw: str, at: int) -> tuple[str, int]:
    """The character that the escape after a backslash means, and where it ends."""
    if at >= len(raw):
        return "\\", at
    char = raw[at]
    if char in _NAMED:
        return _NAMED[char], at + 1
    if char in "01234567":
        end = at + 1
        while end < min(len(raw), at + 3) and raw[end] in "01234567":
            end += 1
        return chr(int(raw[at:end], 8) & 0xFF), end
    if char == "x":
        end = at + 1
        while end < min(len(raw), at + 3) and raw[end] in _HEX:
            end += 1
        if end > at + 1:
            return chr(int(raw[at + 1 : end], 16)), end
    if char == "c" and at + 1 < len(raw):
        return chr(ord(raw[at + 1]) & 0x1F), at + 2
    return char, at + 1


def split_command(text: str) -> tuple[str, ...]:
    """A script's command line as its argument list.

    Blanks separate; single and double quotes keep together (keepalived.conf(5), "Quoted
    strings": a parameter with a blank stands in single quotes within the string).
    """
    arguments: list[str] = []
    current: list[str] = []
    quote, started, at = "", False, 0
    while at < len(text):
        char = text[at]
        if quote:
            if char == "\\" and at + 1 < len(text):
                at += 1
                current.append(text[at])
            elif char == quote:
                quote = ""
            else:
                current.append(char)
        elif char in _QUOTES:
            quote, started = char, True
        elif char.isspace():
            if started:
                arguments.append("".join(current))
            current, started = [], False
        else:
            current.append(char)
            started = True
        at += 1
    if started:
        arguments.append("".join(current))
    return tuple(arguments)
