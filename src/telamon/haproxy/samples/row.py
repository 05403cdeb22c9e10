"""A fetch or a converter: a row of a table, with the grammar of its arguments.

A signature is written as in the documents: `"index:int delimiters:str [count:int]"`. The words
behind the colons are the kinds below; `a|b|c` is a choice of words. An argument in brackets may be
left out. What reaches the engine is an integer, a text or None (see `arguments.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from telamon.base.frozen import frozen
from telamon.haproxy.samples.stages import Needs
from telamon.haproxy.samples.types import Type

KINDS = {
    "acl": "an ACL's name",
    "argument": "a text for a Python function",
    "asint": "the word 'int'",
    "backend": "a backend's name",
    "base64": "base64 digits or a variable",
    "bits": "a key's size",
    "bool": "true, false, 0 or 1",
    "condition": "a condition of set-var",
    "fields": "field numbers with dots",
    "frontend": "a frontend's name",
    "hex": "hexadecimal digits",
    "index": "an integer that is not 0",
    "int": "an integer",
    "ipv4": "an IPv4 address",
    "ipv6": "an IPv6 address",
    "mapfile": "the path of a map",
    "mask4": "an IPv4 netmask",
    "mask6": "an IPv6 prefix length",
    "jwtkey": "a secret, a variable or the path of a public key",
    "marks": "the bytes that part",
    "method": "a method",
    "number": "an integer or a variable",
    "occurrence": "an integer of at least -10",
    "regex": "a regular expression",
    "regexflags": "'i', 'g' or both",
    "server": "a server's name",
    "shift": "an integer, relative if it has a sign",
    "str": "a text",
    "table": "a stick table's name",
    "userlist": "a userlist's name",
    "var": "a variable's name",
}
"""What an argument may be, for messages."""


@frozen
class Parameter:
    """One argument of a row."""

    name: str
    kind: str
    optional: bool

    @property
    def choices(self) -> tuple[str, ...]:
        """The possible words, of a choice."""
        return tuple(self.kind.split("|")) if self.kind not in KINDS else ()

    @property
    def what(self) -> str:
        return KINDS.get(self.kind) or "one of " + ", ".join(self.choices)


def parameters(signature: str) -> tuple[Parameter, ...]:
    found = []
    for part in signature.split():
        name, _, kind = part.strip("[]").partition(":")
        found.append(Parameter(name, kind, part.startswith("[")))
    return tuple(found)


@dataclass(frozen=True)
class _Row:
    name: str
    signature: str

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        return parameters(self.signature)

    @property
    def shown(self) -> str:
        """The name with its arguments, for documents."""
        required = ",".join(p.name for p in self.parameters if not p.optional)
        for parameter in self.parameters:
            if parameter.optional:
                required += f"[{',' if required else ''}{parameter.name}]"
        return f"{self.name}({required})" if required else self.name


@dataclass(frozen=True)
class Fetch(_Row):
    """A sample fetch. `since` is HAProxy's version, where it is younger than 2.6."""

    output: Type
    needs: Needs
    doc: str = field(compare=False)
    since: str = ""


@dataclass(frozen=True)
class Converter(_Row):
    """A converter: what it takes, what it gives."""

    input: Type
    output: Type
    doc: str = field(compare=False)
    since: str = ""
