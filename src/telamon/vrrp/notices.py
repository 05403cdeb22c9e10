"""Disagreements between nodes, each with a name.

Keepalived shows most of them as one line in the log or not at all, and both nodes are master
meanwhile. Here each is a value: which kind, which peer, what differs, and the configuration line
that would end it. A notice is given once for each peer and kind, and again when what it says
changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from telamon.base.address import IPAddress
from telamon.vrrp.events import Instant


class NoticeKind(StrEnum):
    """What two nodes disagree about. The values are stable: status and metrics carry them."""

    MALFORMED = "malformed"
    VERSION = "version"
    INTERVAL = "interval"
    AUTHENTICATION = "authentication"
    SIGNATURE = "signature"
    REPLAY = "replay"
    ADDRESS_LIST = "address-list"
    FOREIGN_CLUSTER = "foreign-cluster"
    CHECKSUM = "checksum"
    CHECKSUM_FORM = "checksum-form"
    TRANSPORT = "transport"
    UNKNOWN_PEER = "unknown-peer"
    TTL = "ttl"
    OWN_ADDRESS = "own-address"
    TWO_MASTERS = "two-masters"


@dataclass(frozen=True, slots=True)
class Notice:
    """`peer` differs from `instance` in `kind`.

    `text` says what is seen, for people; `mend` is what to write in the configuration (empty
    where there is nothing to write). `harmless`: nothing is refused because of it.
    """

    kind: NoticeKind
    instance: str
    peer: IPAddress
    text: str
    mend: str = ""
    harmless: bool = False


_AT_MOST = 256
"""Peers and kinds remembered: a flood of invented senders must not fill the memory or the log."""
_QUIET = 1.0
_FORGOTTEN = 60.0


class NoticeBook:
    """Remembers what was said, so that it is said once for each peer and kind until it changes.

    Something that was not seen for a minute is forgotten: it is over, and news if it comes back.
    """

    __slots__ = ("_book",)

    def __init__(self) -> None:
        self._book: dict[tuple[IPAddress, NoticeKind], tuple[Notice, Instant, Instant]] = {}

    def is_news(self, notice: Notice, now: Instant) -> bool:
        """Whether to tell; from then on it is known."""
        key = (notice.peer, notice.kind)
        known = self._book.get(key)
        if known is not None and now - known[2] < _FORGOTTEN:
            said, told, _seen = known
            # One that changes with each packet (noise) is told once a second.
            if said.text == notice.text or now - told < _QUIET:
                self._book[key] = (said, told, now)
                return False
        elif known is None and len(self._book) >= _AT_MOST:
            self._drop_forgotten(now)
            if len(self._book) >= _AT_MOST:
                return False
        self._book[key] = (notice, now, now)
        return True

    def current(self, now: Instant) -> tuple[Notice, ...]:
        self._drop_forgotten(now)
        return tuple(notice for notice, _told, _seen in self._book.values())

    def _drop_forgotten(self, now: Instant) -> None:
        self._book = {k: v for k, v in self._book.items() if now - v[2] < _FORGOTTEN}
