"""What the supervisor's core asks its edge to do. Values, so that tests can read them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from signal import Signals

from telamon.daemon.messages import Message


class Role(StrEnum):
    PROXY = "proxy"
    ROUTER = "router"


class Urgency(IntEnum):
    """Levels of the `logging` module."""

    INFO = 20
    WARNING = 30
    ERROR = 40


@dataclass(frozen=True, slots=True)
class Spawn:
    """Fork this role; answer with `Core.spawned` or `Core.spawn_failed`.

    A `candidate` runs the plan and sockets of the reload that is under way.
    """

    role: Role
    candidate: bool = False


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message to a child. `NewPlan` is made by the edge: see `OfferPlan`."""

    pid: int
    message: Message


@dataclass(frozen=True, slots=True)
class OfferPlan:
    """Send the reload's router plan to the router."""

    pid: int


@dataclass(frozen=True, slots=True)
class TellProxyUp:
    """Send ProxyUp with the pidfd of `proxy` to the router."""

    router: int
    proxy: int


@dataclass(frozen=True, slots=True)
class Kill:
    pid: int
    signal: Signals


@dataclass(frozen=True, slots=True)
class ReleaseListeners:
    """Close the listening sockets: clients shall be refused, not kept waiting."""


@dataclass(frozen=True, slots=True)
class CommitReload:
    """The reload's plans and sockets are the current ones from now on."""


@dataclass(frozen=True, slots=True)
class AbandonReload:
    """Forget the reload's plans, close the sockets that it had bound."""


@dataclass(frozen=True, slots=True)
class ProxyIs:
    """The proxy's pid for the pidfile; None: there is none, take the file away."""

    pid: int | None


@dataclass(frozen=True, slots=True)
class Started:
    """Everything is ready for the first time."""


@dataclass(frozen=True, slots=True)
class Notify:
    """Lines for systemd (sd_notify(3))."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Log:
    urgency: Urgency
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of a command that came over the control socket."""

    token: int
    ok: bool
    text: str


@dataclass(frozen=True, slots=True)
class Exit:
    code: int
    reason: str = ""


Effect = (
    Spawn
    | Send
    | OfferPlan
    | TellProxyUp
    | Kill
    | ReleaseListeners
    | CommitReload
    | AbandonReload
    | ProxyIs
    | Started
    | Notify
    | Log
    | Answer
    | Exit
)
