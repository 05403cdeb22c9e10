"""`if` and `unless` behind a rule (manual 7.2).

    { if | unless } [!]acl [!]acl ... { or [!]acl ... }      acl := name | { criterion pattern ... }

An empty alternative never holds; HAProxy takes it in silence.
"""

from __future__ import annotations

from telamon.base.diagnostic import nearest
from telamon.haproxy.acls import declare, find_acl, read_tests
from telamon.haproxy.keywords.row import Arguments
from telamon.haproxy.lexer import Word
from telamon.haproxy.samples.index import FETCH
from telamon.haproxy.samples.predefined import PREDEFINED
from telamon.haproxy.samples.stages import possible
from telamon.haproxy.scope import Scope
from telamon.haproxy.scripts import check_acl
from telamon.haproxy.spots import Mistake
from telamon.plan.rules import Condition, Conjunction, Term

_OR = frozenset({"or", "||"})


def read_condition(args: Arguments, scope: Scope, *, required: bool = False) -> Condition | None:
    """The rest of the words as a condition; None where there is none."""
    word = args.optional()
    if word is None:
        if required:
            raise scope.refuse(
                "H040", f"'{args.keyword}' needs a condition", args.keyword.span,
                help="add `if` or `unless`, and an ACL",
            )  # fmt: skip
        return None
    if word.text not in ("if", "unless"):
        raise scope.refuse(
            "H043", f"'{word}' cannot follow here", word.span,
            help="a rule ends, or goes on with `if` or `unless`",
        )  # fmt: skip
    return Condition(_alternatives(args, scope.on(word)), unless=word.text == "unless")


def _alternatives(args: Arguments, scope: Scope) -> tuple[Conjunction, ...]:
    found: list[list[Term]] = [[]]
    negated = False
    while (word := args.optional()) is not None:
        if word.text in _OR and not negated:
            found.append([])
            continue
        name = word.text.lstrip("!")
        negated ^= (len(word.text) - len(name)) % 2 == 1
        if not name:
            continue
        found[-1].append(Term(_acl(name, word, args, scope.on(word)), negated))
        negated = False
    return tuple(Conjunction(tuple(terms)) for terms in found if terms)


def _acl(name: str, word: Word, args: Arguments, scope: Scope) -> int:
    if name == "{":
        place = declare("", scope, read_tests(_braced(word, args, scope), scope))
    else:
        known = find_acl(name, scope)
        if known is None:
            near = nearest(name, [*scope.rules.names, *PREDEFINED])
            raise scope.refuse(
                "H105", f"there is no ACL '{name}'", word.span,
                help=f"did you mean '{near}'?" if near else "declare it above with `acl`",
            )  # fmt: skip
        place = known
    try:
        check_acl(scope.rules.acls[place], name, scope, 0, len(word.text))
    except Mistake as mistake:
        raise scope.on(word).mistaken(mistake) from None
    _warn_of_stage(place, word, scope)
    return place


def _braced(opening: Word, args: Arguments, scope: Scope) -> list[Word]:
    words: list[Word] = []
    while (word := args.optional()) is not None:
        if word.text == "}":
            if words:
                return words
            raise scope.refuse("H100", "an ACL is missing between the braces", word.span)
        words.append(word)
    raise scope.refuse(
        "H105", "this brace is never closed", opening.span,
        help="braces are words of their own, with blanks on both sides",
    )  # fmt: skip


def _warn_of_stage(place: int, word: Word, scope: Scope) -> None:
    """HAProxy lets pass, with a warning, what can never be fetched here."""
    for test in scope.rules.acls[place].tests if scope.stages else ():
        row = FETCH.get(test.expression.fetch.name)
        if row is not None and not possible(row.needs, scope.stages):
            scope.context.report.warning(
                "H101", f"this ACL never matches: '{row.name}' needs {row.needs.text}, which is "
                f"not there in a {scope.stages[0].text}", word.span,
            )  # fmt: skip
            return
