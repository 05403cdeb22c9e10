"""The script helper: real processes, watched from the router's end.

(It lives in `telamon.daemon`; these tests stand with the kernel's since they are about processes.)
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from telamon.daemon.script_messages import Notify, NotifyFailed, ScriptResult, Told
from telamon.daemon.scripts import Helper, HelperGone
from telamon.plan.router import CommandPlan, ScriptPlan

DEADLINE = 10.0


@pytest.fixture
def helper() -> Iterator[Helper]:
    started = Helper.start()
    yield started
    started.close()
    _pid, status = os.waitpid(started.pid, 0)
    assert status == 0


def collect(helper: Helper, count: int) -> list[Told]:
    found: list[Told] = []
    end = time.monotonic() + DEADLINE
    while len(found) < count:
        ready, _, _ = select.select([helper], [], [], max(0.0, end - time.monotonic()))
        assert ready, f"only {found} within {DEADLINE} s"
        found += helper.results()
    return found


def verdicts(helper: Helper, count: int) -> list[ScriptResult]:
    return [result for result in collect(helper, count) if isinstance(result, ScriptResult)]


def eventually(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end
        select.select([], [], [], 0.01)


def script(name: str, *command: str, interval: float = 30.0, timeout: float = 5.0) -> ScriptPlan:
    return ScriptPlan(name, command, interval=interval, timeout=timeout)


def shell(name: str, text: str, *, interval: float = 30.0, timeout: float = 5.0) -> ScriptPlan:
    return script(name, "sh", "-c", text, interval=interval, timeout=timeout)


def test_the_first_run_is_at_once_and_the_status_tells(helper: Helper) -> None:
    helper.watch((script("yes", "true"), shell("no", "exit 3"), shell("shot", "kill -9 $$")))
    results = {result.name: result for result in verdicts(helper, 3)}
    assert results["yes"] == ScriptResult("yes", True)
    assert results["no"] == ScriptResult("no", False, "exit status 3")
    assert results["shot"] == ScriptResult("shot", False, "killed by SIGKILL")


def test_it_runs_again_and_again(helper: Helper) -> None:
    helper.watch((script("yes", "true", interval=0.01),))
    assert collect(helper, 5) == [ScriptResult("yes", True)] * 5


def test_a_missing_command_fails(helper: Helper) -> None:
    helper.watch((script("gone", "/usr/bin/not-there"), script("nameless", "not-in-path")))
    results = {result.name: result.reason for result in verdicts(helper, 2)}
    assert results == {
        "gone": "/usr/bin/not-there is not there or not executable",
        "nameless": "not-in-path is not there or not executable",
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="only root refuses what others can write")
def test_root_does_not_run_what_others_can_write(helper: Helper, tmp_path: Path) -> None:
    proof = tmp_path / "ran"
    bad = tmp_path / "check.sh"
    bad.write_text(f"#!/bin/sh\ntouch {proof}\n")
    bad.chmod(0o777)
    helper.watch((script("bad", str(bad)),))
    (result,) = verdicts(helper, 1)
    assert not result.ok
    assert result.reason.startswith(f"refused to run {bad} as root: ")
    assert not proof.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_may_run_it(helper: Helper, tmp_path: Path) -> None:
    plan = ScriptPlan("who", ("sh", "-c", '[ "$(id -u):$(id -g):$(id -G)" = 65534:65533:65533 ]'),
                      interval=30.0, timeout=5.0, uid=65534, gid=65533)  # fmt: skip
    helper.watch((plan,))
    assert collect(helper, 1) == [ScriptResult("who", True)]


def test_a_script_that_hangs_fails_at_its_timeout_and_is_ended(
    helper: Helper, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    # Deaf to SIGTERM, with a child in its group: both must go.
    text = f"trap '' TERM; sleep 100 & echo $$ $! > {pids}; wait; sleep 100"
    helper.watch((shell("hung", text, timeout=0.2),))
    begun = time.monotonic()
    assert collect(helper, 1) == [ScriptResult("hung", False, "no answer within 0.2 s")]
    assert time.monotonic() - begun < 2.0, "the verdict must not wait for the kill"
    group = [int(word) for word in pids.read_text().split()]
    eventually(lambda: not any(_alive(pid) for pid in group))


def test_signals_have_their_defaults_and_output_goes_nowhere(helper: Helper) -> None:
    # Filling a pipe would block; /dev/null takes it all. SIGTERM must end it as usual.
    helper.watch((shell("chatty", "head -c 3000000 /dev/zero; kill -TERM $$; sleep 60"),))
    assert collect(helper, 1) == [ScriptResult("chatty", False, "killed by SIGTERM")]


def test_what_the_router_ignores_its_scripts_do_not(tmp_path: Path) -> None:
    number = signal.SIGRTMIN + 2
    before = signal.signal(number, signal.SIG_IGN)
    try:
        started = Helper.start()
    finally:
        signal.signal(number, before)
    started.watch((shell("dies", f"kill -{number} $$; exit 0"),))
    (result,) = verdicts(started, 1)
    assert result.reason == f"killed by signal {int(number)}"
    started.close()
    os.waitpid(started.pid, 0)


def test_a_new_list_keeps_what_stays_and_ends_what_goes(helper: Helper, tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    stays = script("stays", "true")
    goes = shell("goes", f"echo $$ > {pid_file}; exec sleep 100", timeout=100.0)
    helper.watch((stays, goes))
    assert collect(helper, 1) == [ScriptResult("stays", True)]
    eventually(lambda: pid_file.exists() and pid_file.read_text().strip() != "")
    helper.watch((stays, script("comes", "true")))
    # `stays` keeps its rhythm of 30 s, so it is not run anew.
    assert collect(helper, 1) == [ScriptResult("comes", True)]
    eventually(lambda: not _alive(int(pid_file.read_text())))


def test_it_ends_its_scripts_when_the_router_is_gone(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    started = Helper.start()
    started.watch((shell("long", f"echo $$ > {pid_file}; exec sleep 100", timeout=100.0),))
    eventually(lambda: pid_file.exists() and pid_file.read_text().strip() != "")
    started.close()
    os.waitpid(started.pid, 0)
    eventually(lambda: not _alive(int(pid_file.read_text())))


def test_the_router_learns_that_the_helper_died() -> None:
    started = Helper.start()
    os.kill(started.pid, signal.SIGKILL)
    os.waitpid(started.pid, 0)
    select.select([started], [], [], DEADLINE)
    with pytest.raises(HelperGone):
        started.results()
    started.watch(())
    started.close()


def _alive(pid: int) -> bool:
    """Running, that is neither gone nor a zombie that waits for its reaper."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_notify_scripts_keep_their_order(helper: Helper, tmp_path: Path) -> None:
    out = tmp_path / "out"
    slow = CommandPlan(("sh", "-c", f'sleep 0.2; echo "$0 $1" >> {out}'))
    quick = CommandPlan(("sh", "-c", f'echo "$0 $1" >> {out}'))
    helper.notify(Notify("VI_1", slow, ("BACKUP", "100")))
    helper.notify(Notify("VI_1", quick, ("MASTER", "100")))
    helper.notify(Notify("VI_2", quick, ("FAULT", "90")))
    eventually(lambda: out.exists() and len(out.read_text().splitlines()) == 3)
    # Within an instance in order; another instance does not wait.
    assert out.read_text().splitlines() == ["FAULT 90", "BACKUP 100", "MASTER 100"]


