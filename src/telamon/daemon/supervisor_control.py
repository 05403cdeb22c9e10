"""The control socket's server in the supervisor's loop: clients, their commands, the answers.

A command may take a while (a reload): it has a token by which it is answered.
"""

from __future__ import annotations

import contextlib
import selectors
from collections.abc import Callable
from pathlib import Path
from typing import Any

from telamon.daemon import control
from telamon.daemon.control import Client

Command = Callable[[int, object, object, bool], None]
"""Token, command, role, whether it is forced: as the client wrote them, unchecked."""


class ControlServer:
    """ControlError if another supervisor listens there."""

    def __init__(self, run_dir: Path, command: Command) -> None:
        self._path = run_dir / control.NAME
        self._command = command
        self._socket = control.listen(run_dir)
        self._clients: dict[int, Client] = {}
        self._tokens = 0

    def begin(self, selector: selectors.BaseSelector) -> None:
        self._selector = selector
        selector.register(self._socket, selectors.EVENT_READ, self._client_came)

    def answer(self, token: int, document: dict[str, Any]) -> None:
        client = self._clients.get(token)
        if client is not None:
            client.answer(document)

    def close(self) -> None:
        self._socket.close()
        with contextlib.suppress(OSError):
            self._path.unlink()
        for client in self._clients.values():
            client.sock.close()

    def _client_came(self) -> None:
        try:
            sock, _ = self._socket.accept()
        except OSError:
            return
        sock.setblocking(False)
        self._tokens += 1
        client = self._clients[self._tokens] = Client(sock, self._tokens)
        self._selector.register(sock, selectors.EVENT_READ, lambda: self._client_spoke(client))

    def _client_spoke(self, client: Client) -> None:
        requests = client.receive()
        if requests is None:
            self._selector.unregister(client.sock)
            client.sock.close()
            del self._clients[client.token]
            return
        for item in requests:
            force = item.get("force") is True
            self._command(client.token, item.get("command"), item.get("role"), force)
