"""`python -m telamon` is `telamon`."""

from __future__ import annotations

from telamon.cli import main

if __name__ == "__main__":
    main(prog_name="telamon")
