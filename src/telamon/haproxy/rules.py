"""Rules: an action's name, its words, a condition (manual 4.2, `http-request` and its kin)."""

from __future__ import annotations

from telamon.base.diagnostic import nearest
from telamon.base.span import Span
from telamon.haproxy.actions import index, python
from telamon.haproxy.actions.row import Action, At, RuleWords
from telamon.haproxy.keywords.row import Arguments, Context
from telamon.haproxy.keywords.sections import Place
from telamon.haproxy.lexer import Word
from telamon.haproxy.model import Model
from telamon.haproxy.rule_conditions import read_condition
from telamon.haproxy.sample_arguments import Written, split_arguments
from telamon.haproxy.samples import missing
from telamon.haproxy.samples.stages import Stage
from telamon.haproxy.scope import Scope, sides
from telamon.haproxy.scripts import PREFIX
from telamon.haproxy.spots import Mistake
from telamon.plan.rules import Rule

_STAGES = {
    At.CONNECTION: (Stage.TCP_CONNECTION, Stage.TCP_CONNECTION),
    At.SESSION: (Stage.TCP_SESSION, Stage.TCP_SESSION),
    At.CONTENT: (Stage.FRONT_TCP_CONTENT, Stage.BACK_TCP_CONTENT),
    At.TCP_RESPONSE: (Stage.BACK_TCP_RESPONSE, Stage.BACK_TCP_RESPONSE),
    At.REQUEST: (Stage.FRONT_HTTP_REQUEST, Stage.BACK_HTTP_REQUEST),
    At.RESPONSE: (Stage.FRONT_HTTP_RESPONSE, Stage.BACK_HTTP_RESPONSE),
    At.AFTER: (Stage.FRONT_HTTP_RESPONSE, Stage.BACK_HTTP_RESPONSE),
}
_SAID_TO_BE_USELESS = At.HTTP
"""Where HAProxy warns of a rule behind an unconditional final one."""

_WAITING = At.CONTENT | At.REQUEST | At.RESPONSE
"""Rules that can wait for a Python function."""

_RANKS = {
    "tcp-request connection": 0, "tcp-request session": 1, "tcp-request content": 2,
    "monitor fail": 3, "http-request": 4, "redirect": 5, "use_backend": 6, "use-server": 6,
}  # fmt: skip
"""Kinds of rules in the order in which they are evaluated, however they stand in the file."""


def read_rule(args: Arguments, context: Context, at: At) -> None:
    """The rule of a set that the words behind its name write."""
    word = args.word("an action")
    keyword = Word(f"{index.SET_NAMES[at]} {word}", args.keyword.span.to(word.span))
    action, key_at = _action(args, word, at, context.model)
    args.keyword = keyword
    scope = scope_of(context, at, f"'{index.SET_NAMES[at]} {action.name}'", word)
    rule = RuleWords(args, scope, at)
    if action.keyed:
        rule.key = _key(word, key_at, scope)
    for slot in action.slots:
        slot(rule)
    condition = read_condition(args, scope)
    made = Rule(
        action.name, tuple(rule.arguments), tuple(rule.formats), rule.expression, rule.reply,
        condition, place(keyword.span),
    )  # fmt: skip
    add(context, at, made, keyword)


def scope_of(context: Context, at: At, rule: str, word: Word) -> Scope:
    front, back = _STAGES[at]
    stages = tuple(dict.fromkeys(sides(context, front, back) or (back,)))
    return Scope(context, stages, rule, word, waits=at in _WAITING)


def place(span: Span) -> str:
    return f"{span.source.name}:{span.line}"


def _action(args: Arguments, word: Word, at: At, model: Model) -> tuple[Action, int]:
    """The row, and where its parenthesis opens."""
    if word.text.startswith(PREFIX):
        return python.find(args, word, at, model), len(word.text)
    python.refuse_lua(args, word)
    name, parenthesis, _ = word.text.partition("(")
    action = index.find(name, at)
    absent = name in index.ACTIONS_NOT_YET or name in missing.ACTIONS
    if action is not None and not absent and (action.keyed or not parenthesis):
        return action, len(name)
    if absent:
        raise args.not_yet(word, f"{index.SET_NAMES[at]} {name}")
    near = nearest(name, [*index.names(at), *index.ACTIONS_NOT_YET])
    raise args.refuse(
        "H043", f"'{name}' is no action of '{index.SET_NAMES[at]}'", word.span,
        help=f"did you mean '{near}'?" if near else f"one of: {', '.join(index.names(at))}",
    )  # fmt: skip


def _key(word: Word, at: int, scope: Scope) -> list[Written]:
    if at >= len(word.text):
        return []
    try:
        written, end = split_arguments(word.text, at)
        if end < len(word.text):
            raise Mistake(f"'{word.text[end:]}' cannot follow here", end, len(word.text))
    except Mistake as mistake:
        raise scope.mistaken(mistake) from None
    return written


def add(context: Context, at: At, rule: Rule, keyword: Word) -> None:
    """Puts a rule at the end of its set, with what HAProxy says of its place."""
    rules = context.settings.rules
    own = rules.sets.setdefault(index.SETS[at], [])
    if at & _SAID_TO_BE_USELESS and own and index.SET_NAMES[at] in rules.first_words:
        _warn_if_unreachable(context, at, own[-1], keyword)
    own.append(rule)
    note_kind(context, index.SET_NAMES[at], keyword)


def _warn_if_unreachable(context: Context, at: At, last: Rule, keyword: Word) -> None:
    action = index.find(last.action, at)
    if action is not None and action.final and last.condition is None:
        context.report.warning(
            "H107", "this rule is never reached: the one before it always ends the list",
            keyword.span, help=f"give the rule at {last.source_line} a condition, or remove this",
        )  # fmt: skip


def note_kind(context: Context, kind: str, keyword: Word) -> None:
    """Remembers that the section has such rules, and warns if later ones stand before it."""
    firsts = context.settings.rules.first_words
    later = [other for other in firsts if _RANKS.get(other, -1) > _RANKS.get(kind, len(_RANKS))]
    if later:
        first = min(later, key=_RANKS.__getitem__)
        context.report.warning(
            "H108", f"this '{kind}' rule is evaluated before the '{first}' rules above it",
            keyword.span, help=f"put it before line {firsts[first].span.line}",
        )  # fmt: skip
    firsts.setdefault(kind, keyword)


def refuse_in_anonymous_defaults(args: Arguments, context: Context) -> None:
    """Rules are inherited only by name, so that nobody has them by accident (manual 4)."""
    if context.place is not Place.DEFAULTS:
        return
    if not any(d.settings is context.settings for d in context.model.defaults.values()):
        raise args.refuse(
            "H036", f"'{args.keyword}' is not possible in a defaults section without a name",
            args.keyword.span,
            help="name the section, and write `from <name>` in the sections that inherit",
        )  # fmt: skip
