"""Generated HTTP/1, odd and hostile, beside HAProxy (see `tests/engine/odd/`).

A share of the cases, always the same, in each run of the tests; `ODD_CASES=20000 ODD_SEED=7
pytest` or `python -m tests.engine.odd` play as many as one likes. What differs on purpose has a
row in docs/compatibility.md.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from telamon.engine import IoEngine
from tests.engine.duel import needs_haproxy
from tests.engine.odd.__main__ import shown
from tests.engine.odd.run import run
from tests.engine.odd.verdict import ALLOWED

CASES = int(os.environ.get("ODD_CASES", "400"))
SEED = int(os.environ.get("ODD_SEED", "1"))
PAGE = Path(__file__).parents[2] / "docs/compatibility.md"


@pytest.mark.peer
@needs_haproxy
@pytest.mark.xdist_group("odd")
def test_odd_messages_as_with_haproxy(io: IoEngine) -> None:
    print(f"ODD_SEED={SEED}")
    found = run(SEED, range(CASES), io)
    assert not found, "\n".join(shown(one) for one in found[:5])


def test_each_allowed_difference_is_documented() -> None:
    page = PAGE.read_text()
    assert [one.reason for one in ALLOWED if one.reason not in page] == []
