"""`get var` and `set rate-limit`, against a proxy in memory and beside HAProxy's."""

from __future__ import annotations

import ipaddress

import pytest

from telamon.plan.process import StatsLevel
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
show info"""


def dialogue(program: list[str]) -> list[tuple[str, str]]:
    found = []
    with serving(program, CONFIGURATION.replace("{port}", str(free_port()))) as stats:
        for line in DIALOGUE.split("\n"):
            answer = ask_socket(stats, line)
            if line == "show info":
                answer = "\n".join(one for one in answer.split("\n") if "RateLimit:" in one)
            found.append((line, answer))
    return found


@pytest.mark.peer
def test_the_answers_are_haproxys() -> None:
    assert dialogue(STANDIN) == dialogue([need("haproxy")])
