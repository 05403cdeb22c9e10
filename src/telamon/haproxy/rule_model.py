"""Rules as a file means them: what `ProxySettings.rules` and `Model` hold for them.

Expressions, conditions and formats are the plan's own frozen types from the start; only names of
backends, frontends and servers within them are still names. Each is noted as a `Reference`, which
`rule_checks.py` looks up and `lower_rules.py` turns into numbers.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

from telamon.base.frozen import frozen
from telamon.base.span import Span
from telamon.haproxy.lexer import Word
from telamon.plan.rules import (
    Condition,
    Format,
    PatternLine,
    Rule,
    Test,
)


@dataclass(slots=True)
class AclDraft:
    """A named ACL, which later lines may complete, or an anonymous one. `hasty`: a rule that cannot
    wait uses it."""

    name: str
    span: Span
    tests: list[Test] = field(default_factory=list)
    hasty: bool = False


@dataclass(slots=True)
class Switch:
    """`use_backend` or `use-server`; `name` is looked up unless there is a format."""

    name: Word
    format: Format | None
    condition: Condition | None
    source_line: str


@dataclass(slots=True)
class Persist:
    """`force-persist` or `ignore-persist`."""

    force: bool
    condition: Condition


@dataclass(slots=True)
class RulesDraft:
    """All rules of one section, by the name of their set in `plan.rules.RuleSets`.

    `names` finds an ACL in `acls`; `first_words` has the first statement of each kind of rule. A
    section takes over the rules of its defaults together with the ACLs that they use, but not those
    ACLs' names (manual 4, "defaults").
    """

    acls: list[AclDraft] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)
    sets: dict[str, list[Rule]] = field(default_factory=dict)
    first_words: dict[str, Word] = field(default_factory=dict)
    backends: list[Switch] = field(default_factory=list)
    servers: list[Switch] = field(default_factory=list)
    persists: list[Persist] = field(default_factory=list)
    monitor_fail: list[Condition] = field(default_factory=list)
    request_inspect_delay: int | None = None
    response_inspect_delay: int | None = None
    log_line: Format | None = None
    error_log_line: Format | None = None
    log_structured: Format | None = None
    unique_id: Format | None = None
    format_words: dict[str, Word] = field(default_factory=dict)

    def inherited(self) -> RulesDraft:
        """A copy for a section that begins with these rules."""
        twin = copy.copy(self)
        twin.acls = [AclDraft(acl.name, acl.span, acl.tests) for acl in self.acls]
        twin.names = {}
        twin.sets = {name: list(rules) for name, rules in self.sets.items()}
        twin.first_words = {}
        twin.format_words = dict(self.format_words)
        for name in ("backends", "servers", "persists", "monitor_fail"):
            setattr(twin, name, list(getattr(self, name)))
        return twin


@frozen
class Reference:
    """A name of another section or server that a rule's argument gives; `section` has the rule."""

    kind: str
    name: str
    span: Span
    section: str


@dataclass(slots=True)
class PatternFile:
    """A file of patterns or of a map, by path. `lines` None: only rules name it so far.

    `place` is its place in the model's `pattern_ids`; `users` says who looks it up, and where.
    """

    id: int
    path: str
    is_map: bool | None = None
    lines: tuple[PatternLine, ...] | None = None
    span: Span | None = None
    is_acl: bool = False
    place: int = 0
    users: list[str] = field(default_factory=list)

    @property
    def description(self) -> str:
        """As `show map` of the stats socket words it."""
        by = ", by ".join(self.users)
        return f"pattern loaded from file '{self.path}' used by {by}"
