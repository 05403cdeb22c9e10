"""haproxy(1)'s command line: its flags as a table, and a parser in HAProxy's manner.

HAProxy does not use getopt(3): a flag is a word of its own (`-dM`, not `-d -M`), its value is the
next word, and some flags take what follows them at once (`-dKcfg`). Everything after `--` is a
file. The first mistake ends it with the usage text and status 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from telamon.daemon.standalone_haproxy_options import Options


class Task(Enum):
    """What the command line asks for."""

    RUN = auto()
    CHECK = auto()
    CONDITION = auto()
    VERSION = auto()
    BUILD = auto()
    MEMORY_HELP = auto()


@dataclass(frozen=True, slots=True)
class CommandLine:
    """`condition` belongs to -cc."""

    options: Options = field(default_factory=Options)
    task: Task = Task.RUN
    condition: str = ""


class UsageError(Exception):
    """`str()` is what is wrong, or nothing where the usage text says enough."""


Apply = Callable[[CommandLine, str], CommandLine]


class Takes(Enum):
    """What belongs to a flag besides itself."""

    NOTHING = auto()
    WORD = auto()
    """The next word."""
    TAIL = auto()
    """What is left of the flag's own word."""
    NUMBERS = auto()
    """All following words up to the next flag."""


@dataclass(frozen=True, slots=True)
class Flag:
    """`meta` names the value in the help."""

    name: str
    takes: Takes
    apply: Apply
    help: str
    meta: str = ""


def _set(field: str, to: object = True) -> Apply:
    def apply(line: CommandLine, value: str) -> CommandLine:
        return replace(line, options=replace(line.options, **{field: to}))  # type: ignore[arg-type]

    return apply


def _text(field: str) -> Apply:
    def apply(line: CommandLine, value: str) -> CommandLine:
        return replace(line, options=replace(line.options, **{field: value}))  # type: ignore[arg-type]

    return apply


def _number(field: str) -> Apply:
    def apply(line: CommandLine, value: str) -> CommandLine:
        if not value.isascii() or not value.isdigit():
            raise UsageError(f"a number is needed, not '{value}'")
        # 0 is HAProxy's word for "not given".
        options = replace(line.options, **{field: int(value) or None})  # type: ignore[arg-type]
        return replace(line, options=options)

    return apply


def _file(line: CommandLine, value: str) -> CommandLine:
    return replace(line, options=replace(line.options, files=(*line.options.files, value)))


def _task(task: Task) -> Apply:
    return lambda line, value: replace(line, task=task)


def _condition(line: CommandLine, value: str) -> CommandLine:
    return replace(line, task=Task.CONDITION, condition=value)


def _note(text: str) -> Apply:
    """A flag with no meaning here: it is said when the program starts."""

    def apply(line: CommandLine, value: str) -> CommandLine:
        notes = (*line.options.notes, text)
        return replace(line, options=replace(line.options, notes=notes))

    return apply


def _traces(line: CommandLine, value: str) -> CommandLine:
    if value and value != "help":
        raise UsageError(f"-dt: no such trace source: '{value}' (there are none here)")
    return _note("-dt: there are no sources of traces here")(line, value)


def _archive(line: CommandLine, value: str) -> CommandLine:
    if not value:
        raise UsageError("-dA needs the name of the archive at once behind it, as in -dAlibs.tar")
    return _text("archive")(line, value)


def _master(systemd: bool) -> Apply:
    def apply(line: CommandLine, value: str) -> CommandLine:
        options = replace(line.options, master=True, systemd=line.options.systemd or systemd)
        # The service manager wants the process that it started (management guide 3, -Ws).
        return replace(line, options=replace(options, foreground=options.foreground or systemd))

    return apply


def _debug(line: CommandLine, value: str) -> CommandLine:
    options = replace(line.options, debug=True, foreground=True, verbose=True)
    return replace(line, options=options)


