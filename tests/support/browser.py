"""Headless Chromium: the page as a browser shows it."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from tests.support.peers import need

# Without these, every start of the browser looks for its maker's hosts.
_QUIET = (
    "--headless --no-sandbox --disable-gpu --hide-scrollbars --no-first-run --disable-quic "
    "--disable-background-networking --disable-component-update --disable-sync"
).split()


def _run(*arguments: str) -> str:
    program = need("chromium")
    with tempfile.TemporaryDirectory() as profile:
        done = subprocess.run(
            [program, *_QUIET, f"--user-data-dir={profile}", *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
    return done.stdout


def document(url: str) -> str:
    """The page's document after its style and scripts have run."""
    return _run("--dump-dom", url)


def screenshot(url: str, target: Path, *, width: int = 1500, height: int = 620) -> None:
    """A picture of the page as PNG."""
    _run(f"--screenshot={target}", f"--window-size={width},{height}", url)
