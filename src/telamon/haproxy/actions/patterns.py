"""Actions that change sets of patterns and maps while traffic flows. arguments: the set's id."""

from __future__ import annotations

from telamon.haproxy.actions import slots
from telamon.haproxy.actions.row import Action, At, RuleWords
from telamon.haproxy.pattern_files import set_of

_AT = At.REQUEST | At.RESPONSE
_KEY, _VALUE = slots.format("a key"), slots.format("a value")


def _file(rule: RuleWords) -> None:
    path = rule.key[0].text if rule.key else ""
    if not path or len(rule.key) > 1:
        raise rule.args.refuse(
            "H040", f"'{rule.args.keyword}' needs a file's path in parentheses",
            rule.scope.word.span,
        )  # fmt: skip
    rule.arguments.append(set_of(path, rule.scope).id)


ACTIONS = (
    Action("add-acl", _AT, "(<file>) <key>", "Adds a pattern.", (_file, _KEY), keyed=True),
    Action("del-acl", _AT, "(<file>) <key>", "Removes a pattern.", (_file, _KEY), keyed=True),
    Action("del-map", _AT, "(<file>) <key>", "Removes a key.", (_file, _KEY), keyed=True),
    Action("set-map", _AT, "(<file>) <key> <value>", "Sets a key's value.", (_file, _KEY, _VALUE),
           keyed=True),
)  # fmt: skip
