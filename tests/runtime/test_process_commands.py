"""Commands about the process as a whole, against a proxy in memory and beside HAProxy's."""

from __future__ import annotations

import ipaddress

import pytest

from telamon.engine import Descriptor, Holder, PoolState, ThreadState
from telamon.plan.process import StatsLevel
from telamon.plan.rules import Rule
from telamon.runtime.session import CommandSession
from telamon.script.values import Value
from telamon.testing.control import FakeControl
from tests.runtime.support import STANDIN, control, serving
from tests.support.peers import ask_socket, need
from tests.support.ports import free_port


def ask(fake: FakeControl, line: str, level: StatsLevel = StatsLevel.ADMIN) -> str:
    return CommandSession(fake, level).feed(line.encode() + b"\n").decode()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (True, "type=bool value=<1>"),
        (-3, "type=sint value=<-3>"),
        ("a b", "type=str value=<a b>"),
        (b"ab", "type=bin value=<ab>"),
        (ipaddress.ip_address("10.0.0.1"), "type=ipv4 value=<10.0.0.1>"),
        (ipaddress.ip_address("::1"), "type=ipv6 value=<::1>"),
    ],
)
def test_a_variable_is_shown(value: Value, shown: str) -> None:
    fake = control()
    fake.variables = {"proc.a": value, "txn.a": value}
    assert ask(fake, "get var proc.a") == f"proc.a: {shown}\n"
    assert ask(fake, "get var txn.a") == "Variable not found.\n\n"
    assert "Permission denied" in ask(fake, "get var proc.a", StatsLevel.USER)


def test_what_is_not_there_yet_is_named() -> None:
    name = "set rate-limit ssl-sessions"
    answer = f"'{name}' is known to HAProxy, not yet to Telamon.\n\n"
    assert ask(control(), f"{name} global 3") == answer
    assert "connections global" in ask(control(), "set rate-limit")


def test_a_variable_is_set_in_the_experimental_mode_only() -> None:
    fake = control()
    session = CommandSession(fake, StatsLevel.ADMIN)
    lines = b"prompt\nset var proc.a int(3)\nexperimental-mode on\nset var proc.a int(3)\n"
    assert session.feed(lines).decode() == (
        "\n> This command is restricted to experimental mode only.\n\n> \n> \n> "
    )
    ((what, rule),) = fake.done
    assert what == "set variable"
    assert isinstance(rule, Rule)
    assert (rule.action, rule.arguments) == ("set-var", ("proc.a",))


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        ("proc.a str(it's\\ one)", "'set-var': this parenthesis is never closed (add ')')"),
        ("proc.a nbsrv(nobody)", "needs the running process"),
        ("proc.a src", "'set-var'"),
        ("proc.a int(1),nothing", "'nothing'"),
        ("proc.a fmt %[", "a sample fetch is missing"),
    ],
)
def test_a_bad_expression_is_explained(words: str, answer: str) -> None:
    fake = control()
    assert answer in ask(fake, f"experimental-mode on; set var {words}")
    assert not fake.done


def test_a_frontend_is_shut_down_for_good() -> None:
    fake = control()
    name = next(p.name for p in fake.plan.proxies if p.frontend)
    assert ask(fake, f"shutdown frontend {name}") == "\n"
    assert ask(fake, f"shutdown frontend {name}") == "Frontend was already shut down.\n\n"
    assert "Permission denied" in ask(fake, f"shutdown frontend {name}", StatsLevel.OPERATOR)


def state(thread: int, **totals: int) -> ThreadState:
    pools = (PoolState("buffer", 16384, 3, 1), PoolState("connection", 400, 2, 1))
    return ThreadState(thread, 5_000_000, totals, thread, pools)


def test_what_threads_have_done_is_shown_with_its_sum() -> None:
    fake = control()
    fake.states = [state(0, Turns=10, Events=4, CumConns=1), state(1, Turns=5, CumConns=2)]
    lines = dict(line.split(": ", 1) for line in ask(fake, "show activity").strip().split("\n"))
    assert lines["thread_id"] == "2 (1..2)"
    assert lines["loops"] == "15 [ 10 5 ]"
    assert lines["accepted"] == "3 [ 1 2 ]"
    assert lines["cpu_ms_tot"] == "10 [ 5 5 ]"
    assert lines["avg_loop_us"] == "750 [ 500 1000 ]"
    fake.states = fake.states[:1]
    assert "\nloops: 10\n" in ask(fake, "show activity")


def test_what_threads_hold_is_shown_per_kind() -> None:
    fake = control()
    fake.states = [state(0), state(1)]
    assert ask(fake, "show pools") == (
        "Dumping pools usage.\n"
        "  - Pool buffer (16384 bytes) : 6 allocated (98304 bytes), 2 used, 2 users\n"
        "  - Pool connection (400 bytes) : 4 allocated (1600 bytes), 2 used, 2 users\n"
        "Total: 2 pools, 99904 bytes allocated, 33568 used.\n\n"
    )


