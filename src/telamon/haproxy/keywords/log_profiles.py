"""`log-profile` sections and `log-steps`: when lines are written, and how they differ by target
(manual of 3.1 and later, 8.3.5 and 4.2)."""

from __future__ import annotations

from telamon.haproxy.formats import read_format
from telamon.haproxy.keywords.row import Arguments, Context, Keyword
from telamon.haproxy.keywords.sections import Place
from telamon.haproxy.lexer import Word
from telamon.haproxy.samples.stages import Stage
from telamon.haproxy.scope import Scope
from telamon.plan.process import LogRule, LogStep
from telamon.plan.rules import Format

_STEPS = {step.value: step for step in LogStep}
_RULE_STEPS = frozenset(
    {"tcp-req-conn", "tcp-req-sess", "tcp-req-cont", "tcp-res-cont", "http-req", "http-res",
     "http-after-res"}
)  # fmt: skip
"""Steps of `do-log` rules."""
_OF_STREAMS = tuple(step for step in LogStep if step not in (LogStep.ERROR, LogStep.ANY))


def _on(args: Arguments, context: Context) -> None:
    """`on <step> [drop] [format <fmt>] [sd <fmt>]`."""
    if (word := args.peek()) is not None and word.text in _RULE_STEPS:
        raise args.not_yet(word, f"on {word} (a step of do-log rules)")
    step = args.choice("a step", _STEPS)
    drop = args.follows("drop")
    line = _format(args, context) if args.follows("format") else None
    structured = _format(args, context) if args.follows("sd") else None
    args.end()
    rules = context.named_profile.rules
    if any(rule.step is step for rule in rules):
        raise args.refuse("H071", f"a second rule for '{step}'", args.keyword.span)
    rules.append(LogRule(step, drop, line, structured))


def _format(args: Arguments, context: Context) -> Format:
    word = args.word("a format")
    return read_format(word, Scope(context, (Stage.LOG,), "'on'", word), merge_blanks=True)


def _log_steps(args: Arguments, context: Context) -> None:
    """Steps with commas between them, or `all`."""
    steps: list[LogStep] = []
    for word in [args.word("steps"), *args.rest()]:
        for name in word.text.split(","):
            steps += _steps(args, word, name)
    context.settings.log_steps = tuple(step for step in _OF_STREAMS if step in steps)


def _steps(args: Arguments, word: Word, name: str) -> tuple[LogStep, ...]:
    if name == "all":
        return _OF_STREAMS
    step = _STEPS.get(name)
    if step not in _OF_STREAMS:
        raise args.refuse(
            "H042", f"'{name}' is no step of a stream", word.span,
            help=f"one of {', '.join(_OF_STREAMS)}, or all",
        )  # fmt: skip
    return (step,)


KEYWORDS = (
    Keyword("on", Place.PROFILE, "<step> [drop] [format <fmt>] [sd <fmt>]",
            "What lines of a step say to targets with this profile.", _on, since="3.1"),
    Keyword("log-steps", Place.ANY_FRONT, "<step>,... | all",
            "When log lines are written.", _log_steps, since="3.1"),
)  # fmt: skip
