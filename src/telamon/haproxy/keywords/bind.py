"""`bind` and the words after its address (manual 4.2 `bind`, 5.1)."""

from __future__ import annotations

from collections.abc import Callable

from telamon.base.address import FdAddress, InetAddress, SocketAddress, UnixAddress
from telamon.base.diagnostic import nearest
from telamon.base.frozen import frozen
from telamon.haproxy.keywords import values
from telamon.haproxy.keywords.known import BIND_NOT_YET
from telamon.haproxy.keywords.row import Arguments, Context, Keyword
from telamon.haproxy.keywords.sections import Place
from telamon.haproxy.keywords.threads import thread_set
from telamon.haproxy.lexer import Word
from telamon.haproxy.model import BindDraft, UnixBind

_SMALLEST_SEGMENT = 88
"""Less the kernel does not take (TCP_MIN_MSS)."""


@frozen
class BindOption:
    """A row: the word after the address, and what it does to the draft."""

    name: str
    grammar: str
    doc: str
    carry: Callable[[Arguments, BindDraft], None]


def _name(args: Arguments, bind: BindDraft) -> None:
    bind.name = args.word("a name").text


def _id(args: Arguments, bind: BindDraft) -> None:
    bind.id_word = args.peek()
    bind.id = args.integer("a number", 1, values.MAX_ID)


def _interface(args: Arguments, bind: BindDraft) -> None:
    bind.interface = values.interface(args)


def _maxconn(args: Arguments, bind: BindDraft) -> None:
    bind.maxconn = args.integer("a number", 0, values.MAX_ID) or None


def _backlog(args: Arguments, bind: BindDraft) -> None:
    bind.backlog = args.integer("a number", 0, values.MAX_ID) or None


def _nice(args: Arguments, bind: BindDraft) -> None:
    bind.nice = args.integer("a number", -1024, 1024)


def _mode(args: Arguments, bind: BindDraft) -> None:
    bind.mode = values.octal(args)


def _user(args: Arguments, bind: BindDraft) -> None:
    bind.uid = values.user(args)[1]


def _group(args: Arguments, bind: BindDraft) -> None:
    bind.gid = values.group(args)[1]


def _uid(args: Arguments, bind: BindDraft) -> None:
    bind.uid = args.integer("a number", 0, values.MAX_ID)


def _gid(args: Arguments, bind: BindDraft) -> None:
    bind.gid = args.integer("a number", 0, values.MAX_ID)


def _v4v6(_: Arguments, bind: BindDraft) -> None:
    bind.v4v6, bind.v6only = True, False


def _v6only(_: Arguments, bind: BindDraft) -> None:
    bind.v6only, bind.v4v6 = True, False


def _level(args: Arguments, bind: BindDraft) -> None:
    bind.level = args.choice("a level", {n: n for n in ("user", "operator", "admin")})


def _accept_proxy(args: Arguments, bind: BindDraft) -> None:
    bind.accept_proxy = args.keyword


def _defer_accept(_: Arguments, bind: BindDraft) -> None:
    bind.defer_accept = True


def _mss(args: Arguments, bind: BindDraft) -> None:
    """Below 0: so much less than what the client offers."""
    word = args.peek()
    bind.mss = args.integer("a size of segments", -65535, 65535)
    if word is not None and 0 <= bind.mss < _SMALLEST_SEGMENT:
        raise args.refuse(
            "H042", f"'mss' must be at least {_SMALLEST_SEGMENT}, or below 0", word.span
        )


def _fast_open(_: Arguments, bind: BindDraft) -> None:
    bind.fast_open = True


def _thread(args: Arguments, bind: BindDraft) -> None:
    bind.threads_word = args.peek()
    bind.threads = (bind.threads or 0) | thread_set(args)


def _transparent(_: Arguments, bind: BindDraft) -> None:
    bind.transparent = True


def _tcp_ut(args: Arguments, bind: BindDraft) -> None:
    bind.tcp_ut = args.time()


def _expose_fd(args: Arguments, bind: BindDraft) -> None:
    args.choice("what may be exposed", {"listeners": True})
    bind.expose_fd = True


