"""Plays cases with both balancers and gathers what differs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from telamon.engine import IoEngine
from tests.engine.odd.arena import Balancer, Outcome, settled
from tests.engine.odd.grammar import Case, make
from tests.engine.odd.verdict import differs


@dataclass(frozen=True)
class Difference:
    case: Case
    parts: list[str]
    theirs: Outcome
    ours: Outcome


async def fight(case: Case, theirs: Balancer, ours: Balancer) -> Difference | None:
    outcomes = list(await asyncio.gather(theirs.play(case), ours.play(case)))
    await settled(outcomes)
    theirs.part(outcomes[0])
    ours.part(outcomes[1])
    parts = differs(case, *outcomes)
    return Difference(case, parts, *outcomes) if parts else None


async def fight_all(
    cases: Iterable[Case], theirs: Balancer, ours: Balancer, at_once: int
) -> list[Difference]:
    """At most `at_once` at a time. What differs is played again, by twos: on a busy machine a
    timeout may strike before an answer, and that is no difference."""
    found: list[Difference] = []
    todo = iter(cases)

    async def worker() -> None:
        for case in todo:
            if one := await fight(case, theirs, ours):
                found.append(one)

    async with theirs.open(), ours.open():
        await asyncio.gather(*(worker() for _ in range(at_once)))
        suspects = iter(found)
        stable = []

        async def doubter() -> None:
            for one in suspects:
                again: Difference | None = one
                for _ in range(2):
                    again = again and await fight(one.case, theirs, ours)
                if again:
                    stable.append(again)

        await asyncio.gather(*(doubter() for _ in range(2)))
    return sorted(stable, key=lambda one: one.case.number)


def run(seed: int, numbers: range, io: IoEngine, at_once: int = 16) -> list[Difference]:
    theirs, ours = Balancer("haproxy"), Balancer("telamon")
    try:
        with theirs.haproxy(), ours.telamon(io):
            cases = (make(seed, number) for number in numbers)
            return asyncio.run(fight_all(cases, theirs, ours, at_once))
    finally:
        theirs.close()
        ours.close()
