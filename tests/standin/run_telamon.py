"""`telamon` with keepalived's dumps in the directory named first."""

import sys
from pathlib import Path

from telamon.cli import main
from telamon.daemon import standalone_dump

if __name__ == "__main__":
    standalone_dump.FOLDER = Path(sys.argv.pop(1))
    main()
