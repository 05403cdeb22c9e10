"""Keeps a cluster in the background, for `telamon lab up`.

`launch` starts the keeper as a process of its own and waits for its word; `main` is that process.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from types import FrameType

from telamon.lab import state, topology
from telamon.lab.balancers import log_tail
from telamon.lab.cluster import Cluster
from telamon.lab.net import LabError, helper
from telamon.lab.seed import VrrpVersion
from telamon.lab.state import Claim, LabState

_DOWN_LIMIT = 30.0


def launch(version: VrrpVersion, *, original: bool) -> LabState:
    """Make a cluster that stays. Raises LabError with the reason if it does not come up."""
    if state.find() is not None:
        raise LabError("a lab is up already: `telamon lab down` ends it")
    code = "from telamon.lab.keeper import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(version.value), "original" if original else "telamon"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        with process.stdout:
            words: list[str] = []
            # Its helpers hold the pipe as well, so a success is not to be waited for by its end.
            while (line := process.stdout.readline().decode(errors="replace")) not in ("", "ok\n"):
                words.append(line)
    except BaseException:
        # Interrupted while it starts: nobody would know of it.
        process.terminate()
        process.wait(_DOWN_LIMIT)
        raise
    if not line:
        process.wait(_DOWN_LIMIT)
        raise LabError("".join(words).strip() or "the lab's keeper ended without a word")
    return state.require()


def down() -> None:
    """End the cluster that is up and wait until it is gone. Raises LabError if there is none.

    One whose keeper was killed has ended with it: what tells of it is removed.
    """
    if state.find() is None and state.forget_the_dead():
        return
    found = state.require()
    with contextlib.suppress(ProcessLookupError):
        os.kill(found.keeper, signal.SIGTERM)
    deadline = time.monotonic() + _DOWN_LIMIT
    while state.find() is not None:
        if time.monotonic() > deadline:
            raise LabError(f"the lab's keeper (pid {found.keeper}) does not end")
        time.sleep(0.05)


def _relay(cluster: Cluster, listener: socket.socket) -> subprocess.Popen[bytes]:
    """Forward a port of the host to the stats page behind the VIP."""
    where = (str(listener.fileno()), topology.VIP, str(topology.STATS_PORT))
    return cluster.client.popen(helper("telamon.lab.relay", *where), pass_fds=[listener.fileno()])


def _describe(cluster: Cluster, stats_port: int) -> LabState:
    nodes = {member.name: member.node for member in cluster.members}
    nodes[topology.CLIENT] = cluster.client
    return LabState(
        keeper=os.getpid(),
        title=cluster.kind.title,
        vrrp=cluster.version.value,
        user=cluster.network.in_user_namespace,
        inits={name: node.pid for name, node in nodes.items()},
        stats_port=stats_port,
    )


def _keep(version: VrrpVersion, original: bool) -> None:
    """Hold the cluster until a signal. Says `ok` on standard output once it is ready."""
    with contextlib.ExitStack() as stack:
        claim = Claim()
        stack.callback(claim.release)
        cluster = stack.enter_context(Cluster(version, original=original))
        cluster.start()
        try:
            cluster.wait_healthy()
        except LabError as error:
            words = [
                f"{member.name}: {line}"
                for member in cluster.members
                for line in log_tail(member.node, 5)
            ]
            raise LabError("\n".join([str(error), *words])) from error
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        relay = _relay(cluster, listener)
        stack.callback(relay.wait)
        stack.callback(relay.kill)
        claim.publish(_describe(cluster, listener.getsockname()[1]))
        print("ok", flush=True)
        null = os.open(os.devnull, os.O_RDWR)
        for fd in (1, 2):
            os.dup2(null, fd)
        os.close(null)
        while True:
            signal.pause()


def main() -> None:
    def leave(_number: int, _frame: FrameType | None) -> None:
        sys.exit(0)

    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, leave)
    try:
        _keep(VrrpVersion(int(sys.argv[1])), sys.argv[2] == "original")
    except LabError as error:
        print(error, flush=True)
        sys.exit(1)
