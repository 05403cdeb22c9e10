"""The threads that make calls: faults, time limits, full queues, and threads that hang."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator

import pytest

from telamon.daemon import script_pool
from telamon.daemon.script_pool import Faults, ScriptPool
from telamon.engine import ScriptCall
from telamon.script.calls import Outcome
from telamon.script.registry import Kind, Registered, Registry, Signature
from telamon.script.transaction import Request, Transaction

LIMIT = 10.0


class Bench:
    """A pool with functions of the test, and the answers that it gives."""

    def __init__(self) -> None:
        self.registry = Registry()
        self.answers: queue.Queue[tuple[int, Outcome | None]] = queue.Queue()
        self.pool = ScriptPool(self.registry, lambda *answer: self.answers.put(answer))
        self.go = threading.Event()
        self.begun = threading.Semaphore(0)
        self.add("fine", lambda txn: "fine")
        self.add("faulty", lambda txn: [])
        self.add("hangs", self._hang)

    def _hang(self, txn: Transaction) -> str:
        self.begun.release()
        self.go.wait(LIMIT)
        return "late"

    def add(self, name: str, function: Callable[[Transaction], object]) -> None:
        self.registry.functions[Kind.FETCH, name] = Registered(
            Signature(Kind.FETCH, name), function
        )

    def call(self, token: int, name: str) -> None:
        transaction = Transaction(Request("GET", "/", "1.1", ()))
        self.pool.take(ScriptCall(token, Kind.FETCH, name, (), None, transaction))

    def answer(self) -> tuple[int, Outcome | None]:
        return self.answers.get(timeout=LIMIT)

    def hang(self, token: int) -> None:
        """A call that hangs, and is given up."""
        self.call(token, "hangs")
        assert self.begun.acquire(timeout=LIMIT)
        self.pool.abandon(token)


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.go.set()


def test_calls_are_answered(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    for token, name, outcome in (
        (1, "fine", Outcome("fine")),
        (2, "faulty", None),
        (3, "unknown", None),
    ):
        bench.call(token, name)
        assert bench.answer() == (token, outcome)
    assert "python.faulty: a sample cannot be of type list" in caplog.text
    assert "python.unknown: the file has no such function any more" in caplog.text


def test_a_call_that_was_given_up_answers_nobody(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.hang(1)
    assert "self.go.wait(LIMIT)" in caplog.text
    bench.call(2, "fine")
    assert bench.answer() == (2, Outcome("fine"))
    bench.go.set()
    bench.call(3, "fine")
    assert bench.answer() == (3, Outcome("fine"))
    assert bench.answers.empty()


def test_full_pools_fail_calls_at_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(script_pool, "MOST_THREADS", 1)
    monkeypatch.setattr(script_pool, "MOST_WAITING", 2)
    bench.call(1, "hangs")
    assert bench.begun.acquire(timeout=LIMIT)
    bench.call(2, "faulty")
    for token in (3, 4):
        bench.call(token, "fine")
    assert bench.answer() == (4, None)
    bench.pool.abandon(2)
    bench.go.set()
    assert [bench.answer()[0] for _ in range(2)] == [1, 3]
    assert "2 calls wait for a thread already" in caplog.text
    assert "not called in time: 1 threads are busy" in caplog.text


def test_threads_that_hang_are_replaced_up_to_a_bound(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(script_pool, "MOST_HUNG", 2)
    bench.hang(1)
    bench.hang(2)
    bench.call(3, "fine")
    assert bench.answer() == (3, None)
    assert "2 calls hang, and no thread is left" in caplog.text
    bench.go.set()

    def served() -> bool:
        bench.call(4, "fine")
        return bench.answer()[1] is not None

    assert any(served() for _ in range(10_000))


def test_faults_are_told_once_a_second(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    faults = Faults(lambda: now)
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            faults.tell("a", "broke", "stack\n")
        faults.tell("b", "broke")
        now = 1.5
        faults.tell("a", "broke")
    assert [record.getMessage() for record in caplog.records] == [
        "python.a: broke\nstack",
        "python.b: broke",
        "python.a: broke (and 2 more of it before)",
    ]
