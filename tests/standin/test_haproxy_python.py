"""Python in rules under `telamon haproxy`, alone and with a master."""

from __future__ import annotations

import http.client
import signal

from tests.interop.lan import eventually
from tests.standin.haproxy_program import Program, holders
from tests.support.ports import free_port

CONFIG = """
global
    telamon-python rules.py
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend web
    bind 127.0.0.1:{port}
    http-request use-service python.page
"""
SCRIPT = """
from telamon.script import *
@service("page")
def page(request):
    return {word!r} if request.path == "/" else 1 / 0
"""


def get(port: int, path: str = "/") -> tuple[int, str]:
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        client.request("GET", path)
        answer = client.getresponse()
        return answer.status, answer.read().decode()
    finally:
        client.close()


def written(program: Program, word: str = "one") -> int:
    port = free_port()
    program.write("rules.py", SCRIPT.format(word=word))
    program.write("a.cfg", CONFIG.format(port=port))
    return port


def test_alone(ours: Program) -> None:
    port = written(ours)
    ours.start("-db", "-f", "a.cfg")
    eventually(lambda: holders(port), "a listener")
    assert get(port) == (200, "one")
    assert get(port, "/no")[0] == 500
    eventually(lambda: "python.page: ZeroDivisionError" in ours.said(), "the fault")
    assert "[ALERT]" in ours.said()


def test_a_master_reloads_the_file(ours: Program) -> None:
    port = written(ours)
    process = ours.start("-W", "-f", "a.cfg")
    eventually(lambda: "Loading success" in ours.said() or process.poll() is not None, "start")
    assert get(port) == (200, "one")
    ours.write("rules.py", SCRIPT.format(word="two"))
    process.send_signal(signal.SIGUSR2)
    eventually(lambda: get(port) == (200, "two"), "the new file")


def test_a_check_reads_the_file(ours: Program) -> None:
    written(ours)
    assert ours.run("-c", "-f", "a.cfg").returncode == 0
    ours.write("rules.py", "x = 1\nx.y\n")
    done = ours.run("-c", "-f", "a.cfg")
    assert done.returncode == 1
    assert "AttributeError" in done.stdout + done.stderr
    assert "rules.py:2" in done.stdout + done.stderr
