"""A client of the master's command line, sans-IO (management guide 9.4).

Commands are the master's own, or for a worker: `@1 show info` (the worker of the last reload),
`@!4711 show info` (a process by its pid), `@master help`. A prefix alone stays for what follows.
A worker's answer takes its time, and so does a reload: the session hands out one `Step` after the
other, and the edge asks for the next one when a step is done.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from telamon.base.version import HAPROXY_VERSION
from telamon.plan.process import StatsLevel

MAX_LINE = 16384
_RANK = {StatsLevel.USER: 0, StatsLevel.OPERATOR: 1, StatsLevel.ADMIN: 2}


@dataclass(frozen=True, slots=True)
class Reply:
    """Send this."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Forward:
    """Let the worker `pid` answer `line`; then send `after`."""

    pid: int
    line: bytes
    level: StatsLevel
    after: bytes


@dataclass(frozen=True, slots=True)
class Reload:
    """Reload; then send the outcome and `after`. `hard`: old workers are ended at once."""

    hard: bool
    after: bytes


@dataclass(frozen=True, slots=True)
class Close:
    """Nothing more comes."""


Step = Reply | Forward | Reload | Close


@dataclass(frozen=True, slots=True)
class View:
    """What the session may see of the master: workers' pids, the newest first."""

    workers: Callable[[], list[int]]
    proc: Callable[[], str]
    startup_logs: Callable[[], str]
    sockets: Callable[[], str] = lambda: ""


COMMANDS: tuple[tuple[str, str], ...] = (
    ("@!<pid>", "send a command to the <pid> process"),
    ("@<relative pid>", "send a command to the <relative pid> process"),
    ("@master", "send a command to the master process"),
    ("hard-reload", "reload and hard stop the old workers"),
    ("operator", "lower the level of the current CLI session to operator"),
    ("reload", "reload haproxy"),
    ("show cli level", "display the level of the current CLI session"),
    ("show cli sockets", "dump list of cli sockets"),
    ("show proc", "show processes status"),
    ("show startup-logs", "report logs emitted during HAProxy startup"),
    ("show version", "show version of the current process"),
    ("user", "lower the level of the current CLI session to user"),
    ("help [<command>]", "list matching or all commands"),
    ("prompt", "toggle interactive mode with prompt"),
    ("quit", "disconnect"),
)

_PREFIX = re.compile(r"@(master|!\d+|\d*)(?:\s+|$)")
_SEMICOLON = re.compile(r"(?<!\\);")


@dataclass(slots=True)
class MasterSession:
    """Feed it what the client sends; ask for steps until there is none for now."""

    view: View
    level: StatsLevel = StatsLevel.ADMIN
    _pending: bytes = b""
    _commands: list[str] = field(default_factory=list)
    _target: str = "master"
    _interactive: bool = False
    _fed: bool = False
    _closing: bool = False

    def feed(self, data: bytes) -> None:
        self._pending += data
        while b"\n" in self._pending:
            line, rest = self._whole_line()
            if line is None:
                return
            self._pending = rest
            self._take(line)
        if len(self._pending) > MAX_LINE:
            self._closing = True

    def _whole_line(self) -> tuple[bytes | None, bytes]:
        """The first line, with the payload that `<<` announces; None while that is not whole."""
        line, _, rest = self._pending.partition(b"\n")
        line = line.rstrip(b"\r")
        if not line.split()[-1:] or not line.split()[-1].startswith(b"<<"):
            return line, rest
        body, end, after = rest.partition(b"\n\n")
        if not end:
            return None, b""
        return line + b"\n" + body + b"\n", after

    def _take(self, line: bytes) -> None:
        text = line.decode("utf-8", "replace")
        parts = [text] if "\n" in text else _SEMICOLON.split(text)
        self._commands += [part.strip(" \t") for part in parts]
        self._fed = True

    def end_of_file(self) -> None:
        """The client will send no more."""
        if self._pending:
            self.feed(b"\n")
        self._closing = True

    @property
    def ended(self) -> bool:
        """Whether the client has said all that it will say."""
        return self._closing

    def next_step(self) -> Step | None:
        if self._commands:
            return self._run(self._commands.pop(0))
        if self._closing or (self._fed and not self._interactive):
            return Close()
        return None

    # -- one command ----------------------------------------------------------------------

    def _run(self, command: str) -> Step:
        target = self._target
        prefix = _PREFIX.match(command)
        if prefix is not None:
            target, command = prefix[1] or "master", command[prefix.end() :]
            if not command:
                self._target = target
                return self._reply("")
        words = command.split()
        if words[:1] == ["quit"]:
            self._commands.clear()
            self._closing = True
            return Reply(b"")
        if words[:1] == ["prompt"]:
            self._interactive = not self._interactive
            return self._reply("")
        if target == "master":
            return self._own(words)
        pid = self._pid(target)
        if pid is None:
            return self._reply("Can't find the target PID matching the prefix '@" + target + "'\n")
        # The worker ends its answer with the empty line that ours would have.
        return Forward(pid, f"{command}\n".encode(), self.level, self._prompt())

    def _pid(self, target: str) -> int | None:
        workers = self.view.workers()
        if target.startswith("!"):
            wanted = int(target[1:])
            return wanted if wanted in workers else None
        # There is one worker at a time: its relative pid is 1.
        return workers[0] if workers and target == "1" else None

    def _own(self, words: list[str]) -> Step:
        match words:
            case ["help", *rest]:
                text = "The following commands are valid at this level:\n" + _list(rest)
            case ["show", "proc", *_]:
                text = self.view.proc()
            case ["show", "version"]:
                text = f"{HAPROXY_VERSION}\n"
            case ["show", "startup-logs"]:
                text = self.view.startup_logs()
            case ["show", "cli", "level"]:
                text = f"{self.level.value}\n"
            case ["show", "cli", "sockets"]:
                text = "# socket lvl processes\n" + self.view.sockets()
            case ["operator"] | ["user"]:
                wanted = StatsLevel(words[0])
                self.level = min(self.level, wanted, key=lambda level: _RANK[level])
                text = ""
            case ["reload"] | ["hard-reload"]:
                if self.level is StatsLevel.ADMIN:
                    return Reload(words[0] == "hard-reload", b"\n" + self._prompt())
                text = "Permission denied\n"
            case _:
                text = _unknown(words)
        return self._reply(text)

    def _reply(self, text: str) -> Reply:
        return Reply(text.encode("utf-8", "replace") + b"\n" + self._prompt())

    def _prompt(self) -> bytes:
        return f"{self._target.lstrip('!')}> ".encode() if self._interactive else b""


def _unknown(words: list[str]) -> str:
    near = [row for row in COMMANDS if words and row[0].split()[0] == words[0]]
    if near:
        return "Unknown command, but maybe one of the following ones is a better match:\n" + _list(
            words[:1]
        )
    return "Unknown command. Please enter one of the following commands only:\n" + _list([])


def _list(beginning: list[str]) -> str:
    text = " ".join(beginning)
    rows = [row for row in COMMANDS if row[0].startswith(text)] or list(COMMANDS)
    return "".join(f"  {usage:<40}: {meaning}\n" for usage, meaning in rows)
