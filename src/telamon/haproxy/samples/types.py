"""Types of samples, what becomes what, and how each is matched by default (manual 7.1, 7.3)."""

from __future__ import annotations

from enum import StrEnum

from telamon.plan.rules import Match


class Type(StrEnum):
    """A sample's type. `SAME` is a converter's output that is its input's type."""

    ANY = "any"
    SAME = "same"
    BOOL = "bool"
    INT = "int"
    ADDR = "address"
    IPV4 = "ipv4"
    IPV6 = "ipv6"
    STR = "str"
    BIN = "bin"
    METH = "method"


_ADDRESSES = (Type.ADDR, Type.IPV4, Type.IPV6)

# What a value of the type on the left may be given to, besides its own type and `any`. Found out by
# asking HAProxy for each pair ("converter cannot be applied"). ADDR is what converters take that
# want an address; as the type of a value, which `map_*_ip` alone gives, it fits nowhere.
_CASTS: dict[Type, tuple[Type, ...]] = {
    Type.ANY: tuple(Type),
    Type.BOOL: (Type.INT, Type.STR, Type.BIN),
    Type.INT: (Type.BOOL, *_ADDRESSES, Type.STR, Type.BIN),
    Type.ADDR: (),
    Type.IPV4: (Type.INT, *_ADDRESSES, Type.STR, Type.BIN),
    Type.IPV6: (*_ADDRESSES, Type.STR, Type.BIN),
    Type.STR: (Type.BOOL, Type.INT, *_ADDRESSES, Type.BIN, Type.METH),
    Type.BIN: (Type.STR, Type.METH),
    Type.METH: (Type.STR, Type.BIN),
}


def castable(value: Type, wanted: Type) -> bool:
    if wanted in (Type.ANY, Type.SAME):
        return True
    return (wanted is value and value is not Type.ADDR) or wanted in _CASTS[value]


# The manual says that strings need `-m`; HAProxy compares them whole without it.
_DEFAULT_MATCHES = {
    Type.BOOL: Match.BOOL,
    Type.INT: Match.INT,
    Type.ADDR: Match.IP,
    Type.IPV4: Match.IP,
    Type.IPV6: Match.IP,
    Type.STR: Match.STR,
}


_COMPARED = {
    Match.FOUND: Type.ANY,
    Match.BOOL: Type.INT,
    Match.INT: Type.INT,
    Match.IP: Type.ADDR,
    Match.BIN: Type.BIN,
}
"""What a match method compares; all others compare strings."""


def comparable(value: Type, match: Match) -> bool:
    """Whether a value can be compared by this method."""
    return castable(value, _COMPARED.get(match, Type.STR))


def default_match(value: Type) -> Match | None:
    """How a value is matched if nothing else is said; None: `-m` must say it."""
    return _DEFAULT_MATCHES.get(value)
