"""The command line: thin commands over the packages below."""

from __future__ import annotations

from telamon.cli.root import main

__all__ = ["main"]
