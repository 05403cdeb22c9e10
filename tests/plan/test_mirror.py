"""The Rust crate `telamon-plan` mirrors `plan/process.py` and `plan/proxy.py` field by field.

Plans are made by reflection from the dataclasses themselves, so that a new field or enum value is
tried without a change here: each field takes each of its alternatives once. Rust reads them and
writes them anew; both texts must mean the same.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import ipaddress
import json
import os
import re
import shutil
import subprocess
import types
import typing
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from telamon.plan.balance import Algorithm
from telamon.plan.codec import to_document
from telamon.plan.process import Facility, Level, LogHeader, StatsLevel
from telamon.plan.proxy import AdminRule, LogFormat, Mode, ProxyPlan

ROOT = Path(__file__).resolve().parents[2]

_PLAIN: dict[Any, list[Any]] = {
    bool: [False, True],
    int: [1, 200],
    str: ["a", 'ü "\\'],
    ipaddress.IPv4Address: [ipaddress.IPv4Address("192.0.2.1")],
    ipaddress.IPv6Address: [ipaddress.IPv6Address("2001:db8::1")],
}


def alternatives(kind: Any) -> list[Any]:
    """Values of a type that show each of its forms at least once, the plainest part by part: a
    value differs from `full` in one place only, so that deep types stay few."""
    if kind is type(None):
        return [None]
    if kind in _PLAIN:
        return _PLAIN[kind]
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return list(kind)
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return [value for part in typing.get_args(kind) for value in alternatives(part)]
    if origin is tuple:
        return [(), *((value,) for value in alternatives(typing.get_args(kind)[0]))]
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return list(_instances(kind))
    raise TypeError(f"no alternatives known for {kind}")


@functools.cache
def full(kind: Any) -> Any:
    """A value in which no list is empty and nothing is None."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        return kind(**{f.name: full(hints[f.name]) for f in dataclasses.fields(kind)})
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return full([part for part in typing.get_args(kind) if part is not type(None)][-1])
    if origin is tuple:
        return (full(typing.get_args(kind)[0]),)
    return alternatives(kind)[-1]


def _instances(kind: Callable[..., Any]) -> Iterator[Any]:
    hints = typing.get_type_hints(kind)
    whole = full(kind)
    yield whole
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        for value in alternatives(hints[field.name]):
            if value != getattr(whole, field.name):
                yield dataclasses.replace(whole, **{field.name: value})


@pytest.fixture(scope="module")
def read_by_rust() -> Callable[[Sequence[Any]], list[Any]]:
    """Documents go in; what Rust makes of each comes out: a document, or the error's text."""
    if shutil.which("cargo") is None:
        pytest.skip("cargo is not installed")
    # As `make test` has built it by then: the same profile, the same packages.
    build = "cargo build --profile checks --quiet --workspace --exclude telamon-py --example mirror"
    subprocess.run(build.split(), cwd=ROOT, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    command = [target / "checks/examples/mirror"]

    def read(documents: Sequence[Any]) -> list[Any]:
        text = "".join(json.dumps(document) + "\n" for document in documents)
        done = subprocess.run(
            command, cwd=ROOT, input=text, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        assert len(lines) == len(documents)
        return [line if line.startswith("error: ") else json.loads(line) for line in lines]

    return read


Read = Callable[[Sequence[Any]], list[Any]]


def a_document() -> Any:
    """A plan in which no list is empty and nothing is None."""
    return to_document(full(ProxyPlan))


def paths(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every field; of a list's members only the first, they are alike."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield (*path, key)
            yield from paths(value, (*path, key))
    elif isinstance(document, list) and document:
        yield from paths(document[0], (*path, 0))


def changed(path: tuple[Any, ...], change: Callable[[dict[str, Any], str], None]) -> Any:
    document = a_document()
    inner = document
    for step in path[:-1]:
        inner = inner[step]
    change(inner, path[-1])
    return document


def test_every_alternative_of_every_field_is_read_and_written_alike(read_by_rust: Read) -> None:
    documents = [to_document(plan) for plan in alternatives(ProxyPlan)]
    for ours, theirs in zip(documents, read_by_rust(documents), strict=True):
        assert theirs == ours


def test_a_field_that_rust_does_not_know_is_refused(read_by_rust: Read) -> None:
    def rename(inner: dict[str, Any], key: str) -> None:
        inner[f"{key}_new"] = inner[key]

    where = [path for path in paths(a_document()) if isinstance(path[-1], str)]
    assert len(where) > 80
    for path, answer in zip(
        where, read_by_rust([changed(path, rename) for path in where]), strict=True
    ):
        assert "unknown field" in answer, path


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (("proxies", 0, "mode"), Mode),
        (("proxies", 0, "log_format"), LogFormat),
        (("proxies", 0, "backend", "algorithm"), Algorithm),
        (("proxies", 0, "stats", "admin"), AdminRule),
        (("process", "logs", 0, "header"), LogHeader),
        (("process", "stats_sockets", 0, "level"), StatsLevel),
    ],
)
def test_enums_have_the_same_values(
    read_by_rust: Read, path: tuple[Any, ...], kind: type[enum.Enum]
) -> None:
    [answer] = read_by_rust([changed(path, lambda inner, key: inner.update({key: "?"}))])
    assert set(re.findall(r"`([^`]+)`", answer)[1:]) == {member.value for member in kind}


@pytest.mark.parametrize(("field", "kind"), [("facility", Facility), ("max_level", Level)])
def test_numbers_past_the_last_of_an_enum_are_refused(
    read_by_rust: Read, field: str, kind: type[enum.IntEnum]
) -> None:
    path = ("process", "logs", 0, field)
    past = max(kind) + 1
    [answer] = read_by_rust([changed(path, lambda inner, key: inner.update({key: past}))])
    assert f"{past} is no {kind.__name__}" in answer


def test_a_weight_past_256_is_refused(read_by_rust: Read) -> None:
    path = ("proxies", 0, "backend", "servers", 0, "weight")
    documents = [
        changed(path, lambda inner, key, w=weight: inner.update({key: w}))  # type: ignore[misc]
        for weight in (0, 256, 257)
    ]
    none, most, past = read_by_rust(documents)
    assert (none, most) == (documents[0], documents[1])
    assert "outside 0 to 256" in past
