"""The HTTP half of a proxy's settings, before names are resolved; `lower_http.py` makes it plan."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, fields

from telamon.base.frozen import frozen
from telamon.base.span import Span
from telamon.haproxy.lexer import Word
from telamon.plan.http import (
    AddressHeader,
    Capture,
    ConnectionMode,
    Cookie,
    CookieCapture,
    ErrorReply,
    Forwarded,
    NamePolicy,
    Reuse,
)


@frozen
class ErrorsUse:
    """`errorfiles`: replies of an `http-errors` section; no status named means all of them."""

    name: Word
    statuses: tuple[tuple[int, Word], ...]


@dataclass(slots=True)
class ErrorsDraft:
    """One `http-errors` section."""

    name: Word
    replies: dict[int, ErrorReply] = field(default_factory=dict)


@dataclass(slots=True)
class HttpDraft:
    """What `plan/http.py` says, as written. Switches are not here but in `ProxySettings.options`.

    `errors` keeps the order of the file: the last reply of a status holds. `words` says where a
    setting that needs mode http was made.
    """

    connection: ConnectionMode | None = None
    reuse: Reuse = Reuse.SAFE
    name_policy: NamePolicy | None = None
    forward_for: AddressHeader | None = None
    original_to: AddressHeader | None = None
    forwarded: Forwarded | None = None
    monitor_uri: str | None = None
    retry_on: tuple[str, ...] = ()
    errors: list[ErrorReply | ErrorsUse] = field(default_factory=list)
    unique_id_header: str | None = None
    server_name_header: str | None = None
    request_captures: list[Capture] = field(default_factory=list)
    response_captures: list[Capture] = field(default_factory=list)
    cookie_capture: CookieCapture | None = None
    cookie: Cookie | None = None
    dynamic_cookie_key: str | None = None
    max_keep_alive_queue: int | None = None
    session_rate_limit: int | None = None
    words: dict[str, Span] = field(default_factory=dict)

    def copy(self) -> HttpDraft:
        twin = copy.copy(self)
        for item in fields(self):
            member = getattr(self, item.name)
            if isinstance(member, (list, dict)):
                setattr(twin, item.name, member.copy())
        return twin
