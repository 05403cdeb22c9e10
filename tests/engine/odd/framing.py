"""What an honest receiver makes of HTTP/1 bytes: where messages end, and bodies without chunks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

HEAD = re.compile(rb"\A(.*?\r\n)\r\n", re.DOTALL)
CHUNKED = re.compile(rb"^transfer-encoding:[^\r\n]*chunked[^\r\n]*\r\n", re.I | re.M)
LENGTH = re.compile(rb"^content-length:[ \t]*(\d+)[ \t]*\r\n", re.I | re.M)
SIZE = re.compile(rb"\A([0-9a-fA-F]+)[ \t]*(?:;[\t -~\x80-\xff]{0,4000})?\r\n")
TRAILERS = re.compile(rb"\A(?:[!#-'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*\r\n)*\r\n")


@dataclass(frozen=True)
class Piece:
    """One message: its head, its body's data, its trailers, and what came behind it."""

    head: bytes
    body: bytes
    trailers: bytes
    rest: bytes
    whole: bool


def split(text: bytes, bodiless: bool = False) -> Piece | None:
    """The first message of these bytes; None: its head is not complete."""
    found = HEAD.match(text)
    if found is None:
        return None
    head, rest = found[0], text[found.end() :]
    if bodiless:
        return Piece(head, b"", b"", rest, True)
    if CHUNKED.search(found[1]):
        return dechunked(head, rest)
    length = LENGTH.search(found[1])
    size = int(length[1]) if length else 0
    return Piece(head, rest[:size], b"", rest[size:], len(rest) >= size)


def dechunked(head: bytes, text: bytes) -> Piece:
    body = b""
    while found := SIZE.match(text):
        size = int(found[1], 16)
        behind = text[found.end() :]
        if size == 0:
            trailers = TRAILERS.match(behind)
            if trailers is None:
                return Piece(head, body, b"", behind, False)
            return Piece(head, body, trailers[0], behind[trailers.end() :], True)
        body += behind[:size]
        if behind[size : size + 2] != b"\r\n":
            return Piece(head, body, b"", b"", False)
        text = behind[size + 2 :]
    return Piece(head, body, b"", text, False)


def breaks_chunks(text: bytes) -> bool:
    """Is there a chunked body that RFC 9112 7.1 does not allow, or only a part of one?"""
    heads = re.finditer(
        rb"transfer-encoding:(?:[^\n]|\n[ \t])*chunked[^\n]*\n(?:[^\n]*\S[^\n]*\n)*\r?\n",
        text,
        re.I,
    )
    return any(not dechunked(b"", text[head.end() :]).whole for head in heads)


def plain(text: bytes, to_heads: Sequence[bool] = ()) -> tuple[object, ...]:
    """A stream of messages in a form that does not depend on how chunks were cut. `to_heads`: which
    final responses answer a HEAD."""
    out: list[object] = []
    final = 0
    while text:
        status = re.match(rb"HTTP/1\.\d (1\d\d|204|304)?", text)
        bodiless = status is not None and status[1] is not None
        if status and (status[1] or b"")[:1] != b"1":
            bodiless |= final < len(to_heads) and to_heads[final]
            final += 1
        piece = split(text, bodiless)
        if piece is None:
            out.append(text)
            break
        out.append((piece.head, piece.body, piece.trailers, piece.whole))
        if not piece.whole or len(piece.rest) >= len(text):
            break
        text = piece.rest
    return tuple(out)
