"""The form of a keyword's row: all that is known of one word of the language.

A keyword is one row in one family module. Whether Telamon carries it out is the row's `mark`;
nothing else decides it, so the day a room learns to do it one word changes here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from telamon.keepalived.syntax import Statement

if TYPE_CHECKING:
    from telamon.keepalived.reading import Reading


class Block(StrEnum):
    """Where a keyword may stand, as users write it."""

    TOP = "the top level"
    GLOBAL = "global_defs"
    SCRIPT = "vrrp_script"
    FILE = "track_file"
    PROCESS = "vrrp_track_process"
    BFD = "bfd_instance"
    INSTANCE = "vrrp_instance"
    AUTHENTICATION = "authentication"
    HMAC = "auth_hmac"
    GROUP = "vrrp_sync_group"
    TRACK_PROXY = "track_proxy"
    TRACK_BACKEND = "track_backend"
    TRACK_GROUP = "track_group"
    GARP_GROUP = "garp_group"
    VIRTUAL_SERVER = "virtual_server"
    REAL_SERVER = "real_server"
    CHECKER = "a checker"
    URL = "url"
    SSL = "SSL"


class Mark(StrEnum):
    """What Telamon does with a keyword."""

    CARRIED_OUT = "carried out"
    NOTED = "noted"
    """Loads; has no meaning here or is served in another way; one line says which."""
    NOT_YET = "not yet"
    """Read and put into the plan, but not carried out; a warning says so."""
    REFUSED_YET = "refused for now"
    """As NOT_YET, but what runs without it would be wrong: an error."""
    REFUSED = "refused"
    """Will not be carried out: an error says what to use."""


Reader = Callable[["Reading", Statement, Any], None]
"""Puts what a statement says into the model's node."""


@dataclass(frozen=True, slots=True)
class Keyword:
    """One row.

    `blocks`: where it is legal. `arguments`: how the man page would write them. `opens`: the
    block that its braces hold. `old`: spellings of former versions, each with the same meaning.
    `meaning`: what the mark's message tells the user. `least`: how many arguments it needs.
    `since`: the Keepalived version that brought it, where that is later than 2.2.7.
    """

    name: str
    blocks: tuple[Block, ...]
    arguments: str
    mark: Mark
    documentation: str
    read: Reader | None = None
    opens: Block | None = None
    old: tuple[str, ...] = ()
    meaning: str = ""
    least: int = 0
    since: str = ""
