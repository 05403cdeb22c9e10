"""What the router and its script helper say to each other (see `telamon.daemon.scripts`)."""

from __future__ import annotations

from dataclasses import dataclass

from telamon.kernel.rtnetlink import Address
from telamon.plan.router import CommandPlan, FilePlan, ProcessWatchPlan, ScriptPlan

MAX_PACKET = 1 << 20


@dataclass(frozen=True, slots=True)
class Watch:
    scripts: tuple[ScriptPlan, ...]
    processes: tuple[ProcessWatchPlan, ...] = ()
    files: tuple[FilePlan, ...] = ()


@dataclass(frozen=True, slots=True)
class Guard:
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class ScriptResult:
    """`reason` says why it failed ("exit status 1", "no answer within 1 s", ...); empty if ok."""

    name: str
    ok: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ProcessVerdict:
    """Whether a tracked process has its quorum."""

    name: str
    running: bool


@dataclass(frozen=True, slots=True)
class FileNumber:
    """What a tracked file holds."""

    name: str
    value: int


@dataclass(frozen=True, slots=True)
class HelperSays:
    """One line for the log, a warning."""

    text: str


@dataclass(frozen=True, slots=True)
class Notify:
    """Run `command` with `arguments` appended, for `limit` seconds at most (None: for ever).

    `once`: not again while the very same waits as the last of its queue.
    """

    queue: str
    command: CommandPlan
    arguments: tuple[str, ...] = ()
    limit: float | None = 60.0
    once: bool = False


@dataclass(frozen=True, slots=True)
class NotifyFailed:
    queue: str
    command: str
    reason: str


Told = ScriptResult | NotifyFailed | ProcessVerdict | FileNumber | HelperSays
"""helper -> router."""
