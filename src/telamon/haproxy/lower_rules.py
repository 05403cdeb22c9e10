"""Rules of the plan: the model's, with numbers in place of names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from telamon.base.frozen import frozen
from telamon.haproxy.model import Model, ProxyDraft
from telamon.haproxy.pattern_files import pattern_numbers
from telamon.haproxy.rule_model import Persist, RulesDraft, Switch
from telamon.haproxy.samples.index import FETCH
from telamon.plan.proxy import Mode
from telamon.plan.rules import (
    Acl,
    Argument,
    BackendRule,
    Call,
    Expression,
    Format,
    PatternSet,
    PersistRule,
    Piece,
    Reply,
    ReplyHeader,
    Rule,
    RuleSets,
    ServerRule,
    Test,
)

_HTTP_SETS = frozenset({"http_request", "http_response", "http_after_response", "redirects"})


@frozen
class Numbers:
    """Ids by name; servers by (id of their proxy, name)."""

    backends: Mapping[str, int]
    frontends: Mapping[str, int]
    servers: Mapping[tuple[int, str], int]
    patterns: tuple[int, ...] = ()
    """The stats socket's numbers of sets of patterns, by their places."""


def pattern_sets(model: Model) -> tuple[PatternSet, ...]:
    ids = pattern_numbers(model.pattern_ids)
    return tuple(
        PatternSet(
            file.id, file.path, bool(file.is_map), file.lines, file.is_acl, ids[file.place],
            file.description,
        )
        if file.lines is not None
        else PatternSet(file.id, file.path, False, ())
        for file in model.pattern_files.values()
    )  # fmt: skip


@frozen
class RuleLowering:
    """Turns the values of one section's rules into the plan's. `id` is the section's own."""

    numbers: Numbers
    id: int

    def rule_sets(self, proxy: ProxyDraft) -> RuleSets:
        """HTTP rules of a section in mode tcp are left out, as HAProxy does (`rule_checks.py`)."""
        rules = proxy.settings.rules
        sets = {
            name: tuple(self.rule(rule) for rule in found)
            for name, found in rules.sets.items()
            if proxy.settings.mode is Mode.HTTP or name not in _HTTP_SETS
        }
        return RuleSets(
            acls=self._acls(rules),
            backends=tuple(self._backend(switch) for switch in rules.backends),
            servers=tuple(self._server(switch) for switch in rules.servers),
            persists=tuple(_persist(persist) for persist in rules.persists),
            request_inspect_delay=rules.request_inspect_delay,
            response_inspect_delay=rules.response_inspect_delay,
            **sets,
        )

    def _acls(self, rules: RulesDraft) -> tuple[Acl, ...]:
        return tuple(
            Acl(draft.name, tuple(self._test(test) for test in draft.tests)) for draft in rules.acls
        )

    def _test(self, test: Test) -> Test:
        number = self.numbers.patterns[test.number] if test.name else 0
        return replace(test, expression=self.expression(test.expression), number=number)

    def _backend(self, switch: Switch) -> BackendRule:
        id = None if switch.format else self.numbers.backends[switch.name.text]
        return BackendRule(id, self.optional(switch.format), switch.condition, switch.source_line)

    def _server(self, switch: Switch) -> ServerRule:
        id = None if switch.format else self.numbers.servers[self.id, switch.name.text]
        return ServerRule(id, self.optional(switch.format), switch.condition, switch.source_line)

    def rule(self, rule: Rule) -> Rule:
        return replace(
            rule,
            formats=tuple(self.format(format) for format in rule.formats),
            expression=self.expression(rule.expression) if rule.expression else None,
            reply=self.reply(rule.reply) if rule.reply else None,
        )

    def reply(self, reply: Reply) -> Reply:
        return replace(
            reply,
            headers=tuple(ReplyHeader(h.name, self.format(h.value)) for h in reply.headers),
            format=self.optional(reply.format),
        )

    def optional(self, format: Format | None) -> Format | None:
        return self.format(format) if format is not None else None

    def format(self, format: Format) -> Format:
        return replace(format, pieces=tuple(self._piece(piece) for piece in format.pieces))

    def _piece(self, piece: Piece) -> Piece:
        if piece.expression is None:
            return piece
        return replace(piece, expression=self.expression(piece.expression))

    def expression(self, expression: Expression) -> Expression:
        row = FETCH.get(expression.fetch.name)
        if row is None:
            return expression  # a Python function, whose arguments are texts
        kinds = [parameter.kind for parameter in row.parameters]
        if not {"backend", "frontend", "server"} & set(kinds):
            return expression
        arguments = expression.fetch.arguments or (None,)
        numbered = tuple(
            number
            for kind, argument in zip(kinds, arguments, strict=False)
            for number in self._numbered(kind, argument)
        )
        return replace(expression, fetch=Call(row.name, numbered))

    def _numbered(self, kind: str, argument: Argument) -> tuple[Argument, ...]:
        """A section's id (the own one if none is named); for a server its section's and its own."""
        if kind == "backend":
            return (self.id if argument is None else self.numbers.backends[str(argument)],)
        if kind == "frontend":
            return (self.id if argument is None else self.numbers.frontends[str(argument)],)
        if kind == "server":
            section, slash, name = str(argument).rpartition("/")
            id = self.numbers.backends[section] if slash else self.id
            return (id, self.numbers.servers[id, name])
        return (argument,)


def _persist(persist: Persist) -> PersistRule:
    return PersistRule(persist.force, persist.condition)
