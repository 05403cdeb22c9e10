"""How many connections fit into which descriptor limit."""

from __future__ import annotations

import pytest

from telamon.daemon import limits
from telamon.plan.process import ProcessPlan
from telamon.plan.proxy import ProxyPlan


@pytest.fixture
def hard_limit(monkeypatch: pytest.MonkeyPatch) -> int:
    """A machine on which no process gets more than this, and nothing is really raised."""
    hard = 4096
    monkeypatch.setattr(limits, "hard_descriptor_limit", lambda: hard)
    monkeypatch.setattr(limits, "raise_descriptor_limit", lambda wanted: min(wanted, hard))
    return hard


def allowance(process: ProcessPlan) -> limits.Allowance:
    return limits.allow(ProxyPlan(process), threads=1)


def test_maxconn_follows_from_the_limit(hard_limit: int) -> None:
    found = allowance(ProcessPlan())
    assert found.descriptors == hard_limit
    assert 1800 < found.connections < hard_limit // 2


def test_fd_hard_limit_bounds_what_is_taken(hard_limit: int) -> None:
    found = allowance(ProcessPlan(fd_hard_limit=1000))
    assert found.descriptors == 1000
    assert found.connections < 500 and not found.warning


def test_too_much_is_told(hard_limit: int) -> None:
    found = allowance(ProcessPlan(maxconn=hard_limit))
    assert found.connections < hard_limit // 2
    assert str(hard_limit) in found.warning
