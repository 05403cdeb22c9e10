"""Accepts on the stats sockets and feeds each client's `CommandSession`."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Callable, Coroutine, Sequence

from telamon.base.address import UnixAddress
from telamon.kernel.hand_over import REQUEST, give_sockets
from telamon.plan.process import ProcessPlan, StatsLevel, StatsSocket
from telamon.runtime.ports import ProxyControl
from telamon.runtime.session import CommandSession

LOG = logging.getLogger("telamon.proxy")

_NO_ROOM = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_READ = 16384
_TICK = 0.05
"""How often a command that goes on is asked for more, in seconds."""
_MASTER = UnixAddress("master", abstract=True)


class StatsSockets:
    """Serves bound, listening sockets. `stats maxconn` bounds the clients of all together.

    A client over the bound waits in the accept queue, as with HAProxy.
    """

    def __init__(
        self,
        process: ProcessPlan,
        sockets: Sequence[tuple[StatsSocket, socket.socket]],
        control: ProxyControl,
    ) -> None:
        self._timeout = process.stats_timeout / 1000 or None
        self._room = asyncio.Semaphore(process.stats_maxconn)
        self._sockets = sockets
        self._control = control
        self._accepting: list[asyncio.Task[None]] = []
        self._clients: set[asyncio.Task[None]] = set()
        self.listening: Callable[[], Sequence[int]] = tuple
        """The descriptors that `expose-fd listeners` lets a successor have."""

    def adopt(self, level: StatsLevel, client: socket.socket) -> None:
        """Serve a client whom a master has accepted."""
        self._start(self._serve_adopted(StatsSocket(_MASTER, level), client))

    async def _serve_adopted(self, plan: StatsSocket, client: socket.socket) -> None:
        await self._room.acquire()
        await self._serve(plan, client)

    def _start(self, serving: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(serving)
        self._clients.add(task)
        task.add_done_callback(self._clients.discard)

    def start(self) -> None:
        for plan, sock in self._sockets:
            sock.setblocking(False)
            self._accepting.append(asyncio.create_task(self._accept(plan, sock)))

    async def close(self, *, clients: bool) -> None:
        """Accept no more; with `clients` cut off those that are connected."""
        tasks = [*self._accepting, *(self._clients if clients else ())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._accepting.clear()
        for _, sock in self._sockets:
            sock.close()

    async def _accept(self, plan: StatsSocket, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._room.acquire()
            try:
                client, _ = await loop.sock_accept(sock)
            except OSError as error:
                self._room.release()
                if error.errno not in _NO_ROOM:
                    LOG.error("stats socket %s: %s", plan.address, error.strerror)
                await asyncio.sleep(1.0)
                continue
            except asyncio.CancelledError:
                self._room.release()
                raise
            self._start(self._serve(plan, client))

    async def _serve(self, plan: StatsSocket, client: socket.socket) -> None:
        try:
            client.setblocking(False)
            session = CommandSession(self._control, plan.level, str(plan.address))
            with contextlib.suppress(OSError, TimeoutError):
                await self._talk(session, client, plan)
        except Exception:
            LOG.exception("stats socket %s: a command failed", plan.address)
        finally:
            client.close()
            self._room.release()

    async def _receive(self, session: CommandSession, client: socket.socket) -> bytes:
        """The client's next bytes; meanwhile a command that goes on says what it has."""
        loop = asyncio.get_running_loop()
        while session.following:
            with contextlib.suppress(TimeoutError):
                return await asyncio.wait_for(loop.sock_recv(client, _READ), _TICK)
            if more := session.more():
                await asyncio.wait_for(loop.sock_sendall(client, more), self._timeout)
        return await asyncio.wait_for(loop.sock_recv(client, _READ), self._timeout)

    async def _talk(
        self, session: CommandSession, client: socket.socket, plan: StatsSocket
    ) -> None:
        loop = asyncio.get_running_loop()
        while not session.closed:
            data = await self._receive(session, client)
            if data.rstrip() == REQUEST and plan.expose_fd_listeners:
                # Its packets need a thread that may wait; the loop goes on.
                await asyncio.to_thread(give_sockets, client, self.listening())
                return
            answer = session.feed(data) if data else session.end_of_file()
            if answer:
                await asyncio.wait_for(loop.sock_sendall(client, answer), self._timeout)
            if not data:
                return
