"""A small model check: two routers, and every short story of splits and pauses.

The simulation tries what Hypothesis thinks of; this tries all stories of a few rounds. In each
round all is well, or the LAN is split, or one of the nodes is paused. Then the LAN is well again,
and the elections must end the one way they should.
"""

from __future__ import annotations

from itertools import product

import pytest

from telamon.testing.lan import Lan
from tests.vrrp.support import VIP, lan_of

ROUNDS = 4
CHOICES = ("well", "split", "pause n1", "pause n2")


@pytest.mark.parametrize("preempt", [True, False])
@pytest.mark.parametrize("version", [2, 3])
def test_every_story_of_two_routers_ends_well(version: int, preempt: bool) -> None:
    for story in product(CHOICES, repeat=ROUNDS):
        lan = lan_of(150, 100, version=version, preempt=preempt)
        lan.run(3.5)
        for chapter in story:
            play(lan, chapter)
        lan.run(10)
        masters = lan.masters("VI")
        assert len(masters) == 1, story
        assert lan.holders(VIP) == masters, story
        if preempt:
            assert masters == ["n1"], story


def play(lan: Lan, chapter: str) -> None:
    """One round is longer than a down interval, so that each can cost the mastership."""
    if chapter == "split":
        lan.partition(["n1"], ["n2"])
        lan.run(3.7)
        lan.heal()
    elif chapter.startswith("pause"):
        node = lan.nodes[chapter.split()[1]]
        node.pause()
        lan.run(3.7)
        node.resume()
    else:
        lan.run(1.3)
