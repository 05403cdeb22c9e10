"""`show events`."""

from __future__ import annotations

import pytest

from telamon.plan.process import StatsLevel
from telamon.plan.proxy import ProxyPlan
from telamon.runtime.commands.base import Context
from telamon.runtime.commands.events import show_events
from telamon.runtime.session import CommandSession
from telamon.testing.control import FakeControl


@pytest.fixture
def context() -> Context:
    control = FakeControl(ProxyPlan(), ring_lines={"r1": [b"one", b"caf\xe9"], "empty": []})
    return Context(control, StatsLevel.OPERATOR)


def test_without_a_name_the_rings_are_listed(context: Context) -> None:
    head, *rings = show_events(context, []).splitlines()
    assert head.startswith("Supported events sinks are listed below.")
    assert rings == [
        "    r1         : type=buffer, 0 dropped, r1",
        "    empty      : type=buffer, 0 dropped, empty",
    ]


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["r1"], "one\ncaf\udce9\n"),
        (["empty"], ""),
        (["r1", "-n"], ""),
        (["other"], "No such event sink"),
        (["r1", "-x"], "unknown option"),
        (["r1", "n"], "unknown option"),
    ],
)
def test_answers(context: Context, words: list[str], answer: str) -> None:
    assert show_events(context, words) == answer


def test_who_waits_hears_what_comes_until_a_key_is_pressed() -> None:
    control = FakeControl(ProxyPlan(), ring_lines={"r1": [b"one"]})
    session = CommandSession(control, StatsLevel.OPERATOR)
    assert session.feed(b"show events r1 -w\n") == b"one\n"
    assert session.following and session.more() == b""
    control.ring_lines["r1"] += [b"two", b"three"]
    assert session.more() == b"two\nthree\n"
    assert session.more() == b""
    assert session.feed(b"x") == b"\n"
    assert session.closed and not session.following


def test_with_a_prompt_the_session_goes_on() -> None:
    control = FakeControl(ProxyPlan(), ring_lines={"r1": [b"one"]})
    session = CommandSession(control, StatsLevel.OPERATOR)
    session.feed(b"prompt\n")
    assert session.feed(b"show events r1 -nw\n") == b""
    assert session.feed(b"\n") == b"\n> "
    assert not session.closed
