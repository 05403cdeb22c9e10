"""A client that asks the VIP every 2 ms, and servers on the nodes that answer."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import threading
import time
from types import TracebackType

from tests.interop.lan import VIP, Node, inside

_PORT = 7777
_PERIOD = 0.002


def _udp(timeout: float) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(timeout)
    return sock


def _hurry() -> None:
    """Let this thread go before what else the machine does: its own pauses must be no gaps."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


class Probe:
    """Runs inside a `with`. An answer is the number of the node that gave it."""

    def __init__(self, client: Node, servers: list[Node]) -> None:
        self._client, self._nodes = client, servers
        self._running = True
        self.answers: list[tuple[float, int]] = []
        """When a question was sent that was answered, and by whom."""

    def __enter__(self) -> Probe:
        self._sock = inside(self._client.namespace, lambda: _udp(0.01))
        self._servers = []
        for node in self._nodes:
            sock = inside(node.namespace, lambda: _udp(0.05))
            sock.bind(("0.0.0.0", _PORT))
            self._servers.append((node.number, sock))
        self._threads = [
            threading.Thread(target=self._ask),
            threading.Thread(target=self._answer),
        ]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._running = False
        for thread in self._threads:
            thread.join()
        self._sock.close()
        for _number, sock in self._servers:
            sock.close()

    def gap(self, since: float) -> float:
        """The longest time (s) without an answered question from `since` on, until now."""
        times = [at for at, _who in list(self.answers) if at >= since]
        ends = zip([since, *times], [*times, time.monotonic()], strict=True)
        return max(later - earlier for earlier, later in ends)

    def who(self, since: float) -> list[int]:
        """The nodes that answered, in order, each once a turn."""
        turns: list[int] = []
        for at, number in list(self.answers):
            if at >= since and (not turns or turns[-1] != number):
                turns.append(number)
        return turns

    def _ask(self) -> None:
        _hurry()
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        following = time.monotonic()
        while self._running:
            # Unreachable neighbours make the kernel complain; the next question may pass.
            with contextlib.suppress(OSError):
                self._sock.sendto(repr(time.monotonic()).encode(), (VIP, _PORT))
            following = max(following + _PERIOD, time.monotonic())
            while (left := following - time.monotonic()) > 0:
                if poll.poll(left * 1000):
                    with contextlib.suppress(OSError):
                        data, _peer = self._sock.recvfrom(200)
                        at, number = data.split()
                        self.answers.append((float(at), int(number)))

    def _answer(self) -> None:
        _hurry()
        numbers = {sock.fileno(): (number, sock) for number, sock in self._servers}
        poll = select.poll()
        for fd in numbers:
            poll.register(fd, select.POLLIN)
        while self._running:
            for fd, _event in poll.poll(50):
                number, sock = numbers[fd]
                with contextlib.suppress(OSError):
                    data, peer = sock.recvfrom(200)
                    sock.sendto(data + b" %d" % number, peer)