def _memory_debugging(line: CommandLine, value: str) -> CommandLine:
    if value == "help":
        return replace(line, task=Task.MEMORY_HELP)
    return _note("-dM: memory debugging is HAProxy's own, no memory is poisoned here")(line, value)


def _old(hard: bool) -> Apply:
    def apply(line: CommandLine, value: str) -> CommandLine:
        flag = "-st" if hard else "-sf"
        pids = []
        for word in value.split():
            if not word.isascii() or not word.isdigit() or not int(word):
                raise UsageError(f"{flag} option: some bytes unconsumed in PID list {{{word}}}")
            pids.append(int(word))
        # The last of the two flags decides how, as in HAProxy.
        options = replace(line.options, old=(*line.options.old, *pids), hard=hard)
        return replace(line, options=options)

    return apply


_0, _1, _T, _P = Takes.NOTHING, Takes.WORD, Takes.TAIL, Takes.NUMBERS
_NO_RESOLVER = "-dr: server names are resolved when the file is read; an unknown one is an error"
_NO_TLS = "-dV: no TLS is spoken here yet"
_NO_ZERO_COPY = "-dZ and -dF: there is one way to forward here"
_NO_POLLER = "this poller is not used here anyway: io_uring or epoll are"

FLAGS: tuple[Flag, ...] = (
    Flag("f", _1, _file, "a configuration file, or a directory of *.cfg", "<cfgfile|cfgdir>"),
    Flag("v", _T, _task(Task.VERSION), "displays version"),
    Flag("vv", _T, _task(Task.BUILD), "shows known build options"),
    Flag("d", _0, _debug, "enters debug mode: in the foreground, verbose"),
    Flag("db", _0, _set("foreground"), "only disables background mode"),
    Flag("dM", _T, _memory_debugging, "debug memory: no meaning here", "[<byte>,help,...]"),
    Flag("V", _T, _set("verbose"), "enters verbose mode"),
    Flag("D", _T, _set("daemon"), "goes daemon: returns when it is ready"),
    Flag("C", _1, _text("directory"), "changes to <dir> before loading files", "<dir>"),
    Flag("W", _T, _master(False), "master-worker mode"),
    Flag("Ws", _T, _master(True), "master-worker mode with systemd notify support"),
    Flag("S", _1, _text("master_socket"), "master CLI", "<bind>[,<bind options>...]"),
    Flag("q", _T, _set("quiet"), "quiet mode: don't display messages"),
    Flag("c", _T, _task(Task.CHECK), "check mode: only check config files and exit"),
    Flag("cc", _1, _condition, "check condition: evaluate a condition and exit", "<condition>"),
    Flag("n", _1, _number("maxconn"), "sets the maximum total # of connections", "<maxconn>"),
    Flag("m", _1, _number("memory"), "limits the usable amount of memory (in MB)", "<max megs>"),
    Flag("N", _1, _number("proxy_maxconn"), "sets the default, per-proxy maximum # of connections",
         "<maxpconn>"),
    Flag("L", _1, _text("local_peer"), "set local peer name (default to hostname)", "<name>"),
    Flag("p", _1, _text("pid_file"), "writes pids of all children to this file", "<pidfile>"),
    Flag("de", _0, _set("epoll", False), "disables epoll() usage where io_uring is there"),
    Flag("dp", _0, _note(f"-dp: {_NO_POLLER}"), "disables poll(): no meaning here"),
    Flag("dk", _0, _note(f"-dk: {_NO_POLLER}"), "disables kqueue(): no meaning here"),
    Flag("dv", _0, _note(f"-dv: {_NO_POLLER}"), "disables event ports: no meaning here"),
    Flag("dS", _0, _set("splice", False), "disables splice usage"),
    Flag("dZ", _0, _note(_NO_ZERO_COPY), "disables zero-copy forwarding: no meaning here"),
    Flag("dF", _0, _note(_NO_ZERO_COPY), "disables fast-forward: no meaning here"),
    Flag("dG", _0, _note("-dG: names are always resolved by getaddrinfo()"),
         "disables getaddrinfo() usage: no meaning here"),
    Flag("dI", _0, _note("-dI: nothing that it allows is forbidden here"),
         "allows insecure fork: no meaning here"),
    Flag("dR", _0, _set("reuse_port", False), "disables SO_REUSEPORT usage"),
    Flag("dL", _0, _set("dump_libraries"), "dumps loaded object files after config checks"),
    Flag("dK", _T, _text("dump_keywords"), "dump registered keywords (use 'help' for list)",
         "{class[,...]}"),
    Flag("dC", _T, _text("dump_configuration"),
         "dumps the configuration as it was read; with a key, its names hashed", "[<key>]"),
    Flag("dt", _T, _traces, "activates traces: there are no sources", "[<trace>,...]"),
    Flag("dA", _T, _archive, "archives the program and its libraries (tar)", "<file>"),
    Flag("dc", _0, _note("-dc: threads are not bound to CPUs here"),
         "shows how threads are bound to CPUs: no meaning here"),
    Flag("dr", _0, _note(_NO_RESOLVER), "ignores resolution failures: no meaning here"),
    Flag("dV", _0, _note(_NO_TLS), "disables SSL verify on servers side: no meaning here"),
    Flag("dW", _0, _set("zero_warning"), "fails if any warning is emitted"),
    Flag("dD", _0, _set("diagnostics"), "diagnostic mode: notes are shown too"),
    Flag("sf", _P, _old(False), "finishes old pids when ready", "[<pid> ...]"),
    Flag("st", _P, _old(True), "terminates old pids when ready", "[<pid> ...]"),
    Flag("x", _1, _text("take_from"), "get listening sockets from a unix socket", "<unix_socket>"),
)  # fmt: skip

