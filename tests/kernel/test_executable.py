"""Who may write what root runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from telamon.kernel import executable

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of other users")


@pytest.fixture
def script(tmp_path: Path) -> Path:
    here = tmp_path / "etc" / "check"
    here.parent.mkdir(mode=0o755)
    here.write_text("#!/bin/sh\nexit 0\n")
    here.chmod(0o755)
    for part in (tmp_path, *tmp_path.parents):
        if part.stat().st_mode & 0o022 and not part.stat().st_mode & 0o1000:
            pytest.skip(f"{part} can be written by others on this machine")
    return here


def test_found_in_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "tool"
    tool.write_text("")
    monkeypatch.setenv("PATH", f"/nowhere:{tmp_path}")
    assert executable.find("tool") is None
    tool.chmod(0o755)
    assert executable.find("tool") == str(tool)
    assert executable.find(str(tool)) == str(tool)
    assert executable.find("./tool-that-is-not-there") is None
    assert executable.find(str(tmp_path)) is None


def test_a_default_path_holds_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PATH", raising=False)
    assert executable.find("sh") in {"/usr/bin/sh", "/bin/sh"}


@as_root
def test_a_root_owned_script_is_safe(script: Path) -> None:
    assert executable.unsafe_for_root(str(script)) is None


@as_root
def test_each_way_in_is_named(script: Path) -> None:
    script.chmod(0o777)
    reason = executable.unsafe_for_root(str(script))
    assert reason == f"{script} can be written by everybody (mode 0777)"
    script.chmod(0o775)
    os.chown(script, 0, 12345)
    reason = executable.unsafe_for_root(str(script))
    assert reason == f"{script} can be written by group 12345 (mode 0775)"
    os.chown(script, 0, 0)
    assert executable.unsafe_for_root(str(script)) is None
    os.chown(script.parent, 4321, 0)
    reason = executable.unsafe_for_root(str(script))
    assert reason == f"{script.parent} belongs to user 4321, not to root"


@as_root
def test_a_link_is_as_unsafe_as_what_it_points_to(script: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("etc/../etc/check")
    assert executable.unsafe_for_root(str(link)) is None
    script.chmod(0o757)
    assert "everybody" in (executable.unsafe_for_root(str(link)) or "")


def test_links_that_go_round_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert executable.unsafe_for_root(str(tmp_path / "a")) is not None
