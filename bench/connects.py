"""Connect to ADDRESS PORT each PACE seconds; print when, and who answered, for each success.

Each connection is new and waits for nobody. One that has no answer within 200 ms is given up, so
that no retransmission (the first comes after a second) ever counts as an early success.
"""

from __future__ import annotations

import contextlib
import select
import socket
import sys
import time

_ANSWER_WITHIN = 0.2


class Pacer:
    def __init__(self, address: tuple[str, int], pace: float) -> None:
        self._address = address
        self._pace = pace
        self._epoll = select.epoll()
        self._open: dict[int, tuple[socket.socket, float]] = {}

    def run(self) -> None:
        due = time.monotonic()
        while True:
            now = time.monotonic()
            if now >= due:
                self._begin(now)
                # A late client does not catch up in a burst.
                due = max(due + self._pace, now)
            self._end_old(now)
            for fd, _ in self._epoll.poll(max(0.0, due - time.monotonic())):
                self._finish(fd)

    def _begin(self, now: float) -> None:
        sock = socket.socket()
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            try:
                sock.connect(self._address)
            except BlockingIOError:
                raise
            except OSError:
                sock.close()
                return
        self._open[sock.fileno()] = (sock, now)
        self._epoll.register(sock, select.EPOLLIN)

    def _finish(self, fd: int) -> None:
        sock, begun = self._open.pop(fd)
        self._epoll.unregister(fd)
        with sock, contextlib.suppress(OSError):
            name = sock.recv(1)
            if name:
                print(f"{begun:.6f} {name.decode()}", flush=True)

    def _end_old(self, now: float) -> None:
        for fd, (sock, begun) in list(self._open.items()):
            if now - begun < _ANSWER_WITHIN:
                break  # in order of their beginning
            del self._open[fd]
            self._epoll.unregister(fd)
            sock.close()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        Pacer((sys.argv[1], int(sys.argv[2])), float(sys.argv[3])).run()
