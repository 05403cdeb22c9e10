"""Nine thousand connections with the descriptor limit near, and memory that stays flat."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from telamon.engine import IoEngine

ROOT = Path(__file__).parents[2]
CROWD = 9_000
REQUESTS = int(os.environ.get("CROWD_REQUESTS", "50000"))


def play(*words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.engine.crowd", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.stdout == "fine\n", done.stderr


@pytest.mark.xdist_group("crowd")
def test_a_crowd_with_the_descriptor_limit_near(io: IoEngine) -> None:
    """Both ends of a connection are this user's: half of the hard limit is the most."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    crowd = min(CROWD, (hard - 500) // 2)
    if crowd < CROWD:
        print(f"only {crowd} connections: the hard limit of descriptors is {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        play("full", io.value, str(crowd))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.xdist_group("crowd")
def test_memory_stays_flat(io: IoEngine) -> None:
    """`CROWD_REQUESTS=200000` for a longer look."""
    play("flat", io.value, str(REQUESTS))
