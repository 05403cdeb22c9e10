"""The sets of patterns that rules look up, as the stats socket shows and changes them."""

from __future__ import annotations

from dataclasses import dataclass

from telamon import _engine


@dataclass(frozen=True, slots=True)
class PatternSetState:
    """A set of patterns, `#number` on the stats socket; `path` is empty for an ACL's own line.

    `description` says who uses it. `current` is the version that is looked at, `next` the newest
    one that was prepared; `count` has the entries of all, times the ways they are looked up.
    """

    number: int
    path: str
    is_acl: bool
    is_map: bool
    description: str
    current: int
    next: int
    count: int


@dataclass(frozen=True, slots=True)
class PatternEntry:
    """One line of a set; `id` is unique in the process. A plain pattern's value is None."""

    id: int
    key: bytes
    value: bytes | None


@dataclass(frozen=True, slots=True)
class PatternHit:
    """What one way of looking up found: the entry's key, its value as (text, type)."""

    method: str
    ignore_case: bool
    tree: bool
    key: bytes | None
    value: tuple[bytes, str] | None


class Patterns:
    """The sets of patterns and maps of a running data plane; changes hold from the next look-up.

    `version` None means the one that is looked at. All raise KeyError for an unknown set.
    """

    def __init__(self, inner: _engine.PatternSets | None = None) -> None:
        """Without `inner`: no sets at all."""
        self._inner = inner or _engine.PatternSets()

    def sets(self) -> list[PatternSetState]:
        """Those that ACLs or maps use, by number."""
        return [PatternSetState(*state) for state in self._inner.sets()]

    def entries(self, number: int, version: int | None = None) -> list[PatternEntry]:
        """In the order in which they came."""
        return [PatternEntry(*entry) for entry in self._inner.entries(number, version)]

    def look_up(self, number: int, text: bytes) -> list[PatternHit]:
        """One for each way in which expressions look the set up."""
        return [PatternHit(*hit) for hit in self._inner.look_up(number, text)]

    def add(self, number: int, version: int | None, key: bytes, value: bytes | None) -> None:
        """IndexError: the version was not prepared. ValueError: an expression cannot take it."""
        self._inner.add(number, version, key, value)

    def change(self, number: int, key: bytes, id: int | None, value: bytes) -> int:
        """By key, or by id where there is one; how many were changed. ValueError as in `add`."""
        return self._inner.change(number, key, id, value)

    def remove(self, number: int, key: bytes, id: int | None) -> int:
        """By key, or by id where there is one; how many were removed."""
        return self._inner.remove(number, key, id)

    def clear(self, number: int, version: int | None) -> None:
        """Remove all entries of a version."""
        self._inner.clear(number, version)

    def prepare(self, number: int) -> int:
        """The number of a new version."""
        return self._inner.prepare(number)

    def commit(self, number: int, version: int) -> bool:
        """Look at this version from now on; False if it is not one to come."""
        return self._inner.commit(number, version)
