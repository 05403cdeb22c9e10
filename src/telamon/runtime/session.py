"""A client of the stats socket, sans-IO: bytes in, bytes out.

The protocol is the management guide's chapter 9.3: a line holds one or more commands joined by
`;`; each answer ends in an empty line. Without `prompt` the connection ends after the lines that
came together; with it, it stays and shows `> `. Words are split at blanks; a backslash takes the
next character as it is. A line that ends in `<<` is followed by a payload up to an empty line, or
up to the word that stands at once behind the `<<`.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field

from telamon.plan.process import StatsLevel
from telamon.runtime.commands.base import ERROR, SEVERITIES, Command, Context
from telamon.runtime.commands.index import BY_WORDS, COMMANDS, LONGEST, NOT_YET
from telamon.runtime.ports import CommandError, ProxyControl

MAX_LINE = 16384
"""HAProxy's buffer size: a longer line is refused."""

_ALWAYS = (
    ("help [<command>]", "list matching or all commands"),
    ("prompt", "toggle interactive mode with prompt"),
    ("quit", "disconnect"),
)


class CommandSession:
    """Feed it what the client sends; send what it returns; close when `closed`."""

    def __init__(self, control: ProxyControl, level: StatsLevel, address: str = "") -> None:
        self.context = Context(control, level, address)
        self.closed = False
        self._interactive = False
        self._pending = b""
        self._waiting: _Waiting | None = None

    def feed(self, data: bytes) -> bytes:
        """Answer the whole lines in `data`; a part of a line waits for the rest."""
        if self.context.follow is not None:
            return self._stop_following()
        self._pending += data
        out: list[str] = []
        *lines, self._pending = self._pending.split(b"\n")
        for line in lines:
            if self.closed or self.following:
                break
            out.append(self._line(line.decode(errors="surrogateescape").rstrip("\r")))
        if len(self._pending) > MAX_LINE:
            self.closed = True
            out.append("Command line too long.\n")
        if lines and not (self._interactive or self._waiting or self.following):
            self.closed = True
        return "".join(out).encode(errors="surrogateescape")

    @property
    def following(self) -> bool:
        """A command goes on: ask `more` from time to time."""
        return self.context.follow is not None

    def more(self) -> bytes:
        """What the command that goes on has to say now."""
        follow = self.context.follow
        return follow().encode(errors="surrogateescape") if follow is not None else b""

    def _stop_following(self) -> bytes:
        """Whatever the client sent, it means only this."""
        self.context.follow = None
        self.closed = not self._interactive
        return b"\n> " if self._interactive else b"\n"

    def end_of_file(self) -> bytes:
        """The client will send no more: a last line without its end counts as one."""
        answer = self.feed(b"\n") if self._pending and not self.closed else b""
        self.closed = True
        return answer

    def _line(self, line: str) -> str:
        if self._waiting is not None:
            return self._payload_line(self._waiting, line)
        commands = split_commands(line)
        if commands[-1] and commands[-1][-1].startswith("<<"):
            self._waiting = _Waiting(commands, commands[-1].pop()[2:])
            return "+ " if self._interactive else ""
        return self._answer_all(commands)

    def _payload_line(self, waiting: _Waiting, line: str) -> str:
        if line != waiting.end:
            waiting.lines.append(line)
            return "+ " if self._interactive else ""
        self._waiting, self.context.payload = None, waiting.lines
        try:
            return self._answer_all(waiting.commands)
        finally:
            self.context.payload = None

    def _answer_all(self, commands: list[list[str]]) -> str:
        answers = []
        for words in commands:
            answers.append(self._answer(words))
            if self.closed or self.following:
                return "".join(answers)
        return "".join(answers)

    def _answer(self, words: list[str]) -> str:
        match words[:1]:
            case ["quit"]:
                self.closed = True
                return ""
            case ["prompt"]:
                self._interactive = words[1:2] != ["n"] and (
                    words[1:2] in (["i"], ["p"]) or not self._interactive
                )
                body = ""
            case _:
                body = execute(self.context, words)
        if self.following:
            return body
        return body + ("\n> " if self._interactive else "\n")


