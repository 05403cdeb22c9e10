"""What a command is, and the helpers that the families share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from telamon.plan.process import StatsLevel
from telamon.plan.proxy import Proxy, Server
from telamon.runtime.ports import CommandError, ProxyControl

_RANK = {StatsLevel.USER: 0, StatsLevel.OPERATOR: 1, StatsLevel.ADMIN: 2}


@dataclass(slots=True)
class Context:
    """One client of the socket: what it may do, and what it set for itself.

    `timeout` in ms is for the one who owns the connection; None means the socket's own. `payload`
    has the lines that came behind the command at hand, None without any. `follow`: the command goes
    on, with what this gives, until the client sends anything.
    """

    control: ProxyControl
    level: StatsLevel
    address: str = ""
    timeout: int | None = None
    modes: set[str] = field(default_factory=set)
    payload: list[str] | None = None
    follow: Callable[[], str] | None = None
    severity_output: str = "none"
    severity: int | None = None
    """Of the message that the command at hand says; None for what is no message but a dump."""

    def say(self, severity: int, text: str) -> str:
        """A message, which `set severity-output` marks with how weighty it is (syslog's levels)."""
        self.severity = severity
        return text

    def may(self, level: StatsLevel) -> bool:
        return _RANK[self.level] >= _RANK[level]

    def lower_to(self, level: StatsLevel) -> None:
        if _RANK[level] < _RANK[self.level]:
            self.level = level


Handler = Callable[[Context, list[str]], str]
"""Takes the words after the command's own; gives the answer, "" if there is nothing to say.

An answer ends in a line end. `CommandError` is an answer too: its text and a line end.
"""


@dataclass(frozen=True, slots=True)
class Command:
    """One row: the words that name it, its arguments and meaning for `help`, who may use it."""

    words: str
    arguments: str
    meaning: str
    handler: Handler
    level: StatsLevel = StatsLevel.USER
    mode: str = ""
    """The session's mode without which it is not to be had: `experimental` or `expert`."""

    @property
    def usage(self) -> str:
        return f"{self.words} {self.arguments}".strip()


def find_backend(control: ProxyControl, name: str) -> Proxy:
    """A proxy with a backend, by name or `#id`."""
    for proxy in control.plan.proxies:
        if proxy.backend is not None and name in (proxy.name, f"#{proxy.id}"):
            return proxy
    raise CommandError("No such backend.")


def find_frontend(control: ProxyControl, words: list[str]) -> Proxy:
    if not words:
        raise CommandError("A frontend name is expected.")
    for proxy in control.plan.proxies:
        if proxy.frontend is not None and words[0] in (proxy.name, f"#{proxy.id}"):
            return proxy
    raise CommandError("No such frontend.")


def find_server(control: ProxyControl, words: list[str]) -> tuple[Proxy, Server]:
    """The server that `backend/server` names; of servers with one name the first."""
    if not words or "/" not in words[0]:
        raise CommandError("Require 'backend/server'.")
    backend, _, name = words[0].partition("/")
    proxy = find_backend(control, backend)
    assert proxy.backend is not None
    for server in proxy.backend.servers:
        if name in (server.name, f"#{server.id}"):
            return proxy, server
    raise CommandError("No such server.")


ERROR, WARNING, NOTICE, INFO = 3, 4, 5, 6
"""Severities of messages, as syslog counts them."""
SEVERITIES = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")


def whole_number(text: str, refusal: str) -> int:
    if not text.isascii() or not text.lstrip("-").isdigit():
        raise CommandError(refusal)
    return int(text)
