"""An action of a rule: a row, and the slots that its words fill (manual 4.2).

The engine gets a `plan.rules.Rule`: `action` is the row's name; each slot of the row puts one value
into the rule, in the order in which they are written:

* a text, a number or a choice becomes the next of `arguments` (None if it was left out);
* a format becomes the next of `formats`;
* a sample expression is `expression`, an answer of the proxy's own is `reply`.

What stands in parentheses behind the name, as in `set-var(txn.a)`, is read first.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Flag, auto

from telamon.base.frozen import frozen
from telamon.haproxy.keywords.row import Arguments
from telamon.haproxy.sample_arguments import Written
from telamon.haproxy.scope import Scope
from telamon.plan.rules import Argument, Expression, Format, Reply


class At(Flag):
    """Rule sets in which an action may stand."""

    CONNECTION = auto()
    SESSION = auto()
    CONTENT = auto()
    TCP_RESPONSE = auto()
    REQUEST = auto()
    RESPONSE = auto()
    AFTER = auto()

    EARLY = CONNECTION | SESSION
    TCP_REQUEST = EARLY | CONTENT
    REQUESTS = TCP_REQUEST | REQUEST
    HTTP = REQUEST | RESPONSE | AFTER
    STREAM = CONTENT | TCP_RESPONSE | REQUEST | RESPONSE
    ANY = TCP_REQUEST | TCP_RESPONSE | HTTP


@dataclass(slots=True)
class RuleWords:
    """A rule while it is read: where its words come from, and what they have filled so far.

    `key` are the arguments in parentheses behind the action's name.
    """

    args: Arguments
    scope: Scope
    at: At
    key: list[Written] = field(default_factory=list)
    arguments: list[Argument] = field(default_factory=list)
    formats: list[Format] = field(default_factory=list)
    expression: Expression | None = None
    reply: Reply | None = None


Slot = Callable[[RuleWords], None]


@frozen
class Action:
    """One row. `keyed`: the name has parentheses. `final`: HAProxy warns of rules behind it."""

    name: str
    at: At
    grammar: str
    doc: str
    slots: tuple[Slot, ...] = ()
    keyed: bool = False
    final: bool = False
    since: str = ""
