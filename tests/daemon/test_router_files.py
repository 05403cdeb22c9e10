"""Tracked files: what a number is, and real files that come, change and go."""

from __future__ import annotations

import os
import selectors
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from telamon.daemon.file_watch import FileWatch, initialise, number
from telamon.plan.router import FilePlan

DEADLINE = 10.0


@pytest.mark.parametrize(
    ("content", "value"),
    [
        # Each row as keepalived 2.2.7 answers it.
        (b"20\n", 20), (b"abc\n", 0), (b"12abc\n", 12), (b"\n", 0), (b"", 0), (b"--\n", 0),
        (b"  9\n", 9), (b"10 11\n", 10), (b"-254\n", -254), (b"99999999999\n", None),
        (b"-5000000000\n", None), (b"+7", 7), (b"2147483647", 2147483647), (b"\xff5", 0),
    ],
)  # fmt: skip
def test_what_a_number_is(content: bytes, value: int | None) -> None:
    assert number(content) == value


def test_init_file(tmp_path: Path) -> None:
    path = tmp_path / "value"
    plan = FilePlan("F", str(path))
    assert (initialise(plan), path.exists()) == ("", False)
    assert (initialise(replace(plan, initial=5)), path.read_text()) == ("", "5\n")
    assert (initialise(replace(plan, initial=6)), path.read_text()) == ("", "5\n")
    assert (initialise(replace(plan, initial=6, overwrite=True)), path.read_text()) == ("", "6\n")
    problem = initialise(FilePlan("F", str(path / "x"), initial=1))
    assert "track_file F: cannot write" in problem


class Watched:
    """A watch with its loop."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.values: list[tuple[str, int]] = []
        self.said: list[str] = []
        self.watch = FileWatch(
            self.selector, lambda n, v: self.values.append((n, v)), self.said.append
        )

    def run_until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + DEADLINE
        while not condition():
            now = time.monotonic()
            assert now < end, (self.values, self.said)
            deadline = self.watch.deadline
            for key, _ in self.selector.select(1.0 if deadline is None else max(0, deadline - now)):
                key.data()
            self.watch.turn(time.monotonic())

    def next(self, value: int, name: str = "F") -> None:
        self.run_until(lambda: bool(self.values))
        assert self.values == [(name, value)]
        self.values.clear()


@pytest.fixture
def watched() -> Iterator[Watched]:
    made = Watched()
    yield made
    made.watch.close()
    assert not made.selector.get_map()
    made.selector.close()


def test_a_file_that_is_written_replaced_and_removed(watched: Watched, tmp_path: Path) -> None:
    path, other = tmp_path / "value", tmp_path / "other"
    watched.watch.watch((FilePlan("F", str(path)),))
    watched.next(0)  # missing
    path.write_text("7\n")
    watched.next(7)
    other.write_text("8\n")
    other.rename(path)
    watched.next(8)
    path.write_text("99999999999\n")
    watched.run_until(lambda: bool(watched.said))
    assert "99999999999" in watched.said[0]
    assert "out of range" in watched.said[0]
    assert not watched.values, "it stays as it was"
    path.write_text("garbage\n")
    watched.next(0)
    path.write_text("-254")
    watched.next(-254)
    path.unlink()
    watched.next(0)
    path.symlink_to(other)
    other.write_text("3")
    watched.next(3)


def test_a_directory_that_comes_late_and_goes(watched: Watched, tmp_path: Path) -> None:
    folder = tmp_path / "late"
    watched.watch.watch((FilePlan("F", str(folder / "value")),))
    watched.next(0)
    folder.mkdir()
    (folder / "value").write_text("5")
    watched.next(5)
    shutil.rmtree(folder)
    watched.next(0)
    folder.mkdir()
    (folder / "value").write_text("6")
    watched.next(6)


def test_what_cannot_be_read_counts_as_0_and_is_told_once(watched: Watched, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    watched.watch.watch(
        (FilePlan("A", str(tmp_path / "fifo")), FilePlan("B", str(tmp_path / "folder")))
    )
    assert watched.values == [("A", 0), ("B", 0)]
    (tmp_path / "stir").touch()
    (tmp_path / "stir").unlink()
    (tmp_path / "last").mkdir()
    watched.watch.watch(())
    assert [text for text in watched.said if "track_file B" in text] == [
        f"track_file B: {tmp_path}/folder: Is a directory; it counts as 0"
    ]


def test_a_reload_keeps_init_file_from_writing_again(watched: Watched, tmp_path: Path) -> None:
    path = tmp_path / "value"
    plan = FilePlan("F", str(path), initial=5, overwrite=True)
    watched.watch.watch((plan,))
    watched.next(5)
    path.write_text("9")
    watched.next(9)
    watched.watch.watch((plan, FilePlan("G", str(tmp_path / "no"))))
    assert watched.values == [("F", 9), ("G", 0)]
