"""The helper's side: run scripts, keep their time limits, guard the addresses. Its loop also
carries what follows processes and files (`process_watch`, `file_watch`) and sends mail (`mail`).

What it is for, and what it promises, stands in `telamon.daemon.scripts`.
"""

from __future__ import annotations

import contextlib
import math
import os
import pickle
import selectors
import signal
import socket
import subprocess
import time
from collections import deque
from dataclasses import dataclass, field

from telamon.daemon import guardian
from telamon.daemon.file_watch import FileWatch
from telamon.daemon.mail import Mail, Postman
from telamon.daemon.process_watch import ProcessWatch
from telamon.daemon.script_messages import (
    MAX_PACKET,
    FileNumber,
    Guard,
    HelperSays,
    Notify,
    NotifyFailed,
    ProcessVerdict,
    ScriptResult,
    Told,
    Watch,
)
from telamon.kernel import executable
from telamon.kernel.netlink import Netlink
from telamon.kernel.process import set_name
from telamon.kernel.rtnetlink import Address
from telamon.plan.router import ScriptPlan

HELPER_NAME = "telamon-scripts"

_KILL_AFTER = 2.0
_LEAVE_AFTER = 0.5


@dataclass(slots=True)
class _Job:
    """One script. `deadline` is when the running process gets the next, harsher signal."""

    plan: ScriptPlan
    due: float
    process: subprocess.Popen[bytes] | None = None
    pidfd: int = -1
    deadline: float = 0.0
    timed_out: bool = False
    retired: bool = False
    queue: str | None = None
    """Of a notify script: where it waited. None: a `vrrp_script`."""


@dataclass(slots=True)
class Runner:
    """The helper's own loop, on its end of the channel. `guarding` is what the guardian reads."""

    channel: socket.socket
    guarding: socket.socket
    jobs: dict[str, _Job] = field(default_factory=dict)
    guarded: tuple[Address, ...] = ()
    queues: dict[str, deque[Notify]] = field(default_factory=dict)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    processes: ProcessWatch = field(init=False)
    files: FileWatch = field(init=False)
    postman: Postman = field(init=False)

    def __post_init__(self) -> None:
        self.processes = ProcessWatch(
            self.selector, lambda name, runs: self._send(ProcessVerdict(name, runs)), self._say
        )
        self.files = FileWatch(
            self.selector, lambda name, value: self._send(FileNumber(name, value)), self._say
        )
        self.postman = Postman(self.selector, self._say)

    def run(self) -> None:
        set_name(HELPER_NAME)
        _leave_others_signals()
        # First of all, as long as there is little to copy and nobody has died yet.
        guardian.start(self.guarding, os.getppid())
        netlink = Netlink()
        self.selector.register(self.channel, selectors.EVENT_READ, None)
        while self._turn():
            pass
        # The router is gone: first the addresses, whatever it takes to end the scripts.
        if self.guarded:
            netlink.remove(self.guarded)
        self.selector.unregister(self.channel)
        self._end_scripts()
        self.processes.close()
        self.files.close()
        self.postman.leave()
        while self.jobs or self.postman.busy:
            self._turn()

    def _turn(self) -> bool:
        """One wake-up; False when the router is gone."""
        now = time.monotonic()
        moments = [job.deadline if job.process else job.due for job in self.jobs.values()]
        others = (self.processes, self.files, self.postman)
        moments += [other.deadline for other in others if other.deadline is not None]
        timeout = max(0.0, min(moments) - now) if moments else None
        if timeout == math.inf:
            timeout = None
        for key, _events in self.selector.select(timeout):
            if key.data is None:
                if not self._read():
                    return False
            elif isinstance(key.data, _Job):
                self._ended(key.data)
            elif key.fd in self.selector.get_map():
                # An earlier one of this round may have closed it.
                key.data()
        now = time.monotonic()
        for other in others:
            other.turn(now)
        for job in list(self.jobs.values()):
            if job.process is not None and now >= job.deadline:
                self._overdue(job, now)
            elif job.process is None and now >= job.due:
                self._begin(job, now)
        return True

    def _read(self) -> bool:
        try:
            data = self.channel.recv(MAX_PACKET)
        except ConnectionError:
            return False
        if not data:
            return False
        message = pickle.loads(data)
        if isinstance(message, Guard):
            self.guarded = message.addresses
        elif isinstance(message, Watch):
            self._watch(message.scripts)
            self.processes.watch(message.processes)
            self.files.watch(message.files)
        elif isinstance(message, Mail):
            self.postman.take(message)
        elif isinstance(message, Notify):
            queue = self.queues.setdefault(message.queue, deque())
            if not (message.once and queue and queue[-1] == message):
                queue.append(message)
            self._notify_next(message.queue)
        return True

    def _watch(self, scripts: tuple[ScriptPlan, ...]) -> None:
        """Take a new list. A script that stays as it was keeps its rhythm and its process."""
        wanted = {script.name: script for script in scripts}
        now = time.monotonic()
        for name, job in list(self.jobs.items()):
            if job.queue is not None:
                continue
            if wanted.get(name) == job.plan:
                del wanted[name]
            elif job.process is None:
                del self.jobs[name]
            else:
                self._retire(name, job, now)
        for name, script in wanted.items():
            self.jobs[name] = _Job(script, due=now)

    def _retire(self, name: str, job: _Job, now: float) -> None:
        """A script that left the plan while it runs: end it, and hear no more of it."""
        del self.jobs[name]
        job.retired = True
        _signal_group(job, signal.SIGTERM)
        job.deadline = now + _KILL_AFTER
        self.jobs[f"{name} (retired, pid {job.process.pid if job.process else 0})"] = job

    def _notify_next(self, queue: str) -> None:
        """Start the queue's first script, unless its predecessor still runs."""
        key = f"{queue} (notify)"
        waiting = self.queues.get(queue)
        while waiting and key not in self.jobs:
            message = waiting.popleft()
            plan = ScriptPlan(
                queue,
                message.command.command + message.arguments,
                interval=math.inf,
                timeout=math.inf if message.limit is None else message.limit,
                uid=message.command.uid,
                gid=message.command.gid,
            )
            now = time.monotonic()
            job = self.jobs[key] = _Job(plan, due=now, queue=queue)
            self._begin(job, now)
            if job.process is None:
                del self.jobs[key]

    def _begin(self, job: _Job, now: float) -> None:
        job.due = max(job.due + job.plan.interval, now)
        path, problem = resolve(job.plan)
        if path is not None:
            try:
                job.process = spawn(job.plan, path)
            except OSError as error:
                problem = f"cannot be started: {error.strerror or error}"
        if job.process is None:
            self._tell(job, False, problem)
            return
        job.pidfd = os.pidfd_open(job.process.pid)
        job.deadline = now + job.plan.timeout
        job.timed_out = False
        self.selector.register(job.pidfd, selectors.EVENT_READ, job)

    def _overdue(self, job: _Job, now: float) -> None:
        if not job.timed_out and not job.retired:
            job.timed_out = True
            job.deadline = now + _KILL_AFTER
            _signal_group(job, signal.SIGTERM)
            self._tell(job, False, f"no answer within {job.plan.timeout:g} s")
        else:
            job.deadline = now + _KILL_AFTER
            _signal_group(job, signal.SIGKILL)

    def _ended(self, job: _Job) -> None:
        if job.process is None:
            return
        if job.timed_out or job.retired:
            # The leader is gone; what it left in its group goes too.
            _signal_group(job, signal.SIGKILL)
        status = job.process.wait()
        self.selector.unregister(job.pidfd)
        os.close(job.pidfd)
        job.process = None
        if not job.timed_out and not job.retired:
            self._tell(job, status == 0, explain(status))
        if job.retired or job.queue is not None:
            self.jobs = {name: other for name, other in self.jobs.items() if other is not job}
            if job.queue is not None:
                self._notify_next(job.queue)
            return
        # Runs that fell due meanwhile are skipped, not made up for.
        now = time.monotonic()
        while job.due < now:
            job.due += max(job.plan.interval, 0.001)

    def _tell(self, job: _Job, ok: bool, reason: str) -> None:
        result: ScriptResult | NotifyFailed = ScriptResult(job.plan.name, ok, reason)
        if job.queue is not None:
            if ok:
                return
            result = NotifyFailed(job.queue, " ".join(job.plan.command), reason)
        self._send(result)

    def _say(self, text: str) -> None:
        self._send(HelperSays(text))

    def _send(self, message: Told) -> None:
        with contextlib.suppress(OSError):
            self.channel.send(pickle.dumps(message), socket.MSG_NOSIGNAL)

    def _end_scripts(self) -> None:
        """End what watches; what notifies, and what serves without a limit, is told apart."""
        now = time.monotonic()
        for name, job in list(self.jobs.items()):
            if job.queue is None and job.process is None:
                del self.jobs[name]
            elif job.queue is None or job.deadline == math.inf:
                job.retired = True
                job.deadline = now + _LEAVE_AFTER
                _signal_group(job, signal.SIGTERM)


