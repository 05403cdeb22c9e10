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


class NoticeKind(StrEnum):
    """What two nodes disagree about. The values are stable: status and metrics carry them."""

    MALFORMED = "malformed"
    VERSION = "version"
    INTERVAL = "interval"
    AUTHENTICATION = "authentication"
    ADDRESS_LIST = "address-list"
    FOREIGN_CLUSTER = "foreign-cluster"
    CHECKSUM = "checksum"
    CHECKSUM_FORM = "checksum-form"
    TRANSPORT = "transport"
    UNKNOWN_PEER = "unknown-peer"
    TTL = "ttl"
    OWN_ADDRESS = "own-address"
    TWO_OWNERS = "two-owners"
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
