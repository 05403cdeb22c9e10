"""Keywords of proxies that fit no other family (manual 4.2)."""

from __future__ import annotations

from collections.abc import Callable

from telamon.haproxy.keywords import values
from telamon.haproxy.keywords.row import Arguments, Context, Keyword
from telamon.haproxy.keywords.sections import Place
from telamon.plan.proxy import Mode

_MODES_NOT_YET = frozenset({"log", "spop", "haterm"})


def _mode(args: Arguments, context: Context) -> None:
    word = args.word("'tcp' or 'http'")
    if word.text in _MODES_NOT_YET:
        raise args.not_yet(word, f"mode {word}")
    if word.text == "health":
        raise args.refuse(
            "H035", "'mode health' was removed in HAProxy 2.2", word.span,
            help="use 'mode http' with a stats page",
        )  # fmt: skip
    args_choice = {mode.value: mode for mode in Mode}
    if word.text not in args_choice:
        raise args.refuse("H043", f"'{word}' is not a mode", word.span, help="tcp or http")
    args.end()
    context.settings.mode, context.settings.mode_word = args_choice[word.text], word


def _number(field: str, low: int) -> Callable[[Arguments, Context], None]:
    def carry(args: Arguments, context: Context) -> None:
        value = args.integer("a number", low, values.MAX_ID)
        args.end()
        setattr(context.settings, field, value)

    return carry


def _probes(args: Arguments, context: Context) -> None:
    """`clitcpka-cnt` and its like. Times are seconds unless a unit is written (manual 4.2)."""
    name = args.keyword.text
    value = args.integer("a number", 1, 127) if name.endswith("-cnt") else args.time(unit="s")
    args.end()
    context.settings.keepalive[name] = value


def _source(args: Arguments, context: Context) -> None:
    source = values.source(args)
    args.end()
    context.settings.source = source


def _id(args: Arguments, context: Context) -> None:
    proxy = context.named_proxy
    proxy.id_word = args.peek()
    proxy.id = args.integer("a number", 1, values.MAX_ID)
    args.end()


def _default_backend(args: Arguments, context: Context) -> None:
    word = args.word("a backend's name")
    args.end()
    context.settings.default_backend = word


def _description(args: Arguments, context: Context) -> None:
    words = [args.word("a text"), *args.rest()]
    context.settings.description = " ".join(word.text for word in words)


def _disabled(args: Arguments, context: Context) -> None:
    args.end()
    context.settings.disabled = args.keyword.text == "disabled"


def _transparent(args: Arguments, context: Context) -> None:
    """HAProxy 1.x's short form of `option transparent`; what it does is decided in `checks.py`."""
    args.end()
    context.settings.transparent = None if args.negated else args.keyword


KEYWORDS = (
    *(
        Keyword(f"{side}tcpka-{name}", places, grammar, doc, _probes)
        for side, places in (("cli", Place.ANY_FRONT), ("srv", Place.ANY_BACK))
        for name, grammar, doc in (
            ("cnt", "<count>", "Unanswered keep-alive probes until a connection is given up."),
            ("idle", "<time>", "Silence before the first keep-alive probe."),
            ("intvl", "<time>", "Time between keep-alive probes."),
        )
    ),
    Keyword("backlog", Place.ANY_FRONT, "<conns>", "The listen queue's length.",
            _number("backlog", 0)),
    Keyword("default_backend", Place.ANY_FRONT, "<backend>", "Where connections go.",
            _default_backend),
    Keyword("description", Place.PROXY, "<text>", "Shown on the stats page.", _description),
    Keyword("disabled", Place.ANY_PROXY, "", "Do not start this proxy.", _disabled),
    Keyword("enabled", Place.ANY_PROXY, "", "Undoes `disabled`.", _disabled),
    Keyword("fullconn", Place.ANY_BACK, "<conns>", "The load that `minconn` counts as full.",
            _number("fullconn", 0)),
    Keyword("id", Place.PROXY, "<value>", "The proxy's number.", _id),
    Keyword("maxconn", Place.ANY_FRONT, "<conns>", "Most connections at a time.",
            _number("maxconn", 0)),
    Keyword("mode", Place.ANY_PROXY, "tcp|http", "What the traffic is.", _mode),
    Keyword("retries", Place.ANY_BACK, "<value>", "Connects after the first that failed.",
            _number("retries", 0)),
    Keyword("source", Place.ANY_BACK, "<addr>[:<port>]", "The address that servers see.",
            _source),
    Keyword("transparent", Place.ANY_BACK, "", "Old form of `option transparent`.",
            _transparent, negatable=True),
)  # fmt: skip
