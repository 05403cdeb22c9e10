"""`tcp-request` and `tcp-response` (manual 4.2)."""

from __future__ import annotations

from telamon.haproxy.actions.row import At
from telamon.haproxy.keywords.row import Arguments, Context, Keyword
from telamon.haproxy.keywords.sections import Place
from telamon.haproxy.rules import read_rule, refuse_in_anonymous_defaults

_REQUESTS = {"connection": At.CONNECTION, "session": At.SESSION, "content": At.CONTENT}
_RESPONSES = {"content": At.TCP_RESPONSE}
_DELAY = "inspect-delay"


def _request(args: Arguments, context: Context) -> None:
    refuse_in_anonymous_defaults(args, context)
    word = args.peek()
    at = args.choice("a kind of rule", {**_REQUESTS, _DELAY: None})
    if at is None:
        context.settings.rules.request_inspect_delay = _time(args)
        return
    if at & At.EARLY and context.place is Place.BACKEND and word is not None:
        raise args.refuse(
            "H036", f"'tcp-request {word}' is not possible in a backend", word.span,
            help="connections are looked at before a backend is chosen: put it into the frontend",
        )  # fmt: skip
    read_rule(args, context, at)


def _response(args: Arguments, context: Context) -> None:
    refuse_in_anonymous_defaults(args, context)
    at = args.choice("a kind of rule", {**_RESPONSES, _DELAY: None})
    if at is None:
        context.settings.rules.response_inspect_delay = _time(args)
    else:
        read_rule(args, context, at)


def _time(args: Arguments) -> int:
    value = args.time()
    args.end()
    return value


KEYWORDS = (
    Keyword("tcp-request", Place.ANY_PROXY,
            "{connection|session|content} <action> [{if|unless} <condition>]|inspect-delay <time>",
            "What is done with connections, sessions and what clients send.", _request),
    Keyword("tcp-response", Place.ANY_BACK,
            "content <action> [{if|unless} <condition>] | inspect-delay <time>",
            "What is done with what servers send.", _response),
)  # fmt: skip
