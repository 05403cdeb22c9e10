"""What the edge has told about this machine: interfaces, scripts, processes, files, the proxy.

Here the facts are kept, and each `track_…` entry of a plan becomes a `Tracker`: how it stands now.
What comes of them for an instance (its priority, its faults) is for `router.py` to settle, since a
sync group's members share it. A thing that nobody has told about yet is awaited, not failed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from telamon.plan.router import (
    InstancePlan,
    RouterPlan,
    SyncGroupPlan,
    TrackBackend,
    TrackInterface,
)
from telamon.vrrp.events import Interface
from telamon.vrrp.priority import Condition, Figure, ScriptVerdict, Tracker
from telamon.vrrp.wire import Wire, placed


@dataclass(frozen=True, slots=True)
class Known:
    """Whether each script is well (None: it has not ended yet) and how it counts, whether each
    process runs, and the number in each file."""

    scripts: Mapping[str, bool | None]
    levels: Mapping[str, int]
    processes: Mapping[str, bool]
    files: Mapping[str, int]


class Tracking:
    """The facts; `changed` says that something was told since it was last cleared."""

    __slots__ = ("_backends", "_files", "_processes", "_proxy", "_scripts", "changed", "interfaces")

    def __init__(self, plan: RouterPlan) -> None:
        self.changed = True
        self.interfaces: dict[str, Interface] = {}
        self._scripts = {script.name: ScriptVerdict(script) for script in plan.scripts}
        self._processes: dict[str, bool] = {}
        self._files: dict[str, int] = {}
        self._backends: dict[str, int] = {}
        self._proxy: tuple[bool, str] | None = None

    def replan(self, plan: RouterPlan) -> None:
        """A reload: what is known about a script of the same name stays known."""
        self.changed = True
        verdicts, self._scripts = self._scripts, {}
        for script in plan.scripts:
            verdict = verdicts.get(script.name) or ScriptVerdict(script)
            verdict.replan(script)
            self._scripts[script.name] = verdict

    # What is told.

    def interface(self, fact: Interface) -> Interface | None:
        """Returns what was known before."""
        self.changed = True
        before = self.interfaces.get(fact.name)
        self.interfaces[fact.name] = fact
        return before

    def script(self, name: str, passed: bool) -> bool:
        """One run has ended; whether the script's verdict has changed."""
        self.changed = True
        verdict = self._scripts.get(name)
        return verdict is not None and verdict.count(passed)

    def process(self, name: str, running: bool) -> None:
        self.changed = True
        self._processes[name] = running

    def file(self, name: str, value: int) -> None:
        self.changed = True
        self._files[name] = value

    def proxy(self, alive: bool, reason: str) -> None:
        self.changed = True
        self._proxy = (alive, reason)

    def backends(self, servers_up: Mapping[str, int]) -> None:
        self.changed = True
        self._backends = dict(servers_up)

    def known(self) -> Known:
        """A copy of what was told, for dumps."""
        verdicts = {name: verdict.well for name, verdict in self._scripts.items()}
        levels = {name: verdict.level for name, verdict in self._scripts.items()}
        return Known(verdicts, levels, dict(self._processes), dict(self._files))

    # What comes of it.

    def trackers(self, plan: InstancePlan | SyncGroupPlan) -> Iterator[Tracker]:
        """How each entry of an instance or a group stands."""
        for entry in plan.track_interfaces:
            yield self._tracked_interface(entry)
        for script in plan.track_scripts:
            verdict = self._scripts.get(script.script)
            well = verdict.well if verdict is not None else None
            yield Condition(f"script {script.script}", script.weight, script.reverse, well)
        for process in plan.track_processes:
            running = self._processes.get(process.process)
            name = f"process {process.process}"
            yield Condition(name, process.weight, process.reverse, running)
        for file in plan.track_files:
            value = self._files.get(file.file)
            yield Figure(f"file {file.file}", file.weight, file.reverse, value)
        for backend in plan.track_backends:
            yield self._tracked_backend(backend)
        if plan.proxy is not None and plan.proxy.weight:
            serves = self._proxy[0] if self._proxy is not None else None
            yield Condition("the proxy", plan.proxy.weight, plan.proxy.reverse, serves)

    def proxy_fault(self) -> tuple[str | None, bool]:
        """Why the proxy does not serve (None: it does), and whether that must be awaited."""
        if self._proxy is None:
            return None, True
        alive, reason = self._proxy
        return (None if alive else f"the proxy is down: {reason}"), False

    def links(self, wire: Wire) -> tuple[list[str], bool]:
        """Faults of an instance's interfaces, and whether one of them is not known yet."""
        plan = wire.plan
        needed = [plan.interface] if plan.track_primary else []
        needed += [a.device for a in placed(plan) if a.device and a.track]
        needed = [n for n in dict.fromkeys(needed) if n != plan.interface or plan.track_primary]
        faults, unknown = [], plan.interface not in self.interfaces
        for name in needed:
            interface = self.interfaces.get(name)
            if interface is None:
                unknown = True
            elif not interface.up:
                faults.append(interface.condition)
        if unknown or faults:
            return faults, unknown
        if wire.source is None:
            faults.append(f"no IPv{wire.family} address on {plan.interface}")
        elif (
            plan.track_source
            and plan.source is not None
            and plan.source not in self.interfaces[plan.interface].addresses
        ):
            faults.append(f"{plan.source} is not an address of {plan.interface}")
        return faults, False

    def _tracked_backend(self, entry: TrackBackend) -> Tracker:
        servers, well = 0, None
        if self._proxy is not None:
            # A proxy that is not there has no server.
            servers = self._backends.get(entry.backend, 0) if self._proxy[0] else 0
            well = servers >= entry.minimum
        name = f"backend {entry.backend} has {servers} of {entry.minimum} servers up"
        return Condition(name, entry.weight, entry.reverse, well)

    def _tracked_interface(self, entry: TrackInterface) -> Tracker:
        interface = self.interfaces.get(entry.interface)
        if interface is None:
            return Condition(f"interface {entry.interface}", entry.weight, entry.reverse, None)
        return Condition(interface.condition, entry.weight, entry.reverse, interface.up)
