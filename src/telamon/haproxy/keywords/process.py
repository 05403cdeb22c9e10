"""`global`: the process itself (manual 3.1, 3.2)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from telamon.base.units import format_time
from telamon.haproxy.keywords import values
from telamon.haproxy.keywords.row import Arguments, Context, Keyword
from telamon.haproxy.keywords.sections import Place
from telamon.haproxy.lexer import Word
from telamon.haproxy.paths import Base, DefaultPath
from telamon.plan.process import HeaderCase

MAX_THREADS = 1024


def _number(field: str, low: int, high: int) -> Callable[[Arguments, Context], None]:
    def carry(args: Arguments, context: Context) -> None:
        value = args.integer("a number", low, high)
        args.end()
        setattr(context.model.process, field, value)

    return carry


def _text(field: str, what: str) -> Callable[[Arguments, Context], None]:
    def carry(args: Arguments, context: Context) -> None:
        value = args.word(what).text
        args.end()
        setattr(context.model.process, field, value)

    return carry


def _flag(field: str) -> Callable[[Arguments, Context], None]:
    def carry(args: Arguments, context: Context) -> None:
        args.end()
        setattr(context.model.process, field, not args.negated)

    return carry


def _user(args: Arguments, context: Context) -> None:
    process = context.model.process
    process.user, process.uid = values.user(args)
    args.end()


def _group(args: Arguments, context: Context) -> None:
    process = context.model.process
    process.group, process.gid = values.group(args)
    args.end()


def _chroot(args: Arguments, context: Context) -> None:
    word = args.word("a directory")
    args.end()
    if not word.text.startswith("/"):
        args.report.warning(
            "H042", f"the chroot '{word}' is relative to the directory of the start", word.span,
            help="write an absolute path",
        )  # fmt: skip
    context.model.process.chroot = word.text


def _description(args: Arguments, context: Context) -> None:
    args_text = " ".join(word.text for word in [args.word("a text"), *args.rest()])
    context.model.process.description = args_text


def _hard_stop_after(args: Arguments, context: Context) -> None:
    value = args.time()
    args.end()
    context.model.process.hard_stop_after = value


def _setenv(args: Arguments, context: Context) -> None:
    name = args.word("a variable's name")
    value = args.word("a value")
    args.end()
    overwrite = args.keyword.text == "setenv"
    context.environment.set(name.text, value.text, overwrite=overwrite)


def _unsetenv(args: Arguments, context: Context) -> None:
    names = [args.word("a variable's name"), *args.rest()]
    for name in names:
        context.environment.unset(name.text)


def _resetenv(args: Arguments, context: Context) -> None:
    context.environment.reset([name.text for name in args.rest()])


def _no_meaning(reason: str) -> Callable[[Arguments, Context], None]:
    """A keyword about HAProxy's own inner works: read, told, and of no consequence."""

    def carry(args: Arguments, context: Context) -> None:
        args.rest()
        context.report.note(
            "H038", f"'{args.keyword}' has no meaning here: {reason}", args.keyword.span
        )

    return carry


def _master_worker(args: Arguments, context: Context) -> None:
    """It is the stand-in for HAProxy's program that has a master; see docs/haproxy.md."""
    process = context.model.process
    process.master_worker = not args.negated
    if args.left:
        ways = {"exit-on-failure": True, "no-exit-on-failure": False}
        process.exit_on_failure = args.choice("what happens when a worker dies", ways)
    args.end()


def _silent(args: Arguments, _: Context) -> None:
    """What holds anyway."""
    args.end()


def _max_pipes(args: Arguments, context: Context) -> None:
    context.model.process.max_pipes = args.integer("a number", 0, values.MAX_ID)
    args.end()


def _no_splice(args: Arguments, context: Context) -> None:
    args.end()
    context.model.process.max_pipes = 0


def _rate(field: str) -> Callable[[Arguments, Context], None]:
    """A number per second, 0 for no limit."""

    def carry(args: Arguments, context: Context) -> None:
        value = args.integer("a number", 0, values.MAX_ID)
        args.end()
        setattr(context.model.process, field, value or None)

    return carry


