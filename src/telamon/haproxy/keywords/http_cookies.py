"""`cookie`: clients that come back to their server (manual 4.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from telamon.base.frozen import frozen
from telamon.base.units import UnitError, parse_time
from telamon.haproxy.keywords.row import Arguments, Context, Keyword
from telamon.haproxy.keywords.sections import Place
from telamon.plan.http import Cookie, CookieMode


@frozen
class CookieOption:
    """A row: a word after the cookie's name, and what it does."""

    name: str
    carry: Callable[[Arguments, Cookie], Cookie]


def _mode(mode: CookieMode) -> Callable[[Arguments, Cookie], Cookie]:
    def carry(args: Arguments, cookie: Cookie) -> Cookie:
        if cookie.mode not in (CookieMode.PASSIVE, mode):
            raise args.refuse(
                "H041", f"'{mode}' and '{cookie.mode}' exclude each other in 'cookie'",
                help="keep one of rewrite, insert and prefix",
            )  # fmt: skip
        return replace(cookie, mode=mode)

    return carry


def _indirect(_: Arguments, cookie: Cookie) -> Cookie:
    return replace(cookie, indirect=True)


def _nocache(_: Arguments, cookie: Cookie) -> Cookie:
    return replace(cookie, nocache=True)


def _postonly(_: Arguments, cookie: Cookie) -> Cookie:
    return replace(cookie, postonly=True)


def _preserve(_: Arguments, cookie: Cookie) -> Cookie:
    return replace(cookie, preserve=True)


def _httponly(_: Arguments, cookie: Cookie) -> Cookie:
    return replace(cookie, httponly=True)


def _secure(_: Arguments, cookie: Cookie) -> Cookie:
    return replace(cookie, secure=True)


def _dynamic(_: Arguments, cookie: Cookie) -> Cookie:
    return replace(cookie, dynamic=True)


def _domain(args: Arguments, cookie: Cookie) -> Cookie:
    word = args.word("a domain")
    if "." not in word.text[1:]:
        args.report.warning(
            "H042", f"the domain '{word}' has no dot within: browsers may refuse the cookie",
            word.span, help="see RFC 6265, section 5.2.3",
        )  # fmt: skip
    return replace(cookie, domains=(*cookie.domains, word.text))


def _attribute(args: Arguments, cookie: Cookie) -> Cookie:
    word = args.word("a value")
    bad = next((char for char in word.text if char == ";" or not 0x20 <= ord(char) != 0x7F), None)
    if bad is not None:
        raise args.refuse("H042", f"{bad!r} cannot stand in a cookie's attribute", word.span)
    return replace(cookie, attributes=(*cookie.attributes, word.text))


def _seconds(args: Arguments) -> int | None:
    """A time, in seconds if bare; what is under a second counts as one; 0: no limit."""
    word = args.word("a time")
    try:
        return -(-parse_time(word.text, "s") // 1000) or None
    except UnitError as error:
        raise args.refuse("H042", f"'cookie': {error}", word.span) from None


def _maxidle(args: Arguments, cookie: Cookie) -> Cookie:
    return replace(cookie, maxidle=_seconds(args))


def _maxlife(args: Arguments, cookie: Cookie) -> Cookie:
    return replace(cookie, maxlife=_seconds(args))


COOKIE_OPTIONS = (
    CookieOption("attr", _attribute),
    CookieOption("domain", _domain),
    CookieOption("dynamic", _dynamic),
    CookieOption("httponly", _httponly),
    CookieOption("indirect", _indirect),
    CookieOption("insert", _mode(CookieMode.INSERT)),
    CookieOption("maxidle", _maxidle),
    CookieOption("maxlife", _maxlife),
    CookieOption("nocache", _nocache),
    CookieOption("postonly", _postonly),
    CookieOption("prefix", _mode(CookieMode.PREFIX)),
    CookieOption("preserve", _preserve),
    CookieOption("rewrite", _mode(CookieMode.REWRITE)),
    CookieOption("secure", _secure),
)
_BY_NAME = {option.name: option for option in COOKIE_OPTIONS}


def _cookie(args: Arguments, context: Context) -> None:
    keyword, name = args.keyword, args.word("a cookie's name")
    cookie = Cookie(name.text)
    while (word := args.peek()) is not None:
        row = args.choice("a word of 'cookie'", _BY_NAME)
        args.keyword = word
        cookie = row.carry(args, cookie)
    args.keyword = keyword
    if cookie.indirect and cookie.mode is CookieMode.REWRITE:
        raise args.refuse("H041", "'rewrite' and 'indirect' exclude each other in 'cookie'",
                          help="keep one of them")  # fmt: skip
    if cookie.preserve and cookie.mode is not CookieMode.INSERT and not cookie.indirect:
        raise args.refuse("H040", "'preserve' needs 'insert' or 'indirect' beside it")
    context.settings.http.cookie = cookie
    context.settings.http.words["cookie"] = keyword.span


def _dynamic_key(args: Arguments, context: Context) -> None:
    key = args.word("a secret").text
    args.end()
    context.settings.http.dynamic_cookie_key = key


KEYWORDS = (
    Keyword(
        "cookie", Place.ANY_BACK,
        "<name> [rewrite|insert|prefix] [indirect] [nocache] [postonly] [preserve] [httponly] "
        "[secure] [domain <domain>]* [maxidle <idle>] [maxlife <life>] [dynamic] [attr <value>]*",
        "A cookie leads clients back to their server.", _cookie,
    ),
    Keyword("dynamic-cookie-key", Place.ANY_BACK, "<secret>",
            "The secret from which `dynamic` makes its values.", _dynamic_key),
)  # fmt: skip
