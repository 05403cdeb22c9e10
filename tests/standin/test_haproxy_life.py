"""Processes, pid files, signals: what scripts and service managers rely on, in both programs."""

from __future__ import annotations

import os
import re
import signal
import socket
import time

import pytest

from tests.interop.lan import eventually
from tests.standin.haproxy_program import Program, answers, ask, config, gone, holders, server
from tests.support.ports import free_port

pytestmark = pytest.mark.peer


def started(program: Program, port: int, *words: str) -> int:
    """Start in the foreground and wait until it answers; the pid of the process started."""
    process = program.start(*words)
    eventually(lambda: holders(port) or process.poll() is not None, "a listening proxy")
    assert process.poll() is None, program.said()
    eventually(lambda: b"Pid" in program.ask("stats.sock", "show info").encode(), "its socket")
    return process.pid


ENDS = {
    signal.SIGTERM: -signal.SIGTERM,
    signal.SIGINT: -signal.SIGINT,
    signal.SIGUSR1: 0,
}


@pytest.mark.parametrize("signum", ENDS, ids=lambda s: s.name)
def test_ends(either: Program, signum: signal.Signals) -> None:
    port = free_port()
    either.write("a.cfg", config(port))
    pid = started(either, port, "-db", "-f", "a.cfg")
    assert holders(port) == {pid}
    assert f"Pid: {pid}\n" in either.ask("stats.sock", "show info")
    os.kill(pid, signum)
    assert either._running[0].wait(20) == ENDS[signum]
    said = either.said()
    assert ("Proxy web stopped (cumulated conns: FE: 0, BE: 0)." in said) == (
        signum is signal.SIGUSR1
    )


def test_a_soft_stop_lets_streams_end(either: Program) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", 0)) as behind:
        either.write("a.cfg", config(port, behind.getsockname()[1]))
        pid = started(either, port, "-db", "-f", "a.cfg")
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"x")
            upstream, _ = behind.accept()
            with upstream:
                assert upstream.recv(1) == b"x"
                os.kill(pid, signal.SIGUSR1)
                eventually(lambda: not holders(port), "closed listeners")
                upstream.sendall(b"still here")
                assert client.recv(100) == b"still here"
    assert either._running[0].wait(20) == 0


def test_it_pauses_and_resumes(either: Program) -> None:
    with server() as behind:
        port = free_port()
        either.write("a.cfg", config(port, behind))
        pid = started(either, port, "-db", "-f", "a.cfg")
        os.kill(pid, signal.SIGTTOU)
        eventually(lambda: not holders(port), "a pause")
        # Somebody else may bind now.
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            other.bind(("127.0.0.1", port))
        os.kill(pid, signal.SIGTTIN)
        eventually(lambda: answers(port) == b"hello", "an answer after the pause")
    assert "Paused proxy web." in either.said()


def test_states_are_told_on_sighup(either: Program) -> None:
    port = free_port()
    either.write("a.cfg", config(port))
    pid = started(either, port, "-db", "-f", "a.cfg")
    os.kill(pid, signal.SIGHUP)
    lines = [
        "SIGHUP received, dumping servers states.",
        "SIGHUP: Server web/s1 is UP. Conn: 0 act, 0 pend, 0 tot.",
        "SIGHUP: Proxy web has 1 active servers and 0 backup servers available. Conn: act(FE+BE): "
        "0+0, 0 pend (0 unass), tot(FE+BE): 0+0.",
    ]
    told = [f"[WARNING]  ({pid}) : {line}" for line in lines]
    eventually(lambda: all(line in either.said() for line in told), "the states")


@pytest.mark.parametrize("signum", [signal.SIGUSR2, signal.SIGQUIT, signal.SIGPIPE])
def test_what_does_not_end_it(either: Program, signum: signal.Signals) -> None:
    port = free_port()
    either.write("a.cfg", config(port))
    pid = started(either, port, "-db", "-f", "a.cfg")
    os.kill(pid, signum)
    assert f"Pid: {pid}\n" in either.ask("stats.sock", "show info")
    assert either._running[0].poll() is None


def test_a_daemon_serves_when_its_launcher_returns(either: Program) -> None:
    with server() as behind:
        port = free_port()
        either.write("a.cfg", config(port, behind))
        done = either.run("-D", "-f", "a.cfg", "-p", "x.pid")
        assert done.returncode == 0, done.stderr
        pid = either.pid("x.pid")
        assert answers(port) == b"hello"
        assert holders(port) == {pid}
        assert f"Pid: {pid}\n" in either.ask("stats.sock", "show info")
        assert os.getsid(pid) != os.getsid(0)
        os.kill(pid, signal.SIGTERM)
        eventually(lambda: gone(pid), "its end")


