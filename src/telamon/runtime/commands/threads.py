"""What the data threads do and hold: `show activity`, `show threads`, `show pools`, `show tasks`
and `show profiling` (management guide 9.3).

The guide calls their output a help for developers, free to change. The form is HAProxy's, so that
scripts find the names; a figure that has no meaning here is left out rather than invented.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from telamon.engine import PoolState, ThreadState
from telamon.plan.process import StatsLevel
from telamon.runtime.commands.base import Command, Context
from telamon.runtime.ports import CommandError


def _total(name: str) -> Callable[[ThreadState], int]:
    return lambda state: state.totals.get(name, 0)


def _loop_microseconds(state: ThreadState) -> int:
    return state.cpu_ns // 1000 // max(1, state.totals.get("Turns", 0))


ACTIVITY: tuple[tuple[str, Callable[[ThreadState], int]], ...] = (
    ("ctxsw", lambda s: s.totals.get("Events", 0) + s.totals.get("Timers", 0)),
    ("loops", _total("Turns")),
    ("wake_tasks", _total("Timers")),
    ("poll_io", _total("Events")),
    ("cpu_ms_tot", lambda s: s.cpu_ns // 1_000_000),
    ("avg_loop_us", _loop_microseconds),
    ("accepted", _total("CumConns")),
    ("requests", _total("CumReq")),
    ("connections", lambda s: s.streams),
    ("bytes_out", _total("TotalBytesOut")),
    ("spliced_bytes_out", _total("TotalSplicedBytesOut")),
    ("dropped_logs", _total("DroppedLogs")),
    ("python_calls", _total("PythonCalls")),
    ("contained_errors", _total("Panics")),
)
"""The rows of `show activity`: what each thread has to say; the sum stands in front."""

AVERAGES = frozenset({"avg_loop_us"})
"""Rows whose sum would say nothing."""


def show_activity(context: Context, words: list[str]) -> str:
    states = context.control.thread_states()
    now = datetime.now(UTC).timestamp()
    lines = [f"thread_id: {len(states)} (1..{len(states)})", f"date_now: {now:.6f}"]
    for name, of in ACTIVITY:
        values = [of(state) for state in states]
        total = sum(values) // (len(values) or 1) if name in AVERAGES else sum(values)
        each = f" [ {' '.join(map(str, values))} ]" if len(values) > 1 else ""
        lines.append(f"{name}: {total}{each}")
    return "".join(f"{line}\n" for line in lines)


def show_threads(context: Context, words: list[str]) -> str:
    """A thread that does not answer is `stuck`."""
    states = {state.thread: state for state in context.control.thread_states()}
    return "".join(_thread(at, states.get(at)) for at in range(context.control.threads))


def _thread(at: int, state: ThreadState | None) -> str:
    if state is None:
        return f"  Thread {at + 1:<2}: stuck=1\n\n"
    turns, events = state.totals.get("Turns", 0), state.totals.get("Events", 0)
    return (
        f"  Thread {at + 1:<2}: act={int(state.streams > 0)} stuck=0 connections={state.streams}\n"
        f"             cpu_ns: now={state.cpu_ns}\n"
        f"             loops={turns} events={events} timers={state.totals.get('Timers', 0)}\n\n"
    )


def show_pools(context: Context, words: list[str]) -> str:
    """Per kind of memory the pieces of all threads together; `allocated` counts those that were
    ever in use, of which the unused give their memory back within ten seconds."""
    kinds: dict[str, list[PoolState]] = {}
    for state in context.control.thread_states():
        for pool in state.pools:
            kinds.setdefault(pool.name, []).append(pool)
    lines, allocated, used = ["Dumping pools usage."], 0, 0
    for name, pools in kinds.items():
        size = pools[0].size
        made, held = sum(pool.made for pool in pools), sum(pool.used for pool in pools)
        allocated, used = allocated + made * size, used + held * size
        lines.append(
            f"  - Pool {name} ({size} bytes) : {made} allocated ({made * size} bytes), "
            f"{held} used, {len(pools)} users"
        )
    lines.append(f"Total: {len(kinds)} pools, {allocated} bytes allocated, {used} used.")
    return "".join(f"{line}\n" for line in lines)


def show_tasks(context: Context, words: list[str]) -> str:
    """A thread does all that is ready before it waits: nothing is ever left to be shown."""
    return (
        f"Running tasks: 0 ({context.control.threads} threads)\n"
        "  function                     places     %    lat_tot   lat_avg\n"
    )


_PROFILES = (("Per-task CPU profiling", "tasks {on|auto|off}"),
             ("Memory usage profiling", "memory {on|off}"))  # fmt: skip


def show_profiling(context: Context, words: list[str]) -> str:
    return "".join(
        f"{what:<36}: off           # set profiling {arguments}\n" for what, arguments in _PROFILES
    )


def set_profiling(context: Context, words: list[str]) -> str:
    """There is none to be switched on; HAProxy answers so where it was built without."""
    kind = words[0] if words else ""
    states = {"tasks": ("on", "auto", "off"), "memory": ("on", "off")}
    if kind not in states:
        raise CommandError("Expects either 'tasks' or 'memory'.")
    state = words[1] if len(words) > 1 else ""
    if state not in states[kind]:
        expected = "'on', 'auto', or 'off'" if kind == "tasks" else "either 'on' or 'off'"
        raise CommandError(f"Expects {expected}.")
    if state != "off":
        raise CommandError(f"{'Task' if kind == 'tasks' else 'Memory'} profiling not compiled in.")
    return ""


COMMANDS = (
    Command("show activity", "", "show what each thread has done", show_activity),
    Command("show threads", "", "show each thread's state", show_threads),
    Command("show pools", "", "show what memory the threads hold", show_pools),
    Command("show tasks", "", "show tasks that wait to run (none)", show_tasks),
    Command(
        "show profiling", "[status]", "show the state of profiling (off)", show_profiling,
        StatsLevel.OPERATOR,
    ),
    Command(
        "set profiling", "<what> {auto|on|off}", "profiling: it can only be off", set_profiling,
        StatsLevel.ADMIN,
    ),
)  # fmt: skip
