"""Python functions in `tcp-request content` rules of mode tcp, on both I/O engines."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from telamon.engine import IoEngine
from tests.engine.rig import echo, receive, receive_all, until
from tests.engine.scripted import calls, scripted
from tests.engine.test_python_failures import reset

SCRIPT = """
GO = threading.Event()
@fetch("word")
def word(txn: Transaction) -> str:
    assert txn.request.method == "" and txn.frontend == "front"
    return txn.request.body.decode().split(":")[0]
@fetch("slow")
def slow(txn) -> bool:
    GO.wait(30)
    return False
@fetch("quiet")
def quiet(txn) -> bool: return txn.client.startswith("127.0.0.2")
@action("judge", at="tcp-request")
def judge(txn: Transaction, word: str) -> None:
    txn.set_var("sess.judged", word)
    if word == "bad":
        txn.deny()
@action("wrong", at="tcp-request", required=True)
def wrong(txn): txn.set_header("x", "y")
"""
TCP = "    mode tcp\n    option tcplog\n"


def lines(*rules: str) -> str:
    return TCP + "".join(f"    tcp-request {rule}\n" for rule in rules)


RULES = lines(
    "inspect-delay 5s",
    "content reject if { python.quiet }",
    "content set-var(txn.word) python.word if { req.len gt 3 }",
    "content python.judge %[var(txn.word)] if { req.len gt 3 }",
    "content reject if { var(sess.judged) -m str worse }",
)


def test_streams_wait_for_their_answers(tmp_path: Path, io: IoEngine) -> None:
    with scripted(tmp_path, io, SCRIPT, RULES, behind="    mode tcp", serve=echo) as rig:
        for first, served in ((b"good:x", True), (b"bad:x", False), (b"worse:x", False)):
            with rig.connect() as client:
                client.sendall(first)
                if served:
                    assert receive(client, len(first)) == first
                    client.sendall(b"more")
                    assert receive(client, 4) == b"more"
                else:
                    assert receive_all(client) == b""
        rig.idle()
        assert rig.frontend("dreq") == 2


def test_what_comes_meanwhile_is_kept(tmp_path: Path, io: IoEngine) -> None:
    rules = lines("inspect-delay 5s", "content reject if { python.slow }")
    behind = "    mode tcp\n    tcp-request content reject if { python.quiet }"
    with scripted(tmp_path, io, SCRIPT, rules, behind=behind, serve=echo) as rig:
        with rig.connect() as client:
            client.sendall(b"one")
            until(lambda: calls(rig) == 1)
            client.sendall(b"two")
            client.shutdown(socket.SHUT_WR)
            sys.modules["telamon_script.rules"].GO.set()
            assert receive_all(client) == b"onetwo"
        rig.idle()
        assert calls(rig) == 2


def test_a_call_that_takes_too_long_has_failed(tmp_path: Path, io: IoEngine) -> None:
    rules = lines("content reject if { python.slow }")
    with scripted(
        tmp_path, io, SCRIPT, rules, behind="    mode tcp", serve=echo, limit="50ms"
    ) as rig:
        with rig.connect() as client:
            client.sendall(b"one")
            assert receive(client, 3) == b"one"
        rig.idle()
        sys.modules["telamon_script.rules"].GO.set()


def test_what_needs_a_request_fails(tmp_path: Path, io: IoEngine) -> None:
    rules = lines("content python.wrong")
    with scripted(tmp_path, io, SCRIPT, rules, behind="    mode tcp", serve=echo) as rig:
        with rig.connect() as client:
            assert receive_all(client) == b""
        rig.idle()


def test_clients_that_leave_are_forgotten(tmp_path: Path, io: IoEngine) -> None:
    rules = lines("content reject if { python.slow }")
    with scripted(tmp_path, io, SCRIPT, rules, behind="    mode tcp", serve=echo) as rig:
        for number in range(1, 4):
            client = rig.connect()
            client.sendall(b"x")
            until(lambda number=number: calls(rig) >= number)  # type: ignore[misc]
            reset(client)
        sys.modules["telamon_script.rules"].GO.set()
        rig.idle()
        with rig.connect() as client:
            client.sendall(b"two")
            assert receive(client, 3) == b"two"
