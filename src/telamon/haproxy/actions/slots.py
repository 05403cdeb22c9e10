"""The slots of actions: each reads one thing and puts it into the rule."""

from __future__ import annotations

from collections.abc import Iterable

from telamon.base.units import UnitError, parse_size
from telamon.haproxy.actions.row import RuleWords, Slot
from telamon.haproxy.expressions import read_expression
from telamon.haproxy.formats import read_format
from telamon.haproxy.keywords.row import Refused
from telamon.haproxy.regexes import regex_mistake
from telamon.haproxy.sample_arguments import CONDITIONS, Written, check_variable
from telamon.haproxy.samples.stages import Stage
from telamon.haproxy.samples.types import Type, castable


def text(what: str) -> Slot:
    def read(rule: RuleWords) -> None:
        word = rule.args.word(what)
        if not word.text:
            raise rule.args.refuse("H042", f"{what} cannot be empty", word.span)
        rule.arguments.append(word.text)

    return read


def format(what: str) -> Slot:
    def read(rule: RuleWords) -> None:
        word = rule.args.word(what)
        if not word.text:
            raise rule.args.refuse(
                "H040", f"'{rule.args.keyword}' needs {what}", word.span,
                help="it cannot be empty; `%[str()]` is an empty value",
            )  # fmt: skip
        rule.formats.append(read_format(word, rule.scope))

    return read


def expression(output: Type = Type.ANY, stages: tuple[Stage, ...] | None = None) -> Slot:
    """A sample expression whose value can become `output`; `stages` in place of the rule's own."""

    def read(rule: RuleWords) -> None:
        scope = rule.scope if stages is None else rule.scope.within((*rule.scope.stages, *stages))
        start = rule.args.peek()
        sampled = read_expression(rule.args, scope)
        if not castable(sampled.output, output) and start is not None:
            raise rule.args.refuse(
                "H102", f"'{rule.args.keyword}' cannot use what '{start}' gives", start.span,
                help=f"it wants a value of type {output}",
            )  # fmt: skip
        rule.expression = sampled.expression

    return read


def number(what: str, low: int, high: int) -> Slot:
    def read(rule: RuleWords) -> None:
        rule.arguments.append(rule.args.integer(what, low, high))

    return read


def read_bits(rule: RuleWords, what: str, high: int) -> int:
    """A number, decimal or hexadecimal (`0x10`), up to `high`."""
    word = rule.args.word(what)
    try:
        value = int(word.text, 16 if word.text.lower().startswith("0x") else 10)
    except ValueError:
        value = -1
    if not 0 <= value <= high:
        raise rule.args.refuse(
            "H042", f"'{word}' is not {what}", word.span, help=f"0 to {high}, or 0x0 to {high:#x}"
        )
    return value


def choice(what: str, words: Iterable[str]) -> Slot:
    known = {word: word for word in words}

    def read(rule: RuleWords) -> None:
        rule.arguments.append(rule.args.choice(what, known))

    return read


def option(word: str) -> Slot:
    """A word that may be left out: itself, or None."""

    def read(rule: RuleWords) -> None:
        rule.arguments.append(word if taken(rule, word) else None)

    return read


def option_text(word: str, what: str) -> Slot:
    """A word and a value behind it, or None."""

    def read(rule: RuleWords) -> None:
        rule.arguments.append(rule.args.word(what).text if taken(rule, word) else None)

    return read


def taken(rule: RuleWords, word: str) -> bool:
    following = rule.args.peek()
    if following is None or following.text != word:
        return False
    rule.args.optional()
    return True


def wait_times(rule: RuleWords) -> None:
    """`time <time> [at-least <size>]`: two arguments, milliseconds and bytes."""
    rule.args.choice("the word of the longest wait", {"time": True})
    rule.arguments.append(rule.args.time())
    least = 0
    if taken(rule, "at-least"):
        word = rule.args.word("a size")
        try:
            least = parse_size(word.text)
        except UnitError as error:
            raise rule.args.refuse("H042", f"'{rule.args.keyword}': {error}", word.span) from None
    rule.arguments.append(least)


# What stands in parentheses.


def _keys(rule: RuleWords, what: str, most: int = 1) -> list[Written]:
    if not rule.key or len(rule.key) > most or not rule.key[0].text:
        raise rule.args.refuse(
            "H040", f"'{rule.args.keyword}' needs {what} in parentheses", rule.scope.word.span
        )
    return rule.key


def _refused(rule: RuleWords, written: Written, message: str) -> Refused:
    span = rule.scope.spot(written.start, written.end)
    return rule.args.refuse("H042", message, span)


def variable(rule: RuleWords) -> None:
    [name] = _keys(rule, "a variable's name")
    rule.arguments.append(_variable(rule, name))


def variable_and_conditions(rule: RuleWords) -> None:
    """`(name[,condition...])`: the name, then each condition."""
    name, *conditions = _keys(rule, "a variable's name", most=9)
    rule.arguments.append(_variable(rule, name))
    for condition in conditions:
        if condition.text not in CONDITIONS:
            raise _refused(
                rule, condition, f"'{condition.text}' is none of {', '.join(CONDITIONS)}"
            )
        rule.arguments.append(condition.text)


def _variable(rule: RuleWords, written: Written) -> str:
    try:
        return check_variable(written.text)
    except ValueError as error:
        raise _refused(rule, written, str(error)) from None


def regex(what: str = "a regular expression") -> Slot:
    def read(rule: RuleWords) -> None:
        word = rule.args.word(what)
        wrong = regex_mistake(word.text)
        if wrong:
            raise rule.args.refuse("H106", f"'{word}' is no regular expression: {wrong}", word.span)
        rule.arguments.append(word.text)

    return read
