"""Headers that tell a server about the client (manual 4.2; RFC 7239 for `forwarded`)."""

from __future__ import annotations

import ipaddress
from dataclasses import replace

from telamon.haproxy.expressions import read_expression
from telamon.haproxy.keywords.row import Arguments, Context, Keyword, one_of
from telamon.haproxy.keywords.sections import Place
from telamon.haproxy.lexer import Word
from telamon.haproxy.scope import REQUEST, Scope
from telamon.plan.http import AddressHeader, Forwarded, ForwardedPart


def _address_header(args: Arguments, header: str, *, if_none: bool) -> AddressHeader:
    """The words of `forwardfor` and `originalto`, of which only the first knows `if-none`."""
    found = AddressHeader(header)
    words = {"except": "except", "header": "header"} | ({"if-none": "if-none"} if if_none else {})
    while args.left:
        option = args.choice("a word of this option", words)
        if option == "except":
            found = replace(found, exception=_network(args))
        elif option == "header":
            found = replace(found, header=args.word("a header's name").text)
        else:
            found = replace(found, if_none=True)
    return found


def _network(args: Arguments) -> str:
    word = args.word("an address or network")
    try:
        return str(ipaddress.ip_network(word.text, strict=False))
    except ValueError:
        raise args.refuse(
            "H042", f"'{word}' is not an address or network", word.span, help="as in 127.0.0.0/8"
        ) from None


def _forward_for(args: Arguments, context: Context) -> None:
    header = _address_header(args, "X-Forwarded-For", if_none=True)
    context.settings.http.forward_for = header
    context.settings.http.words["option forwardfor"] = args.keyword.span


def _original_to(args: Arguments, context: Context) -> None:
    header = _address_header(args, "X-Original-To", if_none=False)
    context.settings.http.original_to = header
    context.settings.http.words["option originalto"] = args.keyword.span


_PARTS = ("host", "by", "by_port", "for", "for_port")
"""The parameters that have a value of their own or an expression's, as `Forwarded` has them."""


def _forwarded(args: Arguments, context: Context) -> None:
    """Without a word: the protocol and the client's address."""
    http = context.settings.http
    if args.negated:
        args.end()
        http.forwarded = None
        return
    proto = not args.left
    parts = {} if args.left else {"for": ForwardedPart()}
    keyword = args.keyword
    while (word := args.optional()) is not None:
        name = word.text.removesuffix("-expr")
        if word.text == "proto":
            proto = True
        elif name not in _PARTS:
            raise args.refuse(
                "H043", f"'{word}' is not a part of the header", word.span,
                help=one_of(word.text, ["proto", *_PARTS, *(f"{part}-expr" for part in _PARTS)]),
            )  # fmt: skip
        else:
            args.keyword = word
            parts[name] = _part(args, context, word) if name != word.text else ForwardedPart()
    args.keyword = keyword
    for port, owner in (("by_port", "by"), ("for_port", "for")):
        if port in parts and owner not in parts:
            raise args.refuse("H040", f"'{port}' needs '{owner}' beside it")
    http.forwarded = Forwarded(proto, *(parts.get(name) for name in _PARTS))
    http.words["option forwarded"] = keyword.span


def _part(args: Arguments, context: Context, word: Word) -> ForwardedPart:
    scope = Scope(context, REQUEST, f"'option forwarded {word}'", word)
    return ForwardedPart(read_expression(args, scope).expression)


def _unique_id_header(args: Arguments, context: Context) -> None:
    name = args.word("a header's name").text
    args.end()
    context.settings.http.unique_id_header = name


_ALL = Place.ANY_PROXY
KEYWORDS = (
    Keyword("option forwardfor", _ALL, "[except <network>] [header <name>] [if-none]",
            "Tell servers the client's address.", _forward_for),
    Keyword("option forwarded", _ALL,
            "[proto] [{ host | by | by_port | for | for_port }[-expr <expr>]]*",
            "Tell servers about the client as RFC 7239 does.", _forwarded, negatable=True,
            since="2.8"),
    Keyword("option originalto", _ALL, "[except <network>] [header <name>]",
            "Tell servers the address that the client meant.", _original_to),
    Keyword("unique-id-header", _ALL, "<name>", "The header that bears the request's unique id.",
            _unique_id_header),
)  # fmt: skip