def test_a_notify_script_that_hangs_or_fails_is_told(helper: Helper) -> None:
    helper.notify(Notify("VI_1", CommandPlan(("sleep", "100")), limit=0.1))
    helper.notify(Notify("VI_1", CommandPlan(("sh", "-c", "exit 7"))))
    helper.notify(Notify("VI_1", CommandPlan(("/usr/bin/not-there",))))
    assert collect(helper, 3) == [
        NotifyFailed("VI_1", "sleep 100", "no answer within 0.1 s"),
        NotifyFailed("VI_1", "sh -c exit 7", "exit status 7"),
        NotifyFailed(
            "VI_1", "/usr/bin/not-there", "/usr/bin/not-there is not there or not executable"
        ),
    ]


def test_what_was_to_be_told_is_told_after_the_router_s_end(tmp_path: Path) -> None:
    out = tmp_path / "out"
    started = Helper.start()
    started.watch((script("tick", "true", interval=0.01),))
    started.notify(Notify("VI_1", CommandPlan(("sh", "-c", f"sleep 0.2; echo 1 >> {out}"))))
    started.notify(Notify("VI_1", CommandPlan(("sh", "-c", f"echo STOP >> {out}"))))
    started.close()
    assert os.waitpid(started.pid, 0)[1] == 0
    assert out.read_text().splitlines() == ["1", "STOP"]
