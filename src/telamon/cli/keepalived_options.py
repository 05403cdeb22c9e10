"""keepalived(8)'s command line: its flags as a table, and a parser in the manner of getopt(3).

Written by hand since every detail counts for scripts that call keepalived: bundles (`-lnD`),
values that follow at once (`-f/etc/x.conf`), optional values (`-t/tmp/log`), long names that are
cut short (`--pi=FILE`), and the words of its complaints.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from telamon.daemon.standalone_options import Options


class Value(Enum):
    NONE = auto()
    NEEDED = auto()
    OPTIONAL = auto()


class Task(Enum):
    """What the command line asks for."""

    RUN = auto()
    TEST = auto()
    VERSION = auto()
    HELP = auto()
    SIGNUM = auto()


@dataclass(frozen=True, slots=True)
class CommandLine:
    """`value` belongs to the task: the log file of -t, the word of --signum.

    `unexpected`: words that are no options; keepalived names them and goes on.
    """

    options: Options = field(default_factory=Options)
    task: Task = Task.RUN
    value: str | None = None
    unexpected: tuple[str, ...] = ()


class UsageError(Exception):
    """`str()` is what keepalived would say."""


Apply = Callable[[CommandLine, str | None], CommandLine]


@dataclass(frozen=True, slots=True)
class Flag:
    """`short` is empty where there is none; `meta` names the value in the help."""

    short: str
    long: str
    value: Value
    apply: Apply
    help: str
    meta: str = ""


def _set(field: str, to: object = True) -> Apply:
    def apply(line: CommandLine, value: str | None) -> CommandLine:
        given = to if value is None else value
        return replace(line, options=replace(line.options, **{field: given}))  # type: ignore[arg-type]

    return apply


def _task(task: Task) -> Apply:
    return lambda line, value: replace(line, task=task, value=value)


def _note(text: str) -> Apply:
    """An option with no meaning here: it is said when the program starts."""

    def apply(line: CommandLine, value: str | None) -> CommandLine:
        notes = (*line.options.notes, text)
        return replace(line, options=replace(line.options, notes=notes))

    return apply


def _nothing(line: CommandLine, value: str | None) -> CommandLine:
    return line


def _refuse(text: str) -> Apply:
    def apply(line: CommandLine, value: str | None) -> CommandLine:
        raise UsageError(text)

    return apply


_FACILITIES = {"user": 1, "daemon": 3, **{f"local{n}": 16 + n for n in range(8)}}


def _facility(line: CommandLine, value: str | None) -> CommandLine:
    word = value or ""
    number = _FACILITIES.get(f"local{word}" if word.isdigit() else word.lower())
    if number is None:
        # keepalived complains and goes on with "daemon".
        return _note(f"Invalid log facility '{word}'")(line, None)
    return replace(line, options=replace(line.options, facility=number))


def _umask(line: CommandLine, value: str | None) -> CommandLine:
    try:
        mask = int(value or "", 0 if (value or "").lower().startswith("0x") else 8)
    except ValueError:
        mask = -1
    if not 0 <= mask <= 0o777:
        return _note(f"Invalid --umask option {value}")(line, None)
    return replace(line, options=replace(line.options, umask=mask))


def _core_pattern(line: CommandLine, value: str | None) -> CommandLine:
    options = replace(line.options, core_dump=True, core_pattern=value or "core")
    return replace(line, options=options)


_N, _V, _O = Value.NONE, Value.NEEDED, Value.OPTIONAL
_NO_SNMP = "SNMP is not part of Telamon: its metrics are for Prometheus"
_NO_IPVS = "there is no IPVS here, so there is none to release"

FLAGS: tuple[Flag, ...] = (
    Flag("f", "use-file", _V, _set("file"), "the configuration file", "FILE"),
    Flag("P", "vrrp", _N, _set("vrrp"), "only VRRP (there is nothing else here)"),
    Flag("C", "check", _N, _set("vrrp", False), "only health checks: refused, see 'telamon run'"),
    Flag("B", "no_bfd", _N, _nothing, "no BFD (there is none)"),
    Flag("", "all", _N, _nothing, "all subsystems (there is one)"),
    Flag("l", "log-console", _N, _set("console"), "log to the console"),
    Flag("D", "log-detail", _N, _nothing, "the log is always detailed"),
    Flag("S", "log-facility", _V, _facility, "syslog's facility: [0-7], local[0-7], user, daemon",
         "NAME"),
    Flag("g", "log-file", _V, _set("log_file"), "log to FILE, the router to FILE_vrrp", "FILE"),
    Flag("", "flush-log-file", _N, _nothing, "each line is written at once anyway"),
    Flag("G", "no-syslog", _N, _set("syslog", False), "do not log to syslog"),
    Flag("u", "umask", _V, _umask, "umask for new files, octal", "MASK"),
    Flag("X", "release-vips", _N, _nothing, "release the VIPs at the end, as always"),
    Flag("V", "dont-release-vrrp", _N, _set("keep_addresses"), "leave the VIPs at the end"),
    Flag("I", "dont-release-ipvs", _N, _note(_NO_IPVS), "no meaning here"),
    Flag("R", "dont-respawn", _N, _set("respawn", False), "end when the router dies"),
    Flag("n", "dont-fork", _N, _set("foreground"), "stay in the foreground"),
    Flag("d", "dump-conf", _N, _set("dump"), "log the configuration at start"),
    Flag("p", "pid", _V, _set("pid_file"), "the parent's pid file", "FILE"),
    Flag("r", "vrrp_pid", _V, _set("vrrp_pid_file"), "the router's pid file", "FILE"),
    Flag("c", "checkers_pid", _V, _nothing, "pid file of a process that is not there", "FILE"),
    Flag("b", "bfd_pid", _V, _nothing, "pid file of a process that is not there", "FILE"),
    Flag("T", "genhash", _N, _refuse("genhash is not part of Telamon"), "refused"),
    Flag("a", "address-monitoring", _N, _set("report_addresses"), "log all addresses' changes"),
    Flag("x", "snmp", _N, _note(_NO_SNMP), "no meaning here"),
    Flag("A", "snmp-agent-socket", _V, _note(_NO_SNMP), "no meaning here", "FILE"),
    Flag("s", "namespace", _V, _set("namespace"), "run in this network namespace", "NAME"),
    Flag("m", "core-dump", _N, _set("core_dump"), "write a core dump after a crash"),
    Flag("M", "core-dump-pattern", _O, _core_pattern, "the same, with core_pattern", "PATTERN"),
    Flag("e", "all-config", _N, _set("all_includes"), "every included file must be there"),
    Flag("i", "config-id", _V, _set("config_id"), "for lines that begin with '@ID'", "ID"),
    Flag("", "signum", _V, _task(Task.SIGNUM), "print a signal's number: STOP, RELOAD,"
         " RELOAD_FORCE, DATA, STATS, STATS_CLEAR, JSON", "WORD"),
    Flag("t", "config-test", _O, _task(Task.TEST), "check the configuration file", "LOG_FILE"),
    Flag("", "perf", _O, _refuse("--perf: record with perf(1) from outside instead"), "refused"),
    Flag("", "debug", _O, _note("--debug: no debug options are built in"), "no meaning here"),
    Flag("", "no-mem-check", _N, _nothing, "there is no memory check to disable"),
    Flag("v", "version", _N, _task(Task.VERSION), "the version"),
    Flag("h", "help", _N, _task(Task.HELP), "this text"),
)  # fmt: skip

_SHORT = {flag.short: flag for flag in FLAGS if flag.short}
_LAST = (Task.VERSION, Task.HELP, Task.SIGNUM)
"""What keepalived does on the spot, whatever follows."""


def parse(arguments: Sequence[str]) -> CommandLine:
    """Raises UsageError for an unknown option or a missing value."""
    line, rest = CommandLine(), list(arguments)
    while rest and line.task not in _LAST:
        word = rest.pop(0)
        if word == "--":
            break
        if word.startswith("--"):
            line = _long(line, word, rest)
        elif word.startswith("-") and word != "-":
            line = _bundle(line, word, rest)
        else:
            line = replace(line, unexpected=(*line.unexpected, word))
    return line


def _long(line: CommandLine, word: str, rest: list[str]) -> CommandLine:
    name, equals, value = word[2:].partition("=")
    exact = [flag for flag in FLAGS if flag.long == name]
    found = exact or [flag for flag in FLAGS if flag.long.startswith(name)]
    if len(found) != 1 or (equals and found[0].value is _N):
        raise UsageError(f"Unknown option {word}")
    flag = found[0]
    if flag.value is _V and not equals:
        if not rest:
            raise UsageError(f"Missing parameter for option --{flag.long}")
        return flag.apply(line, rest.pop(0))
    return flag.apply(line, value if equals else None)


def _bundle(line: CommandLine, word: str, rest: list[str]) -> CommandLine:
    for place, letter in enumerate(word[1:], start=2):
        flag = _SHORT.get(letter)
        if flag is None:
            raise UsageError(f"Unknown option -{letter}")
        if flag.value is _N:
            line = flag.apply(line, None)
            if line.task in _LAST:
                return line
            continue
        value = word[place:] or None
        if value is None and flag.value is _V:
            if not rest:
                raise UsageError(f"Missing parameter for option -{letter}")
            value = rest.pop(0)
        return flag.apply(line, value)
    return line


def usage(program: str) -> str:
    """The text of --help."""
    lines = [f"Usage: {program} [OPTION...]"]
    for flag in FLAGS:
        short = f"-{flag.short}, " if flag.short else "    "
        meta = f"={flag.meta}" if flag.value is _V else f"[={flag.meta}]" if flag.meta else ""
        lines.append(f"  {short + '--' + flag.long + meta:<30} {flag.help}")
    return "\n".join(lines) + "\n"
