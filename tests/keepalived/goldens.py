"""How golden files are written and read.

`python -m tests.keepalived.goldens` writes them anew; look at the difference before you keep it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from telamon.base.diagnostic import Diagnostic
from telamon.keepalived.load import Loaded, check_failed, load
from telamon.keepalived.users import ScriptFile
from telamon.plan.codec import to_document

HERE = Path(__file__).parent / "golden"
SEEDS = Path(__file__).parents[2] / "examples" / "kube-apiserver"


def cases() -> list[str]:
    return sorted(path.stem for path in HERE.glob("*.conf"))


def present(command: str) -> ScriptFile:
    """Every script is there: what a machine has must not change a golden file."""
    return ScriptFile(command)


@contextlib.contextmanager
def _known_machine() -> Iterator[None]:
    with (
        mock.patch("socket.gethostname", return_value="left.example.org"),
        mock.patch("telamon.keepalived.lower_notify._own_user", return_value="root"),
        mock.patch("telamon.keepalived.lower_tracking.default_identity", return_value=None),
        contextlib.chdir(HERE),
    ):
        yield


def load_case(name: str) -> Loaded:
    with _known_machine():
        return load(f"{name}.conf", environment={"VIP": "10.9.7.99"}, examine_script=present)


def outcome(loaded: Loaded) -> str:
    """The golden text: diagnostics, then the plans without what stands at its default."""
    lines = [_line(d) for d in loaded.report]
    lines.append(f"check {'fails' if check_failed(loaded.report) else 'passes'}")
    for plan in (loaded.router, loaded.director):
        if plan is not None:
            lines.append(json.dumps(_sparse(plan), indent=1))
    return "\n".join(lines) + "\n"


def _line(d: Diagnostic) -> str:
    text = f"{d.span or '-'}: {d.severity.label}[{d.code}]: {d.message}"
    for extra in (d.help, *d.notes):
        if extra:
            text += f"\n    {extra}"
    return text


def _sparse(value: Any) -> Any:
    """As `to_document`, without fields that have their default and without digests."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        found = {}
        for field in dataclasses.fields(value):
            item = getattr(value, field.name)
            if field.name != "digest" and item != field.default:
                found[field.name] = _sparse(item)
        return found
    if isinstance(value, tuple):
        return [_sparse(item) for item in value]
    return to_document(value)


def main() -> None:
    for name in cases():
        (HERE / f"{name}.expected").write_text(outcome(load_case(name)))


if __name__ == "__main__":
    main()
