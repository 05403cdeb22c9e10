"""Where a piece of the rule language stands, and the reporting that all its readers share."""

from __future__ import annotations

from dataclasses import replace

from telamon.base.frozen import frozen
from telamon.base.span import Span
from telamon.haproxy.keywords.row import Context, Refused
from telamon.haproxy.keywords.sections import Place
from telamon.haproxy.lexer import Word
from telamon.haproxy.rule_model import RulesDraft
from telamon.haproxy.samples.stages import Stage
from telamon.haproxy.spots import Mistake, part

MISSING_FEATURE = "remove it, or keep this file on HAProxy until Telamon carries it out"


@frozen
class Scope:
    """`stages` empty: anything may be fetched. `rule` names the rule in messages, `word` is the
    word that is being read. `waits`: the rule can wait, as calls of Python functions want it."""

    context: Context
    stages: tuple[Stage, ...]
    rule: str
    word: Word
    waits: bool = False

    @property
    def rules(self) -> RulesDraft:
        return self.context.settings.rules

    @property
    def section(self) -> str:
        proxy = self.context.proxy
        return proxy.name.text if proxy is not None else ""

    def within(self, stages: tuple[Stage, ...]) -> Scope:
        return replace(self, stages=stages)

    def within_haste(self) -> Scope:
        """Where nothing can wait."""
        return replace(self, waits=False)

    def on(self, word: Word) -> Scope:
        return replace(self, word=word)

    def spot(self, start: int, end: int) -> Span:
        return part(self.word, start, end)

    def refuse(self, code: str, message: str, span: Span, help: str = "") -> Refused:
        self.context.report.error(code, message, span, help=help)
        return Refused()

    def mistaken(self, mistake: Mistake) -> Refused:
        """Reports what a reader found wrong within the word."""
        span = self.spot(mistake.start, mistake.end)
        return self.refuse(mistake.code, f"{self.rule}: {mistake}", span, mistake.help)


REQUEST = (Stage.FRONT_HTTP_REQUEST, Stage.BACK_HTTP_REQUEST)
RESPONSE = (Stage.FRONT_HTTP_RESPONSE, Stage.BACK_HTTP_RESPONSE)


def sides(context: Context, front: Stage, back: Stage) -> tuple[Stage, ...]:
    """The stages of a rule that a frontend and a backend may have."""
    place = context.place
    found = (front,) if place & (Place.FRONT | Place.DEFAULTS) else ()
    return (*found, back) if place & (Place.BACK | Place.DEFAULTS) else found
