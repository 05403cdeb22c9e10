"""`log` and what belongs to it (manual 4.2 `log`, 3.1, 8)."""

from __future__ import annotations

import socket

from telamon.base.address import FdAddress, SocketAddress
from telamon.haproxy.keywords import values
from telamon.haproxy.keywords.row import Arguments, Context, Keyword
from telamon.haproxy.keywords.sections import Place
from telamon.haproxy.lexer import Word
from telamon.plan.process import Facility, Level, LogHeader, LogTarget

SYSLOG_PORT = 514
_FACILITIES = {facility.name.lower(): facility for facility in Facility}
_LEVELS = {level.name.lower(): level for level in Level}
_HEADERS = {header.value: header for header in LogHeader}
_STREAMS = {"stdout": FdAddress(1), "stderr": FdAddress(2)}


def _log(args: Arguments, context: Context) -> None:
    if args.negated:
        args.end()
        context.settings.logs.clear()
        context.settings.log_global = False
        return
    word = args.word("an address, or 'global'")
    if word.text == "global" and context.place is not Place.GLOBAL:
        args.end()
        context.settings.log_global = True
        return
    target = _target(args, word)
    logs = context.model.process.logs if context.place is Place.GLOBAL else context.settings.logs
    logs.append(target)


def _target(args: Arguments, word: Word) -> LogTarget:
    address = _address(args, word)
    length, header = 1024, LogHeader.RFC3164
    while (option := args.peek()) is not None:
        if option.text == "len":
            args.optional()
            length = args.integer("a length", 80, 65535)
        elif option.text == "format":
            args.optional()
            header = args.choice("a log format", _HEADERS)
        elif option.text in ("sample", "profile"):
            raise args.not_yet(option, f"log ... {option}")
        else:
            break
    facility = args.choice("a syslog facility", _FACILITIES)
    most = args.choice("a syslog level", _LEVELS) if args.left else Level.DEBUG
    least = args.choice("a syslog level", _LEVELS) if args.left else Level.EMERG
    args.end()
    return LogTarget(address, facility, most, least, length, header)


def _address(args: Arguments, word: Word) -> SocketAddress:
    if word.text in _STREAMS:
        return _STREAMS[word.text]
    kind = word.text.partition("@")[0]
    if kind in ("ring", "backend") and "@" in word.text:
        raise args.not_yet(word, f"log {kind}@")
    return values.address(args, word, default_port=SYSLOG_PORT)


def _log_tag(args: Arguments, context: Context) -> None:
    tag = args.word("a tag").text
    args.end()
    if context.place is Place.GLOBAL:
        context.model.process.log_tag = tag
    else:
        context.settings.log_tag = tag


def _send_hostname(args: Arguments, context: Context) -> None:
    name = args.optional()
    args.end()
    context.model.process.log_send_hostname = name.text if name else socket.gethostname()


KEYWORDS = (
    Keyword(
        "log", Place.GLOBAL | Place.ANY_PROXY,
        "global | <address> [len <length>] [format <format>] <facility> [<level> [<minlevel>]]",
        "Where events and traffic are logged.", _log, negatable=True,
    ),
    Keyword(
        "log-tag", Place.GLOBAL | Place.ANY_PROXY, "<string>",
        "The tag of log messages, instead of the program's name.", _log_tag,
    ),
    Keyword(
        "log-send-hostname", Place.GLOBAL, "[<string>]",
        "Put a host name into log headers.", _send_hostname,
    ),
)  # fmt: skip
