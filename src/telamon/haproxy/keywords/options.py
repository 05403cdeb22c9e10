"""`option ...` of proxies (manual 4.2). `no option x` undoes it, `default option x` too."""

from __future__ import annotations

from telamon.haproxy.keywords.row import Arguments, Carry, Context, Keyword
from telamon.haproxy.keywords.sections import Place
from telamon.plan.proxy import LogFormat


def _switch(name: str) -> Carry:
    def carry(args: Arguments, context: Context) -> None:
        args.end()
        if args.negated:
            context.settings.options.pop(name, None)
        else:
            context.settings.options[name] = args.keyword

    return carry


def _redispatch(args: Arguments, context: Context) -> None:
    if args.negated:
        args.end()
        context.settings.redispatch = 0
        return
    interval = -1 if args.peek() is None else args.integer("an interval", -(2**31), 2**31 - 1)
    args.end()
    context.settings.redispatch = interval


def _log_format(log_format: LogFormat) -> Carry:
    def carry(args: Arguments, context: Context) -> None:
        clf = log_format is LogFormat.HTTP and args.follows("clf")
        args.end()
        context.settings.log_format = LogFormat.CLF if clf else log_format
        context.settings.log_format_word = args.keyword
        context.settings.rules.log_line = None

    return carry


def _transparent(args: Arguments, context: Context) -> None:
    args.end()
    context.settings.transparent = None if args.negated else args.keyword


def _nothing(args: Arguments, _: Context) -> None:
    args.end()


_FRONT, _BACK, _ALL = Place.ANY_FRONT, Place.ANY_BACK, Place.ANY_PROXY
_SWITCHES = (
    ("abortonclose", _BACK, "Drop a request whose client has left."),
    ("accept-invalid-http-request", _FRONT, "Old name of `accept-unsafe-violations-...`."),
    ("accept-invalid-http-response", _BACK, "Old name of `accept-unsafe-violations-...`."),
    ("accept-unsafe-violations-in-http-request", _FRONT, "Let odd requests pass."),
    ("accept-unsafe-violations-in-http-response", _BACK, "Let odd responses pass."),
    ("allbackups", _BACK, "Use all backup servers at a time."),
    ("checkcache", _BACK, "Refuse responses that caches could keep with a cookie."),
    ("clitcpka", _FRONT, "TCP keep-alive probes to clients."),
    ("dontlog-normal", _FRONT, "Log only what went wrong."),
    ("dontlognull", _FRONT, "Do not log connections without data."),
    ("disable-h2-upgrade", _FRONT, "Stay with HTTP/1, as is done here anyway."),
    ("h1-case-adjust-bogus-client", _FRONT, "Names of `h1-case-adjust` for clients."),
    ("h1-case-adjust-bogus-server", _BACK, "Names of `h1-case-adjust` for servers."),
    ("http-buffer-request", _ALL, "Wait for a request's body before a server is chosen."),
    ("http-drop-request-trailers", _ALL, "Pass no trailers to servers."),
    ("http-drop-response-trailers", _ALL, "Pass no trailers to clients."),
    ("http-ignore-probes", _FRONT, "Say nothing to a client that asked nothing."),
    ("http-no-delay", _ALL, "Send each piece at once."),
    ("http-pretend-keepalive", _BACK, "Do not tell the server that its connection will close."),
    ("http-use-proxy-header", _FRONT, "Heed `Proxy-Connection` as `Connection`."),
    ("idle-close-on-response", _FRONT, "At a soft stop, close idle clients after a response."),
    ("log-health-checks", _BACK, "Log every change of a check's result."),
    ("log-separate-errors", _FRONT, "Log what went wrong at level err."),
    ("logasap", _FRONT, "Log before the end of a connection."),
    ("nolinger", _ALL, "A close is a reset: unsent data goes, nothing waits in the kernel."),
    ("persist", _BACK, "Keep to a server that is down."),
    ("prefer-last-server", _BACK, "Stay with the last server where it may be used."),
    ("srvtcpka", _BACK, "TCP keep-alive probes to servers."),
    ("tcpka", _ALL, "TCP keep-alive probes to both sides."),
)

# Hints about how HAProxy moves bytes; the result is the same without them.
_HINTS = (
    ("contstats", _FRONT),
    ("splice-auto", _ALL),
    ("splice-request", _ALL),
    ("splice-response", _ALL),
    ("tcp-smart-accept", _FRONT),
    ("tcp-smart-connect", _BACK),
)

KEYWORDS = (
    *(Keyword(f"option {n}", p, "", doc, _switch(n), negatable=True) for n, p, doc in _SWITCHES),
    *(
        Keyword(f"option {name}", places, "", "Accepted: a hint that changes no result.",
                _nothing, negatable=True)
        for name, places in _HINTS
    ),
    Keyword("option httplog", _FRONT, "[clf]", "HTTP log lines (manual 8.2.3).",
            _log_format(LogFormat.HTTP)),
    Keyword("option httpslog", _FRONT, "", "HTTP log lines with what TLS adds (manual 8.2.4).",
            _log_format(LogFormat.HTTPS)),
    Keyword("option tcplog", _ALL, "", "TCP log lines (manual 8.2.2).",
            _log_format(LogFormat.TCP)),
    Keyword("option redispatch", _BACK, "[<interval>]", "A failed connect may go elsewhere.",
            _redispatch, negatable=True),
    Keyword("option transparent", _BACK, "", "Go to the address that the client meant.",
            _transparent, negatable=True),
)  # fmt: skip
