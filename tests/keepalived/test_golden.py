"""A configuration in; diagnostics and plans out."""

from __future__ import annotations

import pytest

from telamon.keepalived.load import load
from tests.keepalived.goldens import HERE, SEEDS, cases, load_case, outcome, present


@pytest.mark.parametrize("name", cases())
def test_outcome_is_golden(name: str) -> None:
    expected = (HERE / f"{name}.expected").read_text()
    assert outcome(load_case(name)) == expected


@pytest.mark.parametrize("version", [2, 3])
def test_the_users_own_files_load(version: int) -> None:
    loaded = load(str(SEEDS / f"keepalived-v{version}.conf"), examine_script=present)
    assert not loaded.report.failed
    assert loaded.router is not None
    instance = loaded.router.instances[0]
    assert (instance.version, instance.vrid, instance.priority) == (version, 51, 100)
    assert [str(item.address) for item in instance.addresses] == ["192.168.10.99/32"]
    assert instance.preempt is (version == 2)
    codes = {d.code for d in loaded.report}
    assert ("K030" in codes) is (version == 3), "nopreempt with a weight is a trap"
