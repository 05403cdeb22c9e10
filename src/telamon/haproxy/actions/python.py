"""Actions and services that are Python functions: `python.NAME` (docs/python.md).

The rule's `arguments` are the function's name and, for an action whose failure must end the
request, `required`; its formats are the function's arguments.
"""

from __future__ import annotations

from telamon.haproxy import scripts
from telamon.haproxy.actions import slots
from telamon.haproxy.actions.row import Action, At, RuleWords, Slot
from telamon.haproxy.keywords.row import Arguments, Refused
from telamon.haproxy.lexer import Word
from telamon.haproxy.model import Model
from telamon.haproxy.spots import Mistake, part
from telamon.script.registry import Kind, Signature

_SETS = {At.CONTENT: "tcp-request", At.REQUEST: "http-request", At.RESPONSE: "http-response"}
"""Where an action may stand, as scripts say it."""

_ENDS = ("if", "unless")


def find(args: Arguments, word: Word, at: At, model: Model) -> Action:
    """The row of the action that `word` names."""
    signature = _function(args, word, Kind.ACTION, model)
    if at not in _SETS:
        raise args.refuse(
            "H111", f"'{word}' takes time, and this rule cannot wait for it", word.span,
            help="an action can stand in tcp-request content, http-request and http-response",
        )  # fmt: skip
    if _SETS[at] not in signature.at:
        raise args.refuse(
            "H111", f"'{word}' is an action of {' and '.join(signature.at)} rules", word.span,
            help=f"register it with `at={[*signature.at, _SETS[at]]}` if it fits here",
        )  # fmt: skip
    return Action("python", at, "", "", (_name(signature), _arguments(signature)))


def refuse_lua(args: Arguments, word: Word) -> None:
    try:
        scripts.refuse_lua(word.text, 0)
    except Mistake as mistake:
        raise _refused(args, word, mistake) from None


def _function(args: Arguments, word: Word, kind: Kind, model: Model) -> Signature:
    try:
        return scripts.find(kind, word.text, model)
    except Mistake as mistake:
        raise _refused(args, word, mistake) from None


def _refused(args: Arguments, word: Word, mistake: Mistake) -> Refused:
    span = part(word, mistake.start, mistake.end)
    return args.refuse(mistake.code, str(mistake), span, help=mistake.help)


def _name(signature: Signature) -> Slot:
    def read(rule: RuleWords) -> None:
        rule.arguments += [signature.name, "required" if signature.must_succeed else None]

    return read


def _arguments(signature: Signature) -> Slot:
    def read(rule: RuleWords) -> None:
        for name in signature.required:
            word = rule.args.peek()
            if word is None or word.text in _ENDS:
                raise rule.args.refuse(
                    "H040", f"'{rule.args.keyword}' needs its argument '{name}'",
                    word.span if word is not None else None,
                )  # fmt: skip
            slots.format(f"'{name}'")(rule)
        most = None if signature.more else len(signature.required) + len(signature.optional)
        while (word := rule.args.peek()) is not None and word.text not in _ENDS:
            if len(rule.formats) == most:
                raise rule.args.refuse(
                    "H041", f"'{rule.args.keyword}' takes at most {most} argument(s)", word.span
                )
            slots.format("an argument")(rule)

    return read


def service(rule: RuleWords) -> None:
    """The slot of `use-service`: a Python function. Others are HAProxy's, in Lua or its own."""
    word = rule.args.word("a service")
    refuse_lua(rule.args, word)
    if not word.text.startswith(scripts.PREFIX) or rule.at is not At.REQUEST:
        raise rule.args.not_yet(word, f"{rule.args.keyword} {word}")
    rule.arguments.append(_function(rule.args, word, Kind.SERVICE, rule.scope.context.model).name)
