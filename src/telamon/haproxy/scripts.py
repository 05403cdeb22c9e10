"""Python functions in rules, as rows like those of HAProxy's own words: `python.NAME`.

A call takes time, so that it may only stand in rules that can wait: `Scope.waits`. ACLs may make
calls; then conditions of rules that cannot wait may not name them.
"""

from __future__ import annotations

from collections.abc import Iterator

from telamon.base.diagnostic import nearest
from telamon.haproxy.model import Model
from telamon.haproxy.rule_model import AclDraft
from telamon.haproxy.samples.row import Converter, Fetch
from telamon.haproxy.samples.stages import Needs
from telamon.haproxy.samples.types import Type
from telamon.haproxy.scope import Scope
from telamon.haproxy.spots import Mistake
from telamon.plan.rules import Expression, Format
from telamon.script.registry import Kind, Signature

PREFIX = "python."
INSTEAD = (
    "call it before, in an `http-request set-var(txn.name)` rule, and use `var(txn.name)` here"
)

_LUA = "lua."
IN_PYTHON = 'Telamon runs no Lua: write it in Python (docs/python.md, "Coming from Lua")'

_TYPES = {
    "any": Type.ANY, "bool": Type.BOOL, "sint": Type.INT, "str": Type.STR, "bin": Type.BIN,
    "ipv4": Type.IPV4, "ipv6": Type.IPV6,
}  # fmt: skip
_MOST = 16
"""Arguments that a rule may write to a function that takes any number."""

_USES = {
    Kind.FETCH: "a sample fetch: use it where a value is wanted, as in `%[python.{}]`",
    Kind.CONVERTER: "a converter: put it behind a value and a comma, as in `src,python.{}`",
    Kind.ACTION: "an action: as in `http-request python.{}`",
    Kind.SERVICE: "a service: as in `http-request use-service python.{}`",
}


def refuse_lua(name: str, start: int) -> None:
    if name.startswith(_LUA):
        raise Mistake(
            f"'{name}' is known to HAProxy, not to Telamon", start, start + len(name),
            help=IN_PYTHON, code="H034",
        )  # fmt: skip


def fetch(name: str, scope: Scope, start: int) -> Fetch:
    """The row of a fetch that is written at `start`."""
    signature = _found(Kind.FETCH, name, scope, start)
    return Fetch(name, _grammar(signature), _TYPES[signature.output], Needs.NOTHING, "")


def converter(name: str, scope: Scope, start: int) -> Converter:
    signature = _found(Kind.CONVERTER, name, scope, start)
    types = _TYPES[signature.input], _TYPES[signature.output]
    return Converter(name, _grammar(signature), *types, "")


def _found(kind: Kind, name: str, scope: Scope, start: int) -> Signature:
    signature = find(kind, name, scope.context.model, start)
    if not scope.waits:
        raise Mistake(
            f"'{name}' takes time, and this rule cannot wait for it", start, start + len(name),
            help=INSTEAD, code="H111",
        )  # fmt: skip
    return signature


def find(kind: Kind, name: str, model: Model, start: int = 0) -> Signature:
    """What `name` (with its prefix) is; Mistake if there is no such function."""
    bare = name.removeprefix(PREFIX)
    signature = model.functions.get((kind, bare))
    if signature is not None:
        return signature
    other = next((one for one in Kind if (one, bare) in model.functions), None)
    if other is not None:
        help = f"it is {_USES[other].format(bare)}"
    elif near := nearest(bare, [name for of, name in model.functions if of is kind]):
        help = f"did you mean '{PREFIX}{near}'?"
    elif model.process.python_files:
        help = f"register it by `@{kind}({bare!r})`"
    else:
        help = "name its file by `telamon-python` in `global`, above"
    raise Mistake(
        f"no Python function is registered as the {kind} '{bare}'", start, start + len(name),
        help=help, code="H100",
    )  # fmt: skip


def _grammar(signature: Signature) -> str:
    words = [f"{name}:argument" for name in signature.required]
    words += [f"[{name}:argument]" for name in signature.optional]
    if signature.more:
        words += [f"[more{number}:argument]" for number in range(1, _MOST + 1 - len(words))]
    return " ".join(words)


# Which conditions wait.


def check_acl(acl: AclDraft, name: str, scope: Scope, start: int, end: int) -> None:
    """Mistake if an ACL makes calls and is used where nothing can wait."""
    if scope.waits:
        return
    acl.hasty = True
    called = next((call for test in acl.tests for call in calls(test.expression)), None)
    if called is not None:
        what = f"the ACL '{name}'" if name and name != "{" else "this ACL"
        raise Mistake(
            f"{what} calls '{called}', which takes time, and this rule cannot wait for it",
            start, end, help=INSTEAD, code="H111",
        )  # fmt: skip


def calls(expression: Expression) -> Iterator[str]:
    """The Python functions of an expression."""
    for call in (expression.fetch, *expression.converters):
        if call.name.startswith(PREFIX):
            yield call.name


def calls_of_format(format: Format | None) -> Iterator[str]:
    for piece in format.pieces if format is not None else ():
        if piece.expression is not None:
            yield from calls(piece.expression)
