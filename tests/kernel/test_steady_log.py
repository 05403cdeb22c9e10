"""The log that never blocks its writer."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from telamon.kernel.steady_log import SteadyLog


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for fd in (reader, writer):
        try:
            os.close(fd)
        except OSError:
            continue


def test_lines_go_out_at_once(pipe: tuple[int, int]) -> None:
    log = SteadyLog(pipe[1])
    log.line("one")
    log.line("zwölf")
    assert os.read(pipe[0], 100) == "one\nzwölf\n".encode()
    assert not log.behind


def test_a_reader_that_sleeps_delays_nobody(pipe: tuple[int, int]) -> None:
    log = SteadyLog(pipe[1])
    for number in range(300):
        log.line(f"{number:04} " + "x" * 995)
    assert log.behind, "300 kB do not fit into a pipe of 64 kB, and yet we are here"
    seen = b""
    while log.behind:
        seen += os.read(pipe[0], 1 << 16)
        log.flush()
    seen += os.read(pipe[0], 1 << 20)
    while len(seen) < 300 * 1001:
        seen += os.read(pipe[0], 1 << 20)
    assert [line[:4] for line in seen.split(b"\n")[:-1]] == [b"%04d" % n for n in range(300)]


def test_what_is_dropped_is_counted(pipe: tuple[int, int]) -> None:
    log = SteadyLog(pipe[1])
    for _ in range(1200):
        log.line("x" * 999)
    seen = b""
    while b"dropped" not in seen:
        seen += os.read(pipe[0], 1 << 16)
        log.flush()
    kept = seen.count(b"x" * 999 + b"\n")
    assert f"\n{1200 - kept} log lines were dropped".encode() in seen


def test_a_reader_that_left_is_no_error(pipe: tuple[int, int]) -> None:
    log = SteadyLog(pipe[1])
    os.close(pipe[0])
    log.line("nobody reads this")
    assert not log.behind
