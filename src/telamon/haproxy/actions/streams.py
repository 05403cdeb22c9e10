"""Actions that change what the proxy knows of a stream, or how it treats it."""

from __future__ import annotations

from telamon.base.units import UnitError, parse_time
from telamon.haproxy.actions import slots
from telamon.haproxy.actions.row import Action, At, RuleWords, Slot
from telamon.haproxy.expressions import read_expression
from telamon.haproxy.keywords.sections import Place
from telamon.haproxy.rule_model import Reference
from telamon.haproxy.samples.stages import Stage
from telamon.haproxy.samples.types import Type
from telamon.plan.http import Capture
from telamon.plan.rules import Call, Expression

_LEVELS = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug", "silent")
_TIMEOUTS = ("client", "connect", "queue", "server", "tarpit", "tunnel")
_LATER = (Stage.FRONT_HTTP_REQUEST, Stage.BACK_HTTP_REQUEST)
"""HAProxy lets addresses be set from any part of a request, even where it is not there yet."""


def _address(output: Type) -> Slot:
    return slots.expression(output, _LATER)


def _timeout(rule: RuleWords) -> None:
    """`<name> {<time>|<expression>}`: the name, and milliseconds or None; else `expression`."""
    name = rule.args.choice("a timeout", {name: name for name in _TIMEOUTS})
    rule.arguments.append(name)
    word = rule.args.peek()
    if word is None or not word.text[:1].isdigit():
        _value(rule)
        return
    rule.args.optional()
    try:
        value = parse_time(word.text)
    except UnitError as error:
        raise rule.args.refuse("H042", f"'{rule.args.keyword}': {error}", word.span) from None
    if value == 0:
        raise rule.args.refuse("H042", f"'{name}' cannot be 0: it would never end", word.span)
    rule.arguments.append(value)


def _value(rule: RuleWords) -> None:
    rule.arguments.append(None)
    slots.expression(Type.INT)(rule)


def _number_or_value(what: str, high: int) -> Slot:
    """A number (decimal or as 0x10) or an expression; the engine gets an expression of either."""

    def read(rule: RuleWords) -> None:
        word = rule.args.peek()
        if word is None or not word.text[:1].isdigit():
            slots.expression(Type.INT)(rule)
            return
        value = slots.read_bits(rule, what, high)
        rule.expression = Expression(Call("int", (value,)))

    return read


def _capture(rule: RuleWords) -> None:
    """`<expression> { len <length> | id <slot> }`: the slot, and its length where it is known here;
    `len` makes a new slot."""
    rule.expression = read_expression(rule.args, rule.scope).expression
    response = rule.at in (At.RESPONSE, At.AFTER)
    word = rule.args.peek()
    how = rule.args.choice("'len' or 'id'", {"len": "len", "id": "id"})
    assert word is not None
    if how == "id":
        number = rule.args.peek()
        slot = rule.args.integer("a slot's number", 0, 65535)
        if number is not None and rule.scope.context.place is not Place.BACKEND:
            kind = "response slot" if response else "request slot"
            rule.scope.context.model.references.append(
                Reference(kind, number.text, number.span, rule.scope.section)
            )
        http = rule.scope.context.settings.http
        known = http.response_captures if response else http.request_captures
        rule.arguments += [slot, known[slot].length if slot < len(known) else None]
        return
    if response or rule.scope.context.place in (Place.BACKEND, Place.DEFAULTS):
        raise rule.args.refuse(
            "H043", "'len' is possible in the requests of a frontend only", word.span,
            help="write `declare capture` in the frontend, and `id <slot>` here",
        )  # fmt: skip
    captures = rule.scope.context.settings.http.request_captures
    length = rule.args.integer("a length", 1, 65535)
    rule.arguments += [len(captures), length]
    captures.append(Capture(None, length))


_SIDES = ("client", "server")

