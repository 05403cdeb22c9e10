"""Thousands of generated expressions and conditions, asked of HAProxy 2.6 and of Telamon.

Both get the same file and the same odd requests; values are compared byte for byte, and so is what
each refuses to load. Where we differ on purpose is a row of `REASONS`, told in
docs/compatibility.md. `TELAMON_EXPRESSIONS` is how many are asked, `TELAMON_SEED` repeats a run.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path
from random import Random

import pytest

from telamon.engine import IoEngine
from tests.engine.expressions.contest import (
    DIED,
    Scene,
    answers,
    haproxy,
    refused_by_haproxy,
    refused_by_us,
    scene,
    telamon,
)
from tests.engine.expressions.grammar import REQUEST, RESPONSE, Question, Side, questions

pytestmark = pytest.mark.peer

COUNT = int(os.environ.get("TELAMON_EXPRESSIONS", "1000"))

# What stands in an expression, and why it may be worth something else than in HAProxy 2.6.
_ARITHMETIC = r"(add|sub|mul|div|mod|and|or|xor|cpl|neg|bool)"
_BOOLEAN = (
    r"(_is_local|always_\w+|bool\(\w+\)|odd|even|not|bool|fc_rcvd_proxy|http_first_req|memcmp\(\S+\)"
    r"|var\(req\.b.*\))"
)
_MANY = r"(req\.f?hdr|req\.hdr_\w+|req\.cook|url_param|req\.body_param)"
REASONS = {
    r"hdr_val|cook_val|urlp_val": "no digit check: '+3' is -47, '%zz' is -11",
    r"\b(add|sub)\(": "the sum of two negative numbers is taken for an overflow",
    r"ub64dec": "what stands behind '=' signs is decoded too",
    rf"{_ARITHMETIC}.* -m ip": "booleans as numbers keep their type, which is no address",
    rf"{_BOOLEAN},{_ARITHMETIC}": "the same",
    r" -m int.* -\d": "a negative number as a pattern matches others too",
    r"http_date|[lu]time\(": "years beyond 9999, and strftime(3)'s extensions",
    r",map_(sub|end|dir|dom|reg)": "chance: it looks at a buffer that is used anew",
    r"hdr\([^)]*\d{10,}": "occurrences beyond 32 bits are counted anew",
    r"set-var\(req\.w|var\(req\.b,": "rules of a response cannot set a request's variables",
    r"(req\.cook|url_param|body_param)\b[^,]*,b64dec": "of an empty one the '=' before it is read",
    r"_names\(\)": "an empty delimiter is a NUL, here a comma",
    r"http_auth_bearer": "a header that is missing is an empty token",
    r"capture\.re[qs]\.hdr\(": "slots beyond 32 bits are counted anew",
    r"method,(un)?set-var": "a method in a variable is no string",
    rf'^{{ "{_MANY}.*,.* -m': "a value that a converter does not take ends the look at the others",
}
# What HAProxy 2.6 refuses or takes otherwise when it loads.
LOADS = {
    r"\d{19,}": "numbers beyond 64 bits are cut, here refused",
    r"\b(add|sub|mul|div|mod|and|or|xor)\(\)": "an empty operand is 0, here refused",
}


def _same(theirs: bytes, ours: bytes) -> bool:
    """In HAProxy a value ends at its first NUL."""
    return theirs == ours or (b"%00" in ours and theirs == ours.partition(b"%00")[0])


def _reason(question: Question, rows: dict[str, str]) -> str | None:
    return next((why for what, why in rows.items() if re.search(what, question.shown)), None)


@pytest.mark.parametrize("side", [REQUEST, RESPONSE], ids=["request", "response"])
def test_expressions(side: Side, tmp_path: Path, io: IoEngine) -> None:
    seed = int(os.environ.get("TELAMON_SEED", secrets.randbelow(2**32)))
    print(f"TELAMON_SEED={seed} TELAMON_EXPRESSIONS={COUNT}")
    asked = questions(Random(seed), COUNT, side)
    with scene(side, tmp_path) as the:
        wrong = _differences(asked, the, io)
    assert not wrong, f"{len(wrong)} differences:\n" + "\n".join(wrong[:40])


def _differences(asked: list[Question], the: Scene, io: IoEngine) -> list[str]:
    theirs_refused = refused_by_haproxy(asked, the)
    ours_refused = refused_by_us(asked, the)
    wrong = [
        f"{asked[at].shown}: {'HAProxy' if at in theirs_refused else 'Telamon'} refuses it: "
        f"{theirs_refused.get(at) or ours_refused.get(at)}"
        for at in sorted(set(theirs_refused) ^ set(ours_refused))
        if _reason(asked[at], LOADS) is None
    ]
    taken = [
        question
        for at, question in enumerate(asked)
        if at not in theirs_refused and at not in ours_refused
    ]
    assert len(taken) > len(asked) // 2
    with haproxy(taken, the) as proxy:
        theirs = answers(proxy, len(taken))
    with telamon(taken, the, io) as proxy:
        ours = answers(proxy, len(taken))
    assert theirs.keys() == ours.keys()
    for (at, number), value in theirs.items():
        # What ended HAProxy is one of a handful: nothing is known of them.
        differs = (
            not _same(value, ours[at, number]) and not value.endswith(DIED) and value != b"ANSWER "
        )
        if differs and _reason(taken[at], REASONS) is None:
            wrong.append(
                f"{taken[at].shown}, request {number}: HAProxy {value!r}, "
                f"Telamon {ours[at, number]!r}"
            )
    return wrong
