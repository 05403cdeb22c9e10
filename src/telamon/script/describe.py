"""What a script file registers, found out in a process of its own.

To register its functions a file must run. Who only reads a configuration (the supervisor, `telamon
check`) wants their names and signatures, and nothing of what else the file may do while it runs:
threads, connections, an endless loop, `os._exit`. So another process runs it and tells; only the
proxy loads it for good.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import telamon
from telamon.script.registry import Kind, ScriptError, Signature, load

PATIENCE = 10.0
"""Seconds that a file has to load."""


def describe(path: str) -> list[Signature]:
    """The functions of a file; ScriptError if it cannot be used."""
    command = [sys.executable, "-c", "from telamon.script import describe; describe.main()", path]
    # The same package as here, however this process has found it.
    root = str(Path(telamon.__file__).parents[1])
    known = os.environ.get("PYTHONPATH")
    environment = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{known}" if known else root}
    try:
        done = subprocess.run(
            command, capture_output=True, env=environment, stdin=subprocess.DEVNULL,
            timeout=PATIENCE, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ScriptError(f"it did not load within {PATIENCE:.0f} s", path) from None
    except OSError as error:
        raise ScriptError(f"no Python to load it: {error}", path) from None
    try:
        told = json.loads(done.stdout)
    except ValueError:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise ScriptError(f"it ended Python, status {done.returncode}: {last}", path) from None
    if "reason" in told:
        raise ScriptError(told["reason"], told["path"], told["line"])
    return [_signature(document) for document in told["functions"]]


def _signature(document: dict[str, Any]) -> Signature:
    tuples = {name: tuple(document[name]) for name in ("required", "optional", "at")}
    return Signature(**{**document, **tuples, "kind": Kind(document["kind"])})


def main() -> None:
    """The other process: loads the file of its first argument and writes what it has."""
    # What the file prints must not stand in the answer.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    told: dict[str, Any]
    try:
        registry = load([sys.argv[1]])
    except ScriptError as error:
        told = {"reason": error.reason, "path": error.path, "line": error.line}
    else:
        told = {"functions": [asdict(one.signature) for one in registry.functions.values()]}
    json.dump(told, answer)
    answer.flush()
    os._exit(0)  # whatever threads the file has started