def _leave_others_signals() -> None:
    """The terminal's Ctrl-C and a `killall` are the router's business; the life line is ours."""
    ours = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2}
    ignored = {n for n in signal.valid_signals() if signal.getsignal(n) is signal.SIG_IGN}
    # What Python ignores by itself is put right by `subprocess`.
    for number in ours | ignored - {signal.SIGPIPE, signal.SIGXFSZ}:
        # Caught, not ignored: an exec resets the former, so that scripts see the defaults.
        signal.signal(number, lambda _number, _frame: None)
    signal.set_wakeup_fd(-1)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def resolve(plan: ScriptPlan) -> tuple[str | None, str]:
    """The path to run, or None and why not."""
    if not plan.command:
        return None, "has no command"
    path = executable.find(plan.command[0])
    if path is None:
        return None, f"{plan.command[0]} is not there or not executable"
    uid = plan.uid if plan.uid is not None else os.geteuid()
    if uid == 0:
        unsafe = executable.unsafe_for_root(path)
        if unsafe is not None:
            return None, f"refused to run {path} as root: {unsafe}"
    return path, ""


def spawn(plan: ScriptPlan, path: str) -> subprocess.Popen[bytes]:
    """Start it as its user, leader of a session of its own, its output thrown away. OSError."""
    changes_user = plan.uid is not None and plan.uid != os.geteuid()
    changes_group = plan.gid is not None and plan.gid != os.getegid()
    return subprocess.Popen(
        plan.command,
        executable=path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
        user=plan.uid if changes_user else None,
        group=plan.gid if changes_group else None,
        extra_groups=[] if changes_user or changes_group else None,
    )


def _signal_group(job: _Job, number: signal.Signals) -> None:
    if job.process is not None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(job.process.pid, number)


def explain(status: int) -> str:
    """An exit status in words; empty for success."""
    if status == 0:
        return ""
    if status > 0:
        return f"exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        # Most real-time signals have no name.
        return f"killed by signal {-status}"
