"""The control socket: `telamon status` and `telamon ctl` talk to the supervisor through it.

One JSON object a line each way, over a unix stream socket that only its owner may open. A
request has `command`, for start, stop and restart `role`, for reload perhaps `force`; an answer
has `ok` and either `text` or the status document.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAME = "control.sock"
MAX_REQUEST = 65536
COMMANDS = ("status", "start", "stop", "restart", "reload")


class ControlError(Exception):
    """No supervisor answers; `str()` says what to do."""


def default_run_dir() -> Path:
    """`$TELAMON_RUN_DIR`, /run/telamon for root, the user's own runtime directory otherwise."""
    given = os.environ.get("TELAMON_RUN_DIR")
    if given:
        return Path(given)
    if os.geteuid() == 0:
        return Path("/run/telamon")
    base = os.environ.get("XDG_RUNTIME_DIR")
    return Path(base) / "telamon" if base else Path(f"/tmp/telamon-{os.geteuid()}")


def request(run_dir: Path, message: dict[str, Any], timeout: float = 60.0) -> dict[str, Any]:
    """Ask the supervisor; raises ControlError if there is none or it does not answer."""
    path = run_dir / NAME
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout)
        try:
            sock.connect(str(path))
            sock.sendall(json.dumps(message).encode() + b"\n")
            with sock.makefile("rb") as answers:
                line = answers.readline()
        except TimeoutError as error:
            raise ControlError(f"no answer on {path} within {timeout:.0f} s") from error
        except OSError as error:
            raise ControlError(
                f"no Telamon answers on {path} ({error.strerror}): is 'telamon run' running, "
                "and with this --run-dir? ('telamon keepalived' and 'telamon haproxy' have "
                "the signals and sockets of those they stand in for, not this one)"
            ) from error
    if not line:
        raise ControlError(f"the supervisor hung up on {path} before it answered")
    answer: dict[str, Any] = json.loads(line)
    return answer


def listen(run_dir: Path) -> socket.socket:
    """The supervisor's end. ControlError if another supervisor listens there already."""
    path = run_dir / NAME
    try:
        run_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise ControlError(
            f"cannot make {run_dir}: {error.strerror}; choose another place with --run-dir"
        ) from error
    _refuse_second(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
        mask = os.umask(0o177)
        try:
            sock.bind(str(path))
        finally:
            os.umask(mask)
        sock.listen(16)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise ControlError(f"cannot listen on {path}: {error.strerror or error}") from error
    return sock


def _refuse_second(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except OSError:
            return
    raise ControlError(
        f"another Telamon runs already with {path}: stop it, or give this one its own --run-dir"
    )


@dataclass(slots=True, eq=False)
class Client:
    """One connected client of the supervisor."""

    sock: socket.socket
    token: int
    pending: bytearray = field(default_factory=bytearray)

    def receive(self) -> list[dict[str, Any]] | None:
        """The whole requests that came; None when the client is gone or talks nonsense."""
        try:
            data = self.sock.recv(MAX_REQUEST)
        except BlockingIOError:
            return []
        except OSError:
            return None
        self.pending += data
        if not data or len(self.pending) > MAX_REQUEST:
            return None
        *lines, rest = bytes(self.pending).split(b"\n")
        self.pending = bytearray(rest)
        try:
            requests = [json.loads(line) for line in lines]
        except ValueError:
            return None
        return requests if all(isinstance(item, dict) for item in requests) else None

    def answer(self, document: dict[str, Any]) -> None:
        """A client that does not read loses its answer: the supervisor never waits."""
        with contextlib.suppress(OSError):
            self.sock.sendall(json.dumps(document).encode() + b"\n")