def test_a_thread_that_does_not_answer_is_stuck() -> None:
    fake = control()
    fake.states = [state(0, Turns=7)]
    answer = ask(fake, "show threads")
    assert "Thread 1 : act=0 stuck=0" in answer
    assert "Thread 2 : stuck=1" in answer


def test_descriptors_are_shown_with_their_owners() -> None:
    fake = control()
    proxy = next(p for p in fake.plan.proxies if p.frontend and p.backend and p.backend.servers)
    assert proxy.backend is not None
    server = proxy.backend.servers[0]
    fake.open = [
        Descriptor(7, thread, Holder.LISTENER, proxy.id, None, None, True, False, False)
        for thread in (0, 1)
    ] + [Descriptor(9, 1, Holder.SERVER, None, proxy.id, server.id, False, False, True)]
    assert ask(fake, "show fd").split("\n")[:2] == [
        f"      7 : st=0x000001(W:sra R:srA) tmask=0x3 iocb=accept l.st=RDY fe={proxy.name}",
        f"      9 : st=0x000010(W:srA R:sra) tmask=0x2 iocb=server sv={server.name}/{proxy.name}",
    ]
    assert ask(fake, "show fd 9").count(":srA") == 1
    assert ask(fake, "show fd 8") == "\n"


def test_what_was_said_at_the_start_is_kept() -> None:
    fake = control()
    fake.startup_logs = "[WARNING]  (1) : config : odd\n"
    assert ask(fake, "show startup-logs") == "[WARNING]  (1) : config : odd\n\n"


CONFIGURATION = """global
    stats socket {stats} level admin
    maxconnrate 50
    set-var proc.number int(3),add(4)
    set-var proc.text str(abc)
    set-var proc.yes bool(true)
    set-var proc.four ipv4(10.0.0.1)
    set-var proc.six ipv6(2001:db8::1)
    set-var-fmt proc.made "%[str(a)]-b"
defaults
    timeout connect 5s
    timeout client 5s
    timeout server 5s
listen one
    bind 127.0.0.1:{port}
    server s 127.0.0.1:1
frontend two
    bind 127.0.0.1:{second}
    default_backend one
"""

DIALOGUE = """get var
get var proc.number
get var proc.text
get var proc.yes
get var proc.four
get var proc.six
get var proc.made
get var proc.nope
get var txn.number
set rate-limit connections global
set rate-limit connections global -1
set rate-limit connections global 7
set rate-limit sessions global
set rate-limit sessions global 9
show info
set rate-limit connections global 0
show info
set var proc.x int(5)
experimental-mode on; set var
experimental-mode on; set var proc.x
experimental-mode on; set var proc.x int(5)
get var proc.x
experimental-mode on; set var proc.x expr int(6),add(1) junk
get var proc.x
experimental-mode on; set var proc.x int(6) junk
experimental-mode on; set var proc.x fmt a\\ %[int(3)]b junk
get var proc.x
experimental-mode on; set var proc.y var(proc.x),upper
get var proc.y
experimental-mode on; set var txn.x int(1)
experimental-mode on; set var x int(1)
experimental-mode on; set var proc. int(1)
get var proc.none
set severity-output
set severity-output loud
set severity-output number; get var proc.none; show cli level; get var proc.x; get weight one/s
set severity-output string; get var proc.none; show cli level; set server one/s addr 127.0.0.9
set severity-output number; set severity-output none; get var proc.none
disable agent one/s
disable agent one/t
enable agent one/s
set server one/s agent up
show table
show table x
clear table
clear table x
set table
set table x key 1
show resolvers nobody
show peers
show peers nobody
show tls-keys
show tls-keys nobody
trace nothing
show trace nothing
show startup-logs
show tasks
set profiling
set profiling tasks
set profiling tasks off
set profiling memory on
set profiling other on
show profiling status
shutdown frontend
shutdown frontend nobody
disable frontend two
show stat
enable frontend two
show stat
shutdown frontend two
shutdown frontend two
enable frontend two
disable frontend two
show stat"""


ENDS_ARE_OURS = ("set var", "trace nothing")
"""HAProxy forgets the line's end in some of these answers; clients that wait for the empty line
behind an answer are better served with it."""


def dialogue(program: list[str]) -> list[tuple[str, str]]:
    found = []
    text = CONFIGURATION.replace("{port}", str(free_port())).replace("{second}", str(free_port()))
    with serving(program, text) as stats:
        for line in DIALOGUE.split("\n"):
            answer = ask_socket(stats, line)
            if line == "show info":
                answer = "\n".join(one for one in answer.split("\n") if "RateLimit:" in one)
            if line == "show stat":
                answer = "\n".join(
                    one.split(",")[17] for one in answer.split("\n") if "FRONTEND" in one
                )
            if any(word in line for word in ENDS_ARE_OURS):
                answer = answer.rstrip("\n")
            found.append((line, answer))
    return found


@pytest.mark.peer
def test_the_answers_are_haproxys() -> None:
    assert dialogue(STANDIN) == dialogue([need("haproxy")])
