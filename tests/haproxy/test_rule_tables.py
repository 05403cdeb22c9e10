"""The tables of the rule language against HAProxy's own lists, and against the engine's."""

from __future__ import annotations

import functools
import re
import subprocess
from pathlib import Path

import pytest

from telamon.engine import known_words
from telamon.haproxy.actions import index as actions
from telamon.haproxy.samples import index, missing
from telamon.haproxy.samples.row import Converter, Fetch
from telamon.haproxy.samples.types import Type
from tests.support.peers import need

_CONFIGURATION = "defaults\n timeout client 1s\nfrontend f\n bind 127.0.0.1:8443\n"
_TYPES = {"sint": "int", "meth": "method", "addr": "address"}

# 2.6 prints a wrong type of these, or one of several.
_TYPES_DIFFER = {
    "bc_dst", "bc_src", "dst", "fc_dst", "fc_src", "src", "req.hdr_ip", "res.hdr_ip", "ipmask",
    "debug", "set-var", "unset-var",
}  # fmt: skip


@functools.cache
def _dump() -> str:
    """What `haproxy -dKall` prints: all keywords, with types and validity."""
    program = need("haproxy")
    path = Path("/proc/self/fd/0")
    done = subprocess.run(
        [program, "-dKall", "-c", "-f", path], input=_CONFIGURATION, capture_output=True, text=True
    )
    return done.stdout


def _section(title: str) -> list[str]:
    text = _dump()
    start = text.index(f"# List of registered {title}")
    lines = text[start:].split("\n")[1:]
    end = next((n for n, line in enumerate(lines) if line.startswith("# List")), len(lines))
    return [line for line in lines[:end] if line and not line.startswith("#")]


@pytest.mark.peer
def test_fetches_are_haproxys() -> None:
    for line in _section("sample fetch functions"):
        match = re.fullmatch(r"\[ (.*) \] ([^:(]+)(?:\(.*\))?: (\w+)", line)
        assert match is not None, line
        validity, name, type = match[1].replace(" ", ""), match[2], match[3]
        known = name in index.OLD_NAMES or name in index.TWO_SIDED or name in index.FETCHES_NOT_YET
        assert known or name in index.FETCH, f"{name} is missing"
        row = index.FETCH.get(name)
        if row is not None:
            assert row.needs.value[0] == validity, name
            if row.output is not Type.ANY and name not in _TYPES_DIFFER:
                assert row.output == _TYPES.get(type, type), name


@pytest.mark.peer
def test_converters_are_haproxys() -> None:
    for line in _section("sample converter functions"):
        match = re.fullmatch(r"([^:(]+)(?:\(.*\))?: (\w+) => (\w+)", line)
        assert match is not None, line
        name, output, input = match[1], match[2], match[3]
        row = index.CONVERTER.get(name)
        assert row is not None or name in index.CONVERTERS_NOT_YET, f"{name} is missing"
        if row is not None and name not in _TYPES_DIFFER:
            assert row.output == _TYPES.get(output, output), name
            assert row.input == _TYPES.get(input, input), name


@pytest.mark.peer
def test_criteria_of_acls_are_haproxys() -> None:
    for line in _section("ACL keywords"):
        name, _, meaning = line.partition(" = ")
        fetch, _, method = meaning.partition(" -m ")
        if fetch in index.FETCHES_NOT_YET:
            continue
        criterion = index.CRITERIA.get(name)
        if criterion is None:
            assert name in missing_criteria(), f"{name} is missing"
            continue
        assert index.OLD_NAMES.get(fetch, fetch) == criterion.fetch, name
        assert criterion.match == method, name


def missing_criteria() -> set[str]:
    """Those whose row gives the same without a criterion."""
    return {"req_rdp_cookie_cnt"}


@pytest.mark.peer
def test_actions_are_haproxys() -> None:
    for line in _section("configuration keywords"):
        for at, title in actions.SET_NAMES.items():
            match = re.match(rf"\s*{title} ([a-z0-9-]+)\*?\s*$", line)
            if match is not None:
                name = "track-sc0" if match[1] == "track-sc" else match[1]
                known = actions.find(name, at) is not None
                assert known or name in actions.ACTIONS_NOT_YET, line


def test_what_the_engine_lacks_is_refused() -> None:
    words = known_words()
    assert set(index.FETCH) - words["fetches"] == missing.FETCHES
    assert set(index.CONVERTER) - words["converters"] == missing.CONVERTERS
    assert {row.name for row in actions.ACTIONS} - words["actions"] == missing.ACTIONS


@pytest.mark.parametrize("rows", [index.FETCHES, index.CONVERTERS], ids=["fetches", "converters"])
def test_rows_are_whole(rows: tuple[Fetch | Converter, ...]) -> None:
    names = [row.name for row in rows]
    assert len(names) == len(set(names))
    for row in rows:
        optional = [parameter.optional for parameter in row.parameters]
        assert optional == sorted(optional), f"{row.name}: what may be left out comes last"
        assert row.doc.endswith("."), row.name
        for parameter in row.parameters:
            assert parameter.what, f"{row.name}: {parameter.kind}"


def test_no_name_is_both_a_row_and_not_yet() -> None:
    assert set(index.FETCH) & index.FETCHES_NOT_YET == set()
    assert set(index.CONVERTER) & index.CONVERTERS_NOT_YET == set()
    assert {row.name for row in actions.ACTIONS} & actions.ACTIONS_NOT_YET == set()
    assert set(index.FETCH) & (set(index.OLD_NAMES) | set(index.TWO_SIDED)) == set()
