"""Be the router role with the pickled plan named on the command line.

Alone, SIGHUP reads the plan anew; with a descriptor as second argument it is supervised by it.
"""

import os
import pickle
import socket
import sys
from pathlib import Path

from telamon.daemon.messages import Channel
from telamon.daemon.vrrp import run
from telamon.plan.router import RouterPlan


def plan() -> RouterPlan:
    loaded = pickle.loads(Path(sys.argv[1]).read_bytes())
    assert isinstance(loaded, RouterPlan)
    return loaded


def main() -> int:
    if len(sys.argv) == 2:
        return run(plan(), None, reload=plan)
    channel = Channel(socket.socket(fileno=int(sys.argv[2])))
    return run(plan(), channel, supervisor=os.getppid())


if __name__ == "__main__":
    sys.exit(main())
