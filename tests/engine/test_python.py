"""Python functions in rules, on both I/O engines: values, converters, actions, services, faults."""

from __future__ import annotations

import logging
import socket
import sys
import threading
from pathlib import Path

import pytest

from telamon.daemon import script_pool
from telamon.engine import IoEngine
from tests.engine.rig import Rig, receive_all, until
from tests.engine.scripted import ask, calls, scripted

TIER = """
@fetch("tier")
def tier(txn: Transaction, header: str = "x-plan", default: str = "basic") -> str | None:
    return {"1": "gold", "": None}.get(txn.request.header(header) or "0", default)
"""


def test_a_value_stands_wherever_expressions_do(tmp_path: Path, io: IoEngine) -> None:
    lines = """
    http-request set-var(txn.tier) python.tier
    http-request set-header X-Tier %[var(txn.tier)]-%[python.tier(x-other,none)]
    http-request return status 202 content-type a/b lf-string "%[python.tier]!" if { path /r }
    http-request deny deny_status 429 if { python.tier gold } { path /deny }
    http-request redirect location /%[python.tier] if { path /to }
    use_backend other if { python.tier gold } { path /other }
    """
    with scripted(tmp_path, io, TIER, lines) as rig:
        assert "x-tier: basic-none" in ask(rig)[2]
        assert "x-tier: gold-none" in ask(rig, headers={"X-Plan": "1"})[2]
        assert ask(rig, "/r", {"X-Plan": "1"})[::2] == (202, "gold!")
        assert ask(rig, "/deny")[0] == 200
        assert ask(rig, "/deny", {"X-Plan": "1"})[0] == 429
        assert ask(rig, "/to")[1]["location"] == "/basic"
        assert ask(rig, "/other", {"X-Plan": "1"})[2] == "other"
        assert ask(rig, "/other")[0] == 200


def test_backends_and_servers_are_chosen(tmp_path: Path, io: IoEngine) -> None:
    script = """
@fetch("where")
def where(txn) -> str: return "other" if txn.request.path == "/o" else "back"
@fetch("server")
def server(txn) -> bool: return txn.backend == "back" and txn.frontend == "front"
"""
    behind = "    use-server s1 if { python.server }\n    server s2 127.0.0.1:1 weight 0"
    with scripted(tmp_path, io, script, "    use_backend %[python.where]", behind=behind) as rig:
        assert ask(rig, "/o")[2] == "other"
        assert ask(rig, "/b")[0] == 200
        assert calls(rig) == 3


def test_converters_take_and_give_types(tmp_path: Path, io: IoEngine) -> None:
    script = """
import ipaddress
@converter("double")
def double(value: int, times: str = "2") -> int: return value * int(times)
@converter("net")
def net(value: ipaddress.IPv4Address) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(int(value) & 0xff000000)
@converter("raw")
def raw(value: bytes) -> bytes: return value[::-1]
@converter("kind")
def kind(value) -> str: return type(value).__name__
@converter("odd")
def odd(value: int) -> bool: return value % 2 == 1
"""
    lines = """
    http-request set-header X-N "%[req.hdr(n),python.double,python.double(5)]"
    http-request set-header X-Net "%[src,python.net]"
    http-request set-header X-Raw "%[str(abc),python.raw,hex]"
    http-request set-var(txn.b) req.hdr(b),python.kind
    http-request set-header X-Kind "%[src,python.kind] %[int(1),python.kind] %[var(txn.b)]"
    http-request set-header X-Odd yes if { req.hdr(n),python.odd }
    http-request set-header X-Many yes if { req.hdr(m),python.double 84 }
    """
    with scripted(tmp_path, io, script, lines) as rig:
        body = ask(rig, headers={"N": "7", "B": "\xff", "M": "1,2,42,9"})[2]
        for line in (
            "x-n: 70",
            "x-net: 127.0.0.0",
            "x-raw: 636261",
            "x-kind: IPv4Address int bytes",
            "x-odd: yes",
            "x-many: yes",
        ):
            assert f"{line}\r\n" in body.replace("|", "\r\n")
        assert "x-n: \r\n" in ask(rig, headers={"N": "x"})[2].replace("|", "\r\n")


