"""haproxy(1)'s command line, without starting anything; and beside the real program."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from telamon.base.version import HAPROXY_VERSION
from telamon.cli.haproxy_main import main
from telamon.cli.haproxy_options import FLAGS, Task, UsageError, parse
from telamon.cli.haproxy_version import build, version
from telamon.cli.shims import directory
from tests.standin.haproxy_program import Program, config


def test_flags_in_any_order() -> None:
    words = "-p x.pid -D -f a -N 5 -sf 1 22 -V -f b -n 7 -- c d".split()
    options = parse(words).options
    assert options.files == ("a", "b", "c", "d")
    assert options.pid_file == "x.pid"
    assert (options.maxconn, options.proxy_maxconn) == (7, 5)
    assert options.old == (1, 22) and not options.hard
    assert options.daemon and options.verbose


def test_no_pids_are_fine_as_at_a_first_start() -> None:
    assert parse(["-f", "a", "-sf"]).options.old == ()
    assert parse(["-sf", "-f", "a"]).options.old == ()


def test_the_longest_name_wins() -> None:
    assert parse(["-Ws", "-f", "a"]).options.systemd
    assert not parse(["-W", "-f", "a"]).options.systemd
    assert parse(["-vv"]).task is Task.BUILD
    assert parse(["-v", "-f"]).task is Task.VERSION
    assert parse(["-cc", "1"]).condition == "1"
    assert parse(["-c", "-f", "a"]).task is Task.CHECK
    assert parse(["-dKcfg,smp", "-f", "a"]).options.dump_keywords == "cfg,smp"
    assert parse(["-db", "-f", "a"]).options.debug is False


@pytest.mark.parametrize(
    "words",
    [["-z"], ["-f"], ["-dX", "-f", "a"], ["a.cfg"], [], ["-c"], ["-cc"], ["-n", "x", "-f", "a"],
     ["-x"], ["-S"], ["-C"], ["-L"], ["-sf", "12a", "-f", "a"], ["-dA", "-f", "a"],
     ["-dth2", "-f", "a"]],
)  # fmt: skip
def test_mistakes_are_told(words: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError) as caught:
        parse(words)
    assert main(words) == 1
    said = capfd.readouterr()
    if reason := str(caught.value):
        assert said.err.endswith(f" : {reason}\n")
    else:
        assert said.out.startswith("HAProxy version ")
        assert "Usage : haproxy" in said.err


def test_no_name_is_taken_twice() -> None:
    names = [flag.name for flag in FLAGS]
    assert len(names) == len(set(names))


def test_the_issue_s_flags_are_all_there() -> None:
    asked = "f c cc v vv d db D W Ws S L n m N p q V C x sf st dM dI dW dD de dp dR dS dV dL"
    assert {*asked.split(), "dK", "dr", "dG", "dZ"} <= {flag.name for flag in FLAGS}


def test_the_version_compares_as_numbers() -> None:
    first = version().splitlines()[0]
    # As Ansible's, Debian's and exporters' expressions take it apart.
    found = re.match(r"HA-?Proxy version (\d+)\.(\d+)\.(\d+)\S* (\d{4}/\d\d/\d\d)", first)
    assert found is not None and (int(found[1]), int(found[2])) >= (3, 0)
    assert HAPROXY_VERSION in first


def test_the_build_has_the_lines_that_tools_read() -> None:
    text = build()
    assert re.search(r"^  TARGET  = \S+$", text, re.M)
    assert re.search(r"^  OPTIONS = .*USE_EPOLL=1", text, re.M)
    features = re.search(r"^Feature list : (.*)$", text, re.M)
    assert features is not None
    assert all(word[0] in "+-" for word in features[1].split())
    assert "-OPENSSL" in features[1].split()
    assert re.search(r"^Built with multi-threading support \(MAX_THREADS=\d+", text, re.M)
    assert re.search(r"^ +epoll : pref=300,  test result OK$", text, re.M)
    assert re.search(r"^Total: \d \(\d usable\), will use (io_uring|epoll)\.$", text, re.M)


@pytest.mark.peer
def test_every_line_of_the_real_build_report_has_its_like(theirs: Program) -> None:
    def kinds(text: str) -> set[str]:
        return {line.partition(" :")[0].partition(" =")[0].strip() for line in text.splitlines()}

    wanted = {
        "Build options", "TARGET", "CPU", "CC", "CFLAGS", "OPTIONS", "DEBUG", "Feature list",
        "Default settings", "Available polling systems", "epoll",
        "Available multiplexer protocols", "Available services", "Available filters",
    }  # fmt: skip
    assert wanted <= kinds(theirs.run("-vv").stdout)
    assert wanted <= kinds(build())


@pytest.mark.parametrize(
    ("condition", "status"),
    [("version_atleast(2.4)", 0), ("version_atleast(9.9)", 1), ("feature(EPOLL)", 0),
     ("!feature(EPOLL) || defined(PATH)", 0), ("bogus(", 2), ("streq(a,b)", 1), ("", 1),
     ("version_before(2.4)", 1)],
)  # fmt: skip
@pytest.mark.peer
def test_conditions_beside_the_real(theirs: Program, condition: str, status: int) -> None:
    assert main(["-cc", condition]) == status
    assert theirs.run("-cc", condition).returncode == status


CHECKS: dict[str, tuple[dict[str, str], list[str]]] = {
    "sound": ({"a.cfg": config(1)}, ["-c", "-f", "a.cfg"]),
    "sound, verbose": ({"a.cfg": config(1)}, ["-c", "-V", "-f", "a.cfg"]),
    "after dashes": ({"a.cfg": config(1)}, ["-c", "--", "a.cfg"]),
    "unknown word": ({"a.cfg": "global\n  bogus\n"}, ["-c", "-f", "a.cfg"]),
    "unknown word, quiet": ({"a.cfg": "global\n  bogus\n"}, ["-q", "-c", "-f", "a.cfg"]),
    "unknown word, start": ({"a.cfg": "global\n  bogus\n"}, ["-f", "a.cfg"]),
    "nothing to serve": ({"a.cfg": "global\n"}, ["-c", "-f", "a.cfg"]),
    "nothing to serve, start": ({"a.cfg": "global\n"}, ["-f", "a.cfg"]),
    "no file": ({}, ["-c", "-f", "nope.cfg"]),
    "no file, start": ({}, ["-db", "-f", "nope.cfg"]),
    "no such directory": ({"a.cfg": config(1)}, ["-C", "nope", "-c", "-f", "a.cfg"]),
    "another directory": ({"sub/a.cfg": config(1)}, ["-C", "sub", "-c", "-f", "a.cfg"]),
    "a directory of files": (
        {"conf/1.cfg": "global\n    node x\n", "conf/2.cfg": config(1), "conf/3.txt": "bogus\n"},
        ["-c", "-f", "conf"],
    ),
    "several files": (
        {"1.cfg": "global\n    node x\n", "2.cfg": config(1)}, ["-c", "-f", "1.cfg", "-f", "2.cfg"],
    ),
    "warnings": ({"a.cfg": config(1).replace("timeout client 5s", "")}, ["-c", "-f", "a.cfg"]),
    "warnings are errors": (
        {"a.cfg": config(1).replace("timeout client 5s", "")}, ["-c", "-dW", "-f", "a.cfg"],
    ),
    "old pids": ({"a.cfg": config(1)}, ["-c", "-f", "a.cfg", "-sf"]),
    "old pids that are none": ({"a.cfg": config(1)}, ["-c", "-f", "a.cfg", "-sf", "abc"]),
    "no flag": ({}, ["foo.cfg"]),
    "nothing": ({}, []),
    "help": ({}, ["-h"]),
    "unknown flag": ({}, ["-z"]),
    "version": ({}, ["-v"]),
    "version after others": ({}, ["-W", "-v"]),
    "memory debugging": ({"a.cfg": config(1)}, ["-dM", "-c", "-f", "a.cfg"]),
    "memory debugging's help": ({}, ["-dMhelp"]),
    "peer's name": (
        {"a.cfg": config(1, extra=".if !streq($HAPROXY_LOCALPEER,me)\n.alert no\n.endif")},
        ["-L", "me", "-c", "-f", "a.cfg"],
    ),
}  # fmt: skip

_NAMED = re.compile(
    r"parsing \[([^\]:]+):(\d+)\]|(Cannot open|Could not change|Usage :|-sf option)"
)


def _blamed(text: str) -> set[tuple[str, ...]]:
    """The places and reasons of alerts, and whether the usage is shown."""
    alerts = [line for line in text.splitlines() if line.startswith(("[ALERT]", "Usage"))]
    return {found for line in alerts for found in _NAMED.findall(line)}


@pytest.mark.peer
@pytest.mark.parametrize("name", CHECKS)
def test_checks_beside_the_real(ours: Program, theirs: Program, name: str) -> None:
    """The same words, the same files: exit status, what is blamed, whether it says anything."""
    files, words = CHECKS[name]
    results = []
    for program in (ours, theirs):
        for path, text in files.items():
            (program.folder / path).parent.mkdir(exist_ok=True)
            program.write(path, text)
        results.append(program.run(*words))
    mine, real = results
    assert mine.returncode == real.returncode, mine.stderr
    if real.returncode:
        # The places are the same; how a warning is worded is each program's own.
        assert _blamed(mine.stderr) == _blamed(real.stderr)
        assert ("-q" in words) == (mine.stdout + mine.stderr == "")
    assert ("valid" in mine.stdout) == ("-V" in words and "valid" in real.stdout)


def test_a_sound_check_says_nothing(ours: Program) -> None:
    ours.write("a.cfg", config(1))
    done = ours.run("-c", "-f", "a.cfg")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_mistake_is_shown_with_its_place(ours: Program) -> None:
    ours.write("a.cfg", "global\n  bogus\n")
    said = ours.run("-c", "-f", "a.cfg").stderr
    assert re.search(r"^\[NOTICE\]   \(\d+\) : haproxy version is 3\.", said, re.M)
    assert re.search(r"^\[ALERT\]    \(\d+\) : config : parsing \[a\.cfg:2\] : .*bogus", said, re.M)
    assert "^^^^^" in said


@pytest.mark.parametrize("words", [["-dKall"], ["-dKcfg,srv"], ["-dKhelp"], ["-dL"]])
def test_dumps_after_the_check(ours: Program, words: list[str]) -> None:
    ours.write("a.cfg", config(1))
    done = ours.run(*words, "-q", "-c", "-f", "a.cfg")
    assert done.returncode == 0
    assert {"-dKall": "http-request", "-dKcfg,srv": "\tcheck", "-dKhelp": "cnv:", "-dL": "/lib"}[
        words[0]
    ] in done.stdout


def test_the_command_line_has_the_last_word(ours: Program) -> None:
    from telamon.daemon.standalone_haproxy_console import Console
    from telamon.daemon.standalone_haproxy_load import read

    path = ours.folder / ours.write("a.cfg", config(1, extra="maxconn 100\n    daemon"))
    words = ["-n", "7", "-N", "3", "-p", "x.pid", "-db", "-W", "-f", str(path)]
    plan, _report = read(parse(words).options, Console())
    assert plan is not None
    process = plan.process
    assert (process.maxconn, process.pidfile, process.daemon) == (7, "x.pid", False)
    assert process.master_worker
    assert [p.frontend.maxconn for p in plan.proxies if p.frontend] == [3]


def test_quick_answers_load_neither_click_nor_the_engine() -> None:
    code = (
        "import sys\nfrom telamon.cli import main\n"
        "sys.argv[1:] = ['haproxy', *sys.argv[1:]]\n"
        "try: main()\n"
        "except SystemExit as end: code = end.code\n"
        "slow = {'click', 'telamon._engine', 'telamon.plan', 'asyncio', 'telamon.haproxy.reader'}\n"
        "assert not slow & set(sys.modules), slow & set(sys.modules)\n"
        "sys.exit(code)"
    )
    for words in (["-v"], ["-cc", "version_atleast(2.4)"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


def test_the_shim_is_found_through_path(tmp_path: Path) -> None:
    if shutil.which("telamon") is None and not (directory() / "../../../.venv/bin").exists():
        pytest.skip("telamon is not installed")
    (tmp_path / "a.cfg").write_text(config(1))
    done = subprocess.run(
        ["sh", "-c", "command -v haproxy; haproxy -c -V -f a.cfg"], cwd=tmp_path,
        env={**os.environ, "PATH": f"{directory()}:{os.environ['PATH']}"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stdout == f"{directory()}/haproxy\nConfiguration file is valid\n", done.stderr
    assert done.returncode == 0
