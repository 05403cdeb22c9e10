"""Be the router role with the pickled plan named on the command line; SIGHUP reads it anew."""

import pickle
import sys
from pathlib import Path

from telamon.daemon.vrrp import run
from telamon.plan.router import RouterPlan


def plan() -> RouterPlan:
    loaded = pickle.loads(Path(sys.argv[1]).read_bytes())
    assert isinstance(loaded, RouterPlan)
    return loaded


if __name__ == "__main__":
    sys.exit(run(plan(), None, reload=plan))
