"""`capture` and `declare capture`: slots whose values logs may show (manual 4.2)."""

from __future__ import annotations

from telamon.haproxy.keywords.row import Arguments, Context, Keyword
from telamon.haproxy.keywords.sections import Place
from telamon.plan.http import Capture, CookieCapture

_LONGEST = 65535


def _length(args: Arguments, longest: int = _LONGEST) -> int:
    args.choice("the length's word", {"len": True})
    return args.integer("a length", 0, longest)


def _capture(args: Arguments, context: Context) -> None:
    what = args.choice(
        "what can be captured", {name: name for name in ("cookie", "request", "response")}
    )
    if what == "cookie":
        _cookie(args, context)
        return
    args.choice("a part of a message", {"header": True})
    name = args.word("a header's name").text
    capture = Capture(name, _length(args))
    args.end()
    _slots(context, what).append(capture)


def _cookie(args: Arguments, context: Context) -> None:
    """A name, or with a `=` at its end the whole of one; else all that begin so."""
    word, http = args.word("a cookie's name"), context.settings.http
    length = _length(args)
    args.end()
    longest = context.model.process.cookie_length
    if length > longest:
        args.report.warning(
            "H042", f"cookies are captured up to {longest} bytes", args.keyword.span,
            help="raise `tune.http.cookielen` in the global section",
        )  # fmt: skip
        length = longest
    http.cookie_capture = CookieCapture(
        word.text.rstrip("="), prefix=not word.text.endswith("="), length=length
    )
    http.words["capture cookie"] = args.keyword.span


def _declare(args: Arguments, context: Context) -> None:
    args.choice("what can be declared", {"capture": True})
    what = args.choice("a kind of message", {name: name for name in ("request", "response")})
    capture = Capture(None, _length(args))
    args.end()
    _slots(context, what).append(capture)


def _slots(context: Context, what: str) -> list[Capture]:
    http = context.settings.http
    return http.request_captures if what == "request" else http.response_captures


KEYWORDS = (
    Keyword("capture", Place.FRONT, "cookie <name> len <length>|request header <name> len <length>"
            "|response header <name> len <length>", "Keep a value for the log.", _capture),
    Keyword("declare", Place.FRONT, "capture request|response len <length>",
            "A slot that rules fill with `capture`.", _declare),
)  # fmt: skip
