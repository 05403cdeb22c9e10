"""-dC: the configuration as it was read, without comments and with its variables filled in.

With a key it may be shown to strangers: every word that is not the language's own (names,
addresses, paths) is hashed with the key, so that equal words stay equal, and a
line ends where a secret would begin. The hashes are not those of HAProxy's `set anon`.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence

from telamon.base.diagnostic import Report
from telamon.haproxy.environment import Environment
from telamon.haproxy.files import expand_paths, read_sources
from telamon.haproxy.keywords.index import FAMILIES
from telamon.haproxy.keywords.sections import SECTIONS
from telamon.haproxy.lexer import Word
from telamon.haproxy.reader import Reader
from telamon.haproxy.samples.index import CONVERTER, FETCH
from telamon.haproxy.syntax import parse

_SECRET = (("setenv",), ("presetenv",), ("password",), ("user",), ("insecure-password",),
           ("stats", "auth"), ("cookie-key",), ("dynamic-cookie-key",), ("crt",))  # fmt: skip
"""What follows these words is left out."""
_LEFT_OUT = "[...]"

_SPACE = re.compile(r"[\s#\"'\\$]")
_PLAIN_NUMBER = re.compile(r"\d{1,6}(us|ms|s|m|h|d|k|K|%)?\Z")
_PART = re.compile(r"[A-Za-z0-9_.%-]+")
_NAME = re.compile(r"[a-z][a-z0-9_.-]*")

_COMMON = """
if unless or path path_beg path_end path_reg hdr server check inter fall rise weight maxconn cookie
backup mode http tcp name level admin operator user
"""

Show = Callable[[str], str]


def dump_configuration(files: Sequence[str], key: str) -> str:
    """The files' lines; `key` empty or 0: as they are. Mistakes in them are told elsewhere."""
    show = _hashed(key) if key.strip("0") else _quoted
    report, found = Report(), expand_paths(files, Report())
    read: list[list[Word]] = []
    reader = Reader(Environment(os.environ, found), report, watch=read.append)
    sources, _ = read_sources(found, Report())
    for source in sources:
        reader.read(parse(source))
    lines = _lines(read, show, secret=show is not _quoted)
    return "".join(f"{line}\n" for line in lines)


def _lines(read: list[list[Word]], show: Show, *, secret: bool) -> Iterator[str]:
    for at, statement in enumerate(read):
        words = [word.text for word in statement]
        if words[0] in SECTIONS:
            if at:
                yield ""
            yield " ".join([words[0], *map(show, words[1:])])
            continue
        kept = _without_secrets(words) if secret else words
        yield "\t" + " ".join([kept[0], *map(show, kept[1:])])


def _without_secrets(words: list[str]) -> list[str]:
    for at in range(len(words)):
        for secret in _SECRET:
            if tuple(words[at : at + len(secret)]) == secret:
                return [*words[: at + len(secret)], _LEFT_OUT]
    return words


def _quoted(word: str) -> str:
    """As it must be written to be read again as this word (manual 2.2)."""
    if word and not _SPACE.search(word):
        return word
    return "'" + word.replace("'", "'\\''") + "'"


def _vocabulary() -> frozenset[str]:
    """The language's own words: those of its tables, and of the syntax that they show."""
    words = {*FETCH, *CONVERTER}
    for family in FAMILIES:
        for row in family.KEYWORDS:
            words.update(row.name.split(), _NAME.findall(row.grammar))
    return frozenset(words | set(_COMMON.split()))


def _hashed(key: str) -> Show:
    known = _vocabulary()

    def digest(found: re.Match[str]) -> str:
        part = found[0]
        if part in known or _PLAIN_NUMBER.match(part):
            return part
        made = hashlib.blake2b(part.encode("utf-8", "surrogateescape"), digest_size=3,
                               key=key.encode()[:64])  # fmt: skip
        return made.hexdigest()

    return lambda word: word if word == _LEFT_OUT else _quoted(_PART.sub(digest, word))