BIND_OPTIONS: tuple[BindOption, ...] = (
    BindOption(
        "accept-proxy", "", "A PROXY protocol header (1 or 2) tells the client.", _accept_proxy
    ),
    BindOption("backlog", "<conns>", "The listen queue's length.", _backlog),
    BindOption("defer-accept", "", "Take a connection when its data is there.", _defer_accept),
    BindOption(
        "expose-fd", "listeners", "Stats sockets: hand listeners to a successor.", _expose_fd
    ),
    BindOption("gid", "<gid>", "Group number of a unix socket.", _gid),
    BindOption("group", "<group>", "Group of a unix socket.", _group),
    BindOption("id", "<id>", "The socket's number in statistics.", _id),
    BindOption("interface", "<interface>", "Only traffic of this interface.", _interface),
    BindOption("level", "user|operator|admin", "Stats sockets: what users may do.", _level),
    BindOption("maxconn", "<conns>", "Most connections of this socket at a time.", _maxconn),
    BindOption("mode", "<mode>", "Octal permissions of a unix socket.", _mode),
    BindOption(
        "mss", "<maxseg>", "The largest segment offered; below 0: so much less for ours.", _mss
    ),
    BindOption("name", "<name>", "The socket's name in statistics.", _name),
    BindOption("nice", "<nice>", "Priority of the socket's work, -1024 to 1024.", _nice),
    BindOption("tcp-ut", "<delay>", "Longest time of unacknowledged data.", _tcp_ut),
    BindOption("tfo", "", "TCP Fast Open: data comes with the first packet.", _fast_open),
    BindOption(
        "thread", "[1/]all|odd|even|<n>[-[<m>]]", "Only these threads take connections.", _thread
    ),
    BindOption("transparent", "", "Take what is meant for foreign addresses, too.", _transparent),
    BindOption("uid", "<uid>", "Owner number of a unix socket.", _uid),
    BindOption("user", "<user>", "Owner of a unix socket.", _user),
    BindOption("v4v6", "", "An IPv6 socket takes IPv4 too.", _v4v6),
    BindOption("v6only", "", "An IPv6 socket takes IPv6 only.", _v6only),
)
_BY_NAME = {option.name: option for option in BIND_OPTIONS}
_UNIX_ONLY = frozenset({"mode", "uid", "gid", "user", "group"})
_STATS_ONLY = frozenset({"level", "expose-fd"})


def read_bind(args: Arguments, context: Context, *, stats: bool = False) -> BindDraft:
    """The address word and all options after it, for `bind` and `stats socket`."""
    word = args.word("an address")
    unix = context.model.process.unix_bind
    bind = BindDraft(word, [_prefixed(one, unix) for one in values.addresses(args, word)])
    if not stats:
        bind.mode, bind.uid, bind.gid = unix.mode, unix.uid, unix.gid
    while (option := args.optional()) is not None:
        row = _BY_NAME.get(option.text)
        if row is None:
            raise _unknown(args, option, "stats socket" if stats else "bind")
        if row.name in _STATS_ONLY and not stats:
            raise args.not_yet(option, f"{option} on a bind line")
        args.keyword = option
        row.carry(args, bind)
        _warn_useless(args, option, bind)
    return bind


def _prefixed(address: SocketAddress, unix: UnixBind) -> SocketAddress:
    """`unix-bind prefix` stands before every path, also of one that begins with a slash."""
    if not isinstance(address, UnixAddress) or address.abstract:
        return address
    return UnixAddress(unix.prefix + address.path)


def _unknown(args: Arguments, option: Word, line: str) -> Exception:
    if option.text in BIND_NOT_YET:
        return args.not_yet(option)
    near = nearest(option.text, [*_BY_NAME, *BIND_NOT_YET])
    return args.refuse(
        "H033", f"unknown keyword '{option}' in '{line}' line", option.span,
        help=f"did you mean '{near}'?" if near else "",
    )  # fmt: skip


def _warn_useless(args: Arguments, option: Word, bind: BindDraft) -> None:
    """Options that cannot mean anything for this kind of address."""
    kinds = {type(address) for address in bind.addresses}
    if option.text in _UNIX_ONLY and UnixAddress not in kinds:
        message = f"'{option}' has no effect: it is for unix sockets"
    elif option.text == "interface" and InetAddress not in kinds and FdAddress not in kinds:
        message = "'interface' has no effect on a unix socket"
    else:
        return
    args.report.note("H081", message, option.span)


def _bind(args: Arguments, context: Context) -> None:
    context.named_proxy.bind_lines += 1
    context.named_proxy.binds.append(read_bind(args, context))


KEYWORDS = (
    Keyword(
        "bind", Place.FRONT, "<address>[:<port_range>][, ...] [param*]",
        "Addresses on which connections are taken.", _bind,
    ),
)  # fmt: skip
