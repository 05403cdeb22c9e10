"""Threads that run the Python functions which rules call, beside the proxy's control loop.

A request waits in its data thread until its answer comes or the data thread gives up on it
(`telamon-python-timeout`); everybody else's traffic never comes here. Nothing can stop a Python
thread from outside, so one that was given up on is left alone, and another takes its place: at
most `MOST_HUNG` of them. When those are used up too, or more calls wait than `MOST_WAITING`, a call
fails at once, which is what its request can bear best.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Callable

from telamon.engine import ScriptCall
from telamon.script.calls import Failure, Outcome, call
from telamon.script.registry import Registry

LOG = logging.getLogger("telamon.python")

MOST_THREADS = 32
MOST_HUNG = 32
MOST_WAITING = 1024
_QUIET = 1.0
"""Seconds in which a function's faults are told once."""

Answer = Callable[[int, Outcome | None], None]


class ScriptPool:
    """`answer` takes a call's token and what came of it, None for a failure; it is called from the
    threads. `take` and `abandon` belong to the control loop."""

    def __init__(self, registry: Registry, answer: Answer) -> None:
        self._registry, self._answer = registry, answer
        self._lock = threading.Lock()
        self._ready = threading.Condition(self._lock)
        self._waiting: deque[ScriptCall] = deque()
        self._running: dict[int, threading.Thread] = {}
        self._hung: set[int] = set()
        self._threads = self._idle = 0
        self._faults = Faults()

    def take(self, wanted: ScriptCall) -> None:
        """Have a call made as soon as a thread is free."""
        with self._lock:
            reason = self._full()
            if reason is None:
                self._waiting.append(wanted)
                self._serve_waiting()
        if reason is not None:
            self._faults.tell(wanted.name, reason)
            self._answer(wanted.token, None)

    def _full(self) -> str | None:
        if self._threads == 0 and len(self._hung) >= MOST_HUNG:
            return f"not called: {len(self._hung)} calls hang, and no thread is left"
        if len(self._waiting) >= MOST_WAITING:
            return f"not called: {len(self._waiting)} calls wait for a thread already"
        return None

    def _serve_waiting(self) -> None:
        """Wakes a thread, or starts one if none is idle and one more may be."""
        if self._idle > 0:
            self._ready.notify()
        elif self._threads < MOST_THREADS and len(self._hung) < MOST_HUNG:
            self._threads += 1
            threading.Thread(target=self._work, name="telamon-python", daemon=True).start()

    def abandon(self, token: int) -> None:
        """The request of this call waits no longer."""
        with self._lock:
            thread = self._running.get(token)
            if thread is None:
                self._abandon_waiting(token)
                return
            self._hung.add(token)
            self._threads -= 1
            if self._waiting:
                self._serve_waiting()
        frame = sys._current_frames().get(thread.ident or 0)
        stack = "".join(_of_script(traceback.format_stack(frame))) if frame is not None else ""
        self._faults.tell("a call", "takes too long; its thread is left alone", stack)

    def _abandon_waiting(self, token: int) -> None:
        late = next((one for one in self._waiting if one.token == token), None)
        if late is not None:
            self._waiting.remove(late)
            self._faults.tell(late.name, f"not called in time: {self._threads} threads are busy")

    # -- in the threads -------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            with self._lock:
                while not self._waiting:
                    self._idle += 1
                    self._ready.wait()
                    self._idle -= 1
                wanted = self._waiting.popleft()
                self._running[wanted.token] = threading.current_thread()
            outcome = self._call(wanted)
            with self._lock:
                self._running.pop(wanted.token, None)
                late = wanted.token in self._hung
                if late:
                    self._hung.remove(wanted.token)
                    if self._threads >= MOST_THREADS:
                        return
                    self._threads += 1
            if not late:
                self._answer(wanted.token, outcome)

    def _call(self, wanted: ScriptCall) -> Outcome | None:
        registered = self._registry.find(wanted.kind, wanted.name)
        if registered is None:
            self._faults.tell(wanted.name, "the file has no such function any more")
            return None
        outcome = call(registered, wanted.transaction, wanted.arguments, wanted.value)
        if isinstance(outcome, Failure):
            self._faults.tell(wanted.name, outcome.reason, outcome.traceback)
            return None
        return outcome


def _of_script(stack: list[str]) -> list[str]:
    """Without the frames that are ours: the call's own begin behind `calls.py`."""
    last = max((at for at, text in enumerate(stack) if "script/calls.py" in text), default=-1)
    return stack[last + 1 :]


class Faults:
    """Tells the log of faults: each function's once a second, and how many were not told."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._told: dict[str, tuple[float, int]] = {}

    def tell(self, name: str, reason: str, stack: str = "") -> None:
        with self._lock:
            now = self._now()
            at, left_out = self._told.get(name, (-_QUIET, 0))
            if now - at < _QUIET:
                self._told[name] = (at, left_out + 1)
                return
            self._told[name] = (now, 0)
        more = f" (and {left_out} more of it before)" if left_out else ""
        LOG.error("python.%s: %s%s%s", name, reason, more, f"\n{stack.rstrip()}" if stack else "")
