"""Golden files: a configuration, a ruler, and what must come of it, in one file each.

`python -m tests.haproxy.goldens` writes what comes below the rulers anew; look at the difference
before you keep it. An expectation has the diagnostics as `check` shows them, then the plan without
what stands at its default.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

from telamon.base.diagnostic import render
from telamon.haproxy.load import Loaded, load
from telamon.plan.codec import to_document

HERE = Path(__file__).parent / "golden"
RULER = "-" * 60 + "\n"
ENVIRONMENT = {"LISTEN": "10.0.0.9", "MASTERS": "10.0.0.1 10.0.0.2", "PORT": "6443", "EMPTY": ""}
_USERS = {"haproxy": 103, "root": 0, "www-data": 33}


def cases() -> list[str]:
    return sorted(path.stem for path in HERE.glob("*.txt"))


def parts(name: str) -> tuple[str, str]:
    """The configuration and the expectation of a case."""
    text = (HERE / f"{name}.txt").read_text()
    configuration, _, expected = text.partition(RULER)
    return configuration, expected


def _user(name: str) -> SimpleNamespace:
    return SimpleNamespace(pw_uid=_USERS[name], gr_gid=_USERS[name])


@contextlib.contextmanager
def known_machine() -> Iterator[None]:
    """What a machine has must not change a golden file."""
    with (
        mock.patch("socket.gethostname", return_value="left.example.org"),
        mock.patch("pwd.getpwnam", _user),
        mock.patch("grp.getgrnam", _user),
    ):
        yield


def load_case(name: str, folder: Path) -> Loaded:
    with known_machine(), contextlib.chdir(folder):
        Path(f"{name}.cfg").write_text(parts(name)[0])
        return load([f"{name}.cfg"], environment=ENVIRONMENT)


def outcome(loaded: Loaded) -> str:
    text = render(loaded.report)
    if loaded.plan is not None:
        text += json.dumps(_sparse(loaded.plan), indent=1) + "\n"
    return text


def _sparse(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        found = {}
        for field in dataclasses.fields(value):
            item = getattr(value, field.name)
            default = field.default
            if field.default_factory is not dataclasses.MISSING:
                default = field.default_factory()
            if field.name != "digest" and item != default:
                found[field.name] = _sparse(item)
        return found
    if isinstance(value, tuple):
        return [_sparse(item) for item in value]
    return to_document(value)


def main() -> None:
    import tempfile

    for name in cases():
        with tempfile.TemporaryDirectory() as folder:
            text = outcome(load_case(name, Path(folder)))
        (HERE / f"{name}.txt").write_text(parts(name)[0] + RULER + text)


if __name__ == "__main__":
    main()
