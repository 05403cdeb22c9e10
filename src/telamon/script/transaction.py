"""What a function sees of a request, and what it wants changed.

A function works on a copy: `Transaction` records edits by the names of the rules that would do
the same (`set-header`, `set-var`, ...), and the data plane carries them out in their order when
the function has returned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from telamon.base.frozen import frozen
from telamon.script.reply import Reply
from telamon.script.values import Value

PAGES = frozenset(
    {200, 400, 401, 403, 404, 405, 407, 408, 410, 413, 414, 421, 422, 425, 429, 431}
    | {500, 501, 502, 503, 504}
)
"""Statuses of which the proxy has a page (manual 4.2, `errorfile`)."""

Headers = Sequence[tuple[str, str]]


class _Head:
    """Both heads' way to their headers, in the order in which they came."""

    headers: Headers

    def header(self, name: str) -> str | None:
        """The last value of a header, or None, as `req.fhdr(name)` gives it."""
        values = self.header_values(name)
        return values[-1] if values else None

    def header_values(self, name: str) -> list[str]:
        """All values of a header, one for each line."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


@frozen
class Request(_Head):
    """A request's head; `body` has what was buffered of the body (`wait-for-body`)."""

    method: str
    uri: str
    version: str
    headers: Headers
    body: bytes = b""

    @property
    def path(self) -> str:
        """The path without the query."""
        return self._path_and_query.partition("?")[0]

    @property
    def query(self) -> str:
        """What follows the first question mark, or an empty text."""
        return self._path_and_query.partition("?")[2]

    @property
    def _path_and_query(self) -> str:
        if "://" not in self.uri:
            return self.uri
        rest = self.uri.split("://", 1)[1]
        return rest[rest.index("/") :] if "/" in rest else "/"


@frozen
class Response(_Head):
    """A response's head; `body` as that of a request (`http-response wait-for-body`)."""

    status: int
    reason: str
    headers: Headers
    body: bytes = b""


Edit = tuple[str, tuple[Value, ...]]
"""A rule's name and its arguments: `("set-header", ("X-Tier", "gold"))`."""


@dataclass(slots=True)
class Transaction:
    """One request on its way. `client` is "ADDRESS:PORT", or "unix".

    `response` is None in request rules. Variables have their scope in the name (`txn.tier`). In
    mode tcp there is no request: its `method` is empty, its `body` the first bytes that came.
    """

    request: Request
    response: Response | None = None
    client: str = ""
    frontend: str = ""
    backend: str = ""
    variables: Mapping[str, Value] = field(default_factory=dict)
    edits: list[Edit] = field(default_factory=list)
    answer: Reply | None = None

    def get_var(self, name: str) -> Value | None:
        """A variable's value, edits of this call included; None if it was never set."""
        for action, arguments in reversed(self.edits):
            if action == "set-var" and arguments[0] == name:
                return arguments[1]
            if action == "unset-var" and arguments[0] == name:
                return None
        return self.variables.get(name)

    def set_var(self, name: str, value: Value) -> None:
        self._edit("set-var", _variable(name), value)

    def unset_var(self, name: str) -> None:
        self._edit("unset-var", _variable(name))

    def set_header(self, name: str, value: str) -> None:
        """Puts one header in place of all of that name, in the response if there is one."""
        self._edit("set-header", name, value)

    def add_header(self, name: str, value: str) -> None:
        self._edit("add-header", name, value)

    def del_header(self, name: str) -> None:
        self._edit("del-header", name)

    def set_method(self, method: str) -> None:
        self._edit("set-method", method)

    def set_path(self, path: str) -> None:
        self._edit("set-path", path)

    def set_query(self, query: str) -> None:
        self._edit("set-query", query)

    def set_uri(self, uri: str) -> None:
        self._edit("set-uri", uri)

    def set_status(self, status: int, reason: str = "") -> None:
        """Of the response."""
        self._edit("set-status", status, reason)

    def reply(self, answer: Reply) -> None:
        """Answers the request here and now, as `http-request return` does."""
        self._need_request("reply")
        self.answer = answer

    def deny(self, status: int = 403) -> None:
        """Answers with the proxy's own error page of a status that has one; in mode tcp it closes
        the connection."""
        if status not in PAGES:
            raise ValueError(f"there is no error page of status {status}: use reply()")
        self._edit("deny", status)

    def _need_request(self, action: str) -> None:
        if not self.request.method:
            raise ValueError(f"{action}: there is no request in mode tcp")

    def _edit(self, action: str, *arguments: Value) -> None:
        if action not in ("set-var", "unset-var", "deny"):
            self._need_request(action)
        for argument in arguments:
            if not isinstance(argument, Value):
                raise TypeError(f"{action}: {argument!r} cannot be a value of a rule")
            if isinstance(argument, str) and set(argument) & {"\r", "\n", "\0"}:
                raise ValueError(f"{action}: a line break cannot stand in {argument!r}")
        self.edits.append((action, arguments))


def _variable(name: str) -> str:
    if name.partition(".")[0] not in ("proc", "sess", "txn", "req", "res") or "." not in name:
        raise ValueError(f"{name!r} is no variable: a name begins with its scope, as in txn.{name}")
    return name