def _default_path(args: Arguments, context: Context) -> None:
    base = args.choice("a beginning of paths", {base.value: base for base in Base})
    origin = args.word("a directory").text if base is Base.ORIGIN else ""
    args.end()
    context.model.process.default_path = DefaultPath(base, origin)


def _case_adjust(args: Arguments, context: Context) -> None:
    name, written = args.word("a header's name"), args.word("the name as it is written")
    args.end()
    _add_case(args, context, name.text, written.text, written)


def _case_file(args: Arguments, context: Context) -> None:
    word = args.word("a file")
    args.end()
    path = context.model.process.default_path.resolve(word)
    try:
        lines = Path(path).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise args.refuse("H044", f"'{word}' cannot be read: {error}", word.span) from None
    for number, line in enumerate(lines, 1):
        names = line.partition("#")[0].split()
        if names and len(names) != 2:
            raise args.refuse("H044", f"'{word}', line {number}: two names are needed", word.span)
        if names:
            _add_case(args, context, names[0], names[1], word)


def _add_case(args: Arguments, context: Context, name: str, written: str, word: Word) -> None:
    if name.lower() != written.lower():
        raise args.refuse("H042", f"'{name}' and '{written}' differ in more than case", word.span)
    key = name.lower()
    if key in context.model.process.header_cases:
        raise args.refuse("H042", f"a second way to write '{key}'", word.span)
    context.model.process.header_cases[key] = HeaderCase(key, written)


def _close_spread(args: Arguments, context: Context) -> None:
    value = args.time()
    context.report.note(
        "H038", f"'{args.keyword}' ({format_time(value)}) has no meaning here: idle connections "
        "are closed at once when the process stops", args.keyword.span,
    )  # fmt: skip


_IDS = values.MAX_ID
_G = Place.GLOBAL
KEYWORDS: tuple[Keyword, ...] = (
    Keyword("chroot", _G, "<directory>", "The root directory after the start.", _chroot),
    Keyword("daemon", _G, "", "Go to the background.", _flag("daemon")),
    Keyword("description", _G, "<text>", "Shown by `show info`.", _description),
    Keyword("gid", _G, "<number>", "Group number after the start.", _number("gid", 0, _IDS)),
    Keyword("group", _G, "<name>", "Group after the start.", _group),
    Keyword("hard-stop-after", _G, "<time>", "Longest soft stop.", _hard_stop_after),
    Keyword("master-worker", _G, "[no-exit-on-failure]", "Under `telamon haproxy`: a master "
            "process that reloads.", _master_worker, negatable=True),
    Keyword("maxconn", _G, "<number>", "Most connections at a time.", _number("maxconn", 0, _IDS)),
    Keyword("nbthread", _G, "<number>", "Threads that carry traffic.",
            _number("nbthread", 1, MAX_THREADS)),
    Keyword("node", _G, "<name>", "This node's name.", _text("node", "a name")),
    Keyword("pidfile", _G, "<path>", "Where the process id is written.",
            _text("pidfile", "a path")),
    Keyword("presetenv", _G, "<name> <value>", "Set a variable that is not set.", _setenv),
    Keyword("quiet", _G, "", "No messages at start.", _silent),
    Keyword("resetenv", _G, "[<name> ...]", "Forget all other variables.", _resetenv),
    Keyword("setenv", _G, "<name> <value>", "Set a variable.", _setenv),
    Keyword("spread-checks", _G, "<percent>", "Jitter of check intervals.",
            _number("spread_checks", 0, 50)),
    Keyword("uid", _G, "<number>", "User number after the start.", _number("uid", 0, _IDS)),
    Keyword("ulimit-n", _G, "<number>", "Most file descriptors.", _number("ulimit_n", 1, _IDS)),
    Keyword("unsetenv", _G, "<name> ...", "Forget variables.", _unsetenv),
    Keyword("user", _G, "<name>", "User after the start.", _user),
    Keyword("default-path", _G, "current|config|parent|origin <path>",
            "Where relative paths begin.", _default_path),
    Keyword("fd-hard-limit", _G, "<number>", "Bound of a `maxconn` that is not given.",
            _number("fd_hard_limit", 1, _IDS)),
    Keyword("h1-accept-payload-with-any-method", _G, "", "GET, HEAD and DELETE of HTTP/1.0 may "
            "have a body.", _flag("payload_with_any_method")),
    Keyword("h1-case-adjust", _G, "<from> <to>", "How a header's name is written for peers that "
            "care.", _case_adjust),
    Keyword("h1-case-adjust-file", _G, "<file>", "Lines of `<from> <to>`.", _case_file),
    Keyword("maxconnrate", _G, "<number>", "Most new connections per second.",
            _rate("connection_rate")),
    Keyword("maxsessrate", _G, "<number>", "Most new sessions per second.",
            _rate("session_rate")),
    Keyword("maxpipes", _G, "<number>", "How many long bodies may pass through pipes at once.",
            _max_pipes),
    Keyword("nosplice", _G, "", "Nothing passes through pipes (splice).", _no_splice),
    Keyword("set-dumpable", _G, "", "A crash may leave a core file.", _flag("dumpable"),
            negatable=True),
    Keyword("strict-limits", _G, "", "Rather not start than go on with fewer descriptors.",
            _flag("strict_limits"), negatable=True),
    Keyword("zero-warning", _G, "", "Warnings are errors.", _flag("zero_warning")),
    Keyword("close-spread-time", _G, "<time>", "How HAProxy spreads closing.", _close_spread),
)  # fmt: skip

