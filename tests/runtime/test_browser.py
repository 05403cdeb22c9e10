"""The stats page of a running `telamon run`, as a browser gets and shows it."""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import browser
from tests.support.peers import wait_for
from tests.support.ports import free_port


@contextlib.contextmanager
def telamon(folder: Path, configuration: str) -> Iterator[subprocess.Popen[bytes]]:
    file = folder / "haproxy.cfg"
    file.write_text(configuration)
    log = (folder / "telamon.log").open("wb")
    command = [sys.executable, "-m", "telamon", "run", "-f", str(file), "--foreground"]
    command += ["--run-dir", str(folder / "run")]
    with log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(20)


def fetch(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as response:
        text: str = response.read().decode()
        return text


def reachable(url: str) -> bool:
    try:
        fetch(url)
    except (OSError, urllib.error.URLError):
        return False
    return True


@pytest.mark.browser
def test_a_browser_shows_the_page(tmp_path: Path) -> None:
    front, stats, live, dead = (free_port() for _ in range(4))
    url = f"http://127.0.0.1:{stats}/haproxy?stats"
    configuration = f"""
defaults
    timeout connect 5s
    timeout client 5s
    timeout server 5s
listen web
    mode tcp
    bind 127.0.0.1:{front}
    server up 127.0.0.1:{live} check inter 100
    server down 127.0.0.1:{dead} check inter 100
listen stats
    mode http
    bind 127.0.0.1:{stats}
    stats uri /haproxy?stats
    stats refresh 30s
"""
    with socket.create_server(("127.0.0.1", live)), telamon(tmp_path, configuration):
        wait_for(lambda: reachable(url), "the stats page")
        wait_for(lambda: 'class="active_down"><td class="ac"' in fetch(url), "the dead server")
        shown = browser.document(url)
        picture = tmp_path / "page.png"
        browser.screenshot(url, picture)
    for name in ("web/Frontend", "web/up", "web/down", "web/Backend", "stats/Frontend"):
        assert f'name="{name}"' in shown
    assert "L4CON" in shown
    data = picture.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", data[16:24]) == (1500, 620)
