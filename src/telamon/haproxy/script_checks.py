"""Python functions in sections of mode tcp: no request is there that could wait for them."""

from __future__ import annotations

from collections.abc import Iterator

from telamon.base.diagnostic import Report
from telamon.haproxy.model import ProxyDraft
from telamon.haproxy.rule_model import RulesDraft
from telamon.haproxy.scripts import INSTEAD, calls, calls_of_format
from telamon.plan.proxy import Mode
from telamon.plan.rules import Condition, Rule


def check_calls(proxy: ProxyDraft, report: Report) -> None:
    if proxy.settings.mode is not Mode.TCP:
        return
    rules = proxy.settings.rules
    for kind, place, called in _called(rules):
        word = rules.first_words.get(kind)
        report.error(
            "H111", f"'{kind}' at {place} calls '{called}', and '{proxy.name}' is in mode tcp, "
            "where nothing can wait for it", word.span if word is not None else proxy.header,
            help=INSTEAD if proxy.has_backend and not proxy.has_frontend else "write `mode http`",
        )  # fmt: skip


def _called(rules: RulesDraft) -> Iterator[tuple[str, str, str]]:
    """(kind of rule, its place, what it calls), the first call of each rule."""
    for rule in rules.sets.get("tcp_content", []):
        for called in _calls_of_rule(rule, rules):
            yield "tcp-request content", rule.source_line, called
            break
    for kind, switches in (("use_backend", rules.backends), ("use-server", rules.servers)):
        for switch in switches:
            found = [*calls_of_format(switch.format), *_calls_of(switch.condition, rules)]
            if found:
                yield kind, switch.source_line, found[0]


def _calls_of_rule(rule: Rule, rules: RulesDraft) -> Iterator[str]:
    if rule.action == "python":
        yield f"python.{rule.arguments[0]}"
    if rule.expression is not None:
        yield from calls(rule.expression)
    for format in rule.formats:
        yield from calls_of_format(format)
    yield from _calls_of(rule.condition, rules)


def _calls_of(condition: Condition | None, rules: RulesDraft) -> Iterator[str]:
    for conjunction in condition.any if condition is not None else ():
        for term in conjunction.terms:
            for test in rules.acls[term.acl].tests:
                yield from calls(test.expression)
