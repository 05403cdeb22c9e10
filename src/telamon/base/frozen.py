"""Frozen values that are quick to define: `@frozen` is `@dataclass(frozen=True, slots=True)`.

The standard decorator writes and compiles six methods for each class. Some 130 classes are defined
before a configuration can be read, which was half of the time in which `haproxy -c` answers. Here
`__init__` alone is compiled; the other methods are the same for all classes and go by the fields'
names. All else is the standard's: `field`, `fields`, `replace`, `match`, pickling.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, field, fields
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform

_T = TypeVar("_T")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[_T]) -> type[_T]:
    """A frozen dataclass with slots, compared and hashed by its fields.

    Methods that the class defines itself stay. Keyword-only fields are not known here.
    """
    own = frozenset(cls.__dict__)
    made: Any = dataclass(init=False, repr=False, eq=False, slots=True)(cls)
    all_fields = fields(made)
    methods = {
        "__init__": _initialiser(made, all_fields),
        "__repr__": _representer(all_fields),
        "__eq__": _comparer(all_fields),
        "__hash__": _hasher(all_fields),
        "__setattr__": _refuse_change,
        "__delattr__": _refuse_change,
        "__getstate__": _get_state,
        "__setstate__": _set_state,
    }
    for name, method in methods.items():
        if name not in own:
            setattr(made, name, method)
    result: type[_T] = made
    return result


_Fields = tuple[Field[Any], ...]


def _initialiser(cls: type, of: _Fields) -> Callable[..., None]:
    """Puts the arguments into the slots, past `__setattr__`."""
    names: dict[str, Any] = {"MISSING": MISSING}
    parameters, body = ["self"], []
    # Without `init` it is `__post_init__` that gives a field its value.
    for one in (one for one in of if one.init):
        name = value = one.name
        names[f"set_{name}"] = getattr(cls, name).__set__
        if one.default_factory is not MISSING:
            names[f"make_{name}"] = one.default_factory
            value = f"make_{name}() if {name} is MISSING else {name}"
            parameters.append(f"{name}=MISSING")
        elif one.default is not MISSING:
            names[f"default_{name}"] = one.default
            parameters.append(f"{name}=default_{name}")
        else:
            parameters.append(name)
        body.append(f"  set_{name}(self, {value})")
    if hasattr(cls, "__post_init__"):
        body.append("  self.__post_init__()")
    source = "\n".join([f"def __init__({', '.join(parameters)}):", *body, "  return None"])
    exec(source, names)
    made: Callable[..., None] = names["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    return made


def _values(of: _Fields) -> Callable[[Any], Any]:
    names = [one.name for one in of if one.compare]
    return attrgetter(*names) if names else lambda value: ()


def _comparer(of: _Fields) -> Callable[[Any, object], Any]:
    values = _values(of)

    def equal(self: Any, other: object) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return values(self) == values(other)

    return equal


def _hasher(of: _Fields) -> Callable[[Any], int]:
    values = _values(of)

    def hashed(self: Any) -> int:
        return hash(values(self))

    return hashed


def _representer(of: _Fields) -> Callable[[Any], str]:
    names = [one.name for one in of if one.repr]

    def shown(self: Any) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{self.__class__.__qualname__}({values})"

    return shown


def _refuse_change(self: object, name: str, value: object = None) -> None:
    raise FrozenInstanceError(f"cannot change field '{name}'")


def _get_state(self: Any) -> list[Any]:
    return [getattr(self, one.name) for one in fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:
    for one, value in zip(fields(self), state, strict=True):
        object.__setattr__(self, one.name, value)
