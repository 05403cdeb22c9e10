"""Signed adverts: keepalived's `auth_hmac` (2.4), for both versions and both families.

Behind the advert stand 28 bytes that its checksum and its length do not count:

    | scheme 1 | key id |      0        |  seconds (32 bits)            |
    | fraction (16 bits)| count (16)    |  HMAC (16 bytes) ...

The HMAC is the first half of HMAC-SHA256 over a pseudo-header of 20 bytes (4 or 6, the version,
the VRID, 0, the source address filled up to 16 bytes), the advert with its checksum as 0, and the
trailer with the HMAC's bytes as 0. The source is in it, so that nobody's advert can be sent on as
somebody else's; the destination and the TTL are not.

Seconds, fraction and count together are the sequence number: wall-clock time, and a count for what
is sent within one 65536th of a second. It has to grow from advert to advert of one sender (serial
arithmetic, so that 2106 is no obstacle); with `anti_replay time` it also has to be near our own
clock, which stops the replay of what was recorded before this node started. `monotonic` leaves
that out, for nodes whose clocks cannot be trusted: what was heard last is all that protects them.

A packet is remembered only after its signature was found good, so forgeries push nobody out.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections import OrderedDict
from typing import Final

from telamon.base.address import IPAddress
from telamon.plan.router import Authentication, HmacKey, HmacMode, InstancePlan, Seconds

SIZE: Final = 28
"""Bytes of the trailer."""

_SCHEME = 1
_PSEUDO = struct.Struct("!BBBx16s")
_TRAILER = struct.Struct("!BBxxIHH")
_MAC = 16
_SENDERS = 4
"""Senders remembered by multicast; unicast remembers each peer."""
_SPACE = 1 << 64
_LEAST_WINDOW: Seconds = 5.0


class SignatureError(ValueError):
    """Why a trailer is not believed; `replayed` where its signature is good but old."""

    def __init__(self, text: str, mend: str = "", *, replayed: bool = False) -> None:
        super().__init__(text)
        self.text, self.mend, self.replayed = text, mend, replayed


class Signer:
    """Signs what one instance sends. Sequence numbers grow whatever the clock does."""

    __slots__ = ("_key", "_last")

    def __init__(self, authentication: Authentication) -> None:
        self._key = signing_key(authentication)
        self._last = 0

    def replan(self, authentication: Authentication) -> None:
        """A reload may bring another key; the numbers go on."""
        self._key = signing_key(authentication)

    @property
    def signs(self) -> bool:
        return self._key is not None

    def sequence(self, wall: Seconds) -> int:
        """The next number; one for all copies of an advert. `wall` is Unix time."""
        number = _sequence(wall)
        if not _newer(number, self._last) and self._last:
            number = (self._last + 1) % _SPACE
        self._last = number
        return number

    def trailer(self, advert: bytes, source: IPAddress, sequence: int) -> bytes:
        """What stands behind `advert` when it is sent from `source`."""
        assert self._key is not None, "receive-only signs nothing"
        head = _TRAILER.pack(_SCHEME, self._key.id, *_split(sequence))
        return head + _mac(self._key, advert, source, head)


class Verifier:
    """Judges what one instance receives, and remembers each sender's last number."""

    __slots__ = ("_interval", "_keys", "_last", "_plan")

    def __init__(self, plan: InstancePlan) -> None:
        self._last: OrderedDict[IPAddress, int] = OrderedDict()
        self.replan(plan)

    def replan(self, plan: InstancePlan) -> None:
        """A reload: what was heard stays remembered."""
        self._plan = plan
        self._interval = plan.advert_interval
        self._keys = {key.id: key for key in plan.authentication.keys}

    def check(self, advert: bytes, trailer: bytes, source: IPAddress, wall: Seconds) -> None:
        """SignatureError unless `trailer` is `source`'s own, and new, behind `advert`."""
        scheme, key_id, seconds, fraction, count = _TRAILER.unpack_from(trailer)
        if scheme != _SCHEME or trailer[2:4] != b"\0\0":
            raise SignatureError(f"its signature is of scheme {scheme}, only {_SCHEME} is known")
        key = self._keys.get(key_id)
        if key is None:
            raise SignatureError(
                f"it signs with key {key_id}, which this node does not have",
                f"key {key_id} ... in auth_hmac",
            )
        head = trailer[: _TRAILER.size]
        # In constant time, so that nobody can guess it byte by byte.
        if not hmac.compare_digest(trailer[_TRAILER.size :], _mac(key, advert, source, head)):
            raise SignatureError(
                f"its signature with key {key_id} is wrong", f"the same key {key_id} on both nodes"
            )
        self._note(source, (seconds << 32) | (fraction << 16) | count, wall)

    def _note(self, source: IPAddress, sequence: int, wall: Seconds) -> None:
        last = self._last.get(source)
        if last is not None and not _newer(sequence, last):
            raise SignatureError(
                "it repeats an old advert: somebody replays, or its clock was set back",
                "anti_replay time and synchronised clocks",
                replayed=True,
            )
        if not self._plan.authentication.monotonic:
            self._look_at_clocks(sequence, wall)
        self._last[source] = sequence
        self._last.move_to_end(source)
        if len(self._last) > max(_SENDERS, len(self._plan.unicast_peers)):
            self._last.popitem(last=False)

    def _look_at_clocks(self, sequence: int, wall: Seconds) -> None:
        apart = (_signed(sequence - _sequence(wall))) / (1 << 32)
        window = self._plan.authentication.window
        if window is None:
            window = max(3 * self._interval, _LEAST_WINDOW)
        if abs(apart) > window:
            # Told roughly, so that a steady difference is one notice and not one a second.
            side = "ahead of" if apart > 0 else "behind"
            raise SignatureError(
                f"its clock is more than {window:g} s {side} this node's, or it is a replay",
                "synchronised clocks, or anti_replay monotonic",
                replayed=True,
            )


def signing_key(authentication: Authentication) -> HmacKey | None:
    """The key to sign with; None in `receive-only` mode, which signs nothing yet."""
    if authentication.mode is HmacMode.RECEIVE_ONLY:
        return None
    active = [key for key in authentication.keys if key.active]
    return next(iter((*active, *authentication.keys)), None)


def _mac(key: HmacKey, advert: bytes, source: IPAddress, head: bytes) -> bytes:
    kind = 4 if source.version == 4 else 6
    pseudo = _PSEUDO.pack(kind, advert[0] >> 4, advert[1], source.packed.ljust(16, b"\0"))
    blank = advert[:6] + b"\0\0" + advert[8:]
    message = pseudo + blank + head + bytes(_MAC)
    return hmac.digest(key.secret, message, hashlib.sha256)[:_MAC]


def _sequence(wall: Seconds) -> int:
    """Unix time as seconds, a fraction in 65536ths, and a count of 0."""
    return (int(wall * 65536) << 16) % _SPACE


def _split(sequence: int) -> tuple[int, int, int]:
    return sequence >> 32, sequence >> 16 & 0xFFFF, sequence & 0xFFFF


def _newer(number: int, than: int) -> bool:
    """Serial arithmetic (RFC 1982) in 64 bits."""
    return _signed(number - than) > 0


def _signed(difference: int) -> int:
    difference %= _SPACE
    return difference - _SPACE if difference >= _SPACE // 2 else difference
