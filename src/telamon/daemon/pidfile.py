"""The proxy's pid in a file, as HAProxy writes it; renamed into place, never half written."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path

LOG = logging.getLogger("telamon.supervisor")


class PidFile:
    """At most one file, the one that was written last."""

    def __init__(self) -> None:
        self._path: Path | None = None

    def write(self, name: str | None, pid: int | None) -> None:
        """`name` None: the plan wants none; `pid` None: there is no proxy. Then none stays."""
        path = Path(name) if name is not None and pid is not None else None
        if self._path != path:
            self.remove()
        self._path = None
        if path is None:
            return
        draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            draft.write_text(f"{pid}\n")
            draft.rename(path)
            self._path = path
        except OSError as error:
            LOG.error("cannot write the pidfile %s: %s", path, error.strerror)

    def remove(self) -> None:
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._path.unlink()
        self._path = None
