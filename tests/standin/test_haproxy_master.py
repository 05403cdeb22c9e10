"""Master and workers: reloads, the master's command line, the service manager's protocol."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from telamon.daemon.standalone_haproxy_master_cli import (
    Close,
    Forward,
    MasterSession,
    Reload,
    Reply,
    View,
)
from telamon.plan.process import StatsLevel
from tests.interop.lan import eventually
from tests.standin.haproxy_program import Program, answers, config, gone, holders, server
from tests.support.ports import free_port

pytestmark = pytest.mark.peer


def worker(program: Program) -> int:
    found = re.search(r"^(\d+) +worker", program.ask("m.sock", "show proc"), re.M)
    return int(found[1]) if found else 0


def started(program: Program, port: int, *words: str) -> subprocess.Popen[str]:
    process = program.start("-W", "-S", "unix@m.sock", "-f", "a.cfg", *words)
    eventually(lambda: "Loading success" in program.said() or process.poll() is not None, "start")
    assert process.poll() is None, program.said()
    eventually(lambda: worker(program), "a worker")
    eventually(lambda: holders(port), "a listener")
    return process


def test_the_shape(either: Program) -> None:
    with server() as behind:
        port = free_port()
        either.write("a.cfg", config(port, behind))
        process = started(either, port, "-p", "x.pid")
        assert either.pid("x.pid") == process.pid
        pid = worker(either)
        assert pid != process.pid
        assert Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1] == str(
            process.pid
        )
        assert answers(port) == b"hello"
        assert f"Pid: {pid}\n" in either.ask("m.sock", "@1 show info")
        assert f"Pid: {pid}\n" in either.ask("m.sock", f"@!{pid} show info")
        assert f"({process.pid}) : New worker ({pid}) forked" in either.said()


@pytest.mark.parametrize("way", ["SIGUSR2", "SIGHUP", "reload"])
def test_a_reload(either: Program, way: str) -> None:
    with server() as behind:
        port = free_port()
        either.write("a.cfg", config(port))
        process = started(either, port)
        first = worker(either)
        either.write("a.cfg", config(port, behind))
        if way == "reload":
            either.ask("m.sock", "reload")
        else:
            process.send_signal(getattr(signal, way))
        eventually(lambda: worker(either) not in (0, first), "a new worker")
        eventually(lambda: gone(first), "the old worker's end")
        eventually(lambda: answers(port) == b"hello", "an answer by the new file")
        assert process.poll() is None
        eventually(
            lambda: f"Former worker ({first}) exited with code 0 (Exit)" in either.said(), "words"
        )
        assert " 1 [failed: 0] " in either.ask("m.sock", "show proc")


def test_a_reload_that_fails_changes_nothing(either: Program) -> None:
    with server() as behind:
        port = free_port()
        either.write("a.cfg", config(port, behind))
        process = started(either, port)
        first = worker(either)
        either.write("a.cfg", "global\n  bogus\n")
        process.send_signal(signal.SIGUSR2)
        eventually(lambda: "parsing [a.cfg:2]" in either.said(), "the mistake")
        eventually(lambda: "[failed: 1]" in either.ask("m.sock", "show proc"), "the count")
        assert answers(port) == b"hello"
        assert not gone(first)
        either.write("a.cfg", config(port, behind))
        process.send_signal(signal.SIGUSR2)
        eventually(lambda: worker(either) not in (0, first), "a new worker")
        assert answers(port) == b"hello"


def test_a_reload_tells_its_outcome(ours: Program) -> None:
    """As HAProxy 2.7 and later answer."""
    port = free_port()
    ours.write("a.cfg", config(port))
    started(ours, port)
    assert ours.ask("m.sock", "reload").startswith("Success=1\n--\n[NOTICE]")
    ours.write("a.cfg", "global\n  bogus\n")
    answer = ours.ask("m.sock", "reload")
    assert answer.startswith("Success=0\n--\n")
    assert "parsing [a.cfg:2]" in answer
    assert "bogus" in ours.ask("m.sock", "show startup-logs")


ENDS = {
    signal.SIGTERM: (0, "Current worker ({}) exited with code 143 (Terminated)"),
    signal.SIGINT: (130, "Current worker ({}) exited with code 130 (Interrupt)"),
    signal.SIGUSR1: (0, "Current worker ({}) exited with code 0 (Exit)"),
}


@pytest.mark.parametrize("signum", ENDS, ids=lambda s: s.name)
def test_ends(either: Program, signum: signal.Signals) -> None:
    port = free_port()
    either.write("a.cfg", config(port))
    process = started(either, port)
    pid = worker(either)
    process.send_signal(signum)
    status, words = ENDS[signum]
    assert process.wait(20) == status
    said = either.said()
    for text in ("Exiting Master process...", words.format(pid), "All workers exited."):
        assert text in said
    assert gone(pid)


def test_a_dead_worker_takes_the_master_along(either: Program) -> None:
    port = free_port()
    either.write("a.cfg", config(port))
    process = started(either, port)
    os.kill(worker(either), signal.SIGKILL)
    assert process.wait(20) == 137
    assert "exited with code 137 (Killed)" in either.said()


def test_a_dead_master_takes_the_worker_along(ours: Program) -> None:
    port = free_port()
    ours.write("a.cfg", config(port))
    process = started(ours, port)
    pid = worker(ours)
    process.kill()
    eventually(lambda: gone(pid), "the worker's end")


def test_a_daemon(either: Program) -> None:
    with server() as behind:
        port = free_port()
        either.write("a.cfg", config(port, behind))
        done = either.run("-W", "-D", "-S", "unix@m.sock", "-f", "a.cfg", "-p", "x.pid")
        assert done.returncode == 0, done.stderr
        pid = either.pid("x.pid")
        eventually(lambda: answers(port) == b"hello", "an answer")
        assert Path(f"/proc/{pid}/comm").read_text() == "haproxy\n"
        os.kill(pid, signal.SIGTERM)
        eventually(lambda: gone(pid), "its end")
        eventually(lambda: not holders(port), "its worker's end")


def test_systemd_hears_of_all(either: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind(str(either.folder / "notify"))
        heard.settimeout(20)
        monkeypatch.setenv("NOTIFY_SOCKET", str(either.folder / "notify"))
        port = free_port()
        either.write("a.cfg", config(port))
        process = either.start("-Ws", "-f", "a.cfg", "-p", "x.pid")

        def until(*wanted: str) -> None:
            lines: set[str] = set()
            while not set(wanted) <= lines:
                lines |= set(heard.recv(1000).decode().split("\n"))

        until("READY=1")
        assert either.pid("x.pid") == process.pid
        process.send_signal(signal.SIGUSR2)
        until("RELOADING=1", "READY=1")
        process.send_signal(signal.SIGTERM)
        # HAProxy may be executing itself anew just then, and die of it.
        assert process.wait(20) in (0, -signal.SIGTERM)


def test_the_file_may_ask_for_a_master(ours: Program) -> None:
    port = free_port()
    ours.write("a.cfg", config(port, extra="master-worker"))
    process = ours.start("-f", "a.cfg")
    eventually(lambda: "Loading success" in ours.said(), "start")
    assert holders(port) == {process.pid} | set(_children(process.pid))


def _children(pid: int) -> list[int]:
    return [int(x) for x in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


# The session of a client, without any process.


def session(level: StatsLevel = StatsLevel.ADMIN) -> MasterSession:
    return MasterSession(View(lambda: [42, 7], lambda: "procs\n", lambda: "logs\n"), level)


def test_a_session_ends_after_its_lines() -> None:
    one = session()
    one.feed(b"show pr")
    assert one.next_step() is None
    one.feed(b"oc;show startup-logs\n")
    assert one.next_step() == Reply(b"procs\n\n")
    assert one.next_step() == Reply(b"logs\n\n")
    assert one.next_step() == Close()


def test_prefixes() -> None:
    one = session()
    one.feed(b"@1 show info\n@!7 show stat\n@!9 show stat\n@2 show stat\n@master help\n")
    admin = StatsLevel.ADMIN
    assert one.next_step() == Forward(42, b"show info\n", admin, b"")
    assert one.next_step() == Forward(7, b"show stat\n", admin, b"")
    for _ in range(2):
        step = one.next_step()
        assert isinstance(step, Reply) and b"Can't find the target PID" in step.data


def test_a_prefix_alone_stays_in_a_session_with_a_prompt() -> None:
    one = session()
    one.feed(b"prompt\n@1\nshow info\n@master\nquit\n")
    steps = [one.next_step() for _ in range(6)]
    assert steps == [
        Reply(b"\nmaster> "),
        Reply(b"\n1> "),
        Forward(42, b"show info\n", StatsLevel.ADMIN, b"1> "),
        Reply(b"\nmaster> "),
        Reply(b""),
        Close(),
    ]


def test_a_payload_goes_along() -> None:
    one = session()
    one.feed(b"@1 add map x <<\na b\n")
    assert one.next_step() is None
    one.feed(b"c d\n\n")
    assert one.next_step() == Forward(42, b"add map x <<\na b\nc d\n\n", StatsLevel.ADMIN, b"")


def test_levels() -> None:
    one = session()
    one.feed(b"prompt\noperator\nreload\nuser\n@1 show info\n")
    steps = [one.next_step() for _ in range(5)]
    assert steps[2] == Reply(b"Permission denied\n\nmaster> ")
    assert steps[4] == Forward(42, b"show info\n", StatsLevel.USER, b"master> ")


def test_a_reload_is_a_step() -> None:
    one = session()
    one.feed(b"hard-reload\n")
    assert one.next_step() == Reload(True, b"\n")


def test_a_line_without_end_is_bounded() -> None:
    one = session()
    one.feed(b"x" * 20000)
    assert one.next_step() == Close()
