"""-dK: the words that this program knows, from the tables that carry them out."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from telamon.haproxy.keywords.index import KEYWORDS
from telamon.haproxy.keywords.sections import PLACES
from telamon.haproxy.keywords.server import SERVER_OPTIONS
from telamon.haproxy.samples import index as samples
from telamon.haproxy.samples import missing
from telamon.runtime.commands.index import COMMANDS


def _configuration() -> Iterable[str]:
    for title, place in PLACES.items():
        yield f"# {title}"
        for row in KEYWORDS:
            if row.places & place:
                yield f"\t{row.name} {row.grammar}".rstrip()


def _fetches() -> Iterable[str]:
    for fetch in sorted(samples.FETCHES, key=lambda row: row.name):
        if fetch.name not in missing.FETCHES:
            yield f"\t{fetch.shown}: {fetch.output}"


def _converters() -> Iterable[str]:
    for converter in sorted(samples.CONVERTERS, key=lambda row: row.name):
        if converter.name not in missing.CONVERTERS:
            yield f"\t{converter.shown}: {converter.input} => {converter.output}"


CLASSES: dict[str, tuple[str, Callable[[], Iterable[str]]]] = {
    "acl": ("ACL keywords", lambda: (f"\t{name}" for name in sorted(samples.CRITERIA))),
    "cfg": ("configuration keywords", _configuration),
    "cli": ("CLI keywords", lambda: (f"\t{command.usage}" for command in COMMANDS)),
    "cnv": ("sample converter keywords", _converters),
    "flt": ("filter names", lambda: ()),
    "smp": ("sample fetch functions", _fetches),
    "srv": (
        "server keywords",
        lambda: (f"\t{o.name} {o.grammar}".rstrip() for o in SERVER_OPTIONS),
    ),
    "svc": ("service names", lambda: ()),
}


def dump_keywords(wanted: str) -> str:
    """`wanted`: classes with commas between them, `all`, or anything else for a list of them."""
    names = list(CLASSES) if "all" in wanted.split(",") else wanted.split(",")
    if any(name not in CLASSES for name in names):
        lines = [f"{name}: {CLASSES[name][0]}" for name in CLASSES]
        return "\n".join(["List of supported keyword classes:", "all: all of them", *lines, ""])
    out = []
    for name in names:
        title, words = CLASSES[name]
        out += [f"# List of registered {title}:", *words()]
    return "\n".join([*out, ""])
