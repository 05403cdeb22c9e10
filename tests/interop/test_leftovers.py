"""What a harness leaves that is killed by force, the next one removes; what lives stays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from telamon.testing import leftovers
from tests.interop.lan import eventually, lan

pytestmark = pytest.mark.netns

_HARNESS = """
import sys, time
from pathlib import Path
from tests.interop.lan import lan
with lan(Path(sys.argv[1]), 1) as made:
    program = made.nodes[0].start(["sleep", "1000"], Path(sys.argv[1]) / "log")
    print(made.switch, made.nodes[0].namespace, program.process.pid, flush=True)
    time.sleep(1000)
"""


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_a_killed_harness_is_swept_up(tmp_path: Path) -> None:
    with lan(tmp_path, 1) as living:
        harness = subprocess.Popen(
            [sys.executable, "-c", _HARNESS, str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONPATH": "src:."},
        )
        with harness:
            assert harness.stdout is not None
            *names, pid = harness.stdout.readline().split()
            assert leftovers.sweep() == [], "its owner is alive"
            harness.kill()
        folder = Path(f"/run/keepalived/{names[0]}")
        folder.mkdir(parents=True)
        assert _runs(int(pid)), "nobody has ended it yet"
        assert set(names) <= set(leftovers.sweep())
        eventually(lambda: not _runs(int(pid)), "the program's end")
        assert not folder.exists()
        assert not any(Path(f"/run/netns/{name}").exists() for name in names)
        assert Path(f"/run/netns/{living.switch}").exists()


def test_names_of_others_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    for entry in ("blue", f"other-{gone.pid}-1", "tlm-1-x", f"tlm-{os.getpid()}-x", "tlm-x"):
        (tmp_path / entry).touch()
    monkeypatch.setattr(leftovers, "_NAMED", tmp_path)
    monkeypatch.setattr(leftovers, "_KEEPALIVED", tmp_path / "none")
    assert leftovers.sweep() == []
