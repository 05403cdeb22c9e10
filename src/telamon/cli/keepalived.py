"""`telamon keepalived`: in the place of keepalived, with its flags, files, signals and exits."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path

import click

from telamon import __version__

STANDS_FOR = "2.2.7"
"""Whose file formats and signals these are; exporters decide by it what to expect."""


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[OPTION]...")
def command(arguments: tuple[str, ...]) -> None:
    """Be keepalived: the router alone, with keepalived(8)'s options ('-h' lists them)."""
    sys.exit(main(arguments))


def main(arguments: tuple[str, ...]) -> int:
    """Everything that the command does; returns the exit status."""
    from telamon.cli.keepalived_options import Task, UsageError, parse, usage

    try:
        line = parse(arguments)
    except UsageError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    match line.task:
        case Task.VERSION:
            sys.stderr.write(version())
            return 0
        case Task.HELP:
            sys.stderr.write(usage("keepalived"))
            return 0
        case Task.SIGNUM:
            return _signum(line.value or "")
    if line.unexpected:
        sys.stderr.write(f"Unexpected argument(s): {' '.join(line.unexpected)}\n")
    if not line.options.vrrp:
        sys.stderr.write(
            "keepalived: -C asks for health checks alone; Telamon checks servers as a proxy:"
            " 'telamon run -f haproxy.cfg'\n"
        )
        return 1
    if line.task is Task.TEST:
        from telamon.daemon.standalone_load import check

        return check(line.options, line.value)
    from telamon.daemon.standalone import main as run

    return run(line.options)


def version() -> str:
    """The first line is what scripts take apart: `Keepalived vX.Y.Z (...)`."""
    system = platform.uname()
    return (
        f"Keepalived v{STANDS_FOR} (Telamon {__version__})\n"
        "\n"
        f"Telamon {__version__} stands in for keepalived: VRRP only, no IPVS, BFD or SNMP.\n"
        f"Running on {system.system} {system.release} {system.version}\n"
        f"Python {platform.python_version()}, {Path(sys.executable).resolve()}, pid {os.getpid()}\n"
    )


def _signum(word: str) -> int:
    from telamon.daemon.standalone_signals import Function

    function = Function.__members__.get(word)
    if function is None:
        sys.stderr.write(f"Unknown sigfunc {word}\n")
        return 1
    sys.stdout.write(f"{int(function)}\n")
    return 0
