"""`telamon shims`: the directory whose programs are named as those that Telamon stands in for."""

from __future__ import annotations

import os
from pathlib import Path

import click


def directory() -> Path:
    """It comes with the package; each entry is an executable file named as its peer."""
    return Path(__file__).resolve().parent.parent / "shims"


@click.command()
def command() -> None:
    """Print a directory for PATH in which 'haproxy' and 'keepalived' are Telamon.

    As in: PATH=$(telamon shims):$PATH haproxy -c -f /etc/haproxy/haproxy.cfg
    """
    folder = directory()
    for entry in folder.iterdir():
        # Not every installer keeps the mode.
        if not os.access(entry, os.X_OK):
            try:
                entry.chmod(0o755)
            except OSError as error:
                raise click.ClickException(f"{entry} is not executable: {error}") from error
    click.echo(str(folder))
