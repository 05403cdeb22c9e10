"""What a keyword is: a row of a table; and the cursor with which its function reads arguments.

A function that carries a keyword into the model gets an `Arguments` and a `Context`. It asks for
words one after the other; the first that is missing or wrong is reported and ends the statement
(`Refused`), so that the function reads as if all were well.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from telamon.base.diagnostic import Report, nearest
from telamon.base.frozen import frozen
from telamon.base.span import Span
from telamon.base.units import UnitError, parse_integer, parse_time
from telamon.haproxy.environment import Environment
from telamon.haproxy.http_model import ErrorsDraft
from telamon.haproxy.keywords.sections import Place
from telamon.haproxy.lexer import Word
from telamon.haproxy.model import (
    Model,
    ProfileDraft,
    ProxyDraft,
    ProxySettings,
    RingDraft,
    UserListDraft,
)

T = TypeVar("T")


class Refused(Exception):
    """The statement cannot be carried out; the report already says why."""


@dataclass(slots=True)
class Context:
    """Where a statement stands, and what it may change."""

    model: Model
    report: Report
    environment: Environment
    place: Place = Place.GLOBAL
    section: str = ""
    settings: ProxySettings = field(default_factory=ProxySettings)
    proxy: ProxyDraft | None = None
    errors: ErrorsDraft | None = None
    ring: RingDraft | None = None
    profile: ProfileDraft | None = None
    users: UserListDraft | None = None

    @property
    def named_ring(self) -> RingDraft:
        """The current ring, for keywords that are legal only there."""
        assert self.ring is not None
        return self.ring

    @property
    def named_profile(self) -> ProfileDraft:
        """The current log profile, for keywords that are legal only there."""
        assert self.profile is not None
        return self.profile

    @property
    def named_users(self) -> UserListDraft:
        """The current list of users, for keywords that are legal only there."""
        assert self.users is not None
        return self.users

    @property
    def named_proxy(self) -> ProxyDraft:
        """The current proxy, for keywords that are legal only where there is one."""
        assert self.proxy is not None
        return self.proxy


class Arguments:
    """The words after a keyword, read from left to right."""

    def __init__(
        self, keyword: Word, words: list[Word], report: Report, *, negated: bool = False
    ) -> None:
        self.keyword = keyword
        self.negated = negated
        self.report = report
        self._words = words
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._words) - self._at

    def peek(self) -> Word | None:
        return self._words[self._at] if self._at < len(self._words) else None

    def optional(self) -> Word | None:
        word = self.peek()
        self._at += word is not None
        return word

    def word(self, what: str) -> Word:
        """The next word, which `what` names for the message if it is missing."""
        word = self.optional()
        if word is None:
            span = self._words[-1].span if self._words else self.keyword.span
            raise self.refuse(
                "H040", f"'{self.keyword}' needs {what}", Span(span.source, span.line, span.end, 0),
                label=f"expected {what}",
            )  # fmt: skip
        return word

    def after(self, text: str) -> Word | None:
        """The word behind `text` further on; nothing is taken."""
        left = self._words[self._at :]
        found = (word for one, word in itertools.pairwise(left) if one.text == text)
        return next(found, None)

    def follows(self, text: str) -> bool:
        """Takes the next word if it is `text`."""
        word = self.peek()
        found = word is not None and word.text == text
        self._at += found
        return found

    def rest(self) -> list[Word]:
        words = self._words[self._at :]
        self._at = len(self._words)
        return words

    def end(self) -> None:
        """No word may be left."""
        word = self.peek()
        if word is not None:
            raise self.refuse("H041", f"'{self.keyword}' takes no further argument", word.span)

    def integer(self, what: str, low: int, high: int) -> int:
        word = self.word(what)
        try:
            return parse_integer(word.text, low, high)
        except UnitError as error:
            raise self.refuse("H042", f"'{self.keyword}': {error}", word.span) from None

    def time(self, what: str = "a time", unit: str = "ms") -> int:
        word = self.word(what)
        try:
            return parse_time(word.text, unit)
        except UnitError as error:
            raise self.refuse("H042", f"'{self.keyword}': {error}", word.span) from None

    def choice(self, what: str, choices: Mapping[str, T]) -> T:
        word = self.word(what)
        if word.text not in choices:
            raise self.refuse(
                "H043", f"'{word}' is not {what}", word.span, help=one_of(word.text, choices)
            )
        return choices[word.text]

    def refuse(
        self, code: str, message: str, span: Span | None = None, *, label: str = "", help: str = ""
    ) -> Refused:
        """Reports an error; the caller raises what comes back."""
        self.report.error(code, message, span or self.keyword.span, label=label, help=help)
        return Refused()

    def not_yet(self, word: Word, name: str = "") -> Refused:
        """Refuses by name what HAProxy knows and Telamon does not carry out yet."""
        self.report.error(
            "H034", f"'{name or word.text}' is known to HAProxy, not yet to Telamon", word.span,
            help="remove it, or keep this file on HAProxy until Telamon carries it out",
        )  # fmt: skip
        return Refused()


def one_of(word: str, choices: Iterable[str]) -> str:
    """A help line: the nearest name, or all of them."""
    near = nearest(word, choices)
    return f"did you mean '{near}'?" if near else f"write one of: {', '.join(sorted(choices))}"


Carry = Callable[[Arguments, Context], None]


@frozen
class Keyword:
    """One row. `name` may have two words (`option tcplog`); `since` is HAProxy's version.

    `negatable` keywords may stand after `no` (manual 4.1, the keywords marked with a star).
    """

    name: str
    places: Place
    grammar: str
    doc: str
    carry: Carry
    negatable: bool = False
    since: str = ""


@frozen
class Parameter:
    """One row of the words after an address (`bind`, `server`): like `Keyword`, within a line."""

    name: str
    grammar: str
    doc: str
    since: str = ""
