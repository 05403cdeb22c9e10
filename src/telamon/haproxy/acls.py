"""ACLs: a criterion, flags, patterns (manual 7.1).

    <criterion> [-i] [-n] [-m <method>] [-M] [-f <file>] [-u <id>] [--] [<operator>] <pattern> ...

The tests of one ACL are alternatives, and so are the lines that bear one name. A line becomes
several tests only where `-i` stands between its files, since it counts from there on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from telamon.base.diagnostic import nearest
from telamon.haproxy.expressions import Sampled, read_sample
from telamon.haproxy.lexer import Word
from telamon.haproxy.pattern_files import named_file, new_place
from telamon.haproxy.patterns import read_patterns
from telamon.haproxy.rule_model import AclDraft, PatternFile, Reference
from telamon.haproxy.samples.predefined import PREDEFINED
from telamon.haproxy.samples.types import Type, comparable, default_match
from telamon.haproxy.scope import Scope
from telamon.haproxy.scripts import check_acl
from telamon.haproxy.spots import Mistake, part
from telamon.plan.rules import Call, Match, Test

_METHODS = {match.value: match for match in Match}
_WITHOUT_PATTERNS = frozenset({Match.FOUND, Match.BOOL})


def find_acl(name: str, scope: Scope) -> int | None:
    """The place of a named ACL in its section; a predefined one is added when first named."""
    rules = scope.rules
    if name not in rules.names and name in PREDEFINED:
        # Its words stand nowhere in the file: whatever there is to say is said of the name.
        words = [Word(text, scope.word.span) for text in PREDEFINED[name].split(" ")]
        declare(name, scope, read_tests(words, scope))
    return rules.names.get(name)


def declare(name: str, scope: Scope, tests: list[Test]) -> int:
    """Adds tests to the ACL of that name; an empty name makes an anonymous one."""
    rules = scope.rules
    place = rules.names.get(name) if name else None
    if place is None:
        place = len(rules.acls)
        rules.acls.append(AclDraft(name, scope.word.span))
        if name:
            rules.names[name] = place
    acl = rules.acls[place]
    acl.tests.extend(tests)
    if acl.hasty:
        # A rule above has it, and did not know of the calls in this line.
        try:
            check_acl(acl, name, scope.within_haste(), 0, len(scope.word.text))
        except Mistake as mistake:
            raise scope.mistaken(mistake) from None
    return place


def read_tests(words: list[Word], scope: Scope) -> list[Test]:
    """The tests that the words behind an ACL's name (or in braces) write."""
    criterion, *rest = words
    scope = scope.on(criterion).within(())
    sampled = _criterion(scope)
    flags = _Flags(sampled.criterion.match if sampled.criterion else default_match(sampled.output))
    reader = _Words(rest)
    while (word := reader.flag()) is not None:
        _FLAGS[word.text](word, reader, flags, scope)
    if sampled.expression.fetch.name == "http_auth_group":
        return _group_tests(flags, sampled, reader.rest(), scope)
    _check_method(flags, sampled, scope)
    assert flags.match is not None
    return _tests(flags, flags.match, sampled, reader.rest(), scope)


def _criterion(scope: Scope) -> Sampled:
    text = scope.word.text
    try:
        sampled = read_sample(scope, 0, criteria=True)
    except Mistake as mistake:
        raise scope.mistaken(mistake) from None
    if sampled.end < len(text):
        raise scope.mistaken(
            Mistake(f"'{text[sampled.end :]}' cannot follow here", sampled.end, len(text))
        )
    return sampled


@dataclass(slots=True)
class _Flags:
    """What the flags of one line say; `said`: the match method too. `files` are those read, each
    with the `-i` before it."""

    match: Match | None
    said: bool = False
    ignore_case: bool = False
    resolve: bool = True
    is_map: bool = False
    ended: bool = False
    id: int | None = None
    files: list[tuple[PatternFile, bool]] = field(default_factory=list)


class _Words:
    """The words behind a criterion; flags end at `--` or at the first word without a dash."""

    def __init__(self, words: list[Word]) -> None:
        self._words = words
        self._at = 0
        self._open = True

    def flag(self) -> Word | None:
        if self._at >= len(self._words) or not self._open:
            return None
        word = self._words[self._at]
        if not word.text.startswith("-") or word.text == "-":
            return None
        self._at += 1
        self._open = word.text != "--"
        return word if word.text in _FLAGS else Word("", word.span)

    def value(self) -> Word | None:
        self._at += 1
        return self._words[self._at - 1] if self._at <= len(self._words) else None

    def rest(self) -> list[Word]:
        return self._words[self._at :]


def _unknown(word: Word, _: _Words, __: _Flags, scope: Scope) -> None:
    text = part(word, 0, 0).source.line(word.span.line)[word.span.column - 1 : word.span.end - 1]
    raise scope.refuse(
        "H043", f"'{text}' is no flag of an ACL", word.span,
        help="put `--` before a pattern that begins with a dash",
    )  # fmt: skip


def _ignore_case(_: Word, __: _Words, flags: _Flags, ___: Scope) -> None:
    flags.ignore_case = True


def _no_resolution(_: Word, __: _Words, flags: _Flags, ___: Scope) -> None:
    flags.resolve = False


def _method(word: Word, words: _Words, flags: _Flags, scope: Scope) -> None:
    value = words.value()
    if value is None or value.text not in _METHODS:
        near = nearest(value.text, _METHODS) if value else None
        raise scope.refuse(
            "H043", f"'{value}' is no match method" if value else "'-m' needs a match method",
            (value or word).span,
            help=f"did you mean '{near}'?" if near else f"one of {', '.join(_METHODS)}",
        )  # fmt: skip
    if flags.files:
        raise scope.refuse("H043", "'-m' comes before '-f'", word.span, help="put it first")
    flags.match, flags.said = _METHODS[value.text], True


