"""Python functions in sections of mode tcp: content rules can wait for them, choices cannot."""

from __future__ import annotations

from collections.abc import Iterator

from telamon.base.diagnostic import Report
from telamon.haproxy.model import ProxyDraft
from telamon.haproxy.rule_model import RulesDraft
from telamon.haproxy.scripts import calls, calls_of_format
from telamon.plan.proxy import Mode
from telamon.plan.rules import Condition


def check_calls(proxy: ProxyDraft, report: Report) -> None:
    if proxy.settings.mode is not Mode.TCP:
        return
    rules = proxy.settings.rules
    for kind, place, called in _called(rules):
        word = rules.first_words.get(kind)
        report.error(
            "H111", f"'{kind}' at {place} calls '{called}', and '{proxy.name}' is in mode tcp, "
            "where nothing can wait for it", word.span if word is not None else proxy.header,
            help="call it before, in a `tcp-request content set-var(txn.name)` rule, and use "
            "`var(txn.name)` here",
        )  # fmt: skip


def _called(rules: RulesDraft) -> Iterator[tuple[str, str, str]]:
    """(kind of rule, its place, what it calls), the first call of each rule."""
    for kind, switches in (("use_backend", rules.backends), ("use-server", rules.servers)):
        for switch in switches:
            found = [*calls_of_format(switch.format), *_calls_of(switch.condition, rules)]
            if found:
                yield kind, switch.source_line, found[0]


def _calls_of(condition: Condition | None, rules: RulesDraft) -> Iterator[str]:
    for conjunction in condition.any if condition is not None else ():
        for term in conjunction.terms:
            for test in rules.acls[term.acl].tests:
                yield from calls(test.expression)
