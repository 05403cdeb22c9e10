"""A configuration in; diagnostics and the plan out."""

from __future__ import annotations

from pathlib import Path

import pytest

from telamon.haproxy.load import load
from tests.haproxy.goldens import cases, known_machine, load_case, outcome, parts

SEED = Path(__file__).parents[2] / "examples" / "kube-apiserver" / "haproxy.cfg"


@pytest.mark.parametrize("name", cases())
def test_outcome_is_golden(name: str, tmp_path: Path) -> None:
    assert outcome(load_case(name, tmp_path)) == parts(name)[1]


def test_the_users_own_file_loads() -> None:
    with known_machine():
        loaded = load([str(SEED)], environment={})
    assert loaded.plan is not None
    assert sorted(d.code for d in loaded.report) == ["H070", "H080"]
    api, stats = loaded.plan.proxies
    assert api.backend is not None and stats.stats is not None
    assert [str(server.address) for server in api.backend.servers] == [
        "192.168.10.80:6443",
        "192.168.10.81:6443",
        "192.168.10.82:6443",
    ]
    assert (stats.stats.uri, stats.stats.refresh) == ("/haproxy?stats", 30_000)
    assert loaded.plan.process.user == "haproxy"


def test_the_seed_in_the_golden_files_is_the_example() -> None:
    assert parts("seed")[0] == SEED.read_text()
