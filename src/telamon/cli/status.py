"""`telamon status`: what runs, and who holds the addresses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.option(
    "--run-dir", type=click.Path(path_type=Path), metavar="DIR",
    help="As given to 'telamon run' (default /run/telamon, or $TELAMON_RUN_DIR).",
)  # fmt: skip
def command(as_json: bool, run_dir: Path | None) -> None:
    """Show what runs: the proxy, the router, its instances and their addresses."""
    from telamon.daemon.control import ControlError, default_run_dir, request

    try:
        document = request(run_dir or default_run_dir(), {"command": "status"})
    except ControlError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        click.echo(json.dumps(document, indent=2))
        return
    for line in _lines(document):
        click.echo(line)


def _lines(document: dict[str, Any]) -> Iterator[str]:
    yield f"Telamon {document['version']}, pid {document['pid']}, up {document['uptime']:.0f} s"
    for role in ("proxy", "router"):
        entry = document.get(role)
        if entry is None:
            continue
        pid = f", pid {entry['pid']}" if entry["pid"] else ""
        since = f", for {entry['since']:.0f} s" if "since" in entry else ""
        text = f": {entry['text']}" if entry.get("text") else ""
        yield f"{role:<7}{entry['state']}{pid}{since}{text}"
        for item in entry.get("instances", []):
            addresses = " ".join(item["addresses"]) or "no address"
            held = ("holds " if item["state"] == "MASTER" else "does not hold ") + addresses
            why = f" ({item['reason']})" if item["reason"] else ""
            yield (
                f"  {item['name']}: {item['state']}{why}, {item['interface']} vrid {item['vrid']} "
                f"priority {item['priority']}, {held}"
            )
    if document["draining"]:
        yield f"old proxies with streams left: {', '.join(map(str, document['draining']))}"
