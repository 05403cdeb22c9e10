"""`telamon`: the index of commands.

A command's module is imported only when it is called, so that `telamon --help` and the fast
commands do not pay for the slow ones.
"""

from __future__ import annotations

import importlib
from typing import Any

import click

from telamon import __version__

# command -> module in telamon.cli that defines a click command or group named `command`
COMMANDS = {
    "run": "run",
    "check": "check",
    "ctl": "ctl",
    "status": "status",
    "haproxy": "haproxy",
    "keepalived": "keepalived",
    "shims": "shims",
    "lab": "lab",
}


class LazyGroup(click.Group):
    """A group whose members are named in `COMMANDS` and loaded on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: Any = importlib.import_module(f"telamon.cli.{module}").command
        assert isinstance(command, click.Command)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="telamon")
def main() -> None:
    """A highly available load balancer: your haproxy.cfg and keepalived.conf, one program."""