def _map(_: Word, __: _Words, flags: _Flags, ___: Scope) -> None:
    flags.is_map = True


def _file(word: Word, words: _Words, flags: _Flags, scope: Scope) -> None:
    value = words.value()
    if value is None:
        raise scope.refuse("H040", "'-f' needs the path of a file", word.span)
    file = named_file(value.text, scope, value.span, is_map=flags.is_map, is_acl=True)
    flags.files.append((file, flags.ignore_case))


def _id(word: Word, words: _Words, flags: _Flags, scope: Scope) -> None:
    value = words.value()
    if value is None or not value.text.isascii() or not value.text.isdigit():
        raise scope.refuse("H042", "'-u' needs a number", (value or word).span)
    flags.id = int(value.text)
    if not 0 < flags.id < 1 << 31 or flags.id in scope.context.model.pattern_ids:
        raise scope.refuse(
            "H042", f"the id {flags.id} is taken or out of range", value.span,
            help="each ACL's id is its own, from 1 to 2147483647",
        )  # fmt: skip


def _end(_: Word, __: _Words, flags: _Flags, ___: Scope) -> None:
    flags.ended = True


_FLAGS: dict[str, Callable[[Word, _Words, _Flags, Scope], None]] = {
    "": _unknown,
    "-i": _ignore_case,
    "-n": _no_resolution,
    "-m": _method,
    "-M": _map,
    "-f": _file,
    "-u": _id,
    "--": _end,
}


def _check_method(flags: _Flags, sampled: Sampled, scope: Scope) -> None:
    if flags.match is None:
        raise scope.refuse(
            "H102", f"'{scope.word}' gives {_KINDS.get(sampled.output, 'data')}: how it is to be "
            "compared must be said", scope.word.span,
            help="add for example `-m str`, `-m beg` or `-m found` behind it",
        )  # fmt: skip
    if flags.said and not comparable(sampled.output, flags.match):
        raise scope.refuse(
            "H102", f"'{scope.word}' gives {_KINDS.get(sampled.output, 'another type')}, which "
            f"`-m {flags.match}` does not compare", scope.word.span,
        )  # fmt: skip


_KINDS = {
    Type.ADDR: "an address", Type.ANY: "any type", Type.BIN: "binary data",
    Type.BOOL: "a boolean", Type.IPV4: "an IPv4 address", Type.IPV6: "an IPv6 address",
    Type.INT: "an integer", Type.METH: "a method", Type.STR: "a string",
}  # fmt: skip


def _group_tests(flags: _Flags, sampled: Sampled, words: list[Word], scope: Scope) -> list[Test]:
    """`http_auth_group`: the user's groups are compared with names of groups, in no other way
    (manual 7.3.6). The second argument tells the engine to give the groups."""
    if flags.said or flags.files or flags.ignore_case or sampled.expression.converters or not words:
        raise scope.refuse(
            "H043", "'http_auth_group' is compared with names of groups", scope.word.span,
            help="write them behind it, without flags and converters; other ways need a variable",
        )  # fmt: skip
    fetch = sampled.expression.fetch
    users = str(fetch.arguments[0])
    for word in words:
        scope.context.model.references.append(Reference("group", word.text, word.span, users))
    call = Call(fetch.name, (users, "groups"))
    plain = replace(sampled, expression=replace(sampled.expression, fetch=call))
    return _tests(_Flags(Match.STR, id=flags.id), Match.STR, plain, words, scope)


def _tests(
    flags: _Flags, match: Match, sampled: Sampled, words: list[Word], scope: Scope
) -> list[Test]:
    patterns = _patterns(flags, match, sampled, words, scope)
    if not patterns and not flags.files and match not in _WITHOUT_PATTERNS and not flags.ended:
        scope.context.report.warning(
            "H104", f"'{scope.word}' has no pattern to be compared with: it never matches",
            scope.word.span,
            help="use `-m found` to ask whether it is there; `--` says that this is meant",
        )  # fmt: skip
    place = f"{scope.word.span.source.name}:{scope.word.span.line}"
    groups: dict[bool, list[int]] = {flags.ignore_case: []}
    for file, ignore_case in flags.files:
        groups.setdefault(ignore_case, []).append(file.id)
    tests = [
        Test(sampled.expression, match, ignore_case, (), tuple(sets), place)
        for ignore_case, sets in groups.items()
        if sets or ignore_case is flags.ignore_case
    ]
    # The first group is that of the line's own patterns.
    criterion = scope.word.text.partition("(")[0].partition(",")[0]
    number = new_place(scope, flags.id)
    tests[0] = replace(tests[0], patterns=patterns, number=number, name=criterion)
    return tests


def _patterns(
    flags: _Flags, match: Match, sampled: Sampled, words: list[Word], scope: Scope
) -> tuple[str, ...]:
    dotted = sampled.expression.fetch.name == "req.ssl_ver"
    try:
        if match in (Match.INT, Match.LEN):
            return read_patterns(match, [w.text for w in words], resolve=False, dotted=dotted)
    except Mistake as mistake:
        wrong = next((w for w in words if str(mistake).startswith(f"'{w.text}'")), scope.word)
        raise scope.on(wrong).mistaken(mistake) from None
    found: list[str] = []
    for word in words:
        try:
            found += read_patterns(match, [word.text], resolve=flags.resolve, dotted=False)
        except Mistake as mistake:
            raise scope.on(word).mistaken(mistake) from None
    return tuple(found)
