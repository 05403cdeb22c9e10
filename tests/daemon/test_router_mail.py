"""Mail about changes of state, handed to a mail server of our own."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BufferedRWPair

import pytest

from telamon.daemon.mail import (
    MOST_WAITING,
    Mail,
    Postman,
    commands,
    compose,
    group_mail,
    instance_mail,
)
from telamon.plan.router import MailPlan
from telamon.vrrp.states import State

DEADLINE = 10.0
PLAN = MailPlan("127.0.0.1", 25, "keep@x.org", ("a@x.org", "b@x.org"), "helo.name", 5.0)


def test_the_words_are_keepalived_s() -> None:
    texts = [commands(instance_mail(PLAN, "R1", "V1", State.MASTER), 1795490876.0)[i] for i in (
        0, 1, 2, 3, 4
    )]  # fmt: skip
    assert texts == [
        (b"HELO helo.name\r\n", 2),
        (b"MAIL FROM:<keep@x.org>\r\n", 2),
        (b"RCPT TO:<a@x.org>\r\n", 2),
        (b"RCPT TO:<b@x.org>\r\n", 2),
        (b"DATA\r\n", 3),
    ]
    assert compose(instance_mail(PLAN, "R1", "V1", State.MASTER), 1795490876.0) == (
        b"Date: Tue, 24 Nov 2026 03:27:56 +0000\r\n"
        b"From: keep@x.org\r\n"
        b"Subject: [R1] VRRP Instance V1 - Entering MASTER state\r\n"
        b"X-Mailer: Telamon\r\n"
        b"To: a@x.org, b@x.org\r\n"
        b"\r\n"
        b"=> VRRP Instance is now owning VRRP VIPs <=\r\n"
        b"\r\n"
        b".\r\n"
    )
    fault = instance_mail(PLAN, "R1", "V1", State.FAULT)
    assert fault.body == "=> VRRP Instance is no longer owning VRRP VIPs <="
    group = group_mail(PLAN, "R1", "G", State.BACKUP)
    assert group.subject == "[R1] VRRP Group G - Entering BACKUP state"
    assert group.body == "=> All VRRP group instances are now in BACKUP state <="


def test_a_name_cannot_add_headers_or_end_the_mail() -> None:
    odd = compose(Mail(PLAN, "a\r\nBcc: z@x.org", ".\r\nQUIT"), 0.0)
    assert b"Subject: aBcc: z@x.org\r\n" in odd
    assert b"\r\n..QUIT\r\n" in odd


def test_an_address_may_have_a_name() -> None:
    named = replace(PLAN, sender="Keeper <k@x.org>", receivers=("Me <m@x.org>",))
    said = [text for text, _ in commands(Mail(named, "s", "b"), 0.0)]
    assert said[1:3] == [b"MAIL FROM:<k@x.org>\r\n", b"RCPT TO:<m@x.org>\r\n"]


class Sink:
    """A mail server. `replies` by verb override "250 ok"; None hangs, "" hangs up."""

    def __init__(self, replies: dict[str, str | None] | None = None) -> None:
        self._replies = replies or {}
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.plan = replace(PLAN, port=self._listener.getsockname()[1])
        self.subjects: list[str] = []
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(sock)
            with contextlib.suppress(OSError), sock.makefile("rwb") as file:
                self._serve(file)
            sock.close()

    def _serve(self, file: BufferedRWPair) -> None:
        def say(verb: str, otherwise: str) -> bool:
            text = self._replies.get(verb, otherwise)
            if text:
                file.write(text.encode() + b"\r\n")
                file.flush()
            return text != ""

        going = say("GREETING", "220-sink\r\n220 ready")
        body = False
        while going and (line := file.readline()):
            if body:
                if line.startswith(b"Subject: "):
                    self.subjects.append(line[9:].strip().decode())
                body = line != b".\r\n"
                going = body or say("END", "250 taken")
                continue
            verb = line[:4].decode().strip()
            body = verb == "DATA"
            going = say(verb, "354 go on" if body else "250 ok") and verb != "QUIT"

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(DEADLINE)
        assert not self._thread.is_alive()


class Office:
    """A postman with its loop."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.said: list[str] = []
        self.postman = Postman(self.selector, self.said.append)

    def run_until(self, condition: Callable[[], bool]) -> float:
        began = time.monotonic()
        while not condition():
            now = time.monotonic()
            assert now < began + DEADLINE, self.said
            deadline = self.postman.deadline
            for key, _ in self.selector.select(1.0 if deadline is None else max(0, deadline - now)):
                key.data()
            self.postman.turn(time.monotonic())
        return time.monotonic() - began

    def idle(self) -> float:
        return self.run_until(lambda: not self.postman.busy)


@pytest.fixture
def office() -> Iterator[Office]:
    made = Office()
    yield made
    made.idle()
    assert not made.selector.get_map()
    made.selector.close()


@pytest.fixture
def sink() -> Iterator[Sink]:
    made = Sink()
    yield made
    made.close()


def test_mails_arrive_in_order(office: Office, sink: Sink) -> None:
    subjects = [f"number {i}" for i in range(5)]
    for subject in subjects:
        office.postman.take(Mail(sink.plan, subject, "text"))
    office.idle()
    assert (sink.subjects, office.said) == (subjects, [])


@pytest.mark.parametrize(
    ("replies", "limit", "reason"),
    [
        ({"RCPT": "550 no such user"}, 5.0, "answers RCPT with: 550 no such user"),
        ({"GREETING": "554 go away"}, 5.0, "answers its greeting with: 554 go away"),
        ({"MAIL": ""}, 5.0, "hung up after MAIL"),
        ({"DATA": None}, 0.3, "no end within 0.3 s"),
        ({"GREETING": None}, 0.3, "no end within 0.3 s"),
    ],
)
def test_a_failure_is_one_line_and_the_next_mail_is_tried(
    office: Office, replies: dict[str, str | None], limit: float, reason: str
) -> None:
    bad, good = Sink(replies), Sink()
    office.postman.take(Mail(replace(bad.plan, timeout=limit), "first", "text"))
    office.postman.take(Mail(good.plan, "second", "text"))
    office.idle()
    bad.close()
    good.close()
    assert (len(office.said), good.subjects) == (1, ["second"])
    where = f"mail 'first' is not sent by 127.0.0.1:{bad.plan.port}: "
    assert office.said[0].startswith(where)
    assert reason in office.said[0]


def test_nobody_listens(office: Office, sink: Sink) -> None:
    sink.close()
    office.postman.take(Mail(sink.plan, "s", "text"))
    office.idle()
    assert office.said == [
        f"mail 's' is not sent by 127.0.0.1:{sink.plan.port}: Connection refused"
    ]


def test_the_queue_is_bounded_and_left_in_time(office: Office) -> None:
    silent = Sink({"GREETING": None})
    for i in range(MOST_WAITING + 3):
        office.postman.take(Mail(silent.plan, str(i), "text"))
    assert office.said == [
        f"mail '{i}' is lost: {MOST_WAITING} others wait"
        for i in (MOST_WAITING + 1, MOST_WAITING + 2)
    ]
    office.postman.leave()
    assert office.idle() < 4.0
    silent.close()
