"""Two address owners on one LAN: a mistake in the configuration that must not leave two masters.

Priority 255 says that the addresses are really this node's, and nobody else may say so. When two
do, the one with the lower source address yields at once, as with any equal priority. The other one
waits for two of its own adverts and 1.2 of the longer interval; if the rival still speaks then, it
does not know better (it may be deaf on this side), and this node goes down to 254, so that
exactly one is master. Keepalived does the same. A reload or a restart begins anew.
"""

from __future__ import annotations

from telamon.plan.router import Seconds
from telamon.vrrp.events import Instant

_OWN_ADVERTS = 2
_LONGER = 1.2
_GONE = 3
"""A rival that missed this many of its intervals has yielded."""


class OwnerRivalry:
    """What an owner knows about another one."""

    __slots__ = ("_last", "_since")

    def __init__(self) -> None:
        self._since: Instant | None = None
        self._last: Instant = 0.0

    def persists(self, ours: Seconds, theirs: Seconds, now: Instant) -> bool:
        """Another owner's advert has come; whether it is time to give way to it."""
        longer = max(ours, theirs)
        if self._since is None or now - self._last > _GONE * longer:
            self._since = now
        self._last = now
        return now - self._since >= _OWN_ADVERTS * ours + _LONGER * longer
