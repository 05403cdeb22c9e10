"""Sample expressions: a fetch, and converters behind commas (manual 7.3).

    fetch[(arguments)][,converter[(arguments)]]...

An expression is part of a word (a log format), a word, or a word and converters in the words that
follow it: `src lower,length`, as in old files. Its types are checked as HAProxy checks them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from telamon.base.diagnostic import nearest
from telamon.base.frozen import frozen
from telamon.haproxy import scripts
from telamon.haproxy.keywords.row import Arguments
from telamon.haproxy.sample_arguments import Written, convert, split_arguments
from telamon.haproxy.samples import index, missing
from telamon.haproxy.samples.index import Criterion
from telamon.haproxy.samples.row import Converter, Fetch, Parameter
from telamon.haproxy.samples.stages import possible
from telamon.haproxy.samples.types import Type, castable
from telamon.haproxy.scope import MISSING_FEATURE, Scope
from telamon.haproxy.spots import Mistake
from telamon.plan.rules import Argument, Call, Expression

_NAME = re.compile(r"[A-Za-z0-9_.+:-]*")


@frozen
class Sampled:
    """An expression, the type of what it gives, and where it ends in its text. `criterion`: what an
    ACL's keyword says of the match."""

    expression: Expression
    output: Type
    end: int
    criterion: Criterion | None = None


def read_expression(args: Arguments, scope: Scope, what: str = "a sample expression") -> Sampled:
    """An expression in the next word, and in those after it that begin with a converter."""
    word = args.word(what)
    sampled = read_text(scope.on(word), 0)
    if sampled.end < len(word.text):
        raise scope.on(word).mistaken(_left_over(word.text, sampled.end))
    while (following := args.peek()) is not None and _is_converter(following.text):
        args.optional()
        scope = scope.on(following)
        sampled = _continued(sampled, scope)
    return sampled


def _left_over(text: str, at: int) -> Mistake:
    return Mistake(
        f"'{text[at:]}' cannot follow here", at, len(text), help="a comma goes before a converter"
    )


def _is_converter(text: str) -> bool:
    match = _NAME.match(text)
    return match is not None and (
        match[0] in index.CONVERTER
        or match[0] in index.CONVERTERS_NOT_YET
        or match[0].startswith(scripts.PREFIX)
    )


def _continued(sampled: Sampled, scope: Scope) -> Sampled:
    reader = _Reader(scope, 0, closing="")
    try:
        converters, output = reader.converters(sampled.output)
        if reader.at < len(scope.word.text):
            raise _left_over(scope.word.text, reader.at)
    except Mistake as mistake:
        raise scope.mistaken(mistake) from None
    expression = sampled.expression
    return Sampled(
        Expression(expression.fetch, (*expression.converters, *converters)), output, reader.at
    )


def read_text(scope: Scope, at: int, closing: str = "") -> Sampled:
    """An expression that begins at `at` of the scope's word and ends before `closing`."""
    try:
        return read_sample(scope, at, closing)
    except Mistake as mistake:
        raise scope.mistaken(mistake) from None


def read_sample(scope: Scope, at: int, closing: str = "", *, criteria: bool = False) -> Sampled:
    """The same, with a Mistake for what is wrong; `criteria`: keywords of ACLs count too."""
    reader = _Reader(scope, at, closing)
    fetch, row, criterion = reader.fetch(index.CRITERIA if criteria else {})
    converters: tuple[Call, ...] = ()
    output = row.output
    if reader.comma():
        converters, output = reader.converters(output)
        criterion = None
    return Sampled(Expression(fetch, converters), output, reader.at, criterion)


def named_fetch(name: str, scope: Scope, start: int) -> Fetch:
    """The row of a fetch at `start`; Mistake if there is none, or if it is not possible here."""
    end = start + len(name)
    if name.startswith(scripts.PREFIX):
        return scripts.fetch(name, scope, start)
    scripts.refuse_lua(name, start)
    row = index.find_fetch(name, scope.stages)
    if name in index.FETCHES_NOT_YET or (row is not None and row.name in missing.FETCHES):
        raise Mistake(
            f"'{name}' is known to HAProxy, not yet to Telamon", start, end,
            help=MISSING_FEATURE, code="H034",
        )  # fmt: skip
    if row is None:
        near = nearest(name, [*index.FETCH, *index.OLD_NAMES, *index.FETCHES_NOT_YET])
        raise Mistake(
            f"unknown sample fetch '{name}'" if name else "a sample fetch is missing", start, end,
            help=f"did you mean '{near}'?" if near else "", code="H100",
        )  # fmt: skip
    if scope.stages and not possible(row.needs, scope.stages):
        raise Mistake(
            f"'{name}' needs {row.needs.text}, which is not there in a {scope.stages[0].text}",
            start, end, code="H101",
            help="keep the value in a variable (`set-var`) while it is there, and use `var()` here",
        )  # fmt: skip
    return row


