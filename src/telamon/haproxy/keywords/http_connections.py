"""How connections are kept, shared and tried again (manual 4, "connection modes", and 4.2)."""

from __future__ import annotations

from telamon.haproxy.keywords import values
from telamon.haproxy.keywords.row import Arguments, Carry, Context, Keyword
from telamon.haproxy.keywords.sections import Place
from telamon.plan.http import ConnectionMode, NamePolicy, Reuse

_MODES = {
    "http-keep-alive": (ConnectionMode.KEEP_ALIVE, "Keep both connections after a response."),
    "http-server-close": (ConnectionMode.SERVER_CLOSE, "Close the server's one after a response."),
    "httpclose": (ConnectionMode.CLOSE, "Close both connections after a response."),
}


def _mode(mode: ConnectionMode) -> Carry:
    """Of several in one section the last holds; `no` undoes the mode that it names only."""

    def carry(args: Arguments, context: Context) -> None:
        args.end()
        http = context.settings.http
        if not args.negated:
            http.connection = mode
        elif http.connection is mode:
            http.connection = None

    return carry


def _reuse(args: Arguments, context: Context) -> None:
    reuse = args.choice("a way of reuse", {reuse.value: reuse for reuse in Reuse})
    args.end()
    context.settings.http.reuse = reuse


def _name_policy(args: Arguments, context: Context) -> None:
    policy = args.choice("a policy", {policy.value: policy for policy in NamePolicy})
    args.end()
    context.settings.http.name_policy = policy


_RETRYABLE = ("500", "502", "503", "504")
_EVENTS = ("conn-failure", "empty-response", "junk-response", "response-timeout", "0rtt-rejected")
_STATUSES = ("401", "403", "404", "408", "421", "425", "429", "500", "501", "502", "503", "504")
_RETRIES: dict[str, tuple[str, ...]] = {
    **{name: (name,) for name in (*_EVENTS, *_STATUSES)},
    "all-retryable-errors": (*_EVENTS, *_RETRYABLE),
    "none": ("none",),
}


def _retry_on(args: Arguments, context: Context) -> None:
    chosen: dict[str, None] = {}
    count = args.left
    while args.left or not count:
        word = args.peek()
        chosen |= dict.fromkeys(args.choice("a cause of retries", _RETRIES))
        if word is not None and word.text == "none" and count > 1:
            raise args.refuse("H041", "'none' stands alone in 'retry-on'", word.span)
    context.settings.http.retry_on = tuple(chosen)


def _queue(args: Arguments, context: Context) -> None:
    value = args.integer("a number, or -1", -1, values.MAX_ID)
    args.end()
    context.settings.http.max_keep_alive_queue = None if value < 0 else value


def _rate_limit(args: Arguments, context: Context) -> None:
    args.choice("what may be limited", {"sessions": True})
    value = args.integer("sessions per second", 0, values.MAX_ID)
    args.end()
    context.settings.http.session_rate_limit = value or None


def _server_name(args: Arguments, context: Context) -> None:
    name = args.word("a header's name").text
    args.end()
    context.settings.http.server_name_header = name


KEYWORDS = (
    *(
        Keyword(f"option {name}", Place.ANY_PROXY, "", doc, _mode(mode), negatable=True)
        for name, (mode, doc) in _MODES.items()
    ),
    Keyword("http-reuse", Place.ANY_BACK, "never|safe|aggressive|always",
            "Who may use an idle connection to a server.", _reuse),
    Keyword("http-send-name-header", Place.ANY_BACK, "<header>",
            "Tell a server its own name.", _server_name),
    Keyword("max-keep-alive-queue", Place.ANY_BACK, "<value>",
            "Leave the last server when its queue is longer.", _queue),
    Keyword("option http-restrict-req-hdr-names", Place.ANY_PROXY, "preserve|delete|reject",
            "What becomes of header names with odd characters.", _name_policy),
    Keyword("rate-limit", Place.ANY_FRONT, "sessions <rate>",
            "Most new sessions per second.", _rate_limit),
    Keyword("retry-on", Place.ANY_BACK, "<cause> ...",
            "When a request is sent again.", _retry_on),
)  # fmt: skip