ACTIONS = (
    Action("capture", At.CONTENT | At.HTTP, "<sample> {len <length>|id <slot>}",
           "Keeps a value for the log. arguments: the slot and its length.", (_capture,)),
    Action("disable-l7-retry", At.REQUEST, "", "No retry after the request was sent."),
    Action("do-log", At.ANY, "[profile <name>]", "Logs now.", since="3.1"),
    Action("pause", At.REQUEST | At.RESPONSE, "{<time>|<expr>}",
           "Waits. arguments: milliseconds, or None with an expression.",
           (lambda rule: _pause(rule),), since="3.2"),
    Action("set-bc-mark", At.CONTENT | At.REQUEST, "{<mark>|<expr>}", "Marks packets to servers.",
           (_number_or_value("a mark", 2**32 - 1),), since="3.0"),
    Action("set-bc-tos", At.CONTENT | At.REQUEST, "{<tos>|<expr>}", "The TOS towards servers.",
           (_number_or_value("a TOS", 255),), since="3.0"),
    Action("set-dst", At.REQUESTS, "<expr>", "Replaces the address that the client reached.",
           (_address(Type.ADDR),)),
    Action("set-dst-port", At.REQUESTS, "<expr>", "Replaces the port that the client reached.",
           (_address(Type.INT),)),
    Action("set-fc-mark", At.ANY, "{<mark>|<expr>}", "Marks packets to the client.",
           (_number_or_value("a mark", 2**32 - 1),), since="3.0"),
    Action("set-fc-tos", At.ANY, "{<tos>|<expr>}", "The TOS towards the client.",
           (_number_or_value("a TOS", 255),), since="3.0"),
    Action("set-log-level", At.STREAM, "<level>", "The level of this stream's log lines.",
           (slots.choice("a syslog level, or 'silent'", _LEVELS),)),
    Action("set-mark", At.REQUESTS | At.TCP_RESPONSE | At.RESPONSE, "<mark>",
           "Marks packets to the client (old name of `set-fc-mark`).",
           (_number_or_value("a mark", 2**32 - 1),)),
    Action("set-nice", At.STREAM, "<nice>", "The stream's place among others: has no meaning here.",
           (slots.number("a number", -(2**31), 2**31 - 1),)),
    Action("set-priority-class", At.CONTENT | At.REQUEST, "<expr>", "The class in queues.",
           (slots.expression(Type.INT),)),
    Action("set-priority-offset", At.CONTENT | At.REQUEST, "<expr>", "The offset in queues.",
           (slots.expression(Type.INT),)),
    Action("set-retries", At.CONTENT | At.REQUEST, "{<number>|<expr>}", "Replaces `retries`.",
           (_number_or_value("a number", 100),), since="3.2"),
    Action("set-src", At.REQUESTS, "<expr>", "Replaces the client's address.",
           (_address(Type.ADDR),)),
    Action("set-src-port", At.REQUESTS, "<expr>", "Replaces the client's port.",
           (_address(Type.INT),)),
    Action("set-timeout", At.REQUEST | At.RESPONSE, "<name> {<time>|<expr>}",
           "Replaces a timeout.", (_timeout,)),
    Action("set-tos", At.REQUESTS | At.TCP_RESPONSE | At.RESPONSE, "<tos>",
           "The TOS towards the client (old name of `set-fc-tos`).",
           (_number_or_value("a TOS", 255),)),
    Action("set-var", At.ANY, "(<name>[,<condition>...]) <expr>", "Keeps a value in a variable.",
           (slots.variable_and_conditions, slots.expression()), keyed=True),
    Action("set-var-fmt", At.ANY, "(<name>[,<condition>...]) <fmt>", "Keeps a text in a variable.",
           (slots.variable_and_conditions, slots.format("a format")), keyed=True),
    Action("strict-mode", At.HTTP, "on|off", "Whether a rule that fails ends the stream.",
           (slots.choice("'on' or 'off'", ("on", "off")),)),
    Action("switch-mode", At.CONTENT, "http [proto <name>]", "A TCP stream becomes an HTTP one.",
           (slots.choice("a mode", ("http",)), slots.option_text("proto", "a protocol"))),
    Action("unset-var", At.ANY, "(<name>)", "Forgets a variable.", (slots.variable,), keyed=True),
    Action("wait-for-body", At.REQUEST | At.RESPONSE, "time <time> [at-least <size>]",
           "Waits for the body. arguments: milliseconds, bytes.", (slots.wait_times,)),
    Action("wait-for-handshake", At.REQUEST, "", "Waits until the client's handshake is done."),
)  # fmt: skip


def _pause(rule: RuleWords) -> None:
    word = rule.args.peek()
    if word is not None and word.text[:1].isdigit():
        rule.arguments.append(rule.args.time())
    else:
        _value(rule)
