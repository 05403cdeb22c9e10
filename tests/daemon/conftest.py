"""Fixtures of the process tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.daemon.harness import Telamon, telamon


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Telamon]:
    with telamon(tmp_path) as instance:
        yield instance
