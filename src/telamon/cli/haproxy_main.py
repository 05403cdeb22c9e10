"""The stand-in for haproxy(1), from its command line on. Imports late: `-v` must be quick."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from telamon.cli.haproxy_options import CommandLine, Task, UsageError, parse, usage


def main(arguments: Sequence[str]) -> int:
    """Everything that the command does; returns the exit status."""
    try:
        line = parse(arguments)
    except UsageError as error:
        return _misused(str(error))
    match line.task:
        case Task.VERSION | Task.BUILD:
            from telamon.cli.haproxy_version import build, version

            sys.stdout.write(version() if line.task is Task.VERSION else build())
            return 0
        case Task.MEMORY_HELP:
            sys.stdout.write("-dM has no meaning here: no memory is poisoned.\n")
            return 0
        case Task.CONDITION:
            return _condition(line)
        case Task.CHECK:
            from telamon.daemon.standalone_haproxy_load import check

            return check(line.options)
        case Task.RUN:
            _end_by_signals()
            from telamon.daemon.standalone_haproxy import main as run

            return run(line.options)


def _misused(reason: str) -> int:
    """The usage text, or where more can be told than that, what is wrong."""
    if reason:
        from telamon.daemon.standalone_haproxy_console import Console

        Console().alert(reason)
        return 1
    from telamon.cli.haproxy_version import version

    sys.stdout.write(version())
    sys.stdout.flush()
    sys.stderr.write(usage("haproxy"))
    return 1


def _condition(line: CommandLine) -> int:
    """-cc: 0 true, 1 false, 2 no condition at all."""
    from telamon.haproxy.conditions import ConditionError, evaluate
    from telamon.haproxy.environment import Environment

    try:
        return 0 if evaluate(line.condition, Environment(os.environ)) else 1
    except ConditionError as error:
        from telamon.daemon.standalone_haproxy_console import Console

        Console().alert(
            f"config : Failed to evaluate condition: {error}",
            (line.condition, " " * error.at + "^"),
        )
        return 2


def _end_by_signals() -> None:
    """Ctrl-C before anything runs ends us as it ends HAProxy, without a traceback."""
    import signal

    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
