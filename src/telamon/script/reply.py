"""An answer made in Python, as the bytes of an HTTP/1 response."""

from __future__ import annotations

import http
from collections.abc import Iterable

from telamon.base.frozen import frozen

_FORBIDDEN = frozenset("\r\n\0")
_FRAMING = frozenset({"content-length", "transfer-encoding", "connection"})


@frozen
class Reply:
    """A whole response. A `body` of type str is sent as UTF-8.

    Raises ValueError for a status outside 200 to 599, a header with a line break, or one that
    Telamon writes itself (Content-Length, Transfer-Encoding, Connection).
    """

    status: int = 200
    body: str | bytes = b""
    content_type: str = "text/html"
    headers: Iterable[tuple[str, str]] = ()

    def __post_init__(self) -> None:
        if not 200 <= self.status <= 599:
            raise ValueError(f"a reply's status is 200 to 599, not {self.status}")
        for name, value in (("Content-Type", self.content_type), *self.headers):
            if not name or _FORBIDDEN & {*name, *value} or ":" in name or " " in name:
                raise ValueError(f"{name!r}: {value!r} is no header")
            if name.lower() in _FRAMING:
                raise ValueError(f"{name} is written by Telamon itself")

    def message(self) -> bytes:
        """The response as it goes to the client, its own framing included (RFC 9112)."""
        body = (
            self.body.encode("utf-8", "surrogateescape")
            if isinstance(self.body, str)
            else self.body
        )
        lines = [
            f"HTTP/1.1 {self.status} {_reason(self.status)}",
            f"content-length: {len(body)}",
            f"content-type: {self.content_type}",
            *(f"{name.lower()}: {value}" for name, value in self.headers),
        ]
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body


def _reason(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Status"
