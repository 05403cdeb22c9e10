"""The functions that script files register, by kind and name; and how a file is loaded.

Decorators put functions into the registry that is being filled: `load` fills one per
configuration, so that two configurations in one process (a reload) never share functions.
"""

from __future__ import annotations

import contextvars
import inspect
import linecache
import sys
import traceback
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from telamon.base.frozen import frozen
from telamon.script.values import sample_type

Function = TypeVar("Function", bound=Callable[..., Any])


class Kind(StrEnum):
    FETCH = "fetch"
    CONVERTER = "converter"
    ACTION = "action"
    SERVICE = "service"


RULE_SETS = ("tcp-request", "http-request", "http-response")
"""Where an action may stand: rules that can wait."""


class ScriptError(ValueError):
    """A script file cannot be used; the text says why, `path` and `line` where."""

    def __init__(self, reason: str, path: str = "", line: int | None = None) -> None:
        super().__init__(reason)
        self.reason, self.path, self.line = reason, path, line

    def __str__(self) -> str:
        place = f"{self.path}, line {self.line}: " if self.line else f"{self.path}: "
        return (place if self.path else "") + self.reason


@frozen
class Signature:
    """What rules must know of a function.

    `output` is a sample type, and so is a converter's `input` ("any" if it takes all). A rule
    writes the `required` arguments and may write the `optional` ones, and any number more with
    `more`. `at` are the rule sets in which an action may stand; with `must_succeed` a call of it
    that fails answers 500. `line` is the function's in its file.
    """

    kind: Kind
    name: str
    output: str = "str"
    input: str = "any"
    required: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    more: bool = False
    at: tuple[str, ...] = ()
    must_succeed: bool = False
    line: int = 0


@frozen
class Registered:
    """One function."""

    signature: Signature
    function: Callable[..., Any]


@dataclass(slots=True)
class Registry:
    """All functions of one configuration's script files, in the order of their registration."""

    functions: dict[tuple[Kind, str], Registered] = field(default_factory=dict)

    def find(self, kind: Kind, name: str) -> Registered | None:
        return self.functions.get((kind, name))


_filling: contextvars.ContextVar[Registry] = contextvars.ContextVar("telamon_script_registry")


def load(paths: Sequence[str]) -> Registry:
    """Runs the files in their order; ScriptError for the first that cannot be read or run."""
    registry = Registry()
    token = _filling.set(registry)
    try:
        for path in paths:
            _run(path)
    finally:
        _filling.reset(token)
    return registry


def _run(path: str) -> None:
    module = types.ModuleType(f"telamon_script.{Path(path).stem}")
    module.__file__ = path
    _keep_source(path)
    sys.modules[module.__name__] = module  # dataclasses look their module up
    # As when Python runs the file: modules beside it can be imported.
    folder = str(Path(path).absolute().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        exec(compile(Path(path).read_bytes(), path, "exec"), module.__dict__)
    except OSError as error:
        if error.filename != path:
            raise _failed(path, error) from error
        raise ScriptError(f"cannot be read: {error.strerror}", path) from None
    except (Exception, SystemExit) as error:
        raise _failed(path, error) from error


def _keep_source(path: str) -> None:
    """For tracebacks: behind a chroot the file cannot be read any more."""
    lines = linecache.getlines(path)
    # Without a time, the entry is never looked up in the file system again.
    linecache.cache[path] = (sum(map(len, lines)), None, lines, path)


def _failed(path: str, error: BaseException) -> ScriptError:
    """The fault with the file's last line that had to do with it."""
    frames = traceback.extract_tb(error.__traceback__)
    line = next((f.lineno for f in reversed(frames) if f.filename == path), None)
    if isinstance(error, ScriptError):
        return ScriptError(error.reason, path, line)
    if isinstance(error, SyntaxError) and error.filename == path:
        line = error.lineno
        return ScriptError(f"SyntaxError: {error.msg}", path, line)
    return ScriptError(f"{type(error).__name__}: {error}", path, line)


def fetch(name: str) -> Callable[[Function], Function]:
    """Registers `function(txn, *arguments)`; its annotation gives the sample's type."""
    return _register(Kind.FETCH, name)


def converter(name: str) -> Callable[[Function], Function]:
    """Registers `function(value, *arguments)`; the annotation of `value` gives the type that it
    becomes before the call."""
    return _register(Kind.CONVERTER, name)


def action(
    name: str, *, at: str | Sequence[str] = "http-request", required: bool = False
) -> Callable[[Function], Function]:
    """Registers `function(txn, *arguments)` for the rule sets `at`. With `required` a call that
    fails answers 500; otherwise the rule is passed over."""
    sets = (at,) if isinstance(at, str) else tuple(at)
    if unknown := [one for one in sets if one not in RULE_SETS]:
        raise ScriptError(f"action '{name}': no rules are named {', '.join(unknown)}")
    return _register(Kind.ACTION, name, at=sets, required=required)


def service(name: str) -> Callable[[Function], Function]:
    """Registers `function(request) -> Reply` for `http-request use-service`."""
    return _register(Kind.SERVICE, name)


def _register(
    kind: Kind, name: str, at: tuple[str, ...] = (), required: bool = False
) -> Callable[[Function], Function]:
    def decorate(function: Function) -> Function:
        registry = _filling.get(None)
        if registry is None:
            return function  # imported by a test or another program: a plain function
        _check_name(kind, name, registry)
        signature = replace(_signature(kind, name, function), at=at, must_succeed=required)
        registry.functions[kind, name] = Registered(signature, function)
        return function

    return decorate


def _check_name(kind: Kind, name: str, registry: Registry) -> None:
    if not name or not name.replace("_", "").replace("-", "").replace(".", "").isalnum():
        raise ScriptError(f"{kind.value} '{name}': a name has letters, digits, '_', '-' and '.'")
    if registry.find(kind, name) is not None:
        raise ScriptError(f"{kind.value} '{name}' is registered twice")


def _signature(kind: Kind, name: str, function: Callable[..., Any]) -> Signature:
    """What a rule may write behind the one argument that every function is given."""
    parameters = list(inspect.signature(function).parameters.values())
    placed = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    more = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    if not placed and not more:
        raise ScriptError(f"{kind.value} '{name}' must take at least 1 argument")
    required = tuple(p.name for p in placed[1:] if p.default is p.empty)
    if kind is Kind.SERVICE and required:
        raise ScriptError(f"service '{name}': it is given the request and nothing more")
    hints = typing.get_type_hints(function)
    given = hints.get(placed[0].name) if placed else None
    code = getattr(inspect.unwrap(function), "__code__", None)
    return Signature(
        kind,
        name,
        output=_output(kind, name, hints.get("return")),
        input=_input(given) if kind is Kind.CONVERTER else "any",
        required=required,
        optional=tuple(p.name for p in placed[1:] if p.default is not p.empty),
        more=more,
        line=code.co_firstlineno if code is not None else 0,
    )


def _output(kind: Kind, name: str, annotation: object) -> str:
    if kind not in (Kind.FETCH, Kind.CONVERTER):
        return "str"
    found = sample_type(annotation)
    if found is None:
        raise ScriptError(
            f"{kind.value} '{name}': {_shown(annotation)} is no type of a sample; "
            "annotate bool, int, str, bytes, IPv4Address or IPv6Address"
        )
    return found


def _shown(annotation: object) -> str:
    return annotation.__name__ if isinstance(annotation, type) else str(annotation)


def _input(annotation: object) -> str:
    """Without one annotated type, values come as they are."""
    if annotation in (None, typing.Any):
        return "any"
    return sample_type(annotation) or "any"