_OWN_ENGINE = "the data plane is Telamon's own and sizes itself"
_OWN_POLLER = "choose the engine with `telamon run --io`"
_OWN_PROCESSES = "a supervisor always watches over the proxy"
_NO_QUIC = "no QUIC is spoken here"
_NO_COMPRESSION = "nothing is compressed here"
_NO_LIMIT = "nothing that it allows is forbidden here"
_NO_TLS = "no TLS is spoken here yet, so that it could not change anything"
_WITHOUT_MEANING = {
    **dict.fromkeys(("busy-polling", "noepoll", "nokqueue", "noevports", "nopoll"), _OWN_POLLER),
    **dict.fromkeys(("noreuseport", "no-memory-trimming"), _OWN_ENGINE),
    **dict.fromkeys(("cpu-map", "cpu-policy", "cpu-set", "numa-cpu-mapping"), _OWN_ENGINE),
    **dict.fromkeys(("thread-groups", "thread-group", "profiling.tasks"), _OWN_ENGINE),
    **dict.fromkeys(("profiling.memory", "max-threads-per-group"), _OWN_ENGINE),
    **dict.fromkeys(("prealloc-fd", "warn-blocked-traffic-after"), _OWN_ENGINE),
    **dict.fromkeys(("force-cfg-parser-pause",), _OWN_ENGINE),
    **dict.fromkeys(("maxcompcpuusage", "maxcomprate", "maxzlibmem"), _NO_COMPRESSION),
    **dict.fromkeys(("no-quic", "limited-quic", "cluster-secret"), _NO_QUIC),
    **dict.fromkeys(
        ("harden.reject-privileged-ports.quic", "harden.reject-privileged-ports.tcp"), _NO_QUIC
    ),
    **dict.fromkeys(("insecure-fork-wanted", "insecure-setuid-wanted"), _NO_LIMIT),
    **dict.fromkeys(
        ("expose-deprecated-directives", "expose-experimental-directives"), _NO_LIMIT
    ),
    "h2-workaround-bogus-websocket-clients": "no HTTP/2 is spoken here yet",
    "mworker-max-reloads": _OWN_PROCESSES,
    **dict.fromkeys(
        ("ssl-default-bind-ciphers", "ssl-default-bind-ciphersuites", "ssl-default-bind-curves",
         "ssl-default-bind-options", "ssl-default-bind-sigalgs", "ssl-default-server-ciphers",
         "ssl-default-server-ciphersuites", "ssl-default-server-curves",
         "ssl-default-server-options", "ssl-default-server-sigalgs", "ssl-dh-param-file",
         "ssl-load-extra-files", "ssl-load-extra-del-ext", "ssl-server-verify", "maxsslconn",
         "maxsslrate", "ca-base", "crt-base", "key-base", "issuers-chain-path",
         "ssl-skip-self-issued-ca", "ssl-mode-async", "ssl-propquery"), _NO_TLS,
    ),
}  # fmt: skip

