"""Mail about changes of state (`smtp_alert`): what it says, and how it is handed in.

The wording is Keepalived's, since people filter by it. A mail is handed in over SMTP (RFC 5321)
by a process of its own, forked by the helper: whatever hangs (a name server, a connect, a mail
server that does not answer) ends with that process at the time limit. Mails leave in order, one
at a time; more than `MOST_WAITING` do not wait.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from telamon.kernel.process import close_descriptors
from telamon.plan.router import MailPlan
from telamon.vrrp.states import State

MOST_WAITING = 100
_LONGEST_REASON = 500
_LEAVE_WITHIN = 2.0

_OWNS = "=> VRRP Instance is now owning VRRP VIPs <="
_OWNS_NOT = "=> VRRP Instance is no longer owning VRRP VIPs <="


@dataclass(frozen=True, slots=True)
class Mail:
    """router -> helper: hand this in."""

    plan: MailPlan
    subject: str
    body: str


def instance_mail(plan: MailPlan, router_id: str, instance: str, state: State) -> Mail:
    """About a VRRP instance that has entered `state`."""
    subject = f"[{router_id}] VRRP Instance {instance} - Entering {state.value} state"
    return Mail(plan, subject, _OWNS if state is State.MASTER else _OWNS_NOT)


def group_mail(plan: MailPlan, router_id: str, group: str, state: State) -> Mail:
    """About a sync group of which all members have entered `state`."""
    subject = f"[{router_id}] VRRP Group {group} - Entering {state.value} state"
    return Mail(plan, subject, f"=> All VRRP group instances are now in {state.value} state <=")


def compose(mail: Mail, at: float) -> bytes:
    """The message as it follows DATA, the final dot included. `at`: seconds since 1970."""
    lines = [
        f"Date: {time.strftime('%a, %d %b %Y %H:%M:%S +0000', time.gmtime(at))}",
        f"From: {mail.plan.sender}",
        f"Subject: {mail.subject}",
        "X-Mailer: Telamon",
        f"To: {', '.join(mail.plan.receivers)}",
        "",
        mail.body,
        "",
    ]
    # A name from a file could hold anything; a header must stay one line (RFC 5322 2.2).
    clean = ["".join(c for c in line if c.isprintable()) for line in lines]
    stuffed = ["." + line if line.startswith(".") else line for line in clean]
    return "\r\n".join([*stuffed, ".", ""]).encode()


def commands(mail: Mail, at: float) -> list[tuple[bytes, int]]:
    """What is said, each with the first digit of the reply that lets it go on (RFC 5321 4.3.2)."""
    return [
        (f"HELO {mail.plan.helo}\r\n".encode(), 2),
        (f"MAIL FROM:<{_bare(mail.plan.sender)}>\r\n".encode(), 2),
        *((f"RCPT TO:<{_bare(one)}>\r\n".encode(), 2) for one in mail.plan.receivers),
        (b"DATA\r\n", 3),
        (compose(mail, at), 2),
    ]


def _bare(address: str) -> str:
    """The address in `Name <address>`."""
    return address.rpartition("<")[2].partition(">")[0].strip()


def deliver(mail: Mail) -> None:
    """Hand it in, waiting as long as it takes. Raises OSError."""
    with (
        socket.create_connection((mail.plan.server, mail.plan.port)) as sock,
        sock.makefile("rb") as replies,
    ):
        _expect(replies.readline, 2, "its greeting")
        for command, first in commands(mail, time.time()):
            sock.sendall(command)
            _expect(replies.readline, first, command[:4].decode("ascii", "replace").strip())
        with contextlib.suppress(OSError):
            sock.sendall(b"QUIT\r\n")


def _expect(read_line: Callable[[int], bytes], first: int, what: str) -> None:
    while True:
        line = read_line(1024)
        if not line:
            raise ConnectionError(f"the mail server hung up after {what}")
        # "250-..." is continued, "250 ..." is the last line (RFC 5321 4.2.1).
        if line[3:4] != b"-":
            break
    if line[:1] != b"%d" % first:
        text = line.strip().decode("ascii", "replace")
        raise OSError(0, f"the mail server answers {what} with: {text}")


class Postman:
    """Sends mails one after the other; lives in the helper. `say` gets one line a failure."""

    def __init__(self, selector: selectors.BaseSelector, say: Callable[[str], None]) -> None:
        self._selector, self._say = selector, say
        self._waiting: deque[Mail] = deque()
        self._mail: Mail | None = None
        self._pid = self._pidfd = self._pipe = -1
        self._until = 0.0
        self._leave_at: float | None = None

    @property
    def busy(self) -> bool:
        return self._mail is not None

    @property
    def deadline(self) -> float | None:
        """When `turn` is wanted (seconds of the monotonic clock)."""
        if self._mail is None:
            return None
        return self._until if self._leave_at is None else min(self._until, self._leave_at)

    def take(self, mail: Mail) -> None:
        """Send it after those that wait."""
        if len(self._waiting) >= MOST_WAITING:
            self._say(f"mail '{mail.subject}' is lost: {MOST_WAITING} others wait")
            return
        self._waiting.append(mail)
        self._next()

    def turn(self, now: float) -> None:
        """Keep the time limit."""
        deadline = self.deadline
        if self._mail is not None and deadline is not None and deadline <= now:
            os.kill(self._pid, signal.SIGKILL)
            self._finish(f"no end within {self._mail.plan.timeout:g} s")

    def leave(self) -> None:
        """The router is gone: what can be sent in short time is."""
        self._leave_at = time.monotonic() + _LEAVE_WITHIN

    def _next(self) -> None:
        while self._mail is None and self._waiting:
            if self._leave_at is not None and self._leave_at <= time.monotonic():
                self._waiting.clear()
                return
            self._start(self._waiting.popleft())

    def _start(self, mail: Mail) -> None:
        reader, writer = os.pipe()
        try:
            pid = os.fork()
        except OSError as error:
            os.close(reader)
            os.close(writer)
            self._say(f"mail '{mail.subject}' is not sent: {error.strerror}")
            return
        if pid == 0:
            _be_child(mail, writer)
        os.close(writer)
        self._mail, self._pid, self._pipe = mail, pid, reader
        self._pidfd = os.pidfd_open(pid)
        self._until = time.monotonic() + mail.plan.timeout
        self._selector.register(self._pidfd, selectors.EVENT_READ, self._ended)

    def _ended(self) -> None:
        self._finish(os.read(self._pipe, _LONGEST_REASON).decode("utf-8", "replace"))

    def _finish(self, reason: str) -> None:
        """The process has ended, or ends now; an empty `reason` is a mail handed in."""
        self._selector.unregister(self._pidfd)
        _, status = os.waitpid(self._pid, 0)
        for fd in (self._pidfd, self._pipe):
            os.close(fd)
        if status and not reason:
            reason = "its process was killed"
        mail, self._mail = self._mail, None
        if reason and mail is not None:
            where = f"{mail.plan.server}:{mail.plan.port}"
            self._say(f"mail '{mail.subject}' is not sent by {where}: {reason}")
        self._next()


def _be_child(mail: Mail, writer: int) -> None:
    """Never returns. What goes wrong is written to the pipe."""
    reason = ""
    try:
        close_descriptors((writer,))
        deliver(mail)
    except OSError as error:
        reason = error.strerror or str(error)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
    finally:
        with contextlib.suppress(OSError):
            if reason:
                os.write(writer, reason.encode()[:_LONGEST_REASON])
        os._exit(1 if reason else 0)
