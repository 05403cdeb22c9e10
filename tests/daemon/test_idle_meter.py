"""The idle share of the data threads, from two clocks that the test owns."""

from __future__ import annotations

from telamon.daemon.control_proxy import IdleMeter


def test_busy_threads_are_not_idle() -> None:
    meter = IdleMeter(threads=2, now=10.0, cpu=1.0)
    assert meter.read(10.5, 1.5) == 100  # too soon to say
    assert meter.read(12.0, 2.0) == 75  # one of four seconds
    assert meter.read(12.5, 9.0) == 75
    assert meter.read(14.0, 6.0) == 0


def test_more_than_all_is_none() -> None:
    """The control thread works beside the data threads."""
    assert IdleMeter(1, 0.0, 0.0).read(1.0, 1.2) == 0