KEYWORDS += tuple(
    Keyword(name, _G, "...", f"Noted: {reason}.", _no_meaning(reason), negatable=True)
    for name, reason in _WITHOUT_MEANING.items()
)

# All of them size or time HAProxy's inner works.
_TUNING = """
applet.zero-copy-forwarding buf.small buffers.limit buffers.reserve bufsize.large bufsize.small
chksize comp.maxlevel defaults.purge disable-fast-forward disable-zero-copy-forwarding
epoll.mask-events events.max-events-at-once fail-alloc fd.edge-triggered glitches.kill.cpu-usage
h1.be.glitches-threshold h1.fe.glitches-threshold h1.zero-copy-fwd-recv h1.zero-copy-fwd-send
h2.be.glitches-threshold h2.be.initial-window-size h2.be.max-concurrent-streams h2.be.rxbuf
h2.fe.glitches-threshold h2.fe.initial-window-size h2.fe.max-concurrent-streams
h2.fe.max-total-streams h2.fe.rxbuf h2.header-table-size h2.initial-window-size h2.log-errors
h2.max-concurrent-streams h2.max-frame-size h2.zero-copy-fwd-send idletimer
listener.default-shards listener.multi-queue lua.bool-sample-conversion lua.burst-timeout
lua.forced-yield lua.log.loggers lua.log.stderr lua.maxmem lua.openlibs lua.service-timeout
lua.session-timeout lua.task-timeout max-checks-per-thread max-rules-at-once maxaccept
maxpollevents memory.hot-size notsent-lowat.client notsent-lowat.server pattern.cache-size
peers.max-updates-at-once pipesize pool-high-fd-ratio pool-low-fd-ratio pt.zero-copy-forwarding
quic.be.cc.cubic-min-losses quic.cc-hystart quic.cc.cubic.min-losses quic.disable-tx-pacing
quic.disable-udp-gso quic.frontend.conn-tx-buffers.limit quic.frontend.default-max-window-size
quic.frontend.glitches-threshold quic.frontend.max-data-size quic.frontend.max-idle-timeout
quic.frontend.max-streams-bidi quic.frontend.max-tx-mem quic.frontend.stream-data-ratio
quic.listen quic.max-frame-loss quic.mem.tx-max quic.reorder-ratio quic.retry-threshold
quic.socket-owner quic.zero-copy-fwd-send rcvbuf.backend rcvbuf.client rcvbuf.frontend
rcvbuf.server recv_enough renice.runtime renice.startup ring.queues runqueue-depth
sched.low-latency sndbuf.backend sndbuf.client sndbuf.frontend sndbuf.server ssl.cachesize
ssl.capture-buffer-size ssl.capture-cipherlist-size ssl.certificate-compression
ssl.default-dh-param ssl.force-private-cache ssl.hard-maxrecord ssl.keylog ssl.lifetime
ssl.maxrecord ssl.ocsp-update.maxdelay ssl.ocsp-update.mindelay ssl.ssl-ctx-cache-size
stick-counters streams-lb takeover-other-tg-connections vars.check-max-size vars.global-max-size
vars.proc-max-size vars.reqres-max-size vars.sess-max-size vars.txn-max-size zlib.memlevel
zlib.windowsize
"""


def _tuning(args: Arguments, context: Context) -> None:
    args.word("a value")
    _no_meaning(_OWN_ENGINE)(args, context)


KEYWORDS += tuple(
    Keyword(f"tune.{name}", _G, "<value>", f"Noted: {_OWN_ENGINE}.", _tuning)
    for name in _TUNING.split()
)
