"""Nodes that run the stand-in or the real keepalived from the same file."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.interop.lan import Lan, Node, Program, eventually, lan
from tests.standin import haproxy_program

_RUN = Path(__file__).with_name("run_keepalived.py")


@dataclass
class Standin:
    """A running keepalived, ours or the real one, with files of its own."""

    program: Program
    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "keepalived.conf"

    @property
    def pid(self) -> int:
        return int((self.folder / "parent.pid").read_text())

    @property
    def vrrp_pid(self) -> int:
        return int((self.folder / "vrrp.pid").read_text())

    def signal(self, number: int) -> None:
        """As scripts do: to the number in the parent's pid file."""
        os.kill(self.pid, number)

    def says(self, text: str, times: int = 1) -> None:
        eventually(lambda: self.program.text().count(text) >= times, repr(text))


def start(node: Node, folder: Path, config: str, *flags: str, real: bool = False) -> Standin:
    folder.mkdir(exist_ok=True)
    (folder / "keepalived.conf").write_text(config)
    files = ["-f", "keepalived.conf", "-p", "parent.pid", "-r", "vrrp.pid"]
    command = [sys.executable, str(_RUN), str(folder)]
    if real:
        peer = shutil.which("keepalived", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        if peer is None:
            pytest.skip("keepalived is not installed")
        command = [peer]
    pairs = zip(files[::2], files[1::2], strict=True)
    places = [word for flag, name in pairs for word in (flag, str(folder / name))]
    return Standin(
        node.start([*command, "-n", "-l", "-D", *places, *flags], folder / "log"), folder
    )


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Lan]:
    """Two routers and a client."""
    with lan(tmp_path, 3) as made:
        yield made


@pytest.fixture(params=["ours", "real"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[haproxy_program.Program]:
    """The stand-in for HAProxy, then HAProxy itself: what both must do alike."""
    command = haproxy_program.OURS if request.param == "ours" else haproxy_program.real()
    program = haproxy_program.Program(command, tmp_path)
    yield program
    program.close()


@pytest.fixture
def ours(tmp_path: Path) -> Iterator[haproxy_program.Program]:
    folder = tmp_path / "ours"
    folder.mkdir()
    program = haproxy_program.Program(haproxy_program.OURS, folder)
    yield program
    program.close()


@pytest.fixture
def theirs(tmp_path: Path) -> Iterator[haproxy_program.Program]:
    folder = tmp_path / "theirs"
    folder.mkdir()
    program = haproxy_program.Program(haproxy_program.real(), folder)
    yield program
    program.close()
