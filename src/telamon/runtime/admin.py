"""The admin form of the stats page (manual, `stats admin`): actions on chosen servers.

A form names one backend (`b`, a name or `#id`), servers (`s`, once each) and an action.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from urllib.parse import parse_qsl

from telamon.plan.process import StatsLevel
from telamon.plan.proxy import Proxy, Server
from telamon.runtime.commands.base import Context, find_backend
from telamon.runtime.commands.servers import SERVER_OPTIONS
from telamon.runtime.ports import CommandError, ProxyControl

MAX_BODY = 16384


class Outcome(StrEnum):
    """How the form ended; the value stands in the URI of the page that follows."""

    DONE = "DONE"
    NONE = "NONE"
    PARTIAL = "PART"
    ERROR = "ERRP"
    TOO_LARGE = "EXCD"
    DENIED = "DENY"
    UNKNOWN = "UNKN"

    @staticmethod
    def of(code: str) -> Outcome:
        return Outcome(code) if code in set(Outcome) else Outcome.UNKNOWN

    @property
    def text(self) -> str:
        return OUTCOME_TEXTS[self]


OUTCOME_TEXTS = {
    Outcome.DONE: "Action processed successfully.",
    Outcome.NONE: "Nothing has changed.",
    Outcome.PARTIAL: "Action partially processed: some servers were not found.",
    Outcome.ERROR: "Action not processed because of invalid parameters.",
    Outcome.TOO_LARGE: "Action not processed: the form was too large. Choose fewer servers.",
    Outcome.DENIED: "Action denied.",
    Outcome.UNKNOWN: "Unexpected result.",
}

Action = Callable[[ProxyControl, Proxy, Server], None]


def _option(name: str, word: str) -> Action:
    def act(control: ProxyControl, proxy: Proxy, server: Server) -> None:
        SERVER_OPTIONS[name](Context(control, StatsLevel.ADMIN), proxy, server, [word])

    return act


def _checks(enabled: bool) -> Action:
    return lambda control, proxy, server: control.set_checks_enabled(proxy.id, server.id, enabled)


def _shutdown(control: ProxyControl, proxy: Proxy, server: Server) -> None:
    control.shutdown_sessions(proxy.id, server.id)


# code in the form -> (what the page offers, what it does)
ACTIONS: dict[str, tuple[str, Action]] = {
    "ready": ("Set state to READY", _option("state", "ready")),
    "drain": ("Set state to DRAIN", _option("state", "drain")),
    "maint": ("Set state to MAINT", _option("state", "maint")),
    "dhlth": ("Health: disable checks", _checks(False)),
    "ehlth": ("Health: enable checks", _checks(True)),
    "hrunn": ("Health: force UP", _option("health", "up")),
    "hdown": ("Health: force DOWN", _option("health", "down")),
    "shutdown": ("Kill Sessions", _shutdown),
}
# Names that older pages used and scripts still send.
ALIASES = {"enable": "ready", "disable": "maint", "stop": "drain", "start": "ready"}


def carry_out(control: ProxyControl, body: bytes) -> Outcome:
    """Do what the form asks."""
    if len(body) >= MAX_BODY:
        return Outcome.TOO_LARGE
    pairs = parse_qsl(body.decode("latin-1"), keep_blank_values=True)
    backend = next((value for name, value in pairs if name == "b"), "")
    code = next((value for name, value in pairs if name == "action"), "")
    names = [value for name, value in pairs if name == "s"]
    action = ACTIONS.get(ALIASES.get(code, code))
    if action is None or not backend:
        return Outcome.ERROR
    try:
        proxy = find_backend(control, backend)
    except CommandError:
        return Outcome.ERROR
    return _apply(control, proxy, names, action[1])


def _apply(control: ProxyControl, proxy: Proxy, names: list[str], action: Action) -> Outcome:
    assert proxy.backend is not None
    found = missing = 0
    for name in names:
        servers = [s for s in proxy.backend.servers if name in (s.name, f"#{s.id}")][:1]
        for server in servers:
            try:
                action(control, proxy, server)
                found += 1
            except CommandError:
                missing += 1
        missing += not servers
    if not found:
        return Outcome.ERROR if missing else Outcome.NONE
    return Outcome.PARTIAL if missing else Outcome.DONE