@dataclass(slots=True)
class _Waiting:
    """Commands whose payload is still coming, up to a line that is `end`."""

    commands: list[list[str]]
    end: str
    lines: list[str] = field(default_factory=list)


def split_commands(line: str) -> list[list[str]]:
    """The commands of one line, each as its words; an empty line is one empty command."""
    commands: list[list[str]] = [[]]
    word: str | None = None
    characters = iter(line)
    for c in characters:
        if c == "\\":
            word = (word or "") + next(characters, "")
        elif c in " \t;":
            if word is not None:
                commands[-1].append(word)
                word = None
            if c == ";":
                commands.append([])
        else:
            word = (word or "") + c
    if word is not None:
        commands[-1].append(word)
    if len(commands) > 1 and not commands[-1]:
        commands.pop()
    return commands


def execute(context: Context, words: list[str]) -> str:
    """The answer to one command, with its line end; never raises for what a client may send."""
    if words[:1] == ["help"]:
        return _help(context, words[1:])
    context.severity = None
    command, arguments = find(words)
    if command is None:
        return _unknown(context, words)
    if not context.may(command.level):
        return marked(context, ERROR, "Permission denied\n")
    if command.mode and f"{command.mode}-mode" not in context.modes:
        text = f"This command is restricted to {command.mode} mode only.\n"
        return marked(context, ERROR, text)
    try:
        answer = command.handler(context, arguments)
        return marked(context, context.severity, answer)
    except CommandError as error:
        text = str(error)
        return marked(context, ERROR, text if text.endswith("\n") else text + "\n")


def marked(context: Context, severity: int | None, text: str) -> str:
    """A message with its severity in front, if the session wants that."""
    if severity is None or context.severity_output == "none":
        return text
    mark = severity if context.severity_output == "number" else SEVERITIES[severity]
    return f"[{mark}]: {text}"


def find(words: list[str]) -> tuple[Command | None, list[str]]:
    """The command that the longest run of leading words names, and the words after it."""
    for length in range(min(LONGEST, len(words)), 0, -1):
        command = BY_WORDS.get(tuple(words[:length]))
        if command is not None:
            return command, words[length:]
    return None, words


def _unknown(context: Context, words: list[str]) -> str:
    for length in range(min(2, len(words)), 0, -1):
        if tuple(words[:length]) in NOT_YET:
            name = " ".join(words[:length])
            return f"'{name}' is known to HAProxy, not yet to Telamon.\n"
    if not words:
        return "Unknown command. Please enter one of the following commands only:\n" + _list(
            _available(context)
        )
    matching = _matching(context, words)
    return "Unknown command, but maybe one of the following ones is a better match:\n" + _list(
        matching
    )


def _help(context: Context, words: list[str]) -> str:
    chosen = _matching(context, words) if words else _available(context)
    return "The following commands are valid at this level:\n" + _list(chosen)


def _available(context: Context) -> list[Command]:
    """What the session may use, in the modes that it is in."""
    allowed = [c for c in COMMANDS if context.may(c.level)]
    return [c for c in allowed if not c.mode or f"{c.mode}-mode" in context.modes]


def _matching(context: Context, words: list[str]) -> list[Command]:
    """Commands that begin with these words, or else those whose names come nearest."""
    allowed = _available(context)
    text = " ".join(words)
    beginning = [c for c in allowed if c.words.startswith(text) or text.startswith(c.words)]
    if beginning:
        return beginning
    near = difflib.get_close_matches(text, [c.words for c in allowed], n=5, cutoff=0.4)
    return [c for c in allowed if c.words in near]


def _list(commands: list[Command]) -> str:
    listed = [(c.usage, c.meaning) for c in commands] + list(_ALWAYS)
    return "".join(f"  {usage:<40}: {meaning}\n" for usage, meaning in listed)
