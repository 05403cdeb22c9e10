"""The variables that a configuration may use (manual 2.3).

The process's own environment, what HAProxy defines itself, what the `global` section changes by
`setenv` and its kin, and pseudo-variables (`.FILE`, `.LINE`, `.SECTION`) that depend on the place.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence

from telamon.base.version import HAPROXY_LEVEL, HAPROXY_VERSION


class Environment:
    """A mutable copy of the environment; the caller's is never changed."""

    def __init__(self, inherited: Mapping[str, str], files: Sequence[str] = ()) -> None:
        self._inherited = dict(inherited)
        self._values = dict(inherited)
        self._values.update(_defined_by_haproxy(files, inherited))
        self.section = ""

    def get(self, name: str, file: str = "", line: int = 0) -> str | None:
        """The value of `name` as seen at `file:line`, or None if it is not set."""
        if name.startswith("."):
            return {".FILE": file, ".LINE": str(line), ".SECTION": self.section}.get(name)
        return self._values.get(name)

    def set(self, name: str, value: str, *, overwrite: bool = True) -> None:
        """`setenv`, or `presetenv` where `overwrite` is False."""
        if overwrite or name not in self._values:
            self._values[name] = value

    def unset(self, name: str) -> None:
        self._values.pop(name, None)

    def reset(self, kept: Sequence[str]) -> None:
        """`resetenv`: forget everything but `kept`."""
        self._values = {name: self._values[name] for name in kept if name in self._values}


def _defined_by_haproxy(files: Sequence[str], inherited: Mapping[str, str]) -> dict[str, str]:
    return {
        "HAPROXY_LOCALPEER": inherited.get("HAPROXY_LOCALPEER", socket.gethostname()),
        "HAPROXY_CFGFILES": ";".join(files),
        "HAPROXY_STARTUP_VERSION": HAPROXY_VERSION,
        "HAPROXY_BRANCH": HAPROXY_LEVEL.rpartition(".")[0],
    }
