"""Two routers that sign (`auth_hmac`), with real clocks on a real wire."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from telamon.plan.router import Authentication, AuthKind, HmacKey, RouterPlan
from tests.interop.lan import Lan, Program, eventually, lan
from tests.interop.setups import Setup

pytestmark = pytest.mark.netns


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Lan]:
    with lan(tmp_path, 2) as made:
        yield made


def signed(priority: int, secret: bytes = b"s" * 32) -> RouterPlan:
    plan = Setup(priority).plan()
    auth = Authentication(AuthKind.HMAC, keys=(HmacKey(1, secret, active=True),))
    return replace(plan, instances=(replace(plan.instances[0], authentication=auth),))


def test_a_signed_pair_elects_and_hands_over(two: Lan) -> None:
    ours, other = two.nodes
    wire = two.wire()
    program = ours.telamon(signed(200))
    two.master(ours)
    backup = other.telamon(signed(100))
    eventually(lambda: len(wire.adverts(ours)) > 10, "ten adverts")
    eventually(lambda: "Entering BACKUP" in backup.text(), "the backup")
    assert not wire.adverts(other)
    (length,) = {len(frame.vrrp) for frame in wire.adverts(ours)}
    assert length == 8 + 4 + 28
    program.stop()
    two.master(other)
    assert "[signature]" not in backup.text()
    assert "[replay]" not in backup.text()


def test_another_key_is_named_on_both_nodes(two: Lan) -> None:
    programs = [
        node.telamon(signed(100, secret))
        for node, secret in zip(two.nodes, (b"a" * 32, b"b" * 32), strict=True)
    ]
    for program in programs:
        eventually(partial(_names_the_signature, program), "the notice")


def _names_the_signature(program: Program) -> bool:
    return "[signature]" in program.text()
