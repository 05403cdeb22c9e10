"""The whole program on a node: supervisor and router, with its control socket."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from telamon.daemon.control import request
from tests.interop.lan import Node, Program
from tests.interop.setups import Setup


@dataclass
class Whole:
    program: Program
    config: Path
    run_dir: Path

    def status(self) -> dict[str, Any]:
        """What `telamon status --json` shows."""
        return request(self.run_dir, {"command": "status"})

    def said(self) -> str:
        return json.dumps(self.status())

    def reload(self, setup: Setup) -> None:
        self.config.write_text(setup.keepalived())
        self.program.process.send_signal(signal.SIGHUP)

    def processes(self) -> list[int]:
        """All of it, the supervisor first."""
        return family(self.program.process.pid)


def start(node: Node, setup: Setup) -> Whole:
    """`telamon run -k` with the set-up as a keepalived.conf."""
    return start_text(node, setup.keepalived())


def start_text(node: Node, text: str) -> Whole:
    """The same with any text as the file."""
    folder = node.lan.folder / f"whole{node.number}-{len(node.programs)}"
    folder.mkdir()
    config = folder / "keepalived.conf"
    config.write_text(text)
    words = ["run", "-k", str(config), "--foreground", "--run-dir", str(folder / "run")]
    program = node.start([sys.executable, "-m", "telamon", *words], folder / "log")
    return Whole(program, config, folder / "run")


def family(pid: int) -> list[int]:
    """The process and all below it, parents first."""
    found = [pid]
    for each in found:
        try:
            text = Path(f"/proc/{each}/task/{each}/children").read_text()
        except OSError:
            continue
        found += [int(word) for word in text.split()]
    return found


def kill(pids: list[int], signum: signal.Signals = signal.SIGKILL) -> None:
    """Those that are still there: the first one's death may end the others."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signum)
