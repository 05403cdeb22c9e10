"""`redirect` (manual 4.2): where to, with which status, and what else."""

from __future__ import annotations

from telamon.haproxy.actions.row import RuleWords
from telamon.haproxy.formats import read_format
from telamon.haproxy.keywords.row import one_of
from telamon.plan.rules import Format

_KINDS = ("location", "prefix", "scheme")
_FLAGS = ("drop-query", "keep-query", "append-slash", "ignore-empty")
_COOKIES = ("set-cookie", "clear-cookie")
_ALL = (*_KINDS, *_FLAGS, *_COOKIES, "set-cookie-fmt", "code")
_CODES = {str(code): code for code in (301, 302, 303, 307, 308)}


def read_redirect(rule: RuleWords) -> None:
    args = rule.args
    kind, target, code = "", None, 302
    options: list[str] = []
    cookie: Format | None = None
    while (word := args.peek()) is not None and word.text not in ("if", "unless"):
        args.optional()
        if word.text in _KINDS:
            kind, target = word.text, args.word(f"a {word}")
        elif word.text == "code":
            code = args.choice("a status of a redirect", _CODES)
        elif word.text in _FLAGS:
            options.append(word.text)
        elif word.text in _COOKIES:
            options.append(f"{word} {args.word('a cookie')}")
        elif word.text == "set-cookie-fmt":
            options.append(word.text)
            cookie = read_format(args.word("a cookie"), rule.scope)
        else:
            raise args.refuse(
                "H043", f"'{word}' is no word of a redirect", word.span,
                help=one_of(word.text, _ALL),
            )  # fmt: skip
    if target is None:
        raise args.refuse(
            "H040", f"'{args.keyword}' needs 'location', 'prefix' or 'scheme'", args.keyword.span
        )
    rule.arguments += [kind, code, *options]
    rule.formats.append(read_format(target, rule.scope))
    if cookie is not None:
        rule.formats.append(cookie)
