"""`telamon haproxy`: in the place of haproxy, with its flags, files, signals and exits.

This is the entry for `telamon --help`; a call goes straight to `haproxy_main.py`, without click:
scripts ask for `-v` and `-cc` many times over.
"""

from __future__ import annotations

import sys

import click

from telamon.cli.haproxy_main import main


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []},
    add_help_option=False,
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[OPTION]...")
def command(arguments: tuple[str, ...]) -> None:
    """Be haproxy: the proxy alone, with haproxy(1)'s options ('-h' lists them)."""
    sys.exit(main(arguments))
