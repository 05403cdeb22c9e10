"""Headers that tell a server about the client (manual 4.2; RFC 7239 for `forwarded`)."""

from __future__ import annotations

import ipaddress
from dataclasses import replace

from telamon.haproxy.keywords.row import Arguments, Context, Keyword, one_of
from telamon.haproxy.keywords.sections import Place
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


_OWN = ForwardedPart()
_PARTS = {
    "proto": Forwarded(proto=True),
    "host": Forwarded(host=_OWN),
    "by": Forwarded(by=_OWN),
    "by_port": Forwarded(by_port=_OWN),
    "for": Forwarded(for_=_OWN),
    "for_port": Forwarded(for_port=_OWN),
}
_PORTS = {"by_port": "by", "for_port": "for"}


def _forwarded(args: Arguments, context: Context) -> None:
    """Without a word: the protocol and the client's address."""
    http = context.settings.http
    if args.negated:
        args.end()
        http.forwarded = None
        return
    chosen = set() if args.left else {"proto", "for"}
    expressions = {f"{name}-expr" for name in _PARTS}
    while (word := args.optional()) is not None:
        if word.text in expressions:
            raise args.not_yet(word, f"option forwarded {word}")
        if word.text not in _PARTS:
            raise args.refuse(
                "H043", f"'{word}' is not a part of the header", word.span,
                help=one_of(word.text, [*_PARTS, *expressions]),
            )  # fmt: skip
        chosen.add(word.text)
    for port, owner in _PORTS.items():
        if port in chosen and owner not in chosen:
            raise args.refuse("H040", f"'{port}' needs '{owner}' beside it")
    http.forwarded = _joined([_PARTS[name] for name in chosen])
    http.words["option forwarded"] = args.keyword.span


def _joined(parts: list[Forwarded]) -> Forwarded:
    return Forwarded(
        proto=any(part.proto for part in parts),
        host=next((part.host for part in parts if part.host), None),
        by=next((part.by for part in parts if part.by), None),
        by_port=next((part.by_port for part in parts if part.by_port), None),
        for_=next((part.for_ for part in parts if part.for_), None),
        for_port=next((part.for_port for part in parts if part.for_port), None),
    )


def _unique_id_header(args: Arguments, context: Context) -> None:
    name = args.word("a header's name").text
    args.end()
    context.settings.http.unique_id_header = name


_ALL = Place.ANY_PROXY
KEYWORDS = (
    Keyword("option forwardfor", _ALL, "[except <network>] [header <name>] [if-none]",
            "Tell servers the client's address.", _forward_for),
    Keyword("option forwarded", _ALL, "[proto] [host] [by] [by_port] [for] [for_port]",
            "Tell servers about the client as RFC 7239 does.", _forwarded, negatable=True,
            since="2.8"),
    Keyword("option originalto", _ALL, "[except <network>] [header <name>]",
            "Tell servers the address that the client meant.", _original_to),
    Keyword("unique-id-header", _ALL, "<name>", "The header that bears the request's unique id.",
            _unique_id_header),
)  # fmt: skip
