"""Sets of threads, as `bind ... thread` names them (manual 5.1)."""

from __future__ import annotations

import re

from telamon.haproxy.keywords.row import Arguments

MOST = 64
"""Threads that can be named (and of which HAProxy's only group has any)."""
ALL = (1 << MOST) - 1
_WORDS = {"all": ALL, "odd": ALL // 3, "even": ALL // 3 * 2}
_RANGE = re.compile(r"(\d{1,4})(?:(-)(\d{1,4})?)?", re.ASCII)


def thread_set(args: Arguments) -> int:
    """Bit n stands for thread n + 1."""
    word = args.word("threads")
    group, slash, text = word.text.rpartition("/")
    if slash and group != "1":
        raise args.refuse("H042", f"there is no thread group '{group}'", word.span,
                          help="all threads are in group 1")  # fmt: skip
    if text in _WORDS:
        return _WORDS[text]
    found = _RANGE.fullmatch(text)
    if found is None:
        raise args.refuse("H042", f"'{text}' is no set of threads", word.span,
                          help="all, odd, even, a number, or two with '-' between")  # fmt: skip
    first = int(found[1])
    last = int(found[3]) if found[3] else MOST if found[2] else first
    low, high = sorted((first, last))
    if low < 1 or high > MOST:
        raise args.refuse("H042", f"threads have the numbers 1 to {MOST}", word.span)
    return (1 << high) - (1 << (low - 1))
