"""What can be tracked: `vrrp_script`, `track_file`, `vrrp_track_process`, `bfd_instance`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telamon.keepalived.keywords.readers import (
    flag,
    integer,
    parse_int,
    parse_seconds,
    seconds,
    set_field,
    text,
    weight,
)
from telamon.keepalived.keywords.row import Block, Keyword, Mark
from telamon.keepalived.lexer import split_command
from telamon.keepalived.model import Script, TrackFile, TrackProcess
from telamon.keepalived.syntax import Statement

if TYPE_CHECKING:
    from telamon.keepalived.reading import Reading

_S, _F, _P, _B = (Block.SCRIPT,), (Block.FILE,), (Block.PROCESS,), (Block.BFD,)


def _command(_reading: Reading, statement: Statement, node: Script) -> None:
    """A quoted string is the command with its parameters; further words are parameters too."""
    first, *rest = statement.arguments
    words = split_command(first.text) + tuple(word.text for word in rest)
    set_field(node, "command", words, statement)


def _user(_reading: Reading, statement: Statement, node: Script) -> None:
    set_field(node, "user", statement.words[1].text, statement)
    if len(statement.words) > 2:
        node.group = statement.words[2].text.lstrip(":") or None


def _process(_reading: Reading, statement: Statement, node: TrackProcess) -> None:
    set_field(node, "process", tuple(word.text for word in statement.arguments), statement)


def _delay(reading: Reading, statement: Statement, node: TrackProcess) -> None:
    value = parse_seconds(statement.words[1].text)
    if value is None or not 0 <= value <= 3600:
        reading.bad(statement.words[1].span, "delay is outside 0 to 3600 seconds", "it is ignored")
        return
    node.fork_delay = value
    set_field(node, "terminate_delay", value, statement)


def _param_match(reading: Reading, statement: Statement, node: TrackProcess) -> None:
    word = statement.words[1]
    if word.text not in ("initial", "partial"):
        reading.bad(word.span, f"'{word.text}' is neither initial nor partial", "it is ignored")
        return
    set_field(node, "param_match", word.text, statement)


def _init_file(reading: Reading, statement: Statement, node: TrackFile) -> None:
    value = 0
    for word in statement.arguments:
        number = parse_int(word.text)
        if number is not None:
            value = number
        elif word.text == "overwrite":
            node.init_overwrite = True
        else:
            reading.bad(word.span, f"'{word.text}' is neither a number nor overwrite", "ignored")
    set_field(node, "init_value", value, statement)


def _interval(reading: Reading, statement: Statement, node: Script) -> None:
    """Keepalived takes whole seconds only; Telamon reads fractions too."""
    word = statement.words[1]
    value = parse_seconds(word.text)
    if value is None or not 0.01 <= value <= 4294:
        reading.bad(
            word.span, f"interval '{word.text}' is outside 1 to 4294 seconds",
            "it is ignored, as Keepalived does: 1 is used",
        )  # fmt: skip
        return
    if value != int(value):
        reading.bad(
            word.span, f"Keepalived takes only whole seconds here, not '{word.text}'",
            f"Telamon runs the script each {value:g} s; Keepalived would use 1 s",
        )  # fmt: skip
    set_field(node, "interval", value, statement)


_carried = Mark.CARRIED_OUT

_SCRIPT_ROWS = (
    Keyword("script", _S, "COMMAND", _carried, "what is run; it succeeds by exit code 0", _command,
            least=1),
    Keyword("interval", _S, "SECONDS", _carried, "how often it is run (default 1)", _interval,
            least=1),
    Keyword("timeout", _S, "SECONDS", _carried,
            "how long it may take before it counts as failed (default: interval)",
            seconds("timeout", 0.001, 4294, instead=1), least=1),
    Keyword("weight", _S, "-253-253 [reverse]", _carried,
            "what it changes of the priority; 0 (the default) means FAULT when it fails",
            weight("weight", 253), least=1),
    Keyword("rise", _S, "N", _carried, "successes in a row to count as good (default 1)",
            integer("rise", 1, 2**31 - 1, instead=1), least=1),
    Keyword("fall", _S, "N", _carried, "failures in a row to count as failed (default 1)",
            integer("fall", 1, 2**31 - 1, instead=1), least=1),
    Keyword("user", _S, "USER [GROUP]", _carried, "whom it runs as (default script_user)", _user,
            least=1),
    Keyword("init_fail", _S, "", _carried, "it counts as failed until it has run",
            flag("init_fail")),
)  # fmt: skip

_FILE_ROWS = (
    Keyword("file", _F, "PATH", _carried, "the file that holds a number", text("file"), least=1),
    Keyword("weight", _F, "N [reverse]", _carried,
            "the factor of the number (default 1); with 0, a number other than 0 means FAULT",
            weight("weight", 2147483647), least=1),
    Keyword("init_file", _F, "[N] [overwrite]", _carried, "write the file at start", _init_file),
)  # fmt: skip

_PROCESS_ROWS = (
    Keyword("process", _P, "NAME [PARAMETER ...]", _carried, "the process", _process, least=1),
    Keyword("param_match", _P, "initial|partial", _carried, "how parameters are compared",
            _param_match, least=1),
    Keyword("weight", _P, "-254-254 [reverse]", _carried,
            "what it changes of the priority; 0, the default, means FAULT without a quorum",
            weight("weight", 254), least=1),
    Keyword("quorum", _P, "N", _carried, "how many must run (default 1)",
            integer("quorum", 0, 65535), least=1),
    Keyword("quorum_max", _P, "N", _carried, "how many may run", integer("quorum_max", 0, 65535),
            least=1),
    Keyword("fork_delay", _P, "SECONDS", _carried, "how long a new one must live to count",
            seconds("fork_delay", 0, 3600), least=1),
    Keyword("terminate_delay", _P, "SECONDS", _carried, "how long one may be gone",
            seconds("terminate_delay", 0, 3600), least=1),
    Keyword("delay", _P, "SECONDS", _carried, "fork_delay and terminate_delay", _delay, least=1),
    Keyword("full_command", _P, "", _carried, "compare the command line, not the name",
            flag("full_command")),
)  # fmt: skip

_BFD_ROWS = tuple(
    Keyword(name, _B, arguments, Mark.REFUSED, documentation, old=old)
    for name, arguments, documentation, old in (
        ("neighbor_ip", "ADDRESS", "the peer", ("neighbour_ip",)),
        ("source_ip", "ADDRESS", "our address", ()),
        ("min_rx", "MS", "the least interval of packets in", ()),
        ("min_tx", "MS", "the wanted interval of packets out", ()),
        ("idle_tx", "MS", "the interval while down", ()),
        ("multiplier", "N", "packets that may be missed", ()),
        ("passive", "", "wait for the peer", ()),
        ("ttl", "N", "IPv4 TTL", ()),
        ("hoplimit", "N", "IPv6 hop limit", ()),
        ("max_hops", "N", "hops that a packet may have made", ()),
        ("weight", "-253-253 [reverse]", "what it changes of the priority", ()),
        ("vrrp", "", "tell VRRP only", ()),
        ("checker", "", "tell the checks only", ()),
    )
)

ROWS: tuple[Keyword, ...] = (*_SCRIPT_ROWS, *_FILE_ROWS, *_PROCESS_ROWS, *_BFD_ROWS)
