"""Values that several families of keywords share: users, groups, modes, addresses."""

from __future__ import annotations

import grp
import pwd
import re
from dataclasses import replace

from telamon.base.address import InetAddress, SocketAddress, ip_or_none
from telamon.base.frozen import frozen
from telamon.haproxy.addresses import (
    UNRESOLVED,
    AddressError,
    parse_address,
    parse_addresses,
    parse_server,
)
from telamon.haproxy.keywords.row import Arguments, Refused
from telamon.haproxy.lexer import Word
from telamon.haproxy.model import SourceWords
from telamon.plan.proxy import Presented, UseSource

MAX_ID = 2**31 - 1


def user(args: Arguments) -> tuple[str, int]:
    """A user's name and its uid on this machine."""
    word = args.word("a user's name")
    try:
        return word.text, pwd.getpwnam(word.text).pw_uid
    except (KeyError, ValueError):
        raise args.refuse(
            "H060", f"there is no user '{word}' on this machine", word.span,
            help=f"create it: useradd --system --no-create-home {word}",
        ) from None  # fmt: skip


def group(args: Arguments) -> tuple[str, int]:
    """A group's name and its gid on this machine."""
    word = args.word("a group's name")
    try:
        return word.text, grp.getgrnam(word.text).gr_gid
    except (KeyError, ValueError):
        raise args.refuse(
            "H061", f"there is no group '{word}' on this machine", word.span,
            help=f"create it: groupadd --system {word}",
        ) from None  # fmt: skip


def octal(args: Arguments) -> int:
    """A file mode such as 600."""
    word = args.word("an octal mode")
    try:
        value = int(word.text, 8)
    except ValueError:
        value = -1
    if not 0 <= value <= 0o7777:
        raise args.refuse("H042", f"'{word}' is not an octal mode", word.span, help="as in 600")
    return value


def addresses(args: Arguments, word: Word) -> list[SocketAddress]:
    try:
        return parse_addresses(word.text)
    except AddressError as error:
        raise _refused(args, word, error) from None


@frozen
class ServerPlace:
    """Where a server is. `port_offset`: what the client's own port is raised by, if it is used.
    `unknown`: no address was found for its name, and none is needed for now (`init-addr none`)."""

    address: SocketAddress
    port_offset: int | None = None
    unknown: bool = False


def server_place(args: Arguments, word: Word, methods: tuple[str, ...]) -> ServerPlace:
    """The first of the methods that gives an address counts (manual 5.2, `init-addr`)."""
    try:
        return _server_place(word.text)
    except AddressError as error:
        if error.code != UNRESOLVED:
            raise _refused(args, word, error) from None
        for method in methods:
            if method in ("last", "libc"):
                continue
            _, colon, port = word.text.rpartition(":")
            host = "0.0.0.0" if method == "none" else method
            host = f"[{host}]" if ":" in host else host
            found = _server_place(host + colon + port if colon else host)
            return replace(found, unknown=method == "none")
        raise _refused(args, word, error) from None


def init_addr(args: Arguments, word: Word) -> tuple[str, ...]:
    """The methods in a word."""
    methods = tuple(word.text.split(","))
    for method in methods:
        if method not in ("last", "libc", "none") and ip_or_none(method) is None:
            raise args.refuse("H043", f"'{method}' is no way to find an address", word.span,
                              help="last, libc, none or an address")  # fmt: skip
    return methods


def _server_place(word: str) -> ServerPlace:
    text, offset = word, None
    for sign in ("+", "-"):
        head, colon, number = text.rpartition(f":{sign}")
        if colon and number.isascii() and number.isdigit() and len(number) <= 5:
            text, offset = head, int(sign + number)
    found = parse_server(text)
    if offset is None and isinstance(found, InetAddress) and found.port == 0:
        offset = 0
    return ServerPlace(found, offset)


def source(args: Arguments) -> SourceWords:
    word = args.word("an address")
    found = _internet(args, word)
    usesrc_word = args.peek()
    usesrc = _usesrc(args) if args.follows("usesrc") else None
    name = interface(args) if args.follows("interface") else None
    return SourceWords(found, name, usesrc, usesrc_word if usesrc else None)


_HEADER = re.compile(r"hdr_ip\(([!#-'*+.\w^`|~-]+)(?:,(-?\d{1,4}))?\)", re.ASCII)


def _usesrc(args: Arguments) -> UseSource:
    word = args.word("client, clientip, hdr_ip(...) or an address")
    if word.text in ("client", "clientip"):
        return UseSource(Presented(word.text))
    if not word.text.startswith("hdr_ip"):
        return UseSource(Presented.ADDRESS, _internet(args, word))
    found = _HEADER.fullmatch(word.text)
    if found is None:
        raise args.refuse("H043", f"'{word}' is not hdr_ip(<name>[,<occurrence>])", word.span)
    return UseSource(Presented.HEADER, header=found[1], occurrence=int(found[2] or -1))


def _internet(args: Arguments, word: Word) -> InetAddress:
    found = address(args, word, default_port=0)
    if not isinstance(found, InetAddress):
        raise args.refuse("H050", f"'{word}' is not an internet address", word.span)
    return found


def interface(args: Arguments) -> str:
    word = args.word("an interface")
    if len(word.text) > 15:  # IFNAMSIZ, netdevice(7)
        raise args.refuse("H042", "an interface's name has at most 15 characters", word.span)
    return word.text


def address(args: Arguments, word: Word, *, default_port: int | None = None) -> SocketAddress:
    try:
        return parse_address(word.text, default_port=default_port)
    except AddressError as error:
        raise _refused(args, word, error) from None


def _refused(args: Arguments, word: Word, error: AddressError) -> Refused:
    return args.refuse(error.code, f"'{word}': {error}", word.span, help=error.help)
