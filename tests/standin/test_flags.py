"""keepalived(8)'s command line."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from telamon.cli.keepalived import main, version
from telamon.cli.keepalived_options import FLAGS, CommandLine, Task, UsageError, Value, parse
from telamon.cli.shims import directory


def test_a_bundle_and_values_that_follow_at_once() -> None:
    options = parse(["-lnD", "-f/etc/a.conf", "-p", "/run/x.pid", "--vrrp_pid=/run/y.pid"]).options
    assert options.console and options.foreground
    assert options.file == "/etc/a.conf"
    assert (str(options.pid_path), str(options.vrrp_pid_path)) == ("/run/x.pid", "/run/y.pid")


def test_a_value_within_a_bundle_takes_the_rest() -> None:
    options = parse(["-nfl.conf"]).options
    assert options.foreground and not options.console
    assert options.file == "l.conf"


def test_a_long_name_may_be_cut_short() -> None:
    assert parse(["--pi=/x"]).options.pid_file == "/x"
    assert parse(["--use-file", "/y"]).options.file == "/y"


def test_an_exact_name_is_not_ambiguous() -> None:
    assert not parse(["--check"]).options.vrrp


def test_words_that_are_no_options_do_not_matter() -> None:
    line = parse(["start", "-n", "now"])
    assert line.options.foreground
    assert line.unexpected == ("start", "now")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--bogus"], "Unknown option --bogus"),
        (["-Z"], "Unknown option -Z"),
        (["-nZ"], "Unknown option -Z"),
        (["--dont-fork=3"], "Unknown option --dont-fork=3"),
        (["-f"], "Missing parameter for option -f"),
        (["--signum"], "Missing parameter for option --signum"),
        (["-T"], "genhash is not part of Telamon"),
    ],
)
def test_complaints(words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match=complaint):
        parse(words)
    assert main(tuple(words)) == 1
    assert capsys.readouterr().err == complaint + "\n"


def test_the_test_takes_a_log_file_only_at_once() -> None:
    assert parse(["-t/tmp/log"]) == CommandLine(task=Task.TEST, value="/tmp/log")
    assert parse(["--config-test=/tmp/log"]).value == "/tmp/log"
    line = parse(["-t", "-f", "x.conf"])
    assert (line.task, line.value, line.options.file) == (Task.TEST, None, "x.conf")


def test_what_has_no_meaning_here_is_said() -> None:
    (note,) = parse(["-x"]).options.notes
    assert "SNMP" in note
    (note,) = parse(["-S", "9"]).options.notes
    assert note == "Invalid log facility '9'"


@pytest.mark.parametrize(
    ("word", "number"), [("daemon", 3), ("user", 1), ("7", 23), ("local0", 16)]
)
def test_facilities(word: str, number: int) -> None:
    assert parse(["-S", word]).options.facility == number


def test_version_is_taken_apart_as_exporters_do() -> None:
    first = version().splitlines()[0].split(" ")
    assert first[0] == "Keepalived"
    assert [int(part) for part in first[1].removeprefix("v").split(".")] == [2, 2, 7]


def test_a_namespace_has_pid_files_of_its_own() -> None:
    path = parse(["-s", "blue"]).options.pid_path
    assert path == Path("/run/keepalived/keepalived_blue/keepalived.pid")


@pytest.mark.peer
@pytest.mark.parametrize("word", ["STOP", "RELOAD", "DATA", "STATS", "STATS_CLEAR", "JSON", "NO"])
def test_signals_have_keepalived_s_numbers(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    theirs = _peer(f"--signum={word}")
    assert main((f"--signum={word}",)) == theirs.returncode
    said = capsys.readouterr()
    assert said.out == theirs.stdout
    if theirs.returncode:
        assert said.err == theirs.stderr


@pytest.mark.peer
def test_every_flag_of_keepalived_is_known() -> None:
    for line in _peer("--help").stderr.splitlines():
        for word in line.replace(",", " ").split():
            name = word.partition("=")[0].partition("[")[0]
            if name.startswith("--"):
                assert name[2:] in {flag.long for flag in FLAGS}, line
            elif name.startswith("-") and len(name) == 2:
                assert name[1:] in {flag.short for flag in FLAGS}, line


def test_no_name_is_taken_twice() -> None:
    for names in ([f.short for f in FLAGS if f.short], [f.long for f in FLAGS]):
        assert len(names) == len(set(names))
    assert all(flag.meta for flag in FLAGS if flag.value is Value.NEEDED)


def test_the_shim_is_found_through_path(tmp_path: Path) -> None:
    if shutil.which("telamon") is None and not (directory() / "../../../.venv/bin").exists():
        pytest.skip("telamon is not installed")
    file = tmp_path / "k.conf"
    file.write_text("# nothing\n")
    path = f"{directory()}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-c", f"command -v keepalived; keepalived -t -f {file}"],
        env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == f"{directory()}/keepalived\n"
    assert done.returncode == 0, done.stderr


def _peer(*words: str) -> subprocess.CompletedProcess[str]:
    peer = shutil.which("keepalived", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if peer is None:
        pytest.skip("keepalived is not installed")
    return subprocess.run([peer, *words], capture_output=True, text=True, check=False)
