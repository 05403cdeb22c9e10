"""What all tests share: how Hypothesis runs, what is said of a failure, and when."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "default",
    deadline=None,  # the machines of continuous integration are shared and noisy
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("long", parent=settings.get_profile("default"), max_examples=20_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


class TellAtOnce:
    """Says what failed when it fails: a run that is cut short has told what it knew."""

    LINES = 12

    def __init__(self, reporter: pytest.TerminalReporter) -> None:
        self._reporter = reporter

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not report.failed:
            return
        lines = report.longreprtext.splitlines()[-self.LINES :]
        self._reporter.ensure_newline()
        self._reporter.write_line(f"FAILED ({report.when}) {report.nodeid}", red=True)
        self._reporter.write_line("\n".join(f"    {line}" for line in lines))


@pytest.hookimpl(trylast=True)  # when there is a reporter, if there will be one
def pytest_configure(config: pytest.Config) -> None:
    # Workers of a parallel run have none; whoever gathers their reports has.
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        config.pluginmanager.register(TellAtOnce(reporter))


FEW = 100
"""Descriptors more than before that a test may leave."""


@pytest.fixture(autouse=True)
def descriptors_are_given_back() -> Iterator[None]:
    """A test that loses them fails, and not some other that comes when none are left."""
    before = _descriptors()
    yield
    until = time.monotonic() + 10
    while _descriptors() > before + FEW:
        left = _descriptors() - before
        assert time.monotonic() < until, f"{left} descriptors are still open"
        gc.collect()
        time.sleep(0.01)


def _descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
