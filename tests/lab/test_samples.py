"""The figures of the demo's table, from requests written down by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telamon.lab.samples import Count, Sample, SampleError, count, largest_gap, parse, reasons


def served(*ends: float) -> list[Sample]:
    return [Sample(end - 0.5, end, "node1") for end in ends]


def test_a_line_of_the_client() -> None:
    assert parse("1.500000 1.700000 =node2\n") == Sample(1.5, 1.7, "node2")
    assert parse("1 2 !Connection refused\n") == Sample(1, 2, "", "Connection refused")


@pytest.mark.parametrize("line", ["", "1 2", "x 2 =node1", "1 2 node1", "1 2 "])
def test_what_is_no_sample_is_told(line: str) -> None:
    with pytest.raises(SampleError):
        parse(line)


def test_the_gap_is_the_longest_silence() -> None:
    assert largest_gap(served(10, 11, 14, 15), 10, 15) == 3


def test_the_ends_of_the_time_count() -> None:
    assert largest_gap(served(12), 10, 20) == 8
    assert largest_gap(served(18), 10, 20) == 8


def test_without_an_answer_all_of_it_is_a_gap() -> None:
    assert largest_gap([Sample(11, 12, "", "timeout")], 10, 20) == 10


def test_answers_outside_the_time_do_not_help() -> None:
    assert largest_gap(served(9, 21), 10, 20) == 10


@given(st.lists(st.floats(0, 100)), st.floats(0, 50), st.floats(50, 100))
def test_a_gap_is_never_longer_than_the_time(ends: list[float], since: float, until: float) -> None:
    gap = largest_gap(served(*ends), since, until)
    inside = sum(since <= end <= until for end in ends)
    assert (until - since) / (inside + 1) - 1e-9 <= gap <= until - since


def test_requests_are_counted_by_their_start() -> None:
    record = [
        Sample(9.9, 10.5, "node1"),
        Sample(10, 10.1, "node1"),
        Sample(10.2, 15.2, "", "timeout"),
        Sample(20, 20.1, "node1"),
    ]
    assert count(record, 10, 20) == Count(served=1, lost=1)


def test_reasons_come_most_frequent_first() -> None:
    record = [
        Sample(1, 2, "", "refused"),
        Sample(1, 2, "", "timeout"),
        Sample(1, 2, "", "timeout"),
        Sample(1, 2, "node1"),
    ]
    assert list(reasons(record, 0, 9).items()) == [("timeout", 2), ("refused", 1)]
