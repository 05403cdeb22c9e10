"""Scripts, files, processes and interfaces that are tracked, and the users that run scripts."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from telamon.base.diagnostic import Report, nearest
from telamon.base.span import Span
from telamon.keepalived import codes
from telamon.keepalived.model import (
    Command,
    Configuration,
    Notified,
    Placed,
    Script,
    Tracked,
    TrackFile,
    TrackProcess,
)
from telamon.keepalived.users import Identity, ScriptFile, default_identity, find_identity
from telamon.plan.router import (
    CommandPlan,
    FilePlan,
    ParameterMatch,
    ProcessWatchPlan,
    ScriptPlan,
    TrackBackend,
    TrackInterface,
    TrackProxy,
    TrackScript,
)
from telamon.plan.router import (
    TrackFile as TrackFileEntry,
)
from telamon.plan.router import (
    TrackProcess as TrackProcessEntry,
)


@dataclass(slots=True)
class Scripts:
    """The scripts that can run, and whom scripts without a user of their own run as."""

    plans: tuple[ScriptPlan, ...]
    disabled: frozenset[str]
    identity: Identity | None
    examine: Callable[[str], ScriptFile]
    security: bool

    def command(self, command: Command | None, span: Span, report: Report) -> CommandPlan | None:
        """A notify script; an unknown user is an error, an unsafe script is not run."""
        if command is None or not command.arguments:
            return None
        identity = _identity(command.user, command.group, self.identity, span, report)
        uid, gid = (identity.uid, identity.gid) if identity else (None, None)
        file = self.examine(command.arguments[0])
        if file.problem:
            report.note(
                codes.SCRIPT_FILE, f"the script cannot be run now: {file.problem}", span,
                help="make it before it is needed; Keepalived says nothing until then",
            )  # fmt: skip
        elif file.writable_by and not uid:
            done = "it is not run" if self.security else "it is run all the same"
            report.warning(
                codes.TRAP_ROOT_SCRIPT,
                f"the script runs as root, and '{file.writable_by}' can be changed by others "
                "than root", span,
                help=f"{done}: chown root and chmod go-w it, or write a user after the script",
            )  # fmt: skip
            if self.security:
                return None
        return CommandPlan(command.arguments, uid, gid)


def lower_scripts(
    configuration: Configuration, report: Report, examine: Callable[[str], ScriptFile]
) -> Scripts:
    """Every `vrrp_script` that can be run. Keepalived drops the others; so do we, aloud."""
    default = default_identity()
    globals_ = configuration.globals
    if globals_.script_user is not None:
        default = _identity(
            globals_.script_user, globals_.script_group, default, globals_.at("script_user"), report
        )
    plans: list[ScriptPlan] = []
    disabled: set[str] = set()
    for node in configuration.scripts:
        identity = default
        if node.user is not None:
            identity = _identity(node.user, node.group, default, node.at("user"), report)
        if not _usable(node, configuration, identity, report, examine):
            disabled.add(node.name)
            continue
        plans.append(_script(node, identity))
    return Scripts(tuple(plans), frozenset(disabled), default, examine, globals_.script_security)


def _script(node: Script, identity: Identity | None) -> ScriptPlan:
    interval = node.interval or 1.0
    return ScriptPlan(
        name=node.name,
        command=_through_shell(node.command),
        interval=interval,
        timeout=node.timeout or interval,
        rise=node.rise or 1,
        fall=node.fall or 1,
        weight=node.weight or 0,
        reverse=node.reverse,
        init_fail=node.init_fail,
        uid=identity.uid if identity else None,
        gid=identity.gid if identity else None,
        source_line=node.statement.place,
    )


def _through_shell(command: tuple[str, ...]) -> tuple[str, ...]:
    """A bare redirection, as `</dev/tcp/127.0.0.1/80` of Keepalived's samples, is for the shell.

    It is the system's: bash connects, dash knows no /dev/tcp and always fails.
    """
    if command[0].startswith(("<", ">")):
        return "/bin/sh", "-c", " ".join(command)
    return command


def _usable(
    node: Script,
    configuration: Configuration,
    identity: Identity | None,
    report: Report,
    examine: Callable[[str], ScriptFile],
) -> bool:
    if not node.command:
        report.warning(
            codes.SCRIPT_FILE, f"vrrp_script '{node.name}' has no script", node.span,
            help="it is left out, as Keepalived does: write 'script COMMAND'",
        )  # fmt: skip
        return False
    file = examine(_through_shell(node.command)[0])
    place = node.at("command")
    if file.problem:
        report.warning(
            codes.SCRIPT_FILE, f"the script of '{node.name}' cannot be run: {file.problem}", place,
            help="nothing tracks it on this machine, as under Keepalived",
        )  # fmt: skip
        return False
    root = identity is None or identity.uid == 0
    if file.writable_by and root and configuration.globals.script_security:
        report.warning(
            codes.SCRIPT_FILE,
            f"the script of '{node.name}' is not run as root: "
            f"'{file.writable_by}' can be changed by others than root", place,
            help=f"chown root '{file.writable_by}' and chmod go-w it, or give the script a 'user'",
            notes=["enable_script_security asks for this; Keepalived disables it too"],
        )  # fmt: skip
        return False
    if file.writable_by and root:
        report.warning(
            codes.TRAP_ROOT_SCRIPT,
            f"the script of '{node.name}' runs as root, and '{file.writable_by}' can be changed "
            "by others than root", place,
            help="whoever can change it owns this machine: chown root and chmod go-w it, or "
            "write 'user NAME'",
        )  # fmt: skip
    return True


def _identity(
    user: str | None, group: str | None, default: Identity | None, span: Span, report: Report
) -> Identity | None:
    if user is None:
        return default
    found = find_identity(user, group)
    if isinstance(found, str):
        report.error(
            codes.MISSING_NAME, found, span,
            help="make it (useradd --system --no-create-home --shell /usr/sbin/nologin NAME), "
            "or name one that exists",
            notes=["Keepalived would drop the script and run without it"],
        )  # fmt: skip
        return default
    return found


@dataclass(frozen=True, slots=True)
class TrackedPlans:
    interfaces: tuple[TrackInterface, ...]
    scripts: tuple[TrackScript, ...]
    files: tuple[TrackFileEntry, ...]
    processes: tuple[TrackProcessEntry, ...]
    backends: tuple[TrackBackend, ...]
    proxy: TrackProxy | None


def lower_tracked(
    node: Notified, configuration: Configuration, scripts: Scripts, report: Report
) -> TrackedPlans:
    """The `track_…` blocks of an instance or a group."""
    script_nodes = {item.name: item for item in configuration.scripts}
    file_nodes = {item.name: item for item in configuration.track_files}
    process_nodes = {item.name: item for item in configuration.track_processes}
    return TrackedPlans(
        tuple(
            TrackInterface(item.value.name, item.value.weight or 0, bool(item.value.reverse))
            for item in _unique(node.track_interfaces, report)
        ),
        tuple(
            TrackScript(item.value.name, *_weight(item.value, script_nodes[item.value.name], 0))
            for item in _known(node.track_scripts, script_nodes, "vrrp_script", report)
            if item.value.name not in scripts.disabled
        ),
        tuple(
            TrackFileEntry(item.value.name, *_weight(item.value, file_nodes[item.value.name], 1))
            for item in _known(node.track_files, file_nodes, "track_file", report)
        ),
        tuple(
            TrackProcessEntry(
                item.value.name, *_weight(item.value, process_nodes[item.value.name], 0)
            )
            for item in _known(node.track_processes, process_nodes, "vrrp_track_process", report)
        ),
        tuple(
            TrackBackend(item.name, item.minimum or 1, item.weight or 0, item.reverse)
            for item in node.track_backends
        ),
        TrackProxy(node.track_proxy.weight or 0, node.track_proxy.reverse, node.track_proxy.off)
        if node.track_proxy is not None
        else None,
    )


def _weight(
    entry: Tracked, node: Script | TrackFile | TrackProcess, default: int
) -> tuple[int, bool]:
    weight = entry.weight
    if weight is None:
        weight = node.weight if node.weight is not None else default
    return weight, node.reverse if entry.reverse is None else entry.reverse


def _unique(entries: list[Placed[Tracked]], report: Report) -> list[Placed[Tracked]]:
    seen: set[str] = set()
    kept = []
    for item in entries:
        if item.value.name in seen:
            report.warning(
                codes.ADJUSTED, f"'{item.value.name}' is tracked twice", item.span,
                help="the first one counts",
            )  # fmt: skip
            continue
        seen.add(item.value.name)
        kept.append(item)
    return kept


def _known(
    entries: list[Placed[Tracked]], known: Collection[str], kind: str, report: Report
) -> list[Placed[Tracked]]:
    found = []
    for item in _unique(entries, report):
        if item.value.name in known:
            found.append(item)
            continue
        near = nearest(item.value.name, known)
        report.warning(
            codes.MISSING_NAME, f"there is no {kind} '{item.value.name}'", item.span,
            help=f"did you mean '{near}'?" if near else "it is not tracked, as under Keepalived",
        )  # fmt: skip
    return found


def lower_watches(
    configuration: Configuration, report: Report
) -> tuple[tuple[FilePlan, ...], tuple[ProcessWatchPlan, ...]]:
    """`track_file` and `vrrp_track_process` blocks."""
    files = []
    for file in configuration.track_files:
        if file.file is None:
            report.warning(codes.MISSING_NAME, f"track_file '{file.name}' names no file", file.span)
            continue
        files.append(
            FilePlan(
                file.name, file.file, 1 if file.weight is None else file.weight, file.reverse,
                file.init_value, file.init_overwrite, file.statement.place,
            )
        )  # fmt: skip
    processes = []
    for process in configuration.track_processes:
        if not process.process:
            report.warning(
                codes.MISSING_NAME, f"vrrp_track_process '{process.name}' names no process",
                process.span,
            )  # fmt: skip
            continue
        processes.append(_process(process))
    return tuple(files), tuple(processes)


def _process(node: TrackProcess) -> ProcessWatchPlan:
    match: ParameterMatch | None = None
    if node.param_match is not None:
        match = ParameterMatch(node.param_match)
    elif len(node.process) > 1:
        match = ParameterMatch.EXACT
    return ProcessWatchPlan(
        node.name,
        node.process,
        match,
        node.full_command,
        # The manual says 1; Keepalived 2.2.7 has 0: without the process the node is in FAULT.
        0 if node.weight is None else node.weight,
        node.reverse,
        1 if node.quorum is None else node.quorum,
        node.quorum_max,
        node.fork_delay or 0.0,
        node.terminate_delay or 0.0,
        node.statement.place,
    )
