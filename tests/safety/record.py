"""What the tests of this folder say of both programs, for the table of docs/failover.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Verdict:
    """One row: a disturbance, what each program does under it. Said at the end of the test."""

    tell: Callable[[str, object], None]
    told: dict[str, str] = field(default_factory=dict)

    def row(self, place: int, disturbance: str) -> None:
        self.tell("place", str(place))
        self.tell("row", disturbance)

    def ours(self, text: str) -> None:
        self._say("ours", text)

    def theirs(self, text: str) -> None:
        self._say("theirs", text)

    def _say(self, who: str, text: str) -> None:
        self.tell(who, text)
        print(f"{who}: {text}")
