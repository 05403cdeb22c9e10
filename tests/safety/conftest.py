"""Two equal LANs, so that both programs stand the same blow at the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.interop.lan import Lan, lan
from tests.safety.record import Verdict


@pytest.fixture
def verdict(record_property: Callable[[str, object], None]) -> Verdict:
    return Verdict(record_property)


@pytest.fixture
def our_lan(tmp_path: Path) -> Iterator[Lan]:
    with lan(tmp_path, 3) as made:
        yield made


@pytest.fixture
def their_lan(tmp_path: Path) -> Iterator[Lan]:
    with lan(tmp_path, 3) as made:
        yield made
