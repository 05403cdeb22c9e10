"""`telamon run`: the proxy and the router from their own files, under one supervisor."""

from __future__ import annotations

import sys
from pathlib import Path

import click


@click.command()
@click.option(
    "-f", "haproxy", multiple=True, type=click.Path(path_type=Path), metavar="FILE",
    help="An haproxy.cfg, or a directory of *.cfg files; may be given several times.",
)  # fmt: skip
@click.option(
    "-k", "keepalived", type=click.Path(path_type=Path), metavar="FILE",
    help="A keepalived.conf.",
)  # fmt: skip
@click.option(
    "--io", type=click.Choice(["auto", "uring", "epoll"]), default="auto", show_default=True,
    help="How the data plane talks to the kernel.",
)  # fmt: skip
@click.option("--threads", type=click.IntRange(1, 256), help="Data threads; overrides nbthread.")
@click.option("--foreground", is_flag=True, help="Stay, even if the file says 'daemon'.")
@click.option(
    "--run-dir", type=click.Path(path_type=Path), metavar="DIR",
    help="Where the control socket lives (default /run/telamon, or $TELAMON_RUN_DIR).",
)  # fmt: skip
def command(
    haproxy: tuple[Path, ...],
    keepalived: Path | None,
    io: str,
    threads: int | None,
    foreground: bool,
    run_dir: Path | None,
) -> None:
    """Run the proxy of an haproxy.cfg and the router of a keepalived.conf.

    SIGHUP reloads both files, SIGUSR1 stops softly, SIGTERM and SIGINT stop (twice: at once).
    """
    if not haproxy and keepalived is None:
        raise click.UsageError("give at least one file: -f haproxy.cfg, -k keepalived.conf")
    from telamon.daemon.control import default_run_dir
    from telamon.daemon.plans import Files
    from telamon.daemon.supervisor import main
    from telamon.daemon.supervisor_options import Options
    from telamon.engine import IoEngine

    options = Options(
        files=Files(haproxy, keepalived),
        io=IoEngine(io),
        threads=threads,
        foreground=foreground,
        run_dir=(run_dir or default_run_dir()).absolute(),
    )
    sys.exit(main(options))
