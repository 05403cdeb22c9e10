"""`telamon lab`: a whole cluster on this machine, to watch and to play with."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click

_VRRP = click.option(
    "--vrrp", type=click.Choice(["2", "3"]), default="3", show_default=True,
    help="Which of the guide's two keepalived.conf files the nodes run.",
)  # fmt: skip
_ORIGINAL = click.option(
    "--original", is_flag=True,
    help="Run HAProxy and Keepalived instead of Telamon, with the guide's haproxy.cfg mended.",
)  # fmt: skip


@click.group()
def command() -> None:
    """Three nodes, a switch and a client as network namespaces on this machine."""


@contextmanager
def _orderly() -> Iterator[None]:
    """Errors as one line; a signal unwinds like any other exception, so that all is taken down."""
    from telamon.lab.net import LabError

    def leave(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    for signum in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, leave)
    try:
        yield
    except KeyboardInterrupt:
        click.echo("interrupted", err=True)
        sys.exit(128 + signal.SIGINT)
    except LabError as error:
        raise click.ClickException(str(error)) from error
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "cryptography":
            raise
        raise click.ClickException(
            "the lab needs the Python package cryptography: pip install 'telamon[lab]'"
        ) from error


@command.command()
@_VRRP
@_ORIGINAL
def demo(vrrp: str, original: bool) -> None:
    """Break things while a client keeps asking, and show what it noticed.

    Exits with 0 only if every event ended as it must.
    """
    with _orderly():
        from telamon.lab.cluster import Cluster
        from telamon.lab.demo import Demo, last_words
        from telamon.lab.live import Lines, Screen, View
        from telamon.lab.net import LabError
        from telamon.lab.report import table
        from telamon.lab.seed import VrrpVersion

        version = VrrpVersion(int(vrrp))
        view: View = Screen(sys.stdout) if sys.stdout.isatty() else Lines(sys.stdout)
        with Cluster(version, original=original) as cluster:
            click.echo(f"{cluster.kind.title}, VRRP version {vrrp}")
            try:
                outcomes = Demo(cluster, view).run()
            except LabError:
                view.close()
                click.echo(last_words(cluster), err=True)
                raise
            finally:
                view.close()
            failed = any(outcome.problem for outcome in outcomes)
            if failed:
                click.echo(last_words(cluster), err=True)
    click.echo("\n" + table(outcomes), nl=False)
    sys.exit(1 if failed else 0)
