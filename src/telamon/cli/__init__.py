"""The command line: thin commands over the packages below."""

from __future__ import annotations

import sys


def main(prog_name: str | None = None) -> None:
    """`telamon`. The stand-in for haproxy is reached without click, whose import costs more than
    all that `haproxy -v` does."""
    if sys.argv[1:2] == ["haproxy"]:
        from telamon.cli.haproxy_main import main as haproxy

        sys.exit(haproxy(sys.argv[2:]))
    from telamon.cli.root import main as root

    root(prog_name=prog_name)


__all__ = ["main"]
