"""docs/python.md and examples/python: what they show is what happens."""

from __future__ import annotations

import re
import shlex
import time
from pathlib import Path

import pytest

from telamon.base.diagnostic import render
from telamon.engine import IoEngine
from telamon.haproxy.load import load
from telamon.script.calls import Outcome, call
from telamon.script.registry import Kind, Registry
from telamon.script.registry import load as load_script
from telamon.script.transaction import Request, Transaction
from tests.engine.scripted import ask, scripted

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "python.md").read_text()
EXAMPLE = ROOT / "examples" / "python"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def commands() -> list[tuple[str, str]]:
    """(command, what it prints), in the page's order."""
    found = []
    for block in blocks("console"):
        for part in block.split("$ ")[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


def test_the_page_shows_what_happens(tmp_path: Path, io: IoEngine) -> None:
    lines = "\n".join(f"    {line}" for block in blocks("haproxy") for line in block.splitlines())
    assert len(commands()) == 6
    with scripted(tmp_path, io, "\n".join(blocks("python")), lines) as rig:
        for command, output in commands():
            program, *words = shlex.split(command)
            assert program == "curl"
            headers, body = {}, None
            while words[0].startswith("-"):
                option, value = words.pop(0), words.pop(0)
                if option == "-H":
                    name, _, text = value.partition(": ")
                    headers[name] = text
                else:
                    body = value.encode()
            path = words[0].removeprefix("lb")
            assert ask(rig, path, headers, body)[2] == output, command


def test_every_decorated_name_of_the_api_is_on_the_page() -> None:
    for name in [name for name in dir(Transaction) if not name.startswith("_")]:
        assert f"txn.{name}" in PAGE or f"`{name}" in PAGE or name in ("edits", "answer"), name


@pytest.fixture(scope="module")
def example() -> Registry:
    return load_script([str(EXAMPLE / "functions.py")])


def checked(example: Registry, uri: str) -> Outcome:
    registered = example.find(Kind.ACTION, "check-link")
    assert registered is not None
    outcome = call(registered, Transaction(Request("GET", uri, "1.1", ())), [])
    assert isinstance(outcome, Outcome)
    return outcome


def test_the_example_is_sound() -> None:
    loaded = load([str(EXAMPLE / "haproxy.cfg")])
    assert loaded.plan is not None, render(list(loaded.report))
    assert not list(loaded.report)


def test_the_example_checks_links(example: Registry) -> None:
    registered = example.find(Kind.ACTION, "check-link")
    assert registered is not None
    sign = registered.function.__globals__["sign"]
    later = int(time.time()) + 1000
    good = sign("/files/a", later)
    assert checked(example, f"/files/a?{good}").edits == (("set-query", ("",)),)
    assert checked(example, f"/files/b?{good}").edits == (("deny", (403,)),)
    old = checked(example, f"/files/a?{sign('/files/a', 5)}").message
    assert old is not None and old.startswith(b"HTTP/1.1 410")
