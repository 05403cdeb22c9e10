"""Start, serve, die, come back, leave: real processes."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from telamon.daemon.core import SAME_WISH
from tests.daemon.harness import Telamon, alive, ask, eventually, refuses


def test_serves_and_stops_cleanly(run: Telamon) -> None:
    run.write()
    run.start()
    assert ask(run.port.number) == b"hello"
    assert (run.folder / "proxy.pid").read_text() == f"{run.proxy}\n"
    run.signal(signal.SIGTERM)
    assert run.wait() == 0
    assert run.leftovers() == []
    assert refuses(run.port.number)


@pytest.mark.parametrize("tool", ["pidof haproxy", "pgrep -x haproxy"])
def test_the_tools_of_the_world_find_the_proxy_and_only_it(run: Telamon, tool: str) -> None:
    words = tool.split()
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed")
    run.write()
    run.start()

    def found() -> set[int]:
        output = subprocess.run(words, capture_output=True, text=True, check=False).stdout
        return {int(pid) for pid in output.split()}

    proxy = run.proxy
    assert proxy in found()
    assert run.supervisor not in found()
    run.signal(signal.SIGTERM)
    run.wait()
    assert proxy not in found()


def test_killall_finds_the_proxy(run: Telamon) -> None:
    if shutil.which("killall") is None:
        pytest.skip("killall is not installed")
    run.write()
    run.start()
    assert subprocess.run(["killall", "-0", "haproxy"], check=False).returncode == 0


def test_background_returns_when_it_serves(run: Telamon) -> None:
    run.write(extra_global="    daemon")
    result = run.run()
    assert result.returncode == 0, result.stderr
    assert ask(run.port.number) == b"hello"
    supervisor, proxy = run.supervisor, run.proxy
    assert os.getsid(supervisor) != os.getsid(0)
    os.kill(supervisor, signal.SIGTERM)
    eventually(lambda: not alive(supervisor) and not alive(proxy), "both are gone")
    assert run.leftovers() == []


def test_background_says_why_it_failed(run: Telamon) -> None:
    run.write(extra_global="    daemon")
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        run.write(extra_global="    daemon", bind=f"bind 127.0.0.1:{port}")
        result = run.run()
    assert result.returncode == 1
    assert "cannot listen" in result.stderr
    assert run.leftovers() == []


def test_port_in_use_names_the_line_and_the_holder(run: Telamon) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        run.write(bind=f"bind 127.0.0.1:{run.port.number}\n    bind 127.0.0.1:{port}")
        result = run.run()
    assert result.returncode == 1
    assert f"127.0.0.1:{port}" in result.stderr
    assert "haproxy.cfg:14" in result.stderr
    assert f"pid {os.getpid()}" in result.stderr
    assert run.leftovers() == []
    assert refuses(run.port.number)


def test_a_chroot_that_is_missing(run: Telamon) -> None:
    run.write(extra_global=f"    chroot {run.folder}/nowhere")
    result = run.run()
    assert result.returncode == 1
    assert "nowhere" in result.stderr
    assert run.leftovers() == []


def test_a_user_that_does_not_exist(run: Telamon) -> None:
    run.write(extra_global="    user nobody-of-this-name")
    result = run.run()
    assert result.returncode == 1
    assert "nobody-of-this-name" in result.stderr
    assert run.leftovers() == []


def test_chroot_and_user_are_carried_out(run: Telamon) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    jail = run.folder / "jail"
    jail.mkdir()
    run.write(extra_global=f"    chroot {jail}\n    user nobody")
    run.start()
    assert ask(run.port.number) == b"hello"
    status = Path(f"/proc/{run.proxy}/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in status)
    assert fields["Uid"].split()[1] == "65534"
    assert str(Path(f"/proc/{run.proxy}/root").readlink()) == str(jail)


def test_killed_proxy_comes_back(run: Telamon) -> None:
    run.write()
    run.start()
    first = run.proxy
    os.kill(first, signal.SIGKILL)
    eventually(lambda: run.proxy not in (0, first), "a new proxy")
    eventually(lambda: run.status()["proxy"]["state"] == "running", "it runs")
    assert ask(run.port.number) == b"hello"
    assert (run.folder / "proxy.pid").read_text() == f"{run.proxy}\n"
    assert "was killed by SIGKILL" in run.log()


def test_nothing_survives_the_supervisor(run: Telamon) -> None:
    run.write()
    run.start()
    proxy = run.proxy
    run.signal(signal.SIGKILL)
    eventually(lambda: not alive(proxy), "the proxy is gone")
    assert refuses(run.port.number)


def test_terminating_the_proxy_is_a_stop(run: Telamon) -> None:
    """`kill $(cat pidfile)`: nothing is left to supervise, so all ends, with 0."""
    run.write()
    run.start()
    os.kill(int((run.folder / "proxy.pid").read_text()), signal.SIGTERM)
    assert run.wait() == 0
    assert refuses(run.port.number)
    assert run.leftovers() == []


def test_soft_stop_lets_a_stream_end(run: Telamon) -> None:
    run.write()
    run.start()
    with socket.create_connection(("127.0.0.1", run.port.number), timeout=5) as sock:
        sock.sendall(b"one")
        assert sock.recv(10) == b"one"
        run.signal(signal.SIGUSR1)
        eventually(lambda: refuses(run.port.number), "no new connections")
        sock.sendall(b"two")
        assert sock.recv(10) == b"two"
        assert run.process is not None
        assert run.process.poll() is None
    assert run.wait() == 0


def test_sigterm_gives_streams_their_grace_and_no_more(run: Telamon) -> None:
    run.write(extra_global="    hard-stop-after 600ms")
    run.start()
    with socket.create_connection(("127.0.0.1", run.port.number), timeout=5) as sock:
        sock.sendall(b"one")
        assert sock.recv(10) == b"one"
        begun = time.monotonic()
        run.signal(signal.SIGTERM)
        eventually(lambda: refuses(run.port.number), "no new connections")
        sock.sendall(b"two")
        assert sock.recv(10) == b"two"
        assert run.wait() == 0
        assert time.monotonic() - begun >= 0.5


def test_second_sigterm_does_not_wait(run: Telamon) -> None:
    run.write(extra_global="    hard-stop-after 1h")
    run.start()
    supervisor = run.supervisor
    with socket.create_connection(("127.0.0.1", run.port.number), timeout=5) as sock:
        sock.sendall(b"one")
        assert sock.recv(10) == b"one"
        os.kill(supervisor, signal.SIGTERM)
        eventually(lambda: refuses(run.port.number), "no new connections")
        begun = time.monotonic()
        eventually(lambda: time.monotonic() - begun > SAME_WISH, "it is a second wish")
        os.kill(supervisor, signal.SIGTERM)
        assert run.wait(5) == 0


def test_inherited_descriptor(run: Telamon) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        fd = listener.fileno()
        run.write(bind=f"bind fd@{fd}")
        run.start(pass_fds=(fd,))
        assert ask(port) == b"hello"


def test_a_descriptor_that_is_not_there(run: Telamon) -> None:
    run.write(bind="bind fd@77")
    result = run.run()
    assert result.returncode == 1
    assert "fd@77" in result.stderr
    assert run.leftovers() == []


def test_systemd_hears_ready_reload_and_stop(run: Telamon) -> None:
    run.write(extra_global="    daemon")
    path = run.folder / "jail"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        sock.settimeout(10)
        run.start(ready=False, NOTIFY_SOCKET=str(path), WATCHDOG_USEC="400000")

        def until(word: str) -> str:
            while True:
                text = sock.recv(4096).decode()
                if word in text.splitlines():
                    return text

        assert "MAINPID=" in until("READY=1")
        until("WATCHDOG=1")
        run.signal(signal.SIGHUP)
        assert "MONOTONIC_USEC=" in until("RELOADING=1")
        until("READY=1")
        run.signal(signal.SIGTERM)
        until("STOPPING=1")
    # `daemon` does not go to the background under systemd: what was started is what ends.
    assert run.wait() == 0


def test_a_second_run_is_refused(run: Telamon) -> None:
    run.write()
    run.start()
    result = run.run()
    assert result.returncode == 1
    assert "another Telamon runs already" in result.stderr
    assert ask(run.port.number) == b"hello"


def test_stats_socket_answers(run: Telamon) -> None:
    run.write()
    run.start()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(5)
        sock.connect(str(run.folder / "stats.sock"))
        sock.sendall(b"show info\n")
        answer = b""
        with contextlib.suppress(TimeoutError):
            while data := sock.recv(65536):
                answer += data
    assert f"Pid: {run.proxy}\n".encode() in answer
