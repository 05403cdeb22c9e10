"""Reloads, good and bad, while clients connect all the time."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading

import pytest

from tests.daemon.harness import Telamon, alive, ask, eventually, refuses


class Clients:
    """Connects again and again in threads; counts, and keeps the first failure."""

    def __init__(self, port: int, threads: int = 2) -> None:
        self.served = 0
        self.failure: Exception | None = None
        self._port, self._over = port, threading.Event()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def _work(self) -> None:
        while not self._over.is_set():
            try:
                assert ask(self._port) == b"hello"
                self.served += 1
            except Exception as error:
                self.failure = self.failure or error
                return

    def finish(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(10)
        assert self.failure is None, self.failure
        assert self.served > 0


@pytest.mark.parametrize("threads", [1, 2], ids=["one client", "two clients"])
def test_reload_loses_no_connection(run: Telamon, threads: int) -> None:
    """One client alone shows a connection that waits in vain: the next to come would free it."""
    run.write()
    run.start()
    clients = Clients(run.port.number, threads)
    for _ in range(4):
        before = run.proxy
        result = run.ctl("ctl", "reload")
        assert result.returncode == 0, result.stderr
        assert run.proxy != before
        seen = clients.served
        eventually(lambda seen=seen: clients.served > seen + 5, "clients are served")  # type: ignore[misc]
        eventually(lambda before=before: not alive(before), "the old proxy leaves")  # type: ignore[misc]
    clients.finish()


def test_a_stream_outlives_a_reload(run: Telamon) -> None:
    run.write()
    run.start()
    with socket.create_connection(("127.0.0.1", run.port.number), timeout=5) as sock:
        sock.sendall(b"one")
        assert sock.recv(10) == b"one"
        old = run.proxy
        run.signal(signal.SIGHUP)
        eventually(lambda: run.proxy not in (0, old), "the new proxy")
        assert run.status()["draining"] == [old]
        sock.sendall(b"two")
        assert sock.recv(10) == b"two"
    eventually(lambda: not alive(old), "the old proxy leaves with its last stream")
    assert ask(run.port.number) == b"hello"


def test_a_bad_file_changes_nothing(run: Telamon) -> None:
    run.write()
    run.start()
    before = run.proxy
    run.file.write_text("global\n    no-such-word\n")
    result = run.ctl("ctl", "reload")
    assert result.returncode == 1
    assert "refused" in result.stderr
    assert "no-such-word" in run.log()
    assert run.proxy == before
    assert ask(run.port.number) == b"hello"


def test_a_bind_that_fails_changes_nothing(run: Telamon) -> None:
    run.write()
    run.start()
    before = run.proxy
    with socket.create_server(("127.0.0.1", 0)) as holder:
        taken = holder.getsockname()[1]
        run.write(bind=f"bind 127.0.0.1:{run.port.number}\n    bind 127.0.0.1:{taken}")
        result = run.ctl("ctl", "reload")
    assert result.returncode == 1
    assert str(taken) in result.stderr
    assert run.proxy == before
    assert ask(run.port.number) == b"hello"


def test_a_bind_that_is_gone_is_closed(run: Telamon) -> None:
    other = run.folder / "web.sock"
    run.write(bind=f"bind 127.0.0.1:{run.port.number}\n    bind unix@{other}")
    run.start()
    assert other.is_socket()
    run.write(bind=f"bind unix@{other}")
    assert run.ctl("ctl", "reload").returncode == 0
    eventually(lambda: refuses(run.port.number), "the port is closed")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(5)
        sock.connect(str(other))
        sock.sendall(b"hello")
        assert sock.recv(10) == b"hello"
    run.write(bind=f"bind 127.0.0.1:{run.port.number}")
    assert run.ctl("ctl", "reload").returncode == 0
    assert not other.exists()
    assert ask(run.port.number) == b"hello"


def test_restart_of_the_proxy_loses_no_connection(run: Telamon) -> None:
    run.write()
    run.start()
    clients = Clients(run.port.number)
    before = run.proxy
    assert run.ctl("ctl", "restart", "proxy").returncode == 0
    assert run.proxy != before
    clients.finish()


def test_the_old_proxy_has_only_its_grace(run: Telamon) -> None:
    run.write(extra_global="    hard-stop-after 300ms")
    run.start()
    with socket.create_connection(("127.0.0.1", run.port.number), timeout=10) as sock:
        sock.sendall(b"one")
        assert sock.recv(10) == b"one"
        old = run.proxy
        assert run.ctl("ctl", "reload").returncode == 0
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(10) == b""
    eventually(lambda: not alive(old), "the old proxy is gone")


@pytest.mark.slow
def test_a_killed_proxy_loses_only_its_own_streams(run: Telamon) -> None:
    """The sockets are the supervisor's: while no proxy runs, clients wait, not fail."""
    run.write()
    run.start()
    for _ in range(3):
        old = run.proxy
        os.kill(old, signal.SIGKILL)
        # A dying process may still accept, as long as one of its threads lives.
        eventually(lambda old=old: run.proxy != old, "it is dead")  # type: ignore[misc]
        assert ask(run.port.number, timeout=10) == b"hello"
        eventually(lambda old=old: run.proxy not in (0, old), "a new proxy")  # type: ignore[misc]
