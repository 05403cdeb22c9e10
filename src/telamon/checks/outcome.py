"""What one health check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Result(Enum):
    """The kinds of outcome (management guide 9.1, `check_status`): code and HAProxy's words."""

    L4_OK = ("L4OK", "Layer4 check passed", True)
    L4_TIMEOUT = ("L4TOUT", "Layer4 timeout", False)
    L4_CONNECTION_ERROR = ("L4CON", "Layer4 connection problem", False)
    HEALTH_ANALYZE = ("HANA", "Health analyze", False)
    SOCKET_ERROR = ("SOCKERR", "Socket error", False)

    def __init__(self, code: str, words: str, passed: bool) -> None:
        self.code = code
        self.words = words
        self.passed = passed


@dataclass(frozen=True, slots=True)
class Outcome:
    """`duration` in ms, None if it is no check of its own; `info` is the detail in quotes of the
    log line, empty if there is none.
    """

    result: Result
    duration: int | None
    info: str = ""
