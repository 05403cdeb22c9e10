"""What a kept cluster leaves for later commands: one file, held by a lock.

The keeper holds an exclusive lock on the file for as long as the cluster is there, so a file that
nobody locks is a left-over and means nothing, whatever process has its number by now.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from telamon.lab.net import LabError

_NAME = "lab.json"


@dataclass(frozen=True, slots=True)
class LabState:
    """`inits` are the nodes' init processes by node name, as the host counts."""

    keeper: int
    title: str
    vrrp: int
    user: bool
    inits: dict[str, int]
    stats_port: int


def run_dir() -> Path:
    """`$TELAMON_LAB_DIR`, /run/telamon-lab for root, the user's own runtime directory otherwise."""
    given = os.environ.get("TELAMON_LAB_DIR")
    if given:
        return Path(given)
    if os.geteuid() == 0:
        return Path("/run/telamon-lab")
    base = os.environ.get("XDG_RUNTIME_DIR")
    return Path(base) / "telamon-lab" if base else Path(f"/tmp/telamon-lab-{os.geteuid()}")


class Claim:
    """The keeper's hold on the place: taken before the cluster is made, left with `release`.

    Raises LabError if another cluster is there.
    """

    def __init__(self) -> None:
        folder = run_dir()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if folder.stat().st_uid != os.geteuid():
                raise LabError(f"{folder} belongs to somebody else; set TELAMON_LAB_DIR")
            self._file: TextIO = (folder / _NAME).open("a+")
        except OSError as error:
            raise LabError(f"cannot write to {folder}: {error.strerror}") from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise LabError("a lab is up already: `telamon lab down` ends it") from error

    def publish(self, state: LabState) -> None:
        """Tell later commands about the cluster."""
        self._file.seek(0)
        self._file.truncate()
        json.dump(asdict(state), self._file)
        self._file.flush()

    def release(self) -> None:
        """Take the file and its directory away."""
        (run_dir() / _NAME).unlink(missing_ok=True)
        # It stays if somebody keeps files of their own there.
        with contextlib.suppress(OSError):
            run_dir().rmdir()
        self._file.close()


def find() -> LabState | None:
    """The cluster that is up, or None."""
    try:
        with (run_dir() / _NAME).open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                text = file.read()
                return LabState(**json.loads(text)) if text else None
    except OSError:
        pass
    return None


def forget_the_dead() -> bool:
    """Remove the file that a killed keeper left; whether there was one. The rest died with it."""
    if not (run_dir() / _NAME).exists():
        return False
    try:
        Claim().release()
    except LabError:
        return False
    return True


def require() -> LabState:
    """The cluster that is up. Raises LabError if there is none."""
    state = find()
    if state is None:
        raise LabError("no lab is up: `telamon lab up` makes one")
    return state
