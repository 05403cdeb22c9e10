"""varnishtest's scripts in this folder, run with `telamon haproxy` and with the real one.

What passes with one only is a difference, or a script that asks for too much.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.peers import need

pytestmark = pytest.mark.peer

SCRIPTS = sorted(Path(__file__).parent.glob("*.vtc"))
_OURS = "import sys; from telamon.cli.haproxy_main import main; sys.exit(main(sys.argv[1:]))"


def _program(which: str, folder: Path) -> str:
    if which == "haproxy":
        return need("haproxy")
    wrapper = folder / "haproxy"
    command = shlex.join([sys.executable, "-c", _OURS])
    wrapper.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    wrapper.chmod(0o755)
    return str(wrapper)


@pytest.mark.parametrize("which", ["telamon", "haproxy"])
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_script_passes(script: Path, which: str, tmp_path: Path) -> None:
    if shutil.which("varnishtest") is None:
        pytest.skip("varnishtest is not installed (Debian's package varnish)")
    environment = {**os.environ, "HAPROXY_PROGRAM": _program(which, tmp_path)}
    done = subprocess.run(
        ["varnishtest", "-t", "30", str(script)],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:]
