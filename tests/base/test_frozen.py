"""`@frozen` against the standard `@dataclass(frozen=True, slots=True)`."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from telamon.base.frozen import frozen


def body(decorator: Callable[[type], Any]) -> Any:
    """One class of each kind of field, made by `decorator`."""

    class Value:
        """Documented."""

        first: int
        hidden: str = field(default="h", repr=False)
        ignored: int = field(default=3, compare=False)
        items: list[int] = field(default_factory=list)
        length: int = field(init=False, compare=False)
        last: tuple[str, ...] = ()

        def __post_init__(self) -> None:
            object.__setattr__(self, "length", len(self.items))

        @property
        def doubled(self) -> int:
            return self.first * 2

    return decorator(Value)


Ours, Standard = body(frozen), body(dataclass(frozen=True, slots=True))
MADE: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((1,), {}),
    ((1, "x"), {}),
    ((1,), {"items": [1, 2]}),
    ((1,), {"ignored": 9, "last": ("a",)}),
    ((2,), {"first": 3}),
    ((), {}),
    ((1,), {"unknown": 1}),
    ((1,), {"length": 1}),
]


def told(make: Callable[[], Any]) -> tuple[Any, ...]:
    try:
        one = make()
    except TypeError:
        return ("TypeError",)
    values = {f.name: getattr(one, f.name) for f in dataclasses.fields(one)}
    return repr(one), values, one.doubled


@pytest.mark.parametrize(("arguments", "named"), MADE)
def test_values_are_made_and_shown_alike(arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
    ours = told(lambda: Ours(*arguments, **named))
    assert ours == told(lambda: Standard(*arguments, **named))


@pytest.mark.parametrize("make", [Ours, Standard])
def test_values_compare_by_their_fields(make: Any) -> None:
    assert make(1) == make(1, ignored=7)
    assert make(1) != make(1, "other")
    assert make(1) != 1
    assert make(1, last=("a",)).items is not make(1).items
    assert dataclasses.replace(make(1), first=2) == make(2)
    match make(4, "m"):
        case Ours(first, hidden) | Standard(first, hidden):
            assert (first, hidden) == (4, "m")
    assert not hasattr(make(1), "__dict__")
    assert make.__doc__ == "Documented."


@pytest.mark.parametrize("make", [Ours, Standard])
@pytest.mark.parametrize("name", ["first", "nowhere"])
def test_nothing_can_be_changed(make: Any, name: str) -> None:
    value = make(1)
    with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):
        setattr(value, name, 5)
    with pytest.raises((dataclasses.FrozenInstanceError, TypeError)):
        delattr(value, name)


@frozen
class Point:
    """At the top of the module, where pickle finds it."""

    x: int
    y: int = 0


@frozen
class Named(Point):
    name: str = ""

    def __repr__(self) -> str:
        return self.name


def test_values_can_be_keys_copied_and_pickled() -> None:
    assert {Point(1, 2): "a"}[Point(1, 2)] == "a"
    assert copy.deepcopy(Point(1, 2)) == copy.copy(Point(1, 2)) == Point(1, 2)
    assert pickle.loads(pickle.dumps(Point(1, 2))) == Point(1, 2)


def test_a_class_adds_to_another_and_keeps_its_own_methods() -> None:
    named = Named(1, 2, "n")
    assert (named.x, named.y, repr(named)) == (1, 2, "n")
    assert named != Point(1, 2)
