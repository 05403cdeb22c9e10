"""`telamon ctl`: tell the running supervisor what to do."""

from __future__ import annotations

import sys
from pathlib import Path

import click

_RUN_DIR = click.option(
    "--run-dir", type=click.Path(path_type=Path), metavar="DIR",
    help="As given to 'telamon run' (default /run/telamon, or $TELAMON_RUN_DIR).",
)  # fmt: skip
_ROLE = click.argument("role", type=click.Choice(["proxy", "router"]))


@click.group()
def command() -> None:
    """Control a running Telamon: reload it, stop and start its parts."""


def _send(run_dir: Path | None, **message: str | bool) -> None:
    from telamon.daemon.control import ControlError, default_run_dir, request

    try:
        answer = request(run_dir or default_run_dir(), message)
    except ControlError as error:
        raise click.ClickException(str(error)) from error
    click.echo(answer.get("text", ""), err=not answer["ok"])
    sys.exit(0 if answer["ok"] else 1)


@command.command()
@click.option(
    "--force", is_flag=True, help="Even if this node loses a virtual address that it holds."
)
@_RUN_DIR
def reload(force: bool, run_dir: Path | None) -> None:
    """Read both files again; a bad one changes nothing."""
    _send(run_dir, command="reload", force=force)


@command.command()
@_ROLE
@_RUN_DIR
def start(role: str, run_dir: Path | None) -> None:
    """Start a stopped part."""
    _send(run_dir, command="start", role=role)


@command.command()
@_ROLE
@_RUN_DIR
def stop(role: str, run_dir: Path | None) -> None:
    """Stop a part in good order; it stays stopped. Without its proxy a node gives the VIP away."""
    _send(run_dir, command="stop", role=role)


@command.command()
@_ROLE
@_RUN_DIR
def restart(role: str, run_dir: Path | None) -> None:
    """Start a part anew; the proxy without refusing a connection."""
    _send(run_dir, command="restart", role=role)
