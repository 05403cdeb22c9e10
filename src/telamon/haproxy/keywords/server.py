"""`server`, `default-server` and their options (manual 5.2)."""

from __future__ import annotations

from collections.abc import Callable

from telamon.base.diagnostic import nearest
from telamon.base.frozen import frozen
from telamon.haproxy.keywords import values
from telamon.haproxy.keywords.known import SERVER_NOT_YET
from telamon.haproxy.keywords.row import Arguments, Context, Keyword, one_of
from telamon.haproxy.keywords.sections import NAME_CHARACTERS, Place
from telamon.haproxy.lexer import Word
from telamon.haproxy.model import ServerDraft, ServerOptions
from telamon.plan.balance import HashKey
from telamon.plan.proxy import Layer, OnError

MAX_WEIGHT = 256
_MAX = values.MAX_ID


@frozen
class ServerOption:
    """A row: the word after the address, and what it does to the options."""

    name: str
    grammar: str
    doc: str
    carry: Callable[[Arguments, ServerOptions], None]


def _number(field: str, low: int, high: int) -> Callable[[Arguments, ServerOptions], None]:
    def carry(args: Arguments, options: ServerOptions) -> None:
        setattr(options, field, args.integer("a number", low, high))

    return carry


def _flag(field: str, value: bool) -> Callable[[Arguments, ServerOptions], None]:
    def carry(_: Arguments, options: ServerOptions) -> None:
        setattr(options, field, value)

    return carry


def _interval(field: str) -> Callable[[Arguments, ServerOptions], None]:
    def carry(args: Arguments, options: ServerOptions) -> None:
        word = args.peek()
        value = args.time()
        if value == 0:
            raise args.refuse(
                "H042",
                f"'{field}' cannot be 0: checks would never rest",
                word.span if word else None,
            )
        setattr(options, field, value)

    return carry


def _check_address(args: Arguments, options: ServerOptions) -> None:
    options.check_address = args.word("an address")


def _source(args: Arguments, options: ServerOptions) -> None:
    options.source = values.source(args)


def _send_proxy(version: int) -> Callable[[Arguments, ServerOptions], None]:
    def carry(_: Arguments, options: ServerOptions) -> None:
        options.send_proxy = version

    return carry


def _init_addr(args: Arguments, options: ServerOptions) -> None:
    options.init_addr = values.init_addr(args, args.word("ways to find an address"))


def _redirect(args: Arguments, options: ServerOptions) -> None:
    options.redirect = args.word("a prefix").text


def _tcp_ut(args: Arguments, options: ServerOptions) -> None:
    options.tcp_ut = args.time()


def _cookie(args: Arguments, options: ServerOptions) -> None:
    options.cookie = args.word("a value")


def _limit(field: str) -> Callable[[Arguments, ServerOptions], None]:
    """A number; -1: no limit."""

    def carry(args: Arguments, options: ServerOptions) -> None:
        value = args.integer("a number, or -1", -1, _MAX)
        setattr(options, field, None if value < 0 else value)

    return carry


def _low(args: Arguments, options: ServerOptions) -> None:
    options.pool_low_conn = max(0, args.integer("a number", -1, _MAX))


def _time(field: str) -> Callable[[Arguments, ServerOptions], None]:
    def carry(args: Arguments, options: ServerOptions) -> None:
        setattr(options, field, args.time())

    return carry


_PROXY_FIELDS = frozenset({"authority", "crc32c", "unique-id"})
_PROXY_FIELDS_OF_TLS = frozenset({"cert-cn", "cert-key", "cert-sig", "ssl", "ssl-cipher"})


def _proxy_fields(args: Arguments, options: ServerOptions) -> None:
    word = args.word("fields of a PROXY header")
    for name in word.text.split(","):
        if name in _PROXY_FIELDS_OF_TLS:
            raise args.not_yet(word, f"proxy-v2-options {name}")
        if name not in _PROXY_FIELDS:
            raise args.refuse(
                "H043", f"'{name}' is not a field of a PROXY header", word.span,
                help=one_of(name, _PROXY_FIELDS | _PROXY_FIELDS_OF_TLS),
            )  # fmt: skip
        options.proxy_options = (*options.proxy_options, name)


def _websocket(args: Arguments, _: ServerOptions) -> None:
    """Over HTTP/1 in any case, as that is what is spoken with servers."""
    word = args.word("'auto' or 'h1'")
    if word.text == "h2":
        raise args.not_yet(word, "ws h2")
    if word.text not in ("auto", "h1"):
        raise args.refuse("H043", f"'{word}' is none of auto, h1 and h2", word.span)


def _observe(args: Arguments, options: ServerOptions) -> None:
    options.observe_word = args.keyword
    layers: dict[str, Layer | None] = {layer.value: layer for layer in Layer}
    options.observe = args.choice("what to observe", {"none": None, **layers})


