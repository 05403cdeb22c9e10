"""-S: the socket of the master's own command line, and who is connected to it."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable
from functools import partial

from telamon.daemon.messages import Message
from telamon.daemon.standalone_haproxy_master_cli import MasterSession, View
from telamon.daemon.standalone_haproxy_master_client import Client
from telamon.kernel.sockets import SocketPool, SocketWish
from telamon.plan.process import StatsSocket


class MasterSocket:
    """`serve` hands a client over to the worker of a pid; `reload` is what a client asks for."""

    def __init__(
        self,
        plan: StatsSocket,
        view: View,
        serve: Callable[[int, Message, socket.socket], bool],
        reload: Callable[[bool, Client | None], None],
    ) -> None:
        self._plan, self._view, self._serve, self._reload = plan, view, serve, reload
        self._clients: set[Client] = set()

    @property
    def wish(self) -> SocketWish:
        plan = self._plan
        return SocketWish(
            plan.address, mode=plan.mode, uid=plan.uid, gid=plan.gid, place="master CLI (-S)"
        )

    def listen(self, pool: SocketPool, selector: selectors.BaseSelector) -> None:
        """On the socket that `pool` has bound."""
        (sock,) = [s for w, s in pool.held if w.address == self._plan.address]
        sock.setblocking(False)
        selector.register(sock, selectors.EVENT_READ, partial(self._client_came, sock, selector))

    def _client_came(self, sock: socket.socket, selector: selectors.BaseSelector) -> None:
        try:
            accepted, _address = sock.accept()
        except OSError:
            return
        session = MasterSession(self._view, self._plan.level)
        client = Client(accepted, session, selector, self._serve, self._reload)
        self._clients.add(client)
        client.gone = lambda: self._clients.discard(client)

    def close(self) -> None:
        for client in list(self._clients):
            client.close()
