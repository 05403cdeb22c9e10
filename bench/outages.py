"""What is measured, what was found, and whether it is as good as it should be."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from enum import Enum

OURS, THEIRS = "Telamon", "keepalived"
AT_ONCE = 0.030
"""How long a planned handover, and the death of a proxy, may take. Seconds."""
_SLOWER = 1.1


class Blow(Enum):
    CRASH = "crash"
    STOP = "graceful stop"
    PROXY = "death of the proxy"


@dataclass(frozen=True)
class Scene:
    """`priorities` of the first and the second node; `script`: the guide's script block watches
    the proxy instead of `track_process`."""

    blow: Blow
    version: int
    interval: float
    priorities: tuple[int, int]
    script: bool = False

    @property
    def soonest(self) -> float:
        """No crash can be noticed sooner: three intervals, of which one may nearly be over.

        The rest is for the client's pace and the jitter of a timer.
        """
        return 2 * self.interval - 0.005 if self.blow is Blow.CRASH else 0.0

    @property
    def title(self) -> str:
        first, second = self.priorities
        how = f"{self.blow.value}, v{self.version}, {self.interval:g} s, {first}/{second}"
        return how + (", by the kubeadm guide's script" if self.script else "")


@dataclass
class Outages:
    """Gaps in seconds, by scene and program."""

    found: dict[Scene, dict[str, list[float]]] = field(default_factory=dict)

    def add(self, scene: Scene, program: str, gap: float) -> None:
        self.found.setdefault(scene, {}).setdefault(program, []).append(gap)


def verdict(scene: Scene, ours: list[float], theirs: list[float]) -> str:
    """The goal of this row and whether it was met."""
    median, most = statistics.median(ours), max(ours)
    if scene.blow is not Blow.CRASH:
        if most <= AT_ONCE:
            return "≤ 30 ms: met, in every run"
        late = sum(gap > AT_ONCE for gap in ours)
        if median <= AT_ONCE:
            return f"≤ 30 ms: met by the median, {late} of {len(ours)} runs above"
        return "≤ 30 ms: **missed**"
    if not theirs:
        return ""
    if min(*ours, *theirs) < scene.soonest:
        return f"a run below {scene.soonest:g} s: **that was no crash**, measure again"
    ratio = median / statistics.median(theirs)
    first = f"≤ 1.1 × median: {'met' if ratio <= _SLOWER else '**missed**'} ({ratio:.2f})"
    second = "met" if most <= max(theirs) else f"**missed** ({most / max(theirs):.2f} ×)"
    return f"{first}; ≤ maximum: {second}"


def render(results: Outages, footer: str) -> str:
    lines = [
        "| what happens (VRRP version, interval, priorities) | Telamon ms | keepalived ms | goal |",
        "|---|---|---|---|",
    ]
    order = sorted(results.found, key=lambda s: (list(Blow).index(s.blow), s.interval, s.script))
    for scene in order:
        by = results.found[scene]
        ours, theirs = by.get(OURS, []), by.get(THEIRS, [])
        told = verdict(scene, ours, theirs) if ours else ""
        lines.append(f"| {scene.title} | {_cell(ours)} | {_cell(theirs)} | {told} |")
    note = "Each cell: **median** (minimum to maximum), and the runs if there were fewer."
    return "\n".join([*lines, "", note, footer, ""])


def _cell(gaps: list[float]) -> str:
    if not gaps:
        return "–"
    ms = [gap * 1000 for gap in gaps]
    shown = f"**{statistics.median(ms):.1f}** ({min(ms):.1f} to {max(ms):.1f})"
    return shown + (f", {len(ms)} runs" if len(ms) < 10 else "")