def test_what_changes_by_itself_is_asked_once(tmp_path: Path, io: IoEngine) -> None:
    script = "@converter('same')\ndef same(value: int) -> int: return value\n"
    lines = "    http-request set-header X-A %[rand,python.same]%[date(0,us),python.same]"
    with scripted(tmp_path, io, script, lines) as rig:
        assert ask(rig)[0] == 200
        assert calls(rig) == 2


def test_each_rule_makes_its_calls_anew(tmp_path: Path, io: IoEngine) -> None:
    script = """
import itertools
COUNT = itertools.count(1)
@fetch("next")
def next_one(txn) -> int: return next(COUNT)
@converter("with")
def with_word(value: str, word: str) -> str: return value + word
"""
    lines = """
    http-request set-header X-A %[python.next]%[python.next]
    http-request set-header X-B %[python.next]
    http-request deny if { python.next 0 }
    http-request allow if { python.next 4 }
    http-request deny
    """
    behind = (
        "    http-request set-header X-C %[python.next]-%[str(a),python.with(b),python.with(c)]"
    )
    with scripted(tmp_path, io, script, lines, behind=behind) as rig:
        body = ask(rig)[2].replace("|", "\r\n")
        assert "x-a: 11\r\nx-b: 2\r\nx-c: 5-abc\r\n" in body
        assert calls(rig) == 7


def test_actions_edit_and_answer(tmp_path: Path, io: IoEngine) -> None:
    script = """
@action("edit")
def edit(txn: Transaction, word: str, more: str = "") -> None:
    txn.set_header("X-A", f"{word}{more}{txn.get_var('txn.before')}")
    txn.add_header("X-A", "second")
    txn.del_header("X-Gone")
    txn.set_path("/new")
    txn.set_query("q=1")
    txn.set_method("PUT")
    txn.set_var("txn.after", 7)
    txn.set_var("sess.count", int(txn.get_var("sess.count") or 0) + 1)

@action("answer")
def answer(txn: Transaction) -> None:
    txn.set_var("txn.why", "said")
    txn.reply(Reply(203, "mine", "text/plain", [("X-Own", "1")]))

@action("refuse")
def refuse(txn: Transaction) -> None:
    txn.deny(429)
"""
    lines = """
    http-request set-var(txn.before) str(b)
    http-request python.answer if { path /answer }
    http-request python.refuse if { path /refuse }
    http-request python.edit a-%[req.hdr(host),length] if !{ path /plain }
    http-request set-header X-After %[var(txn.after)]/%[var(sess.count)]
    http-after-response set-header X-Why %[var(txn.why)]
    """
    with scripted(tmp_path, io, script, lines) as rig:
        body = ask(rig, headers={"X-Gone": "1"})[2]
        assert body.startswith("PUT /new?q=1 HTTP/1.1")
        length = len(f"{rig.address[0]}:{rig.address[1]}")
        assert f"x-a: a-{length}b\r\nx-a: second" in body
        assert "x-after: 7/1" in body
        assert "x-gone" not in body
        status, headers, body = ask(rig, "/answer")
        assert (status, body, headers["x-own"], headers["x-why"]) == (203, "mine", "1", "said")
        assert ask(rig, "/refuse")[0] == 429
        assert ask(rig, "/plain")[2].startswith("GET /plain")
        assert rig.frontend("dreq") == 1


def test_session_variables_outlive_a_request(tmp_path: Path, io: IoEngine) -> None:
    script = """
@action("count")
def count(txn: Transaction) -> None:
    txn.set_var("sess.n", int(txn.get_var("sess.n") or 0) + 1)
    txn.set_var("txn.n", int(txn.get_var("txn.n") or 0) + 1)
    txn.set_header("X-N", f"{txn.get_var('sess.n')}{txn.get_var('txn.n')}")
"""
    lines = "    http-request python.count"
    with scripted(tmp_path, io, script, lines) as rig, rig.connect() as client:
        for number in (b"11", b"21", b"31"):
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            data = b""
            while b"|" not in data:
                data += client.recv(65536)
            assert b"x-n: " + number in data


