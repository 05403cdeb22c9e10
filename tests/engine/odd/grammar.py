"""Requests and responses by a seeded generator: mostly right, with one or two things odd.

A message is put together from its parts (start line, fields, body), each part being usual most of
the time and strange now and then; at the end single bytes may be changed, and the whole cut. That
finds more than noise does: a message that is wrong in ten ways is refused for the first of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from tests.engine.odd.slants import OK as OK_TEXT
from tests.engine.odd.slants import PLAIN, SLANTS

T = TypeVar("T")


@dataclass(frozen=True)
class Answer:
    """What the server says to one request, in pieces, and whether it closes then."""

    pieces: tuple[bytes, ...]
    closes: bool = False


OK = Answer((OK_TEXT,))
LAST = b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
KINDS = ("plain", "ruled", "close", "waits", "lax", "closing", "buffered", "pretending")
"""What the proxy of a case is told to do (see `arena.py`)."""


@dataclass(frozen=True)
class Case:
    """`sends` go to the proxy one after the other; `ends`: the client ends its words then."""

    number: int
    kind: str
    sends: tuple[bytes, ...]
    ends: bool
    answers: tuple[Answer, ...]
    slant: str = PLAIN.name


class Maker:
    """Makes the parts; all chance comes from `random`."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.slant = PLAIN

    def rarely(self, share: float) -> bool:
        return self.random.random() < share

    def mostly(self, usual: T, odd: Sequence[T], share: float = 0.12) -> T:
        return self.random.choice(odd) if self.rarely(share) else usual

    # What is common to requests and responses.

    def line_end(self) -> bytes:
        return self.mostly(b"\r\n", [b"\n", b"\r", b"\r\r\n", b" \r\n", b"\n\r"], 0.012)

    def field(self) -> bytes:
        """One line that says nothing of the framing."""
        name = self.mostly(
            self.random.choice([b"X-A", b"x-b", b"User-Agent", b"Accept", b"Cookie", b"X_c"]),
            [b"", b"X A", b"X-A ", b" X-A", b"X\x00", b"X(", b'X"', b"X\x80", b"@x", b"X\r", b"!#"],
            0.06,
        )
        colon = self.mostly(b": ", [b":", b":  ", b":\t", b" :", b"::", b"", b": \x0b"], 0.1)
        value = self.mostly(
            self.random.choice([b"1", b"a b", b"a, b", b"k=v; l=w", b'"q,r"']),
            [
                b"", b"a\x00b", b"a\x01b", b"a\x7fb", b"a\xffb", b"a\rb", b"a\tb", b" ", b"a ",
                b"v\r\n folded", b"v\r\n\tfolded\r\n again", b"\r\n folded", b"v\n folded",
                b"v\r\n \r\n", b"x" * 300, b"a\x0bb",
            ],
            0.12,
        )  # fmt: skip
        return name + colon + value

    def length_fields(self, size: int) -> list[bytes]:
        right = b"%d" % size
        value = self.mostly(
            right,
            [
                right + b", " + right, right + b"," + right, b"+" + right, b"0" + right,
                b"00000000000000000000" + right, right + b" ", right + b"\t", b"-1", b"0x5", b"",
                right + b";", right + b" 1", right + b",", b"," + right, right + b", 1",
                b"18446744073709551616", b"9223372036854775807", b"9223372036854775808",
                b"1e1", b"%d" % (size + 1), b"0", b"\x0b" + right, b"\r\n " + right,
                right + b"\r\n ",
            ],
            0.18,
        )  # fmt: skip
        name = self.mostly(
            b"Content-Length", [b"content-length", b"Content-Length ", b"Content_Length"], 0.06
        )
        lines = [name + b": " + value]
        if self.rarely(0.05):
            lines.append(b"content-length: " + self.random.choice([value, right, b"0", b"1"]))
        return lines

    def coding_fields(self) -> list[bytes]:
        value = self.mostly(
            b"chunked",
            [
                b"Chunked", b"CHUNKED", b"gzip, chunked", b"chunked, chunked", b"chunked, gzip",
                b"identity", b"xchunked", b"chunkedx", b"chunked;", b"chunked; a=b", b'"chunked"',
                b"\x0bchunked", b"chunked\x0b", b", chunked", b"chunked,", b"chunked, ", b"",
                b"\r\n chunked", b"chunked\r\n ", b"chunked, identity", b"gzip", b"chun\r\n ked",
                b"chunked\x00", b"chunked\t", b"identity, chunked", b"trailers",
            ],
            0.2,
        )  # fmt: skip
        name = self.mostly(
            b"Transfer-Encoding",
            [b"transfer-encoding", b"Transfer-Encoding ", b"Transfer_Encoding", b"TE"],
            0.06,
        )
        lines = [name + b": " + value]
        if self.rarely(0.06):
            other = self.random.choice([b"chunked", b"gzip", b"identity", b"", b"cow"])
            lines.append(b"transfer-encoding: " + other)
        return lines

    def chunks(self) -> bytes:
        out = b""
        for _ in range(self.random.randint(0, 3)):
            data = b"d" * self.random.choice([1, 2, 5, 10, 17, 300])
            size = b"%x" % len(data)
            size = self.mostly(
                size,
                [
                    size.upper(), b"0" + size, b"0x" + size, b" " + size, size + b" ", size + b"\t",
                    b"+" + size, b"-1", b"", b"g", size + b";a=b", size + b' ; a="b"', size + b";",
                    size + b";a\x00", size + b";\xff", size + b";a\rb", b"0" * 20 + size,
                    b"ffffffffffffffff", b"7fffffffffffffff", b"10000000000000000", size + b";a\n",
                    b"%x" % (len(data) + 1), b"%x" % max(1, len(data) - 1), size + b" a",
                    size + b";" + b"e" * 400, b"1000000000000000", b"fffffffffffffff",
                    b"00000000" + size, b"000000000000000" + size,
                ],
                0.14,
            )  # fmt: skip
            end = self.mostly(b"\r\n", [b"\n", b"\r", b"", b"\r\r\n", b"\n\n", b"\rX"], 0.03)
            behind = self.mostly(b"\r\n", [b"\n", b"", b"\r", b"X", b"\r\n\r\n", b"\rX"], 0.04)
            out += size + end + data + behind
        out += self.mostly(b"0", [b"00", b"0;x", b"0 ", b"", b"000000000000000000"], 0.06)
        out += self.mostly(b"\r\n", [b"\n", b""], 0.02)
        if self.rarely(self.slant.trailers):
            out += self.trailers()
        return out + self.mostly(b"\r\n", [b"\n", b"", b"\r"], 0.04)

    def trailers(self) -> bytes:
        lines = [
            self.mostly(
                b"X-Trailer: t",
                [
                    b"Content-Length: 3", b"Transfer-Encoding: chunked", b"Host: evil", b"X: ",
                    b"X:", b"x : y", b"noname", b": v", b"X: a\r\n folded", b"X: a\x00", b"X: \xff",
                    b"Connection: close", b"X: " + b"t" * 500, b"X: a\x01",
                ],
                0.5,
            )
            for _ in range(self.random.randint(1, 3))
        ]  # fmt: skip
        return b"".join(line + self.mostly(b"\r\n", [b"\n"], 0.03) for line in lines)

    def body_and_fields(self, share: float) -> tuple[list[bytes], bytes]:
        """The framing's fields and the body that they announce, by and large."""
        if not self.rarely(share):
            return [], b""
        if self.rarely(0.55):
            lines, body = self.coding_fields(), self.chunks()
            if self.rarely(0.06):
                lines += self.length_fields(len(body))
            return lines, body
        body = b"b" * self.random.choice([0, 1, 3, 10, 200])
        lines = self.length_fields(len(body))
        if self.rarely(0.05):
            body = body[:-1] if self.rarely(0.5) else body + b"b"
        return lines, body

    def hurt(self, text: bytes) -> bytes:
        """A byte or two changed, put in, taken out or doubled."""
        odd = b"\r\n\x00\x01\t :,;\"'/\\%\x7f\x80\xff0azAZ{}[]<>#?@"
        for _ in range(self.random.randint(1, 2)):
            at = self.random.randrange(len(text) + 1)
            byte = bytes([self.random.choice(odd)])
            match self.random.randrange(4):
                case 0:
                    text = text[:at] + byte + text[at:]
                case 1:
                    text = text[:at] + byte + text[at + 1 :]
                case 2:
                    text = text[:at] + text[at + 1 :]
                case _:
                    text = text[: at + 1] + text[max(0, at - self.random.randint(0, 8)) :]
        return text

    def cut(self, text: bytes, share: float) -> tuple[bytes, ...]:
        """In one piece, or in some."""
        if len(text) < 2 or not self.rarely(share):
            return (text,)
        ends = sorted(self.random.sample(range(1, len(text)), min(3, len(text) - 1)))
        ends = ends[: self.random.randint(1, 3)]
        return tuple(text[a:b] for a, b in zip([0, *ends], [*ends, len(text)], strict=True))

    # Requests.

    def request(self) -> bytes:
        method = self.mostly(
            self.random.choice(self.slant.methods),
            [b"DELETE", b"CONNECT", b"BREW", b"get", b"G-T", b"", b"G\x00T", b"G(T", b"TRACE",
             b"PATCH", b" GET", b"GET:", b"PRI", b"X" * 60],
            0.12,
        )  # fmt: skip
        target = self.mostly(
            self.random.choice(self.slant.targets),
            [
                b"http://a/", b"http://a", b"http://b/", b"http://a:80/x", b"https://a:443/", b"*",
                b"http://a:81/x", b"http://u@a/x", b"http://a?q", b"a:80", b"a:443", b"a:81", b"a",
                b"/#f", b"/a#", b"/\x80", b'/"', b"/<", b"/\\", b"/{|}^`", b"/\x7f", b"/\x01",
                b"", b"//a/b", b"http:///x", b"ftp://a/", b"http://a:/x", b"http://[::1]/",
                b"http://[::1]:80/", b"HTTP://A/", b"/%00", b"/%zz", b"?x", b"x", b"http:/a",
                b"http://a:80", b"http://a:080/", b"http://A:80/", b"/" + b"u" * 600, b"a://a/",
            ],
            0.16,
        )  # fmt: skip
        version = self.mostly(
            self.random.choice(self.slant.versions),
            [
                b"HTTP/1.0", b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"HTTP/0.9", b"http/1.1",
                b"HTTP/1.10", b"HTTP/11", b"HTTP/1", b"HTTP/1.1 ", b"", b"HTTP/1.1 x", b"HTTP/3.7",
                b"HTTP /1.1", b"HTTP/1,1", b"ICY/1.0", b"RTSP/1.0", b"HTTP/1.\x00",
            ],
            0.14,
        )  # fmt: skip
        blank = self.mostly(b" ", [b"  ", b"\t", b" \t", b"", b"\x0b"], 0.03)
        first = method + blank + target + self.mostly(b" ", [b"  ", b"\t", b""], 0.03) + version
        host = self.mostly(
            [b"Host: a"],
            [
                [], [b"Host: a", b"Host: a"], [b"Host: a", b"Host: b"], [b"Host:"], [b"Host: A"],
                [b"Host: a:80"], [b"Host: a:443"], [b"Host: a:81"], [b"Host: a, b"], [b"host: a "],
                [b"Host: a@b"], [b"Host: a/b"], [b"Host: [::1]"], [b"Host: a:"], [b"Host: a:x"],
                [b"Host: a b"], [b"Host : a"], [b"Host: a\r\n b"], [b"Host: a:080"],
                [b"Host: \xff"],
            ],
            0.16,
        )  # fmt: skip
        posts = method in (b"POST", b"PUT")
        share = 0.85 if posts else 0.06
        framing, body = self.body_and_fields(share if self.slant.body is None else self.slant.body)
        fields = host + framing + list(self.random.choice(self.slant.fields))
        fields += [self.field() for _ in range(self.random.choice([0, 0, 1, 2, 3]))]
        if self.rarely(0.14):
            fields.append(self.hop_by_hop())
        if self.rarely(0.02):
            fields += [b"Connection: Upgrade", b"Upgrade: websocket"]
        if self.rarely(0.004):
            fields += [b"N%d: v" % n for n in range(self.random.choice([90, 98, 99, 100, 101]))]
        if self.rarely(0.004):
            fields.append(b"Long: " + b"l" * self.random.choice([8000, 15000, 15250, 15300, 16300]))
        if self.rarely(0.3):
            self.random.shuffle(fields)
        head = self.mostly(b"", [b"\r\n", b"\n", b"\r\n\r\n", b"\r", b" \r\n", b"\x00"], 0.03)
        head += first + self.line_end()
        head += b"".join(field + self.line_end() for field in fields) + self.line_end()
        text = head + body + self.random.choice(self.slant.behind)
        return self.hurt(text) if self.rarely(0.08) else text

    def hop_by_hop(self) -> bytes:
        return self.random.choice([
            b"Connection: close", b"Connection: keep-alive", b"Connection: Close, X-A",
            b"Connection: x-b, , keep-alive", b"Connection:", b"Connection: ,", b"Keep-Alive: 3",
            b"Connection: \tclose\t", b"Connection: close\r\nConnection: keep-alive",
            b"Proxy-Connection: close", b"TE: trailers", b"TE: gzip, trailers;q=0.5", b"Trailer: X",
            b"Expect: 100-continue", b"Expect: 200-ok", b"Upgrade: h2c", b"Connection: upgrade",
            b"HTTP2-Settings: AAA", b"Connection: Content-Length", b"Connection: Host",
            b"Connection: Transfer-Encoding", b"Sec-WebSocket-Key: x",
            b"Connection: keep-alive, upgrade",
        ])  # fmt: skip

    # Responses.

    def response(self, *, closing: bool) -> bytes:
        if self.slant.answers and self.rarely(0.7):
            text = self.random.choice(self.slant.answers)
            return self.hurt(text) if self.rarely(0.05) else text
        status = self.mostly(
            self.random.choice([b"200", b"200", b"404", b"302", b"503"]),
            [b"204", b"304", b"205", b"206", b"101", b"100", b"999", b"000", b"099", b"20", b"2000",
             b"2x0", b"", b"600", b"401", b"407", b"199"],
            0.14,
        )  # fmt: skip
        version = self.mostly(
            b"HTTP/1.1",
            [b"HTTP/1.0", b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"HTTP/0.9", b"http/1.1",
             b"HTTP/1.",
             b"ICY", b"HTTP/1.1\t", b" HTTP/1.1"],
            0.1,
        )  # fmt: skip
        reason = self.mostly(
            b" OK", [b"", b" ", b"  OK", b" a b c", b" \xff", b" \x01", b"\tOK", b" O\x00",
             b" O\rK"],
            0.1,
        )  # fmt: skip
        framing, body = self.body_and_fields(0.6 if closing else 0.92)
        if not framing and closing:
            body = b"u" * self.random.choice([0, 1, 300])
        fields = framing + [self.field() for _ in range(self.random.choice([0, 0, 1, 2]))]
        if self.rarely(0.12):
            fields.append(self.random.choice([
                b"Connection: close", b"Connection: keep-alive", b"Keep-Alive: timeout=5",
                b"Connection: X-A, close", b"Proxy-Connection: close", b"Connection: upgrade",
                b"Upgrade: websocket", b"Connection: Upgrade\r\nUpgrade: websocket",
                b"Set-Cookie: a=b; Path=/", b"Trailer: X", b"Server: \xffx",
            ]))  # fmt: skip
        if self.rarely(0.3):
            self.random.shuffle(fields)
        head = version + self.mostly(b" ", [b"  ", b"\t", b""], 0.02) + status + reason
        head += self.line_end() + b"".join(field + self.line_end() for field in fields)
        text = head + self.line_end() + body
        if self.rarely(0.05):
            text = self.hurt(text)
        if self.rarely(0.06):
            interim = self.random.choice([b"100 Continue", b"103 Early Hints", b"102 P", b"199 X"])
            text = b"HTTP/1.1 " + interim + self.random.choice([
                b"\r\n\r\n", b"\r\nLink: x\r\n\r\n", b"\r\nContent-Length: 3\r\n\r\n",
                b"\r\nTransfer-Encoding: chunked\r\n\r\n", b"\n\n",
            ]) + text  # fmt: skip
        return text

    def answer(self) -> Answer:
        closing = self.rarely(0.15)
        text = self.response(closing=closing)
        if closing and self.rarely(0.2):
            text = text[: self.random.randrange(len(text) + 1)]
        return Answer(self.cut(text, 0.25), closing)

    def case(self, number: int) -> Case:
        kind = self.mostly("plain", KINDS, 0.7)
        self.slant = self.mostly(PLAIN, SLANTS, 0.5)
        text = b"".join(self.request() for _ in range(self.random.choice([1, 1, 1, 2, 3])))
        ends = self.rarely(0.12)
        if self.rarely(0.06):
            text = text[: self.random.randrange(1, len(text) + 1)]
        elif self.rarely(0.85):
            text += LAST
        odd_answers = self.rarely(0.8 if self.slant.answers else 0.5)
        answers = tuple(self.answer() for _ in range(3)) if odd_answers else ()
        return Case(number, kind, self.cut(text, 0.3), ends, answers, self.slant.name)


def make(seed: int, number: int) -> Case:
    """Case `number` of this seed; the others do not matter to it."""
    return Maker(Random(f"{seed}/{number}")).case(number)