_BY_NAME = {flag.name: flag for flag in FLAGS}
_TAILED = sorted((f for f in FLAGS if f.takes is _T), key=lambda f: -len(f.name))
_LAST = (Task.VERSION, Task.BUILD, Task.CONDITION, Task.MEMORY_HELP)
"""What HAProxy does on the spot, whatever follows."""


def parse(arguments: Sequence[str]) -> CommandLine:
    """Raises UsageError for an unknown flag, a missing value or a word that is no flag's."""
    line = CommandLine(Options(words=tuple(arguments)))
    rest = list(arguments)
    while rest and line.task not in _LAST:
        word = rest.pop(0)
        if word == "--":
            for path in rest:
                line = _file(line, path)
            break
        if not word.startswith("-"):
            raise UsageError("")
        line = _take(line, word[1:], rest)
    if line.task in (Task.RUN, Task.CHECK) and not line.options.files:
        raise UsageError("")
    return line


def _take(line: CommandLine, name: str, rest: list[str]) -> CommandLine:
    flag = _BY_NAME.get(name) or next((f for f in _TAILED if name.startswith(f.name)), None)
    if flag is None:
        raise UsageError("")
    if flag.takes is _T:
        return flag.apply(line, name[len(flag.name) :])
    if flag.takes is _0:
        return flag.apply(line, "")
    if flag.takes is _P:
        pids = []
        while rest and not rest[0].startswith("-"):
            pids.append(rest.pop(0))
        return flag.apply(line, " ".join(pids))
    if not rest:
        raise UsageError(f"-{flag.name} needs {flag.meta} after it")
    return flag.apply(line, rest.pop(0))


def usage(program: str) -> str:
    """What HAProxy writes after a mistake on the command line."""
    lines = [f"Usage : {program} [-f <cfgfile|cfgdir>]* [ <flag> ... ] [-- <cfgfile>*]"]
    for flag in FLAGS:
        tail = "" if flag.takes is _T else " "
        lines.append(f"        {'-' + flag.name + (tail + flag.meta if flag.meta else ''):<28}"
                     f" {flag.help}")  # fmt: skip
    return "\n".join(lines) + "\n\n"
