"""`http-request`, `http-response`, `http-after-response`, `redirect`, `http-error` (manual 4.2)."""

from __future__ import annotations

from telamon.haproxy.actions.index import SET_NAMES
from telamon.haproxy.actions.redirects import read_redirect
from telamon.haproxy.actions.row import At, RuleWords
from telamon.haproxy.keywords.http_errors import STATUSES
from telamon.haproxy.keywords.row import Arguments, Carry, Context, Keyword
from telamon.haproxy.keywords.sections import Place
from telamon.haproxy.replies import read_reply
from telamon.haproxy.rule_conditions import read_condition
from telamon.haproxy.rules import (
    note_kind,
    place,
    read_rule,
    refuse_in_anonymous_defaults,
    scope_of,
)
from telamon.plan.http import ErrorReply
from telamon.plan.rules import Rule


def _rules(at: At) -> Carry:
    def carry(args: Arguments, context: Context) -> None:
        refuse_in_anonymous_defaults(args, context)
        read_rule(args, context, at)

    return carry


def _redirect(args: Arguments, context: Context) -> None:
    scope = scope_of(context, At.REQUEST, "'redirect'", args.keyword)
    rule = RuleWords(args, scope, At.REQUEST)
    read_redirect(rule)
    condition = read_condition(args, scope)
    made = Rule(
        "redirect", tuple(rule.arguments), tuple(rule.formats), condition=condition,
        source_line=place(args.keyword.span),
    )  # fmt: skip
    context.settings.rules.sets.setdefault("redirects", []).append(made)
    note_kind(context, "redirect", args.keyword)


def _http_error(args: Arguments, context: Context) -> None:
    status = args.peek()
    args.choice("the status that is replaced", {"status": True})
    code = args.choice("a status that can be replaced", {str(s): s for s in STATUSES})
    assert status is not None
    scope = scope_of(context, At.RESPONSE, "'http-error'", args.keyword).within(()).within_haste()
    reply = read_reply(args, scope, code, errors=True)
    args.end()
    context.settings.http.errors.append(ErrorReply(code, reply))


_ALL = Place.ANY_PROXY
KEYWORDS = (
    *(
        Keyword(SET_NAMES[at], _ALL, "<action> [{if|unless} <condition>]", doc, _rules(at))
        for at, doc in (
            (At.REQUEST, "What is done with requests; see `haproxy-expressions.md`."),
            (At.RESPONSE, "What is done with servers' responses."),
            (At.AFTER, "What is done with all responses, the proxy's own too."),
        )
    ),
    Keyword("http-error", _ALL, "status <code> [<reply>]", "An answer in place of an error.",
            _http_error),
    Keyword("redirect", Place.PROXY, "{location|prefix|scheme} <to> [<option> ...] "
            "[{if|unless} <condition>]", "Send clients elsewhere; after `http-request`.",
            _redirect),
)  # fmt: skip