def test_services_make_pages(tmp_path: Path, io: IoEngine) -> None:
    script = """
@service("page")
def page(request: Request) -> Reply:
    return Reply(201, f"{request.method} {request.path}?{request.query} {request.body!r} "
                      f"{request.header('x-a')}", "text/plain")
@service("big")
def big(request): return "x" * 300_000
"""
    lines = """
    http-request wait-for-body time 5s if { method POST }
    http-request use-service python.page if { path_beg /page }
    http-request use-service python.big if { path /big }
    """
    with scripted(tmp_path, io, script, lines) as rig:
        assert ask(rig, "/page?a=b", {"X-A": "é"})[::2] == (201, "GET /page?a=b b'' é")
        assert ask(rig, "/page", body=b"abc")[2] == "POST /page? b'abc' None"
        assert ask(rig, "/big")[2] == "x" * 300_000
        assert rig.frontend("intercepted") == 3
        with rig.connect() as client:
            client.sendall(b"GET /page HTTP/1.1\r\nHost: a\r\n\r\n" * 2)
            client.shutdown(socket.SHUT_WR)
            assert receive_all(client).count(b"201 Created") == 2


def test_responses_wait_too(tmp_path: Path, io: IoEngine) -> None:
    script = """
@fetch("status")
def status(txn: Transaction) -> str:
    return f"{txn.response.status}-{txn.response.header('x-from')}-{txn.request.path}"
@fetch("size")
def size(txn: Transaction) -> int:
    return len(txn.response.body)
@action("tag", at="http-response")
def tag(txn: Transaction) -> None:
    txn.set_header("X-Tag", "t")
    txn.set_status(299, "Fine")
    if txn.request.path == "/no":
        txn.deny(502)
"""
    lines = """
    http-response set-header X-Was %[python.status]
    http-response wait-for-body time 5s at-least 7 if { var(txn.p) -m str /p }
    http-response set-header X-Size %[python.size]
    http-response python.tag if !{ var(txn.p) -m str /plain }
    http-request set-var(txn.p) path
    """
    with scripted(tmp_path, io, script, lines, behind="    http-response python.tag") as rig:
        status, headers, body = ask(rig, "/p", body=b"b" * 100_000)
        assert (status, headers["x-tag"], headers["x-was"]) == (299, "t", "299-server-/p")
        assert body.endswith("b" * 100_000) and int(headers["x-size"]) >= 7
        assert ask(rig, "/no")[0] == 502
        assert ask(rig, "/plain")[1]["x-was"] == "299-server-/plain"
        rig.idle()


FAULTY = """
@fetch("bad")
def bad(txn) -> int: return 1 // 0
@action("loose")
def loose(txn): raise KeyError("loose one")
@action("strict", required=True)
def strict(txn): raise KeyError("strict one")
@service("gone")
def gone(request): raise OSError("no page")
"""


def test_a_fault_costs_its_own_request_alone(
    tmp_path: Path, io: IoEngine, caplog: pytest.LogCaptureFixture
) -> None:
    lines = """
    http-request python.strict if { path /strict }
    http-request use-service python.gone if { path /gone }
    http-request python.loose
    http-request set-header X-Bad "<%[python.bad]>"
    """
    with scripted(tmp_path, io, FAULTY, lines) as rig, caplog.at_level(logging.ERROR):
        assert "x-bad: <>" in ask(rig)[2]
        assert ask(rig, "/strict")[0] == 500
        assert ask(rig, "/gone")[0] == 500
        assert ask(rig)[0] == 200
    assert "python.bad: ZeroDivisionError" in caplog.text
    assert f'File "{tmp_path / "rules.py"}", line 5, in bad' in caplog.text
    assert "return 1 // 0" in caplog.text


SLOW = """
import queue
GO = threading.Event()
@fetch("slow")
def slow(txn) -> str:
    GO.wait(30)
    return "late"
@fetch("quick")
def quick(txn) -> str: return "now"
@action("slow", required=True)
def slow_action(txn): GO.wait(30)
"""


def test_a_slow_call_is_given_up(
    tmp_path: Path, io: IoEngine, caplog: pytest.LogCaptureFixture
) -> None:
    lines = """
    http-request python.slow if { path /required }
    http-request set-header X-Slow "<%[python.slow]>"
    http-request set-header X-Quick %[python.quick]
    """
    with scripted(tmp_path, io, SLOW, lines, limit="100ms") as rig, caplog.at_level(logging.ERROR):
        body = ask(rig)[2]
        assert "x-slow: <>" in body
        assert "x-quick: now" in body
        assert ask(rig, "/required")[0] == 500
        rig.idle()
        until(lambda: "GO.wait(30)" in caplog.text)
    assert "takes too long" in caplog.text


