"""`ring` sections: log lines kept in memory, and sent on over connections (manual 3.9)."""

from __future__ import annotations

from telamon.base.address import InetAddress
from telamon.base.units import UnitError, parse_size
from telamon.haproxy.keywords import values
from telamon.haproxy.keywords.known import SERVER_NOT_YET
from telamon.haproxy.keywords.logging import LOG_HEADERS
from telamon.haproxy.keywords.row import Arguments, Context, Keyword
from telamon.haproxy.keywords.sections import Place
from telamon.haproxy.keywords.server import SERVER_OPTIONS
from telamon.haproxy.keywords.values import MAX_ID
from telamon.plan.process import RingServer

SMALLEST = 16384


def _description(args: Arguments, context: Context) -> None:
    words = [args.word("a text"), *args.rest()]
    context.named_ring.description = " ".join(word.text for word in words)


def _format(args: Arguments, context: Context) -> None:
    header = args.choice("a log format", LOG_HEADERS)
    args.end()
    context.named_ring.header = header


def _size(args: Arguments, context: Context) -> None:
    word = args.word("a size")
    try:
        size = parse_size(word.text)
    except UnitError as error:
        raise args.refuse("H042", f"'size': {error}", word.span) from None
    if size < SMALLEST:
        raise args.refuse("H042", f"a ring has at least {SMALLEST} bytes", word.span)
    args.end()
    context.named_ring.size = size


def _maxlen(args: Arguments, context: Context) -> None:
    ring = context.named_ring
    ring.max_length_word = args.peek()
    ring.max_length = args.integer("a length", 1, MAX_ID)
    args.end()


def _timeout(args: Arguments, context: Context) -> None:
    value = args.time()
    args.end()
    context.named_ring.timeouts[args.keyword.text.removeprefix("timeout ")] = value


def _server(args: Arguments, context: Context) -> None:
    name = args.word("a name").text
    word = args.word("an address")
    address = values.address(args, word)
    if word.text.startswith(("udp", "uxdg")) or (
        isinstance(address, InetAddress) and not address.port
    ):
        raise args.refuse("H050", f"'{word}' is not where a connection could go", word.span)
    octet_count = False
    while (option := args.optional()) is not None:
        if option.text == "log-proto":
            octet_count = args.choice("a framing", {"octet-count": True, "legacy": False})
        elif option.text in SERVER_NOT_YET or option.text in _SERVER_WORDS:
            raise args.not_yet(option, f"{option} of a ring's server")
        else:
            raise args.refuse("H033", f"unknown keyword '{option}' in 'server' line", option.span)
    context.named_ring.servers.append(RingServer(name, address, octet_count))


_SERVER_WORDS = frozenset(option.name for option in SERVER_OPTIONS)
_R = Place.RING
KEYWORDS = (
    Keyword("description", _R, "<text>", "Shown by `show events`.", _description),
    Keyword("format", _R, "<format>", "The header of the lines in the ring.", _format),
    Keyword("maxlen", _R, "<length>", "The longest line.", _maxlen),
    Keyword("server", _R, "<name> <address>:<port> [log-proto legacy|octet-count]",
            "Where the lines are sent.", _server),
    Keyword("size", _R, "<size>", "How much is kept.", _size),
    Keyword("timeout client", _R, "<time>", "Without a meaning in a ring.", _timeout),
    Keyword("timeout connect", _R, "<time>", "Connecting to a ring's server.", _timeout),
    Keyword("timeout server", _R, "<time>", "A ring's server that takes nothing.", _timeout),
)  # fmt: skip
