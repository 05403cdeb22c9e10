"""The numbers in tracked files (`track_file`), read anew whenever a file is written or replaced.

It runs in the helper: a file may lie on a disk that hangs. Directories are watched rather than
files, since a file may be missing, come later, or be replaced by another of its name.
"""

from __future__ import annotations

import os
import re
import selectors
import time
from collections.abc import Callable
from pathlib import Path

from telamon.kernel.inotify import Inotify
from telamon.plan.router import FilePlan

Tell = Callable[[str, int], None]

_LONGEST = 128
_INT_MIN, _INT_MAX = -(2**31), 2**31 - 1
_NUMBER = re.compile(rb"\s*([+-]?\d+)")
_AGAIN = 1.0
"""How often a directory that is not there is looked for, in seconds."""


def number(content: bytes) -> int | None:
    """The number that a file's content stands for; None if it is out of range.

    As strtol(3), and hence as Keepalived: what is no number is 0, what follows one is ignored.
    """
    found = _NUMBER.match(content)
    value = int(found.group(1)) if found else 0
    return value if _INT_MIN <= value <= _INT_MAX else None


def initialise(plan: FilePlan) -> str:
    """Write `init_file`'s value where it is wanted; why that failed, or ""."""
    if plan.initial is None:
        return ""
    path = Path(plan.path)
    try:
        if plan.overwrite or not path.exists():
            path.write_text(f"{plan.initial}\n")
    except OSError as error:
        return f"track_file {plan.name}: cannot write {plan.path}: {error.strerror or error}"
    return ""


class FileWatch:
    """Tells each file's number once at first, then whenever it changes."""

    def __init__(
        self, selector: selectors.BaseSelector, tell: Tell, say: Callable[[str], None]
    ) -> None:
        self._selector, self._tell, self._say = selector, tell, say
        self._plans: tuple[FilePlan, ...] = ()
        self._values: dict[str, int] = {}
        self._problems: dict[str, str] = {}
        self._inotify: Inotify | None = None
        self._unwatched: set[str] = set()
        self._again: float | None = None

    @property
    def deadline(self) -> float | None:
        """When `turn` is wanted (seconds of the monotonic clock)."""
        return self._again

    def watch(self, plans: tuple[FilePlan, ...]) -> None:
        """Follow these from now on."""
        if plans == self._plans:
            return
        before = {plan.name for plan in self._plans}
        self.close()
        self._plans = plans
        for plan in plans:
            if plan.name not in before and (problem := initialise(plan)):
                self._say(problem)
        if not plans:
            return
        self._inotify = Inotify()
        self._selector.register(self._inotify.fileno(), selectors.EVENT_READ, self._read)
        self._unwatched = {_directory(plan) for plan in plans}
        self._begin()

    def turn(self, now: float) -> None:
        """Look again for directories that were not there."""
        if self._again is not None and self._again <= now:
            self._begin()

    def close(self) -> None:
        """Forget everything."""
        if self._inotify is not None:
            self._selector.unregister(self._inotify.fileno())
            self._inotify.close()
            self._inotify = None
        self._plans, self._values, self._problems = (), {}, {}
        self._unwatched, self._again = set(), None

    def _begin(self) -> None:
        assert self._inotify is not None
        for directory in sorted(self._unwatched):
            try:
                self._inotify.watch(directory)
            except OSError:
                continue
            self._unwatched.discard(directory)
        self._again = time.monotonic() + _AGAIN if self._unwatched else None
        # Watched first and read then, so that no change between the two is missed.
        self._look({_directory(plan) for plan in self._plans})

    def _read(self) -> None:
        if self._inotify is None:
            return
        changed, lost = self._inotify.changes()
        self._look(changed)
        if lost:
            self._unwatched |= lost
            self._begin()

    def _look(self, directories: set[str]) -> None:
        for plan in self._plans:
            if _directory(plan) not in directories:
                continue
            value = self._number(plan)
            if value is not None and self._values.get(plan.name) != value:
                self._values[plan.name] = value
                self._tell(plan.name, value)

    def _number(self, plan: FilePlan) -> int | None:
        """None: leave it as it was."""
        value: int | None = 0
        problem = ""
        try:
            content = _read(plan.path)
            value = number(content)
        except FileNotFoundError:
            pass
        except OSError as error:
            problem = f"{plan.path}: {error.strerror}; it counts as 0"
        if value is None:
            shown = content.split()[0].decode("ascii", "replace")
            problem = f"{shown} in {plan.path} is out of range; it is ignored"
            value = None if plan.name in self._values else 0
        if problem and self._problems.get(plan.name) != problem:
            self._say(f"track_file {plan.name}: {problem}")
        self._problems[plan.name] = problem
        return value


def _read(path: str) -> bytes:
    # A FIFO must not make us wait for its writer.
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(fd, _LONGEST)
    finally:
        os.close(fd)


def _directory(plan: FilePlan) -> str:
    return str(Path(plan.path).parent)
