"""Commands about maps and lists of ACLs (management guide 9.3, `show map` and its kin).

A set is named by its file or by `#<id>`; an entry by its key, or as `#<ref>` by the first column of
`show map`. `@<ver>` names a version that `prepare` made and `commit` will put in place. Both kinds
of sets take the same commands, whose words differ: the table has a row for each kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from telamon.engine import PatternHit, PatternSetState
from telamon.plan.process import StatsLevel
from telamon.runtime.commands.base import Command, Context, Handler
from telamon.runtime.ports import CommandError

_HEAD = "# id (file) description\n"
_VERSION = re.compile(r"@(\d*)")


@dataclass(frozen=True, slots=True)
class Kind:
    """Maps or ACLs: the command's word, HAProxy's word in answers, and which sets belong."""

    word: str
    name: str
    owns: Callable[[PatternSetState], bool]

    def missing(self, what: str) -> CommandError:
        return CommandError(f"Missing {self.name} identifier{what}.")

    def unknown(self) -> CommandError:
        return CommandError(f"Unknown {self.name} identifier. Please use #<id> or <file>.")


MAP = Kind("map", "map", lambda state: state.is_map)
ACL = Kind("acl", "ACL", lambda state: state.is_acl)

KindHandler = Callable[[Kind, Context, list[str]], str]


def show(kind: Kind, context: Context, words: list[str]) -> str:
    version, words = _version(words)
    if not words and version is None:
        states = context.control.patterns.sets()
        return _HEAD + "".join(_summary(state) for state in states if kind.owns(state))
    state = _find(kind, context, words)
    entries = context.control.patterns.entries(state.number, version)
    return "".join(
        f"0x{entry.id:x} {_text(entry.key)}"
        + (f" {_text(entry.value)}" if entry.value is not None else "")
        + "\n"
        for entry in entries
    )


def _summary(state: PatternSetState) -> str:
    return (
        f"{state.number} ({state.path}) {state.description}. "
        f"curr_ver={state.current} next_ver={state.next} entry_cnt={state.count}\n"
    )


def get(kind: Kind, context: Context, words: list[str]) -> str:
    if len(words) < 2:
        raise kind.missing(" and/or key")
    state = _find(kind, context, words)
    hits = context.control.patterns.look_up(state.number, _bytes(words[1]))
    return "".join(_hit(kind, hit) for hit in hits)


def _hit(kind: Kind, hit: PatternHit) -> str:
    word = "found" if kind is MAP else "match"
    case = "insensitive" if hit.ignore_case else "sensitive"
    text = f"type={hit.method}, case={case}, {word}={'no' if hit.key is None else 'yes'}"
    if hit.key is not None:
        index = "tree" if hit.tree else "list"
        name = "key" if kind is MAP else "pattern"
        text += f', idx={index}, {name}="{_text(hit.key)}"'
        if kind is MAP:
            text += _value(hit.value)
    return text + "\n"


def _value(value: tuple[bytes, str] | None) -> str:
    return f', value="{_text(value[0])}", type="{value[1]}"' if value else ", value=none"


def add_map(kind: Kind, context: Context, words: list[str]) -> str:
    version, words = _version(words)
    payload = context.payload
    if len(words) < (1 if payload is not None else 3):
        raise CommandError(
            "'add map' expects three parameters (map identifier, key and value) "
            "or one parameter (map identifier) and a payload"
        )
    state = _find(kind, context, words)
    if payload is None:
        _add(kind, context, state, version, words[1], words[2])
        return ""
    for line in payload:
        key, blank, value = line.replace("\t", " ").partition(" ")
        if not blank or not value.lstrip(" "):
            raise CommandError(f"Missing value for key '{key}'.")
        _add(kind, context, state, version, key, value.lstrip(" "))
    return ""


def add_acl(kind: Kind, context: Context, words: list[str]) -> str:
    version, words = _version(words)
    if len(words) < 2:
        raise CommandError("'add acl' expects two parameters: ACL identifier and pattern.")
    state = _find(kind, context, words)
    if state.is_map:
        raise CommandError(
            "This ACL is shared with a map containing samples. You must use the command "
            "'add map' to add values."
        )
    _add(kind, context, state, version, words[1], None)
    return ""


def _add(
    kind: Kind,
    context: Context,
    state: PatternSetState,
    version: int | None,
    key: str,
    value: str | None,
) -> None:
    taken = _bytes(value) if value is not None else None
    try:
        context.control.patterns.add(state.number, version, _bytes(key), taken)
    except IndexError:
        raise CommandError(
            f"Version number in the future, please use 'prepare {kind.word}' before."
        ) from None
    except ValueError as error:
        raise CommandError(str(error)) from None


def change(kind: Kind, context: Context, words: list[str]) -> str:
    if len(words) < 3:
        raise CommandError("'set map' expects three parameters: map identifier, key and value.")
    state = _find(kind, context, words)
    id = _reference(words[1])
    try:
        count = context.control.patterns.change(
            state.number, _bytes(words[1]), id, _bytes(words[2])
        )
    except ValueError as error:
        raise CommandError(str(error)) from None
    if not count:
        raise CommandError("entry not found." if id is None else "key or pattern not found.")
    return ""


def remove(kind: Kind, context: Context, words: list[str]) -> str:
    if len(words) < 2:
        raise CommandError(f"This command expects two parameters: {kind.name} identifier and key.")
    try:
        state = _find(kind, context, words)
    except CommandError:
        raise MAP.unknown() from None  # HAProxy's word here, for ACLs too.
    patterns = context.control.patterns
    if not patterns.remove(state.number, _bytes(words[1]), _reference(words[1])):
        raise CommandError("Key not found.")
    return ""


def clear(kind: Kind, context: Context, words: list[str]) -> str:
    version, words = _version(words)
    if not words:
        raise kind.missing("")
    context.control.patterns.clear(_find(kind, context, words).number, version)
    return ""


def prepare(kind: Kind, context: Context, words: list[str]) -> str:
    state = _find(kind, context, words)
    return f"New version created: {context.control.patterns.prepare(state.number)}\n"


def commit(kind: Kind, context: Context, words: list[str]) -> str:
    version, words = _version(words)
    if version is None:
        raise CommandError("Missing version number.")
    if not words:
        raise kind.missing("")
    state = _find(kind, context, words)
    if not context.control.patterns.commit(state.number, version):
        raise CommandError("Version number out of range.")
    return ""


def _version(words: list[str]) -> tuple[int | None, list[str]]:
    """`@<ver>` before the identifier; what is no number counts as 0 (C's strtoul)."""
    match = _VERSION.match(words[0]) if words else None
    if match is None:
        return None, words
    return int(match[1] or "0") & 0xFFFFFFFF, words[1:]


def _find(kind: Kind, context: Context, words: list[str]) -> PatternSetState:
    name = words[0] if words else ""
    for state in context.control.patterns.sets():
        if kind.owns(state) and name and name in (f"#{state.number}", state.path):
            return state
    raise kind.unknown()


def _reference(word: str) -> int | None:
    """`#0x...` names one entry; another word is a key."""
    try:
        return int(word[1:], 16) if word.startswith("#") else None
    except ValueError:
        return None


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _text(data: bytes) -> str:
    return data.decode(errors="surrogateescape")


def _row(
    kind: Kind, verb: str, arguments: str, meaning: str, handler: KindHandler, *, read: bool = False
) -> Command:
    bound: Handler = lambda context, words: handler(kind, context, words)  # noqa: E731
    level = StatsLevel.USER if read else StatsLevel.OPERATOR
    return Command(f"{verb} {kind.word}", arguments, meaning, bound, level)


def _rows(kind: Kind) -> tuple[Command, ...]:
    word, named, versioned = kind.word, f"<{kind.word}>", f"[@<ver>] <{kind.word}>"
    entry = f"{named} [<key>|#<ref>]"
    return (
        _row(
            kind, "show", f"[[@<ver>] <{word}>]", f"list the {word}s or dump one", show, read=True
        ),
        _row(kind, "get", f"{named} <value>", f"look a value up in this {word}", get, read=True),
        _row(kind, "del", entry, f"remove entries of this {word}", remove),
        _row(kind, "clear", versioned, f"remove all entries of this {word}", clear),
        _row(kind, "prepare", named, f"begin a new version of this {word}", prepare),
        _row(kind, "commit", f"@<ver> {named}", f"put a version of this {word} in place", commit),
    )


COMMANDS = (
    *_rows(MAP),
    *_rows(ACL),
    _row(MAP, "add", "[@<ver>] <map> <key> <value>|<payload>", "add to this map", add_map),
    _row(ACL, "add", "[@<ver>] <acl> <pattern>", "add to this acl", add_acl),
    _row(MAP, "set", "<map> [<key>|#<ref>] <value>", "change a value of this map", change),
)
