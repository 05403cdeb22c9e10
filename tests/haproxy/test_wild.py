"""Files as people write them: HAProxy 2.6 and Telamon take the same, and warn as often.

A word that Telamon does not carry out yet must be named (H034); nothing else may be refused that
HAProxy takes.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from telamon.base.diagnostic import Severity
from telamon.haproxy.load import load
from tests.support.peers import need

FILES = sorted((Path(__file__).parent / "wild").glob("*.cfg"))
WARNS_ALONE = {"stats.cfg": "2.6 warns of a log format in a section with `no log`"}


@pytest.mark.peer
@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_the_same_verdict(path: Path) -> None:
    real = subprocess.run([need("haproxy"), "-c", "-f", path], capture_output=True, text=True)
    report = load([str(path)], environment={}).report
    errors = [one for one in report if one.severity is Severity.ERROR]
    warnings = [one for one in report if one.severity is Severity.WARNING]
    if any(one.code == "H034" for one in errors) and real.returncode == 0:
        assert {one.code for one in errors} == {"H034"}
        return
    assert bool(errors) == (real.returncode != 0), (errors, real.stderr)
    if not errors and path.name not in WARNS_ALONE:
        assert len(warnings) == real.stderr.count("[WARNING]"), (warnings, real.stderr)
