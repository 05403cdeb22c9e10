"""`telamon lab`: a whole cluster on this machine, to watch and to play with."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
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
        cluster = Cluster(version, original=original)
        click.echo(f"{cluster.kind.title}, VRRP version {vrrp}")
        with cluster:
            try:
                outcomes = Demo(cluster, view).run()
            except LabError:
                view.close()
                click.echo(last_words(cluster), err=True)
                raise
            finally:
                view.close()
            failed = any(outcome.problem for outcome in outcomes)
            if failed and not original:
                click.echo(last_words(cluster), err=True)
    click.echo("\n" + table(outcomes), nl=False)
    sys.exit(1 if failed else 0)


@command.command()
@_VRRP
@_ORIGINAL
def up(vrrp: str, original: bool) -> None:
    """Make the cluster and keep it in the background."""
    with _orderly():
        from telamon.lab import keeper, topology
        from telamon.lab.seed import VrrpVersion

        state = keeper.launch(VrrpVersion(int(vrrp)), original=original)
    click.echo(f"up: {state.title} on {', '.join(m.name for m in topology.MACHINES)}, VRRP {vrrp}")
    click.echo(f"stats page:  http://127.0.0.1:{state.stats_port}{topology.STATS_PATH}")
    click.echo("a command:   telamon lab exec node1 -- ip address show dev em1")
    url = f"https://{topology.VIP}:{topology.PROXY_PORT}/readyz"
    click.echo(f"a request:   telamon lab exec client -- curl --cacert /run/lab/ca.pem {url}")
    click.echo("the end:     telamon lab down")


@command.command()
def down() -> None:
    """End the cluster that `up` made; nothing of it remains."""
    with _orderly():
        from telamon.lab import keeper

        keeper.down()
    click.echo("the lab is down")


@command.command()
def status() -> None:
    """Who holds the VIP, and what runs on each node."""
    with _orderly():
        from telamon.lab import inspect, state

        lines = inspect.lines(state.require())
    for line in lines:
        click.echo(line)


@command.command(
    "exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False}
)
@click.argument("node")
@click.argument("argv", nargs=-1, type=click.UNPROCESSED)
def execute(node: str, argv: tuple[str, ...]) -> None:
    """Run a command on NODE (node1, node2, node3 or client); a shell if none is given.

    The exit status is the command's.
    """
    with _orderly():
        from telamon.lab import state
        from telamon.lab.net import LabError, enter_command

        found = state.require()
        if node not in found.inits:
            raise LabError(f"there is no node {node}: choose of {', '.join(found.inits)}")
        # Options end at NODE, so click hands the separator through.
        given = argv[1:] if argv[:1] == ("--",) else argv
        words = [*given] or [os.environ.get("SHELL", "/bin/sh")]
        command_line = enter_command(found.inits[node], words, user=found.user, tty=True)
        for signum in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, signal.SIG_DFL)
        # So that `telamon status` means this very program on the node too.
        here = str(Path(sys.executable).parent)
        os.environ["PATH"] = os.pathsep.join([here, os.environ.get("PATH", os.defpath)])
        os.execv(command_line[0], command_line)
