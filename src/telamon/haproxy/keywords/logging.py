"""`log` and what belongs to it (manual 4.2 `log`, 3.1, 8)."""

from __future__ import annotations

import itertools
import re
import socket

from telamon.base.address import FdAddress, SocketAddress
from telamon.haproxy.keywords import values
from telamon.haproxy.keywords.row import Arguments, Context, Keyword
from telamon.haproxy.keywords.sections import Place
from telamon.haproxy.lexer import Word
from telamon.haproxy.model import LogDraft
from telamon.plan.process import Facility, Level, LogHeader, LogRange, LogSample, LogTarget

SYSLOG_PORT = 514
_FACILITIES = {facility.name.lower(): facility for facility in Facility}
_LEVELS = {level.name.lower(): level for level in Level}
LOG_HEADERS = {header.value: header for header in LogHeader}
_STREAM_KINDS = frozenset({"tcp", "tcp4", "tcp6", "uxst"})
"""Families of addresses to which lines go over a connection; all others take datagrams."""
_RANGE = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")
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
    draft = _draft(args, word)
    logs = context.model.process.logs if context.place is Place.GLOBAL else context.settings.logs
    logs.append(draft)


def _draft(args: Arguments, word: Word) -> LogDraft:
    """The words have one order: len, format, sample, profile, then the facility."""
    kind, at, rest = word.text.partition("@")
    if at and kind == "backend":
        raise args.not_yet(word, "log backend@")
    ring = Word(rest, word.span) if at and kind == "ring" else None
    address = None if ring else _address(args, word)
    length = args.integer("a length", 80, 65535) if args.follows("len") else 1024
    header = args.choice("a log format", LOG_HEADERS) if args.follows("format") else None
    sample = _sample(args) if args.follows("sample") else None
    profile = args.word("a log-profile's name") if args.follows("profile") else None
    facility = args.choice("a syslog facility", _FACILITIES)
    most = args.choice("a syslog level", _LEVELS) if args.left else Level.DEBUG
    least = args.choice("a syslog level", _LEVELS) if args.left else Level.EMERG
    args.end()
    target = LogTarget(address, facility, most, least, length, sample=sample)
    stream = at == "@" and kind in _STREAM_KINDS
    return LogDraft(target, word, header, ring, stream, profile)


def _sample(args: Arguments) -> LogSample:
    word = args.word("ranges and a size")
    text, colon, size = word.text.partition(":")
    if not colon:
        raise args.refuse(
            "H042", f"'{word}' has no size", word.span, help="write <ranges>:<size>, as in 1-3,7:10"
        )
    ranges = sorted((_range(args, word, item) for item in text.split(",")), key=_first)
    for one, next_one in itertools.pairwise(ranges):
        if next_one.first <= one.last:
            raise args.refuse("H042", f"the ranges of '{word}' overlap", word.span)
    if not size.isascii() or not size.isdigit() or not int(size) >= ranges[-1].last:
        raise args.refuse(
            "H042", f"the size of '{word}' must be at least {ranges[-1].last}", word.span
        )
    return LogSample(tuple(ranges), int(size))


def _range(args: Arguments, word: Word, text: str) -> LogRange:
    match = _RANGE.fullmatch(text)
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= first <= last:
        raise args.refuse(
            "H042", f"'{text}' is not a range of messages", word.span, help="they count from 1"
        )
    return LogRange(first, last)


def _first(one: LogRange) -> int:
    return one.first


def _address(args: Arguments, word: Word) -> SocketAddress:
    if word.text in _STREAMS:
        return _STREAMS[word.text]
    return values.address(args, word, default_port=SYSLOG_PORT)


def _log_tag(args: Arguments, context: Context) -> None:
    tag = args.word("a tag").text
    args.end()
    if context.place is Place.GLOBAL:
        context.model.process.log_tag = tag
    elif context.place is Place.PROFILE:
        context.named_profile.tag = tag
    else:
        context.settings.log_tag = tag


def _send_hostname(args: Arguments, context: Context) -> None:
    name = args.optional()
    args.end()
    context.model.process.log_send_hostname = name.text if name else socket.gethostname()


KEYWORDS = (
    Keyword(
        "log", Place.GLOBAL | Place.ANY_PROXY,
        "global | <address> [len <length>] [format <format>] [sample <ranges>:<size>] "
        "[profile <name>] <facility> [<level> [<minlevel>]]",
        "Where events and traffic are logged.", _log, negatable=True,
    ),
    Keyword(
        "log-tag", Place.GLOBAL | Place.ANY_PROXY | Place.PROFILE, "<string>",
        "The tag of log messages, instead of the program's name.", _log_tag,
    ),
    Keyword(
        "log-send-hostname", Place.GLOBAL, "[<string>]",
        "Put a host name into log headers.", _send_hostname,
    ),
)  # fmt: skip
