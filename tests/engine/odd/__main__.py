"""`python -m tests.engine.odd`: many cases, and each difference with its number."""

from __future__ import annotations

import argparse
import sys

from telamon.engine import IoEngine
from tests.engine.odd.run import Difference, run


def shown(one: Difference) -> str:
    case, theirs, ours = one.case, one.theirs, one.ours
    what = ", ".join([case.kind, case.slant, *(["ends"] if case.ends else [])])
    lines = [f"--- case {case.number} ({what}): {one.parts}"]
    lines += [f"  sent     {piece!r}" for piece in case.sends]
    lines += [f"  answer   {answer.pieces!r}{' closes' * answer.closes}" for answer in case.answers]
    for name, outcome in (("haproxy", theirs), ("telamon", ours)):
        lines.append(f"  {name}: {outcome.end}")
        lines.append(f"    client {outcome.client!r}")
        lines += [f"    server {text!r}" for text in outcome.server]
        lines += [f"    log    {text}" for text in outcome.log]
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.engine.odd", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="the number of the first case")
    parser.add_argument("--io", choices=["uring", "epoll"], default="epoll")
    parser.add_argument("--at-once", type=int, default=16)
    words = parser.parse_args()
    numbers = range(words.first, words.first + words.cases)
    found = run(words.seed, numbers, IoEngine(words.io), at_once=words.at_once)
    for one in found:
        print(shown(one))
    print(f"seed {words.seed}: {len(found)} of {words.cases} cases differ")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
