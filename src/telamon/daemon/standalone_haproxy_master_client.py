"""A client of the master's command line: its socket, and the worker that answers meanwhile.

One step at a time: while a worker answers or a reload runs, what the client sends waits. All is
written at once as far as the client takes it; one that does not read is cut off.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections.abc import Callable

from telamon.daemon.messages import Message, ServeClient
from telamon.daemon.standalone_haproxy_master_cli import (
    Close,
    Forward,
    MasterSession,
    Reload,
    Reply,
    Step,
)

_READ = 65536
_PATIENCE = 16 << 20
"""Bytes that may wait for a client who does not read."""

Serve = Callable[[int, Message, socket.socket], bool]
"""Gives a socket to the worker of this pid; False if it cannot be reached."""


class Client:
    """Registers itself with `selector`; `reload(hard, self)` is answered by `reloaded`."""

    def __init__(
        self,
        sock: socket.socket,
        session: MasterSession,
        selector: selectors.BaseSelector,
        serve: Serve,
        reload: Callable[[bool, Client], None],
    ) -> None:
        self._sock, self._session, self._selector = sock, session, selector
        self._serve, self._reload = serve, reload
        self._worker: socket.socket | None = None
        self._after = b""
        self._busy = self._closed = self._last = False
        self._out = b""
        self.gone: Callable[[], None] = lambda: None
        sock.setblocking(False)
        self._selector.register(sock, selectors.EVENT_READ, self._ready)

    def _ready(self) -> None:
        if self._out:
            self._flush()
        if self._closed:
            return
        try:
            data = self._sock.recv(_READ)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        if data:
            self._session.feed(data)
        else:
            self._session.end_of_file()
            self._listen()
        self._advance()

    def _advance(self) -> None:
        while not self._busy and not self._closed and not self._last:
            step = self._session.next_step()
            if step is None:
                return
            self._do(step)

    def _do(self, step: Step) -> None:
        match step:
            case Reply(data):
                self._write(data)
            case Close():
                self._last = True
                self._flush()
            case Forward(pid, line, level, after):
                self._ask(pid, line, ServeClient(level), after)
            case Reload(hard, after):
                self._busy, self._after = True, after
                self._reload(hard, self)

    # -- a worker's answer ----------------------------------------------------------------

    def _ask(self, pid: int, line: bytes, message: ServeClient, after: bytes) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            reached = self._serve(pid, message, theirs)
        if not reached:
            ours.close()
            self._write(b"The worker cannot be reached.\n\n" + after)
            return
        self._busy, self._after, self._worker = True, after, ours
        # A new socket has room for a command; a payload that has none is refused.
        ours.setblocking(False)
        try:
            ours.sendall(line)
        except OSError:
            self._answered(b"The command is too long.\n\n")
            return
        self._selector.register(ours, selectors.EVENT_READ, self._worker_said)

    def _worker_said(self) -> None:
        assert self._worker is not None
        try:
            data = self._worker.recv(_READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._write(data)
            return
        self._selector.unregister(self._worker)
        self._answered(b"")

    def _answered(self, data: bytes) -> None:
        assert self._worker is not None
        self._worker.close()
        self._worker, self._busy = None, False
        self._write(data + self._after)
        self._advance()

    def reloaded(self, outcome: bytes) -> None:
        self._busy = False
        self._write(outcome + self._after)
        self._advance()

    # -- writing --------------------------------------------------------------------------

    def _write(self, data: bytes) -> None:
        self._out += data
        self._flush()
        if len(self._out) > _PATIENCE:
            self.close()

    def _flush(self) -> None:
        if self._closed:
            return
        try:
            while self._out:
                self._out = self._out[self._sock.send(self._out) :]
        except BlockingIOError:
            pass
        except OSError:
            self.close()
            return
        if self._last and not self._out:
            self.close()
        else:
            self._listen()

    def _listen(self) -> None:
        """Wait for what is of use: room to write, and input while the client may send any."""
        events = selectors.EVENT_WRITE if self._out else 0
        events |= 0 if self._session.ended else selectors.EVENT_READ
        if self._closed:
            return
        with contextlib.suppress(KeyError):
            self._selector.unregister(self._sock)
        if events:
            self._selector.register(self._sock, events, self._ready)

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(KeyError):
            self._selector.unregister(self._sock)
        self._sock.close()
        if self._worker is not None:
            with contextlib.suppress(KeyError):
                self._selector.unregister(self._worker)
            self._worker.close()
        self.gone()