def _error_limit(args: Arguments, options: ServerOptions) -> None:
    options.on_error_words = (*options.on_error_words, args.keyword)
    options.error_limit = args.integer("a number", 1, _MAX)


def _on_error(args: Arguments, options: ServerOptions) -> None:
    options.on_error_words = (*options.on_error_words, args.keyword)
    options.on_error = args.choice("an action", {action.value: action for action in OnError})


def _hash_key(args: Arguments, options: ServerOptions) -> None:
    options.hash_key = args.choice("what places a server", {key.value: key for key in HashKey})


def _on_down(args: Arguments, options: ServerOptions) -> None:
    options.end_streams_on_down = args.choice("an action", {"shutdown-sessions": True})


def _on_up(args: Arguments, options: ServerOptions) -> None:
    options.end_backups_on_up = args.choice("an action", {"shutdown-backup-sessions": True})


SERVER_OPTIONS: tuple[ServerOption, ...] = (
    ServerOption("addr", "<addr>", "Where checks connect, if not to the server.", _check_address),
    ServerOption(
        "backup", "", "Used only when no other server is available.", _flag("backup", True)
    ),
    ServerOption("check", "", "Watch the server's health.", _flag("check", True)),
    ServerOption(
        "check-send-proxy",
        "",
        "Checks send a PROXY header, even elsewhere.",
        _flag("check_send_proxy", True),
    ),
    ServerOption("cookie", "<value>", "Its value in the persistence cookie.", _cookie),
    ServerOption("disabled", "", "Starts in maintenance.", _flag("disabled", True)),
    ServerOption("downinter", "<delay>", "Time between checks while down.", _interval("downinter")),
    ServerOption("enabled", "", "Undoes `disabled`.", _flag("disabled", False)),
    ServerOption("error-limit", "<count>", "Observed errors until `on-error`.", _error_limit),
    ServerOption("fall", "<count>", "Failed checks until down.", _number("fall", 1, 2**31 - 1)),
    ServerOption("fastinter", "<delay>", "Time between checks in doubt.", _interval("fastinter")),
    ServerOption("hash-key", "id|addr|addr-port", "Its place on the ring.", _hash_key),
    ServerOption("id", "<id>", "The server's number.", _number("id", 1, _MAX)),
    ServerOption(
        "init-addr", "<method>[,...]", "How a server's name is resolved at the start.", _init_addr
    ),
    ServerOption("inter", "<delay>", "Time between checks.", _interval("inter")),
    ServerOption(
        "maxconn", "<max>", "Most connections at a time; 0: any.", _number("maxconn", 0, _MAX)
    ),
    ServerOption("maxqueue", "<max>", "Longest queue; 0: any.", _number("maxqueue", 0, _MAX)),
    ServerOption(
        "max-reuse",
        "<count>",
        "Most requests after a connection's first; -1: any.",
        _limit("max_reuse"),
    ),
    ServerOption(
        "minconn", "<min>", "Lower bound of a dynamic maxconn.", _number("minconn", 0, _MAX)
    ),
    ServerOption("no-backup", "", "Undoes `backup`.", _flag("backup", False)),
    ServerOption("no-check", "", "Undoes `check`.", _flag("check", False)),
    ServerOption(
        "no-check-send-proxy", "", "Undoes `check-send-proxy`.", _flag("check_send_proxy", False)
    ),
    ServerOption("no-tfo", "", "Undoes `tfo`.", _flag("fast_open", False)),
    ServerOption("no-send-proxy", "", "Undoes `send-proxy`.", _send_proxy(0)),
    ServerOption("no-send-proxy-v2", "", "Undoes `send-proxy-v2`.", _send_proxy(0)),
    ServerOption("observe", "layer4|layer7|none", "Traffic counts for the health too.", _observe),
    ServerOption(
        "on-marked-down", "shutdown-sessions", "A server that goes down ends its streams.", _on_down
    ),
    ServerOption(
        "on-marked-up",
        "shutdown-backup-sessions",
        "A server that comes up ends the backups' streams.",
        _on_up,
    ),
    ServerOption("on-error", "<action>", "What observed errors lead to.", _on_error),
    ServerOption("pool-low-conn", "<max>", "Idle connections that each thread may keep.", _low),
    ServerOption(
        "pool-max-conn", "<max>", "Most idle connections; -1: any.", _limit("pool_max_conn")
    ),
    ServerOption(
        "pool-purge-delay",
        "<delay>",
        "How long an idle connection is kept.",
        _time("pool_purge_delay"),
    ),
    ServerOption("port", "<port>", "Port of the checks.", _number("check_port", 1, 65535)),
    ServerOption(
        "proxy-v2-options", "<field>[,...]", "Fields of a PROXY header of version 2.", _proxy_fields
    ),
    ServerOption("redir", "<prefix>", "GET and HEAD requests are sent there.", _redirect),
    ServerOption("rise", "<count>", "Good checks until up.", _number("rise", 1, 2**31 - 1)),
    ServerOption("send-proxy", "", "PROXY protocol header 1, in checks too.", _send_proxy(1)),
    ServerOption("send-proxy-v2", "", "PROXY protocol header 2, in checks too.", _send_proxy(2)),
    ServerOption(
        "slowstart",
        "<delay>",
        "How long its weight grows once it is up.",
        _time("slowstart"),
    ),
    ServerOption(
        "source",
        "<addr>[:<port>] [usesrc <whose>] [interface <name>]",
        "The address that the server sees; `usesrc` shows the client's, a header's or another.",
        _source,
    ),
    ServerOption("tcp-ut", "<delay>", "Longest time of unacknowledged data.", _tcp_ut),
    ServerOption(
        "tfo", "", "TCP Fast Open, if lost requests are sent again.", _flag("fast_open", True)
    ),
    ServerOption(
        "weight", "<weight>", "Share of the load, 0 to 256.", _number("weight", 0, MAX_WEIGHT)
    ),
    ServerOption("ws", "auto|h1", "How WebSockets reach the server.", _websocket),
)
_BY_NAME = {option.name: option for option in SERVER_OPTIONS}

