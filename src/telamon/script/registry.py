"""The functions that script files register, by kind and name; and how a file is loaded.

Decorators put functions into the registry that is being filled: `load` fills one per
configuration, so that two configurations in one process (a reload) never share functions.
"""

from __future__ import annotations

import contextvars
import inspect
import traceback
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from telamon.script.values import sample_type

Function = TypeVar("Function", bound=Callable[..., Any])


class Kind(StrEnum):
    FETCH = "fetch"
    CONVERTER = "converter"
    ACTION = "action"
    SERVICE = "service"


RULE_SETS = ("tcp-request", "tcp-response", "http-request", "http-response", "http-after-response")


class ScriptError(Exception):
    """A script file cannot be used; the text says why and where."""


@dataclass(frozen=True, slots=True)
class Registered:
    """One function. `id` counts from 0 over all kinds; `output` is a sample type.

    `fewest` and `most` count the arguments that a rule may write (None: any number); `at` are the
    rule sets in which an action may stand.
    """

    id: int
    kind: Kind
    name: str
    function: Callable[..., Any]
    output: str = "str"
    fewest: int = 0
    most: int | None = 0
    at: tuple[str, ...] = ()
    required: bool = False


@dataclass(slots=True)
class Registry:
    """All functions of one configuration's script files, in the order of their registration."""

    functions: list[Registered] = field(default_factory=list)

    def find(self, kind: Kind, name: str) -> Registered | None:
        found = (one for one in self.functions if (one.kind, one.name) == (kind, name))
        return next(found, None)

    def names(self, kind: Kind) -> list[str]:
        return [one.name for one in self.functions if one.kind is kind]


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
    try:
        exec(compile(Path(path).read_bytes(), path, "exec"), module.__dict__)
    except ScriptError as error:
        raise ScriptError(f"{path}: {error}") from None
    except OSError as error:
        raise ScriptError(f"{path}: {error.strerror or error}") from None
    except (Exception, SystemExit) as error:
        frames = traceback.extract_tb(error.__traceback__)
        place = next((f"line {f.lineno}" for f in reversed(frames) if f.filename == path), "")
        if isinstance(error, SyntaxError):
            place = f"line {error.lineno}"
        where = f"{path}, {place}" if place else path
        raise ScriptError(f"{where}: {type(error).__name__}: {error}") from error


def fetch(name: str) -> Callable[[Function], Function]:
    """Registers `function(txn, *arguments)`; its annotation gives the sample's type."""
    return _register(Kind.FETCH, name, given=1)


def converter(name: str) -> Callable[[Function], Function]:
    """Registers `function(value, *arguments)`."""
    return _register(Kind.CONVERTER, name, given=1)


def action(
    name: str, *, at: str | Sequence[str] = "http-request", required: bool = False
) -> Callable[[Function], Function]:
    """Registers `function(txn, *arguments)` for the rule sets `at`. With `required` a call that
    fails answers 500; otherwise the rule is passed over."""
    sets = (at,) if isinstance(at, str) else tuple(at)
    if unknown := [one for one in sets if one not in RULE_SETS]:
        raise ScriptError(f"action '{name}': no rules are named {', '.join(unknown)}")
    return _register(Kind.ACTION, name, given=1, at=sets, required=required)


def service(name: str) -> Callable[[Function], Function]:
    """Registers `function(request) -> Reply` for `http-request use-service`."""
    return _register(Kind.SERVICE, name, given=1)


def _register(
    kind: Kind, name: str, given: int, at: tuple[str, ...] = (), required: bool = False
) -> Callable[[Function], Function]:
    def decorate(function: Function) -> Function:
        registry = _filling.get(None)
        if registry is None:
            return function  # imported by a test or another program: a plain function
        _check_name(kind, name, registry)
        fewest, most = _arguments(function, given)
        output = "str"
        if kind in (Kind.FETCH, Kind.CONVERTER):
            promised = typing.get_type_hints(function).get("return")
            found = sample_type(promised)
            if found is None:
                raise ScriptError(
                    f"{kind.value} '{name}': {promised} is no type of a sample; "
                    "annotate bool, int, str, bytes, IPv4Address or IPv6Address"
                )
            output = found
        registry.functions.append(
            Registered(
                len(registry.functions), kind, name, function, output, fewest, most, at, required
            )
        )
        return function

    return decorate


def _check_name(kind: Kind, name: str, registry: Registry) -> None:
    if not name or not name.replace("_", "").replace("-", "").replace(".", "").isalnum():
        raise ScriptError(f"{kind.value} '{name}': a name has letters, digits, '_', '-' and '.'")
    if registry.find(kind, name) is not None:
        raise ScriptError(f"{kind.value} '{name}' is registered twice")


def _arguments(function: Callable[..., Any], given: int) -> tuple[int, int | None]:
    """How many arguments a rule must and may write beyond the `given` ones."""
    fewest, most = 0, 0
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            return max(0, fewest - given), None
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            most += 1
            fewest += parameter.default is parameter.empty
    if most < given:
        raise ScriptError(f"'{function.__name__}' must take at least {given} argument")
    return max(0, fewest - given), most - given
