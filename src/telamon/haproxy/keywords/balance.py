"""`balance` (manual 4.2): the algorithm that picks a server."""

from __future__ import annotations

import re

from telamon.haproxy.keywords.row import Arguments, Context, Keyword, one_of
from telamon.haproxy.keywords.sections import Place
from telamon.plan.proxy import Algorithm

NOT_YET = frozenset({"uri", "url_param", "hdr", "hash", "rdp-cookie", "log-hash", "sticky"})
_RANDOM = re.compile(r"random(?:\((\d*)\))?")
MAX_DRAWS = 65535


def _balance(args: Arguments, context: Context) -> None:
    settings = context.settings
    word = args.optional()
    if word is None:  # HAProxy's own default
        settings.algorithm = Algorithm.ROUNDROBIN
        return
    if (random := _RANDOM.fullmatch(word.text)) is not None:
        draws = int(random[1] or 2)
        if not 1 <= draws <= MAX_DRAWS:
            raise args.refuse("H042", f"random takes 1 to {MAX_DRAWS} draws", word.span)
        settings.algorithm, settings.random_draws = Algorithm.RANDOM, draws
    elif word.text in {algorithm.value for algorithm in Algorithm}:
        settings.algorithm = Algorithm(word.text)
    elif word.text.partition("(")[0] in NOT_YET:
        raise args.not_yet(word, f"balance {word}")
    else:
        raise args.refuse(
            "H043", f"'{word}' is not a balancing algorithm", word.span,
            help=one_of(word.text, [*Algorithm, *NOT_YET]),
        )  # fmt: skip
    args.end()


KEYWORDS = (
    Keyword(
        "balance", Place.ANY_BACK, "<algorithm>",
        "roundrobin, static-rr, leastconn, first, source or random[(<draws>)].", _balance,
    ),
)  # fmt: skip
