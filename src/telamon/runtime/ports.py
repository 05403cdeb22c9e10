"""The port through which commands and pages see the running proxy.

`ProxyControl` is carried out by `telamon.daemon.proxy` (and by a fake in `telamon.testing`).
Everything here runs in the proxy's control loop, one thing at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag, StrEnum
from typing import Protocol

from telamon.engine import Descriptor, Patterns, RingState, Session, Snapshot, ThreadState
from telamon.plan.proxy import ProxyPlan
from telamon.plan.rules import Rule
from telamon.script.values import Value


class CheckStatus(StrEnum):
    """The last check's outcome, in the stats page's words (management guide 9.1, field 37)."""

    UNKNOWN = "UNK"
    INITIALISING = "INI"
    HEALTH_ANALYZE = "HANA"
    SOCKET_ERROR = "SOCKERR"
    L4_OK = "L4OK"
    L4_TIMEOUT = "L4TOUT"
    L4_CONNECTION_ERROR = "L4CON"
    L6_OK = "L6OK"
    L6_TIMEOUT = "L6TOUT"
    L6_RESPONSE_ERROR = "L6RSP"
    L7_OK = "L7OK"
    L7_OK_CONDITIONAL = "L7OKC"
    L7_TIMEOUT = "L7TOUT"
    L7_RESPONSE_ERROR = "L7RSP"
    L7_STATUS_ERROR = "L7STS"
    PROCESS_ERROR = "PROCERR"
    PROCESS_TIMEOUT = "PROCTOUT"
    PROCESS_OK = "PROCOK"


class AdminState(IntFlag):
    """Why a server is not in use by somebody's will (management guide, `show servers state`)."""

    READY = 0
    FORCED_MAINT = 0x01
    INHERITED_MAINT = 0x02
    CONFIG_MAINT = 0x04
    FORCED_DRAIN = 0x08
    INHERITED_DRAIN = 0x10


@dataclass(frozen=True, slots=True)
class ServerHealth:
    """What the control loop knows of one server. Times are seconds of the monotonic clock.

    `rise`/`fall` and `health` are HAProxy's counter: up while `health >= rise`, `health` runs
    from 0 to `rise + fall - 1`. `last_change` is when it last went up or down; `down_time` sums
    finished down times in seconds. `last_session` is None before the first one.
    """

    up: bool
    admin: AdminState
    weight: int
    initial_weight: int
    health: int
    rise: int
    fall: int
    check_enabled: bool
    check_status: CheckStatus
    check_code: int | None
    check_duration_ms: int | None
    check_description: str
    check_running: bool
    checks_failed: int
    observed_failures: int
    went_down: int
    down_time: float
    last_change: float


class CommandError(Exception):
    """The command cannot be carried out; `str()` is the answer that the user reads."""


class ProxyControl(Protocol):
    """What may be seen and done. Methods raise `CommandError` with a message fit for users."""

    @property
    def plan(self) -> ProxyPlan: ...
    @property
    def pid(self) -> int: ...
    @property
    def threads(self) -> int: ...
    @property
    def started_wall(self) -> float:
        """Unix time of the start."""
        ...

    @property
    def started(self) -> float:
        """Monotonic time of the start."""
        ...

    def now(self) -> float:
        """Monotonic seconds."""
        ...

    @property
    def stopping(self) -> bool: ...
    @property
    def startup_logs(self) -> str:
        """What was said while the process started."""
        ...

    @property
    def memory_bytes(self) -> int: ...
    @property
    def max_descriptors(self) -> int: ...
    @property
    def max_connections(self) -> int:
        """The process's maxconn that holds (given or chosen)."""
        ...

    def snapshot(self) -> Snapshot: ...
    @property
    def patterns(self) -> Patterns: ...
    def rings(self) -> list[RingState]: ...
    def ring_events(self, name: str, start: int = 0) -> tuple[int, list[bytes]] | None:
        """The number of the next line to come, and what is in a ring from the number `start` on,
        the oldest first; None if there is none of this name."""
        ...

    def health(self, proxy_id: int, server_id: int) -> ServerHealth: ...
    def backend_last_change(self, proxy_id: int) -> float: ...
    def backend_down_time(self, proxy_id: int) -> float: ...
    def backend_went_down(self, proxy_id: int) -> int: ...
    def set_admin(self, proxy_id: int, server_id: int, admin: AdminState) -> None: ...
    def set_weight(self, proxy_id: int, server_id: int, weight: int) -> None: ...
    def set_server_maxconn(self, proxy_id: int, server_id: int, maxconn: int) -> None: ...
    def set_server_address(self, proxy_id: int, server_id: int, host: str, port: int) -> None: ...
    def server_address(self, proxy_id: int, server_id: int) -> tuple[str, int]: ...
    def set_health_up(self, proxy_id: int, server_id: int, up: bool) -> None: ...
    def set_checks_enabled(self, proxy_id: int, server_id: int, enabled: bool) -> None: ...
    def set_frontend_enabled(self, proxy_id: int, enabled: bool) -> None: ...
    def shutdown_frontend(self, proxy_id: int) -> bool:
        """For good; False if that was so already."""
        ...

    def set_frontend_maxconn(self, proxy_id: int, maxconn: int) -> None: ...
    def set_process_maxconn(self, maxconn: int) -> None: ...
    def shutdown_sessions(self, proxy_id: int, server_id: int) -> int: ...
    def set_connection_rate(self, limit: int) -> None: ...
    def set_session_rate(self, limit: int) -> None: ...
    def process_variable(self, name: str) -> Value | None: ...
    def set_variable(self, rule: Rule) -> None:
        """Runs a `set-var` rule of a variable of the process."""
        ...

    def thread_states(self) -> list[ThreadState]:
        """One that does not answer is left out."""
        ...

    def descriptors(self) -> list[Descriptor]: ...
    def other_descriptors(self, known: frozenset[int]) -> list[int]:
        """What else the process has open, as far as it can see that."""
        ...

    def local_address(self, fd: int) -> tuple[str, int] | None:
        """Family (`ipv4`, `ipv6`, `unix`) and port of a socket; None if it is none."""
        ...

    def sessions(self) -> list[Session]: ...
    def shutdown_session(self, id: int) -> bool: ...
    def clear_counters(self, everything: bool) -> None: ...
