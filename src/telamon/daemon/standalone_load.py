"""keepalived.conf for the stand-in: read, judged as `keepalived -t` judges, and put in words."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum

from telamon.base.diagnostic import Diagnostic, Report, Severity
from telamon.daemon.standalone_options import Options
from telamon.keepalived import codes
from telamon.keepalived.load import check_failed, load
from telamon.keepalived.users import examine
from telamon.kernel.namespaces import join_named
from telamon.plan.router import InstancePlan, RouterPlan, SyncGroupPlan


class ExitCode(IntEnum):
    """Debian's keepalived 2.2.7, measured; its manual numbers the last two 4 and 5."""

    OK = 0
    FAILED = 1
    FATAL = 2
    """A word lacks its value: the file is read no further."""
    CONFIG = 5
    """-t: there are mistakes in the configuration."""
    SECURITY = 6
    """-t: scripts run, but enable_script_security is not set. Start: there is no file."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """`plan` is None if the file cannot be used at all."""

    plan: RouterPlan | None
    report: Report

    @property
    def lines(self) -> Iterator[str]:
        """Warnings and errors, a line each, as `(FILE: Line 3) what is wrong`."""
        return (_line(d) for d in self.report if d.severity is not Severity.NOTE)


def missing(path: str) -> bool:
    """Whether there is no file to read. (A pattern may name several.)"""
    if any(sign in path for sign in "*?[{"):
        return False
    return not os.access(path, os.R_OK)


def read(options: Options) -> Loaded:
    """Read the file; what is wrong is in the report."""
    loaded = load(options.file, config_id=options.config_id)
    report = loaded.report
    absent = options.all_includes and any(d.code == codes.INCLUDE for d in report)
    return Loaded(None if absent else loaded.router, report)


def verdict(loaded: Loaded, options: Options) -> tuple[ExitCode, list[str]]:
    """What -t exits with, and what it says."""
    lines = list(loaded.lines)
    plan = loaded.plan
    if any(d.code == codes.MISSING_ARGUMENT for d in loaded.report):
        return ExitCode.FATAL, lines
    if plan is None:
        return ExitCode.CONFIG, lines
    insecure = _runs_scripts(plan) and not plan.script_security
    if check_failed(loaded.report):
        # As there: of a wrong value and unsafe scripts, the scripts are what is reported.
        return ExitCode.SECURITY if insecure else ExitCode.CONFIG, lines
    if plan.namespace is not None and options.namespace is None:
        options = replace(options, namespace=plan.namespace)
    if options.namespace is not None:
        # Only interfaces are looked at from here on, and the process ends.
        try:
            join_named(options.namespace)
        except OSError as error:
            lines.append(f"net_namespace {options.namespace}: {error.strerror}")
            return ExitCode.CONFIG, lines
    present = {name for _index, name in socket.if_nameindex()}
    loops = [i for i in plan.instances if i.interface == "lo"]
    if loops:
        lines += [f"({i.name}) cannot use a loopback interface (lo) for vrrp" for i in loops]
        return ExitCode.CONFIG, lines
    absent = [line for line in _named_interfaces(plan) if line[1] not in present]
    if absent and not plan.allow_missing_interfaces:
        lines += [f"({owner}) interface {name} doesn't exist" for owner, name in absent]
        return ExitCode.CONFIG, lines
    if insecure:
        lines.append("scripts are run, but enable_script_security is not set in global_defs")
        return ExitCode.SECURITY, lines
    return ExitCode.OK, lines


def _named_interfaces(plan: RouterPlan) -> Iterator[tuple[str, str]]:
    """Each interface that the plan names, with who does."""
    owners: tuple[InstancePlan | SyncGroupPlan, ...] = (*plan.instances, *plan.groups)
    for instance in plan.instances:
        yield instance.name, instance.interface
        for address in (*instance.addresses, *instance.excluded_addresses):
            if address.device is not None:
                yield instance.name, address.device
    for owner in owners:
        yield from ((owner.name, entry.interface) for entry in owner.track_interfaces)


def _runs_scripts(plan: RouterPlan) -> bool:
    owners: tuple[InstancePlan | SyncGroupPlan, ...] = (*plan.instances, *plan.groups)
    names = ("master", "backup", "fault", "stop", "deleted", "any", "lower_priority_heard")
    told = [getattr(owner.notify, name) for owner in owners for name in names]
    commands = [c for c in (*told, plan.startup, plan.shutdown) if c is not None]
    # One that is not there (yet) violates nothing.
    return bool(plan.scripts) or any(not examine(c.command[0]).problem for c in commands)


def _line(diagnostic: Diagnostic) -> str:
    span = diagnostic.span
    place = f"({span.source.name}: Line {span.line}) " if span is not None else ""
    help = f" ({diagnostic.help})" if diagnostic.help else ""
    return f"{place}{diagnostic.message}{help} [{diagnostic.code}]"


def check(options: Options, log_file: str | None) -> ExitCode:
    """-t: say what is wrong on stderr, or in `log_file`; returns the exit status."""
    if missing(options.file):
        code, lines = ExitCode.CONFIG, [f"Config files missing '{options.file}'."]
    else:
        code, lines = verdict(read(options), options)
    text = "".join(f"{line}\n" for line in lines)
    if log_file is None:
        sys.stderr.write(text)
        return code
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(log_file, flags, 0o600), "w") as file:
            file.write(text)
    except OSError as error:
        sys.stderr.write(f"cannot write {log_file}: {error.strerror}\n{text}")
    return code
