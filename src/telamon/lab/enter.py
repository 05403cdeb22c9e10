"""Run a command inside a node. Executed by `telamon.lab.net`, never by people.

    enter INIT user,net,… [fork] [tty] -- CMD…

A PID namespace takes in only children, so with `fork` this process stays outside as the command's
stand-in: signals go through to the command, its exit status comes back, and when this process is
killed the command is killed too. Standard library only, like `anchor`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import NoReturn

from telamon.kernel import namespaces
from telamon.kernel.namespaces import Namespaces

_FORWARDED = (
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGCONT,
)
_FROM_TERMINAL = (signal.SIGINT, signal.SIGQUIT)

NOT_FOUND = 127
NOT_EXECUTABLE = 126


def _execute(command: list[str]) -> NoReturn:
    try:
        os.execvp(command[0], command)
    except OSError as error:
        print(f"{command[0]}: {error.strerror}", file=sys.stderr)
        os._exit(NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE)


def _stand_in(child: int) -> NoReturn:
    """Wait for the command and end as it ended."""
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))


def main() -> int:
    init, kinds, *words = sys.argv[1:]
    split = words.index("--")
    flags, command = set(words[:split]), words[split + 1 :]
    wanted = Namespaces(0)
    for name in kinds.split(","):
        wanted |= Namespaces[name.upper()]
    here = os.getcwd()  # noqa: PTH109
    pidfd = os.pidfd_open(int(init))
    namespaces.join(pidfd, wanted)
    os.close(pidfd)
    if Namespaces.MOUNT in wanted:
        with contextlib.suppress(OSError):
            os.chdir(here)
    if "fork" not in flags:
        _execute(command)
    forwarded = {*_FORWARDED} if "tty" in flags else {*_FORWARDED, *_FROM_TERMINAL}
    # Blocked until the handlers know whom to tell.
    signal.pthread_sigmask(signal.SIG_BLOCK, {*_FORWARDED, *_FROM_TERMINAL})
    gate, opener = os.pipe()
    child = os.fork()
    if child == 0:
        namespaces.die_with_parent()
        os.close(opener)
        # End of file instead of the byte: the stand-in died before the wish was heard.
        if not os.read(gate, 1):
            os._exit(1)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {*_FORWARDED, *_FROM_TERMINAL})
        _execute(command)
    os.close(gate)
    for number in forwarded:
        signal.signal(number, lambda got, _frame: os.kill(child, got))
    if "tty" in flags:
        # The terminal sends these to the whole foreground group; the command has them already.
        for number in _FROM_TERMINAL:
            signal.signal(number, signal.SIG_IGN)
    os.write(opener, b"x")
    os.close(opener)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {*_FORWARDED, *_FROM_TERMINAL})
    _stand_in(child)
