"""Actions that change heads: headers, status, method and URI."""

from __future__ import annotations

from telamon.haproxy.actions import slots
from telamon.haproxy.actions.row import Action, At, RuleWords

_HTTP, _Q = At.HTTP, At.REQUEST
_NAME, _VALUE = slots.text("a header's name"), slots.format("a value")
_REGEX, _BY = slots.regex(), slots.format("a replacement")

_MATCHES = ("str", "beg", "end", "sub", "reg")


def _match(rule: RuleWords) -> None:
    """`-m <method>`: how the name is compared; `str` if it is not said."""
    method = "str"
    if slots.taken(rule, "-m"):
        method = rule.args.choice("a match method", {name: name for name in _MATCHES})
    rule.arguments.append(method)


_NORMALIZERS = (
    ("fragment-encode", ""), ("fragment-strip", ""), ("path-merge-slashes", ""),
    ("path-strip-dot", ""), ("path-strip-dotdot", "full"), ("percent-decode-unreserved", "strict"),
    ("percent-to-uppercase", "strict"), ("query-sort-by-name", ""),
)  # fmt: skip


def _normalizer(rule: RuleWords) -> None:
    known = dict(_NORMALIZERS)
    word = rule.args.peek()
    extra = rule.args.choice("a normalizer", known)
    assert word is not None
    rule.arguments += [word.text, extra if extra and slots.taken(rule, extra) else None]


def _reason(rule: RuleWords) -> None:
    rule.arguments.append(rule.args.word("a reason").text if slots.taken(rule, "reason") else None)


ACTIONS = (
    Action("add-header", _HTTP, "<name> <fmt>", "Adds a header.", (_NAME, _VALUE)),
    Action("del-header", _HTTP, "<name> [-m <method>]", "Removes headers.", (_NAME, _match)),
    Action("early-hint", _Q, "<name> <fmt>", "Sends a 103 with this header.", (_NAME, _VALUE)),
    Action("normalize-uri", _Q, "<normalizer> [full|strict]", "Brings the URI into one form.",
           (_normalizer,)),
    Action("replace-header", _HTTP, "<name> <regex> <fmt>", "Replaces in a header's whole value.",
           (_NAME, _REGEX, _BY)),
    Action("replace-path", _Q, "<regex> <fmt>", "Replaces in the path.", (_REGEX, _BY)),
    Action("replace-pathq", _Q, "<regex> <fmt>", "Replaces in the path with its query.",
           (_REGEX, _BY)),
    Action("replace-uri", _Q, "<regex> <fmt>", "Replaces in the URI.", (_REGEX, _BY)),
    Action("replace-value", _HTTP, "<name> <regex> <fmt>",
           "Replaces in each value, as split at commas.", (_NAME, _REGEX, _BY)),
    Action("set-header", _HTTP, "<name> <fmt>", "Replaces a header.", (_NAME, _VALUE)),
    Action("set-method", _Q, "<fmt>", "Replaces the method.", (slots.format("a method"),)),
    Action("set-path", _Q, "<fmt>", "Replaces the path.", (slots.format("a path"),)),
    Action("set-pathq", _Q, "<fmt>", "Replaces the path and the query.", (slots.format("a path"),)),
    Action("set-query", _Q, "<fmt>", "Replaces the query.", (slots.format("a query"),)),
    Action("set-status", At.RESPONSE | At.AFTER, "<status> [reason <text>]",
           "Replaces the status.", (slots.number("a status", 100, 999), _reason)),
    Action("set-uri", _Q, "<fmt>", "Replaces the URI.", (slots.format("a URI"),)),
)  # fmt: skip