class _Reader:
    """Reads the scope's word from `at` on; `closing` ends the expression."""

    def __init__(self, scope: Scope, at: int, closing: str) -> None:
        self._scope = scope
        self._text = scope.word.text
        self._closing = closing
        self.at = at

    def fetch(self, criteria: Mapping[str, Criterion]) -> tuple[Call, Fetch, Criterion | None]:
        start, name = self.at, self._name()
        criterion = criteria.get(name)
        row = index.FETCH[criterion.fetch] if criterion else named_fetch(name, self._scope, start)
        return Call(row.name, self._arguments(row, start)), row, criterion

    def comma(self) -> bool:
        """Whether converters follow. A comma may be doubled or the last, as in HAProxy."""
        if self.at >= len(self._text) or self._text[self.at] == self._closing:
            return False
        if self._text[self.at] != ",":
            if self._closing:
                raise Mistake(
                    f"'{self._closing}' is missing after '{self._text[: self.at]}'",
                    self.at, self.at + 1, help=f"add '{self._closing}', or a comma",
                )  # fmt: skip
            return False
        while self._text[self.at : self.at + 1] == ",":
            self.at += 1
        return self.at < len(self._text) and self._text[self.at] != self._closing

    def converters(self, value: Type) -> tuple[tuple[Call, ...], Type]:
        found = []
        while True:
            start = self.at
            row = self._converter(self._name(), start)
            if not castable(value, row.input):
                raise Mistake(
                    f"converter '{row.name}' wants {_kind(row.input)}, and gets {_kind(value)}",
                    start, self.at, code="H102",
                )  # fmt: skip
            found.append(Call(row.name, self._arguments(row, start)))
            value = value if row.output is Type.SAME else row.output
            if not self.comma():
                return tuple(found), value

    def _name(self) -> str:
        match = _NAME.match(self._text, self.at)
        assert match is not None
        self.at = match.end()
        return match[0]

    def _converter(self, name: str, start: int) -> Converter:
        if name.startswith(scripts.PREFIX):
            return scripts.converter(name, self._scope, start)
        scripts.refuse_lua(name, start)
        row = index.CONVERTER.get(name)
        if name in index.CONVERTERS_NOT_YET or name in missing.CONVERTERS:
            raise Mistake(
                f"'{name}' is known to HAProxy, not yet to Telamon", start, self.at,
                help=MISSING_FEATURE, code="H034",
            )  # fmt: skip
        if row is None:
            near = nearest(name, [*index.CONVERTER, *index.CONVERTERS_NOT_YET])
            raise Mistake(
                f"unknown converter '{name}'" if name else "a converter is missing", start, self.at,
                help=f"did you mean '{near}'?" if near else "", code="H100",
            )  # fmt: skip
        return row

    def _arguments(self, row: Fetch | Converter, start: int) -> tuple[Argument, ...]:
        written: list[Written] = []
        parenthesis = self._text[self.at : self.at + 1] == "("
        if parenthesis:
            written, self.at = split_arguments(self._text, self.at)
        if len(written) > len(row.parameters):
            extra = written[len(row.parameters)]
            raise Mistake(
                f"'{row.name}' takes at most {len(row.parameters)} argument(s)"
                if row.parameters else f"'{row.name}' takes no argument",
                extra.start, extra.end, help=f"its form is `{row.shown}`", code="H041",
            )  # fmt: skip
        return self._converted(row, written, start)

    def _converted(
        self, row: Fetch | Converter, written: list[Written], start: int
    ) -> tuple[Argument, ...]:
        found: list[Argument] = []
        for at, parameter in enumerate(row.parameters):
            if at < len(written) and (written[at].text or _takes_nothing(parameter)):
                found.append(convert(parameter, written[at], self._scope, row.name))
            elif not parameter.optional and not (at == 0 and parameter.kind == "str"):
                raise Mistake(
                    f"'{row.name}' needs '{parameter.name}' ({parameter.what})", start, self.at,
                    help=f"its form is `{row.shown}`", code="H040",
                )  # fmt: skip
            else:
                found.append(None if parameter.optional else "")
        return _trimmed(found)


def _takes_nothing(parameter: Parameter) -> bool:
    """Whether an empty text is a value."""
    return parameter.kind in ("argument", "str", "hex", "base64", "condition", "jwtkey", "marks")


def _trimmed(arguments: list[Argument]) -> tuple[Argument, ...]:
    """Without the arguments at the end that were left out."""
    while arguments and arguments[-1] is None:
        arguments.pop()
    return tuple(arguments)


_KINDS = {
    Type.ANY: "anything", Type.SAME: "anything", Type.BOOL: "a boolean", Type.INT: "an integer",
    Type.ADDR: "an address", Type.IPV4: "an IPv4 address", Type.IPV6: "an IPv6 address",
    Type.STR: "a string", Type.BIN: "binary data", Type.METH: "a method",
}  # fmt: skip


def _kind(type: Type) -> str:
    return _KINDS[type]