def test_a_daemon_that_cannot_start_says_so(either: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        either.write("a.cfg", config(taken.getsockname()[1]))
        done = either.run("-D", "-f", "a.cfg", "-p", "x.pid")
    assert done.returncode == 1
    assert "[ALERT]" in done.stderr
    assert not (either.folder / "x.pid").exists()


@pytest.mark.parametrize("flag", ["-sf", "-st"])
def test_a_successor_relieves_the_old_one(either: Program, flag: str) -> None:
    with server() as behind:
        port = free_port()
        either.write("a.cfg", config(port, behind))
        assert either.run("-D", "-f", "a.cfg", "-p", "1.pid").returncode == 0
        first = either.pid("1.pid")
        done = either.run("-D", "-f", "a.cfg", "-p", "2.pid", flag, str(first))
        assert done.returncode == 0, done.stderr
        second = either.pid("2.pid")
        eventually(lambda: gone(first), "the old one's end")
        assert holders(port) == {second}
        assert answers(port) == b"hello"


def test_a_successor_pauses_one_that_holds_the_port_alone(either: Program) -> None:
    """-dR: no SO_REUSEPORT, so the port is free only while the old one pauses."""
    with server() as behind:
        port = free_port()
        either.write("a.cfg", config(port, behind))
        assert either.run("-D", "-dR", "-f", "a.cfg", "-p", "1.pid").returncode == 0
        first = either.pid("1.pid")
        refused = either.run("-D", "-dR", "-f", "a.cfg", "-p", "2.pid")
        assert refused.returncode == 1
        done = either.run("-D", "-dR", "-f", "a.cfg", "-p", "2.pid", "-sf", str(first))
        assert done.returncode == 0, done.stderr
        second = either.pid("2.pid")
        eventually(lambda: gone(first), "the old one's end")
        eventually(lambda: answers(port) == b"hello", "the new one's answer")
        assert holders(port) == {second}


@pytest.mark.parametrize("old", ["ours", "theirs"])
@pytest.mark.parametrize("new", ["ours", "theirs"])
def test_sockets_are_handed_over_between_the_programs(
    ours: Program, theirs: Program, old: str, new: str
) -> None:
    """-x, in each direction: a connection that waits in the queue is served by the successor."""
    programs = {"ours": ours, "theirs": theirs}
    first, second = programs[old], programs[new]
    with server() as behind:
        port = free_port()
        for program in (ours, theirs):
            program.write("a.cfg", config(port, behind))
        # Without SO_REUSEPORT the successor cannot have the port in another way.
        assert first.run("-D", "-dR", "-f", "a.cfg", "-p", "x.pid").returncode == 0
        pid = first.pid("x.pid")
        eventually(lambda: answers(port) == b"hello", "an answer of the old one")
        stats = str(first.folder / "stats.sock")
        done = second.run("-D", "-dR", "-f", "a.cfg", "-p", "y.pid", "-x", stats)
        assert done.returncode == 0, done.stderr
        both = {pid, second.pid("y.pid")}
        assert holders(port) == both
        os.kill(pid, signal.SIGTERM)
        eventually(lambda: gone(pid), "the old one's end")
        eventually(lambda: answers(port) == b"hello", "an answer of the new one")


def test_sockets_that_are_not_handed_over_are_bound_anew(ours: Program) -> None:
    port = free_port()
    ours.write("a.cfg", config(port))
    started(ours, port, "-db", "-f", "a.cfg", "-x", "/nonexistent.sock")
    assert "-x /nonexistent.sock: No such file or directory; the sockets are bound anew" in (
        ours.said()
    )


def test_inherited_descriptors(either: Program) -> None:
    """`fd@N` for a listener, for a stats socket and for a log, as test tools hand them down."""
    stats = str(either.folder / "s")
    log_in, log_out = os.pipe()
    with (
        server() as behind,
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_server(stats, family=socket.AF_UNIX) as commands,
    ):
        either.write(
            "a.cfg",
            f"global\n    stats socket fd@{commands.fileno()} level admin\n"
            f"    log fd@{log_out} format raw daemon\n"
            f"defaults\n    mode tcp\n    log global\n    option tcplog\n    timeout connect 5s\n"
            f"    timeout client 5s\n    timeout server 5s\n"
            f"listen web\n    bind fd@{listener.fileno()}\n    server s1 127.0.0.1:{behind}\n",
        )
        process = either.start(
            "-db", "-f", "a.cfg", descriptors=[listener.fileno(), commands.fileno(), log_out]
        )
        os.close(log_out)
        port = listener.getsockname()[1]
        assert answers(port) == b"hello"
        assert f"Pid: {process.pid}\n" in ask(either.folder / "s", "show info")
        with os.fdopen(log_in, "rb") as pipe:
            lines = iter(pipe.readline, b"")
            assert any(re.search(rb"web web/s1 \d+/\d+/\d+ 5 -- ", line) for line in lines)
            process.terminate()


def test_the_pid_in_the_logs_is_the_launched_process(either: Program) -> None:
    with server() as behind, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as log:
        log.bind(("127.0.0.1", 0))
        log.settimeout(20)
        port = free_port()
        text = config(port, behind, extra=f"log 127.0.0.1:{log.getsockname()[1]} daemon")
        either.write(
            "a.cfg", text.replace("mode tcp", "mode tcp\n    log global\n    option tcplog")
        )
        pid = started(either, port, "-db", "-f", "a.cfg")
        assert answers(port) == b"hello"
        until = time.monotonic() + 20
        line = b""
        while b" web web/s1 " not in line and time.monotonic() < until:
            line = log.recv(2000)
        assert f"haproxy[{pid}]: ".encode() in line


def test_a_pid_file_is_written_in_the_foreground_too(ours: Program) -> None:
    """HAProxy writes none there; who asks for one has a use for it."""
    port = free_port()
    ours.write("a.cfg", config(port))
    pid = started(ours, port, "-db", "-f", "a.cfg", "-p", "x.pid")
    assert ours.pid("x.pid") == pid
