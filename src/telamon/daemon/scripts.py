"""The router's helper: a process of its own that does all that could make the router wait.

Nothing slow may run in the router: a fork of it, a script on a hung file system, a `wait` would
each delay an advert. So the router forks this helper once, early, and then only exchanges small
packets with it over a socket pair:

    router -> helper   Watch(scripts, ...) run these scripts from now on, and no others; follow
                                           these processes and files
                       Guard(addresses)    these virtual addresses are on the node
                       Notify(queue, ...)  run this once, after what waits in its queue
                       Mail(...)           send this mail, after those before it
    helper -> router   ScriptResult        one run is over (or timed out, or cannot be)
                       NotifyFailed        a notify script did not do its work
                       ProcessVerdict      a tracked process runs, or does not
                       FileNumber          what a tracked file holds
                       HelperSays          a line for the log

The socket is the life line in both directions. When the router is gone, however it went, the
helper takes the guarded addresses off the interfaces, so that a router killed by force does not
leave a VIP behind on a node that no longer answers for it; then it ends the scripts and leaves.
(Should it be killed as well, `telamon.daemon.guardian` does that.)

A script runs as the leader of a session of its own with its output thrown away. One that
outlives its timeout gets SIGTERM, 2 s later SIGKILL, with its whole process group; it counts as
failed at the timeout, and while it hangs no second one is started (keepalived does the same).

Notify scripts run one after the other within their queue (one for each instance and group), so
that "MASTER" never overtakes "BACKUP"; what waits when the router stops is still run.
"""

from __future__ import annotations

import os
import pickle
import socket

from telamon.daemon.guardian import Guardian
from telamon.daemon.mail import Mail
from telamon.daemon.script_messages import MAX_PACKET, Guard, Notify, Told, Watch
from telamon.daemon.script_runner import Runner
from telamon.kernel.process import close_descriptors
from telamon.kernel.rtnetlink import Address
from telamon.plan.router import FilePlan, ProcessWatchPlan, ScriptPlan


class HelperGone(Exception):
    """The helper has died; start a new one."""


class Helper:
    """The router's end."""

    def __init__(self, sock: socket.socket, pid: int, guardian: Guardian) -> None:
        self._socket = sock
        self._guardian = guardian
        self.pid = pid

    @staticmethod
    def start() -> Helper:
        """Fork the helper. The caller must have no threads."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for sock in (ours, theirs):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAX_PACKET)
        guardian, guarding = Guardian.pair()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                close_descriptors((theirs.fileno(), guarding.fileno()))
                Runner(theirs, guarding).run()
                status = 0
            finally:
                os._exit(status)
        theirs.close()
        guarding.close()
        ours.setblocking(False)
        return Helper(ours, pid, guardian)

    def fileno(self) -> int:
        return self._socket.fileno()

    def watch(
        self,
        scripts: tuple[ScriptPlan, ...],
        processes: tuple[ProcessWatchPlan, ...] = (),
        files: tuple[FilePlan, ...] = (),
    ) -> None:
        self._send(Watch(scripts, processes, files))

    def guard(self, addresses: tuple[Address, ...]) -> None:
        self._guardian.tell(addresses)
        self._send(Guard(addresses))

    def mail(self, mail: Mail) -> bool:
        """False if the helper cannot take it."""
        return self._send(mail)

    def notify(self, job: Notify) -> bool:
        """False if the helper cannot take it: it is gone, or thousands wait already."""
        return self._send(job)

    def results(self) -> list[Told]:
        """What has arrived. Raises HelperGone."""
        found: list[Told] = []
        while True:
            try:
                data = self._socket.recv(MAX_PACKET)
            except BlockingIOError:
                return found
            except ConnectionError as error:
                raise HelperGone from error
            if not data:
                raise HelperGone
            found.append(pickle.loads(data))

    def close(self) -> None:
        """Let go of it: it ends its scripts and leaves."""
        self._socket.close()
        self._guardian.close()

    def _send(self, message: Watch | Guard | Notify | Mail) -> bool:
        # A dead helper is noticed on reading. `Watch` and `Guard` hold the whole truth each, so
        # that the next one mends what a full socket lost.
        try:
            self._socket.send(pickle.dumps(message), socket.MSG_NOSIGNAL)
        except (BlockingIOError, ConnectionError):
            return False
        return True
