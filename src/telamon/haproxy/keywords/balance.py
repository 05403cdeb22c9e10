"""`balance` and `hash-type` with their companions (manual 4.2): what picks a server.

Each algorithm is a row of `_ALGORITHMS`. HAProxy passes over words after most of them; here every
word that has no meaning is refused, but for the wait of `check_post`, which older files have.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from telamon.haproxy.expressions import read_expression
from telamon.haproxy.keywords.row import Arguments, Context, Keyword, one_of
from telamon.haproxy.keywords.sections import Place
from telamon.haproxy.lexer import Word
from telamon.haproxy.samples.stages import Stage
from telamon.haproxy.scope import Scope
from telamon.plan.balance import Algorithm, BalanceKey, HashAffinity, HashFunction, HashMethod

MAX_DRAWS = 65535
_MAX = 2**31 - 1
_SHAPE = re.compile(r"([\w-]+)(?:\((.*)\))?")
_IN_PARENTHESES = frozenset({"hdr", "random", "rdp-cookie"})
_FOR_LOGS = frozenset({"log-hash", "sticky"})


def _balance(args: Arguments, context: Context) -> None:
    settings = context.settings
    word = args.optional()
    settings.balance_word = word
    settings.key = BalanceKey()
    if word is None:  # HAProxy's own default
        settings.algorithm = Algorithm.ROUNDROBIN
        return
    shape = _SHAPE.fullmatch(word.text)
    name, inner = (shape[1], shape[2]) if shape else (word.text.partition("(")[0], None)
    if name in _FOR_LOGS:
        raise args.refuse(
            "H043", f"'balance {name}' is for backends in mode log", word.span,
            help="mode log is known to HAProxy, not yet to Telamon",
        )  # fmt: skip
    if name not in _ALGORITHMS or (inner is not None and name not in _IN_PARENTHESES):
        raise args.refuse(
            "H043", f"'{word}' is not a balancing algorithm", word.span,
            help=one_of(word.text, _ALGORITHMS),
        )  # fmt: skip
    if shape is None:
        raise args.refuse("H042", f"'{word}' lacks its ')'", word.span, help=f"{name}(<name>)")
    settings.algorithm = Algorithm(name)
    _ALGORITHMS[name](args, context, word, inner)
    args.end()


Carry = Callable[[Arguments, Context, Word, str | None], None]


def _plain(args: Arguments, context: Context, word: Word, inner: str | None) -> None:
    """An algorithm that asks for nothing."""


def _random(args: Arguments, context: Context, word: Word, inner: str | None) -> None:
    settings = context.settings
    digits = inner or "2"
    if not (digits.isascii() and digits.isdigit() and 1 <= int(digits) <= MAX_DRAWS):
        raise args.refuse("H042", f"random takes 1 to {MAX_DRAWS} draws", word.span)
    settings.random_draws = int(digits)


def _uri(args: Arguments, context: Context, word: Word, inner: str | None) -> None:
    settings = context.settings
    while (option := args.optional()) is not None:
        match option.text:
            case "len":
                settings.key = replace(settings.key, length=args.integer("a length", 1, _MAX))
            case "depth":
                settings.key = replace(settings.key, depth=args.integer("a depth", 1, _MAX))
            case "whole":
                settings.key = replace(settings.key, whole=True)
            case "path-only":
                settings.key = replace(settings.key, path_only=True)
            case _:
                raise args.refuse(
                    "H043", f"'{option}' is not an option of 'balance uri'", option.span,
                    help=one_of(option.text, ("len", "depth", "whole", "path-only")),
                )  # fmt: skip


def _url_param(args: Arguments, context: Context, word: Word, inner: str | None) -> None:
    settings = context.settings
    settings.key = BalanceKey(name=args.word("a parameter's name").text)
    if _modifier(args, "check_post"):
        settings.key = replace(settings.key, check_post=True)
        args.optional()  # <max_wait>, without meaning since HAProxy 1.6


def _hdr(args: Arguments, context: Context, word: Word, inner: str | None) -> None:
    settings = context.settings
    if not inner:
        raise args.refuse(
            "H042", "'balance hdr' needs a header's name", word.span, help="as in hdr(host)"
        )
    settings.key = BalanceKey(name=inner, domain_only=_modifier(args, "use_domain_only"))


def _rdp_cookie(args: Arguments, context: Context, word: Word, inner: str | None) -> None:
    settings = context.settings
    if inner == "":
        raise args.refuse(
            "H042", "'balance rdp-cookie()' lacks the cookie's name", word.span,
            help="without parentheses it is mstshash",
        )  # fmt: skip
    settings.key = BalanceKey(name=inner or "mstshash")


def _hash(args: Arguments, context: Context, word: Word, inner: str | None) -> None:
    scope = Scope(context, (Stage.USE_SERVER,), "'balance hash'", word)
    expression = read_expression(args, scope).expression
    context.settings.key = BalanceKey(expression=expression)


def _modifier(args: Arguments, name: str) -> bool:
    """Whether the only word that may stand here does."""
    word = args.optional()
    if word is not None and word.text != name:
        raise args.refuse(
            "H043", f"'{word}' is not an option here", word.span, help=f"{name}, or nothing"
        )
    return word is not None


_ALGORITHMS: dict[str, Carry] = {
    "roundrobin": _plain,
    "static-rr": _plain,
    "leastconn": _plain,
    "first": _plain,
    "source": _plain,
    "random": _random,
    "uri": _uri,
    "url_param": _url_param,
    "hdr": _hdr,
    "rdp-cookie": _rdp_cookie,
    "hash": _hash,
}


def _hash_type(args: Arguments, context: Context) -> None:
    settings = context.settings
    word = args.peek()
    if word is not None and word.text == "avalanche":
        raise args.refuse(
            "H035", "'hash-type avalanche' was removed in HAProxy 1.5", word.span,
            help="write `hash-type map-based sdbm avalanche`",
        )  # fmt: skip
    method = args.choice("a way to hash", {method.value: method for method in HashMethod})
    function, avalanche = HashFunction.SDBM, method is HashMethod.CONSISTENT
    if args.peek() is not None:
        function = args.choice("a hash function", {name.value: name for name in HashFunction})
        avalanche = _modifier(args, "avalanche")
    args.end()
    settings.hashing = replace(
        settings.hashing, method=method, function=function, avalanche=avalanche
    )


def _balance_factor(args: Arguments, context: Context) -> None:
    word = args.peek()
    factor = args.integer("a percentage", 0, _MAX)
    if 0 < factor <= 100:
        raise args.refuse(
            "H042", "'hash-balance-factor' is 0 (none) or more than 100",
            word.span if word else None, help="as in 150: half as much again as the average",
        )  # fmt: skip
    args.end()
    context.settings.hashing = replace(context.settings.hashing, balance_factor=factor)


def _preserve_affinity(args: Arguments, context: Context) -> None:
    choices = {choice.value: choice for choice in HashAffinity}
    affinity = args.choice("a limit of affinity", choices)
    args.end()
    context.settings.hashing = replace(context.settings.hashing, affinity=affinity)


KEYWORDS = (
    Keyword(
        "balance", Place.ANY_BACK, "<algorithm> [<arguments>]",
        "roundrobin, static-rr, leastconn, first, source, random[(<draws>)], uri, url_param, "
        "hdr(<name>), rdp-cookie[(<name>)] or hash <expression>.",
        _balance,
    ),
    Keyword(
        "hash-balance-factor", Place.ANY_BACK, "<percentage>",
        "The most load of a server on a ring, against the average.", _balance_factor,
    ),
    Keyword(
        "hash-preserve-affinity", Place.ANY_BACK, "always|maxconn|maxqueue",
        "Until when a key keeps to its server.", _preserve_affinity, since="3.2",
    ),
    Keyword(
        "hash-type", Place.ANY_BACK, "map-based|consistent [<function> [avalanche]]",
        "How a key leads to a server; functions: sdbm, djb2, wt6, crc32, none.", _hash_type,
    ),
)  # fmt: skip
