"""Python in rules under `telamon run`: reloads take the new file, broken ones change nothing."""

from __future__ import annotations

import http.client
from pathlib import Path

import pytest

from tests.daemon.harness import Telamon, alive, eventually

SCRIPT = """\
from telamon.script import *
@fetch("word")
def word(txn): return {word!r}
@fetch("fault")
def fault(txn): raise ValueError("this is the fault")
"""


@pytest.fixture
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scripts") / "rules.py"


def write(run: Telamon, script: Path, word: str) -> None:
    script.write_text(SCRIPT.format(word=word))
    run.file.write_text(
        f"""global
    telamon-python {script}
defaults
    mode http
    timeout connect 2s
    timeout client 1m
    timeout server 1m
frontend web
    bind 127.0.0.1:{run.port.number}
    http-request set-var(txn.fault) python.fault if {{ path /fault }}
    http-request return status 200 content-type text/plain lf-string %[python.word]
"""
    )


def get(run: Telamon, path: str = "/") -> str:
    client = http.client.HTTPConnection("127.0.0.1", run.port.number, timeout=5)
    try:
        client.request("GET", path)
        return client.getresponse().read().decode()
    finally:
        client.close()


def test_a_reload_takes_the_new_file(run: Telamon, script: Path) -> None:
    write(run, script, "one")
    run.start()
    assert get(run) == "one"
    before = run.proxy
    script.write_text(SCRIPT.format(word="two"))
    assert run.ctl("ctl", "reload").returncode == 0
    assert get(run) == "two"
    eventually(lambda: not alive(before), "the old proxy leaves")


def test_a_broken_file_refuses_the_reload(run: Telamon, script: Path) -> None:
    write(run, script, "one")
    run.start()
    before = run.proxy
    script.write_text(SCRIPT.format(word="two") + "\nimport nothing_of_this_name\n")
    result = run.ctl("ctl", "reload")
    assert result.returncode != 0
    assert "nothing_of_this_name" in result.stdout + result.stderr + run.log()
    assert run.proxy == before
    assert get(run) == "one"


def test_faults_are_in_the_log(run: Telamon, script: Path) -> None:
    write(run, script, "one")
    run.start()
    assert get(run, "/fault") == "one"
    eventually(lambda: "python.fault: ValueError: this is the fault" in run.log(), "the log")
    assert f'File "{script}", line 5, in fault' in run.log()


def test_a_file_that_is_wrong_keeps_telamon_from_starting(run: Telamon, script: Path) -> None:
    write(run, script, "one")
    script.write_text("from telamon.script import *\n\ndef f(:\n")
    done = run.run()
    assert done.returncode == 1
    assert f"{script}:3:" in done.stderr + done.stdout