# Without meaning as long as no TLS and no HTTP goes to servers: undoing what is not done.
_UNDOING = frozenset(
    "no-agent-check no-check-ssl no-ssl no-send-proxy-v2-ssl no-send-proxy-v2-ssl-cn stick".split()
)
_CHECK_ONLY = frozenset(
    {"inter", "fastinter", "downinter", "rise", "fall", "port", "addr", "observe"}
)
_NOT_IN_DEFAULT_SERVER = frozenset({"id"})


def _options(args: Arguments, options: ServerOptions, context: Context, line: str) -> Word | None:
    """Reads all options; gives back the word that sets the id, if any."""
    id_word = None
    while (option := args.optional()) is not None:
        row = _BY_NAME.get(option.text)
        if row is None:
            if option.text in _UNDOING:
                continue
            raise _unknown(args, option, line)
        if line == "default-server" and row.name in _NOT_IN_DEFAULT_SERVER:
            raise args.refuse("H036", f"'{option}' is not possible here", option.span)
        if row.name == "id":
            id_word = args.peek()
        args.keyword = option
        row.carry(args, options)
        if row.name in _CHECK_ONLY:
            options.check_words = (*options.check_words, option)
    return id_word


def _unknown(args: Arguments, option: Word, line: str) -> Exception:
    if option.text in SERVER_NOT_YET:
        return args.not_yet(option)
    near = nearest(option.text, [*_BY_NAME, *SERVER_NOT_YET])
    return args.refuse(
        "H033", f"unknown keyword '{option}' in '{line}' line", option.span,
        help=f"did you mean '{near}'?" if near else "",
    )  # fmt: skip


def _server(args: Arguments, context: Context) -> None:
    name = args.word("a name")
    bad = next((char for char in name.text if char not in NAME_CHARACTERS), None)
    if bad is not None or not name.text:
        raise args.refuse(
            "H032",
            f"character {bad!r} is not possible in a server's name" if bad else "an empty name",
            name.span,
            help="names have letters, digits, '-', '_', '.' and ':'",
        )
    word = args.word("an address")
    options = context.settings.default_server.copy()
    options.check_words = options.on_error_words = ()
    methods = args.after("init-addr")
    place = values.server_place(
        args, word, values.init_addr(args, methods) if methods else options.init_addr
    )
    id_word = _options(args, options, context, "server")
    options.disabled |= place.unknown
    if options.minconn > options.maxconn > 0:
        options.maxconn, options.minconn = options.minconn, options.maxconn
    server = ServerDraft(name, place.address, options, place.port_offset, id_word)
    context.named_proxy.servers.append(server)
    _check_has_port(args, context.named_proxy.servers[-1], word)


def _check_has_port(args: Arguments, server: ServerDraft, word: Word) -> None:
    """A check needs a port of its own where the client's is used."""
    options = server.options
    if not options.check or server.port_offset is None or options.check_port is not None:
        return
    target = options.check_address
    if target is None or ":" not in target.text.rpartition("]")[2]:
        raise args.refuse(
            "H034", f"'{word}' has no port of its own, so that there is none to check", word.span,
            help="add `port <port>` to the line",
        )  # fmt: skip


def _default_server(args: Arguments, context: Context) -> None:
    _options(args, context.settings.default_server, context, "default-server")


KEYWORDS = (
    Keyword(
        "server", Place.BACK, "<name> <address>[:<port>] [param*]",
        "A server to which connections are passed.", _server,
    ),
    Keyword(
        "default-server", Place.ANY_BACK, "[param*]",
        "Options for the servers that follow.", _default_server,
    ),
)  # fmt: skip