def test_others_are_served_while_calls_wait(tmp_path: Path, io: IoEngine) -> None:
    lines = """
    http-request set-header X-Slow %[python.slow] if { path /slow }
    http-request set-header X-Quick %[python.quick] if { path /quick }
    """
    with scripted(tmp_path, io, SLOW, lines, threads=1) as rig:
        found: list[int] = []
        waiting = [
            threading.Thread(target=lambda: found.append(ask(rig, "/slow")[0])) for _ in range(5)
        ]
        for thread in waiting:
            thread.start()
        until(lambda: calls(rig) == 5)
        for _ in range(5):
            assert ask(rig)[0] == 200
            assert "x-quick: now" in ask(rig, "/quick")[2]
        assert not found
        release()
        for thread in waiting:
            thread.join(10)
        assert found == [200] * 5


def release() -> None:
    """Lets the slow functions of the file that was loaded last go on."""
    sys.modules["telamon_script.rules"].GO.set()


def test_clients_that_leave_meanwhile_are_forgotten(tmp_path: Path, io: IoEngine) -> None:
    lines = "    http-request set-header X-Slow %[python.slow]"
    with scripted(tmp_path, io, SLOW, lines) as rig:
        for number in range(1, 4):
            client = rig.connect()
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            until(lambda number=number: calls(rig) == number)  # type: ignore[misc]
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            client.close()
        rig.idle()
        release()
        assert ask(rig)[0] == 200


def test_many_at_a_time(tmp_path: Path, io: IoEngine) -> None:
    script = "@converter('plus')\ndef plus(value: int) -> int: return value + 1\n"
    lines = "    http-request set-header X-N %[req.hdr(n),python.plus]"
    wrong: list[str] = []

    def work(rig: Rig, first: int) -> None:
        for number in range(first, first + 20):
            body = ask(rig, headers={"N": str(number)})[2]
            if f"x-n: {number + 1}" not in body:
                wrong.append(body)

    with scripted(tmp_path, io, script, lines) as rig:
        threads = [threading.Thread(target=work, args=(rig, at * 100)) for at in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not wrong
        assert calls(rig) == 320


def test_late_answers_are_nobodys(tmp_path: Path, io: IoEngine) -> None:
    """Each connection is a new one, so that slots are used again while old calls still run."""
    script = """
import time
@fetch("own")
def own(txn) -> str:
    number = txn.request.header("n")
    if int(number) % 3 == 0:
        time.sleep(0.012)
    return number
"""
    lines = "    http-request set-header X-N <%[python.own]>"
    wrong: list[str] = []

    def work(rig: Rig, first: int) -> None:
        for number in range(first, first + 60):
            body = ask(rig, headers={"N": str(number)})[2]
            if f"x-n: <{number}>" not in body and "x-n: <>" not in body:
                wrong.append(body)

    with scripted(tmp_path, io, script, lines, limit="8ms", threads=1) as rig:
        threads = [threading.Thread(target=work, args=(rig, at * 1000)) for at in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not wrong


def test_traffic_without_calls_never_comes_to_python(tmp_path: Path, io: IoEngine) -> None:
    lines = "    http-request set-header X-Quick %[python.quick] if { path /quick }"
    with scripted(tmp_path, io, SLOW, lines) as rig:
        for _ in range(20):
            ask(rig)
        assert calls(rig) == 0
        ask(rig, "/quick")
        assert calls(rig) == 1


def test_when_all_threads_hang_calls_fail_at_once(
    tmp_path: Path, io: IoEngine, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script_pool, "MOST_THREADS", 2)
    monkeypatch.setattr(script_pool, "MOST_HUNG", 3)
    lines = """
    http-request set-header X-Slow "<%[python.slow]>" if { path /slow }
    http-request set-header X-Quick "<%[python.quick]>"
    """
    with scripted(tmp_path, io, SLOW, lines, limit="50ms") as rig, caplog.at_level(logging.ERROR):
        for _ in range(2):
            assert "x-slow: <>" in ask(rig, "/slow")[2]
        # Another thread stands in for those that hang.
        assert "x-quick: <now>" in ask(rig)[2]
        ask(rig, "/slow")
        assert "x-quick: <>" in ask(rig)[2]
        assert "no thread is left" in caplog.text
        release()
        until(lambda: "x-quick: <now>" in ask(rig)[2], "threads come back")
