"""The receive checks: which packets count (RFC 9568 7.1, RFC 3768 7.1).

A packet that fails any of them changes no timer and no state; that is the whole point of looking
at it before anybody else does. What fails, and what is merely odd, is told by name with the line
that would mend it.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass

from telamon.base.address import IPAddress
from telamon.plan.router import AuthKind, HmacMode, Seconds
from telamon.vrrp import signature
from telamon.vrrp.counters import Fault
from telamon.vrrp.events import Received
from telamon.vrrp.notices import Notice, NoticeKind
from telamon.vrrp.packet import (
    Advert,
    AuthType,
    ChecksumForm,
    PacketError,
    Reason,
    password_data,
    split_trailer,
)
from telamon.vrrp.signature import SignatureError, Verifier
from telamon.vrrp.wire import Wire

_MULTICAST_TTL = 255
_UNICAST_TTL = 254
_UNICAST_HOPS = 64
"""IPv6: keepalived 2.2.7 leaves the hop limit of its unicast adverts at the kernel's 64."""
"""Peers of unicast are on the link as a rule; some hypervisors take one off all the same."""


@dataclass(frozen=True, slots=True)
class Admission:
    """`advert` is None if the packet must be forgotten; `notices` tell about its sender.

    `fault` is what it counts as, if anything.
    """

    advert: Advert | None
    notices: tuple[Notice, ...] = ()
    fault: Fault | None = None


class _Refused(Exception):
    def __init__(
        self, kind: NoticeKind, text: str, mend: str = "", fault: Fault | None = None
    ) -> None:
        super().__init__(text)
        self.kind, self.text, self.mend, self.fault = kind, text, mend, fault


def admit(
    wire: Wire, received: Received, verifier: Verifier | None = None, wall: Seconds = 0.0
) -> Admission:
    """Judge a packet that carries this instance's VRID.

    With `auth_hmac`, `verifier` holds what was signed before and `wall` is Unix time.
    """

    def notice(kind: NoticeKind, text: str, mend: str = "", *, harmless: bool = False) -> Notice:
        return Notice(kind, wire.plan.name, received.source, text, mend, harmless)

    try:
        for check in _BEFORE_PARSING:
            check(wire, received)
        data, trailer = split_trailer(received.payload, wire.family, signature.SIZE)
        advert = _parse(received, data, trailer)
        _version(wire, advert)
        _signature(wire, received, data, trailer, verifier, wall)
        for judge in _AFTER_PARSING:
            judge(wire, advert)
    except _Refused as refused:
        return Admission(None, (notice(refused.kind, refused.text, refused.mend),), refused.fault)
    odd = [oddity for look in _ODDITIES if (oddity := look(wire, advert)) is not None]
    if (unsigned := _odd_signature(wire, advert, bool(trailer))) is not None:
        odd.append(unsigned)
    differs = any(k in (NoticeKind.ADDRESS_LIST, NoticeKind.FOREIGN_CLUSTER) for k, _, _ in odd)
    return Admission(
        advert,
        tuple(notice(k, t, m, harmless=True) for k, t, m in odd),
        Fault.ADDRESS_LIST if differs else None,
    )


def _transport(wire: Wire, received: Received) -> None:
    peers = wire.plan.unicast_peers
    if received.destination.is_multicast:
        if wire.is_unicast:
            raise _Refused(
                NoticeKind.TRANSPORT,
                "it sends multicast, this node sends unicast",
                f"unicast_peer {{ {' '.join(map(str, peers))} }} on the peer, or none here",
            )
        if received.destination != wire.group:
            raise _Refused(
                NoticeKind.TRANSPORT,
                f"it sends to {received.destination}, this node to {wire.group}",
                f"mcast_dst_ip {received.destination}",
            )
    elif not wire.is_unicast:
        raise _Refused(
            NoticeKind.TRANSPORT,
            "it sends unicast, this node sends multicast",
            f"unicast_peer {{ {received.source} }}",
        )


def _peer(wire: Wire, received: Received) -> None:
    if received.source == wire.source:
        raise _Refused(
            NoticeKind.OWN_ADDRESS, f"it sends from this node's own address {received.source}"
        )
    if wire.is_unicast and received.source not in wire.plan.unicast_peers:
        raise _Refused(
            NoticeKind.UNKNOWN_PEER,
            "it is not in this node's unicast_peer list",
            f"unicast_peer {{ {received.source} }}",
        )


def _ttl(wire: Wire, received: Received) -> None:
    low, high = _MULTICAST_TTL, _MULTICAST_TTL
    if wire.is_unicast:
        low = _UNICAST_TTL if wire.family == 4 else _UNICAST_HOPS
        for limit in wire.plan.peer_ttls:
            if limit.peer == received.source:
                low = limit.low if limit.low is not None else low
                high = limit.high if limit.high is not None else high
    if not low <= received.ttl <= high:
        mend = f"unicast_peer {{ {received.source} min_ttl {received.ttl} }}"
        raise _Refused(
            NoticeKind.TTL,
            f"its packets arrive with TTL {received.ttl} where {low} is the least"
            if received.ttl < low
            else f"its packets arrive with TTL {received.ttl} where {high} is the most",
            mend if wire.is_unicast else "",
            Fault.TTL,
        )


def _parse(received: Received, data: bytes, trailer: bytes) -> Advert:
    try:
        return Advert.parse(data, received.source, received.destination, trailer)
    except PacketError as error:
        if error.reason is Reason.CHECKSUM:
            kind = NoticeKind.CHECKSUM
        elif error.reason is Reason.VERSION:
            kind = NoticeKind.VERSION
        else:
            kind = NoticeKind.MALFORMED
        raise _Refused(kind, f"its packet is {error.reason.value}"
                       if kind is NoticeKind.MALFORMED else f"its packet has {_said(error)}",
                       fault=_COUNTED_AS.get(error.reason),
                       ) from error  # fmt: skip


_COUNTED_AS = {
    Reason.SHORT: Fault.LENGTH,
    Reason.LENGTH: Fault.LENGTH,
    Reason.TYPE: Fault.TYPE,
    Reason.INTERVAL: Fault.INTERVAL,
    Reason.AUTHENTICATION_TYPE: Fault.AUTHENTICATION_UNKNOWN,
}
"""Wrong checksums, versions and VRIDs are the whole router's in the MIB, no instance's."""


def _said(error: PacketError) -> str:
    if error.reason is Reason.VERSION:
        return "a version that is neither 2 nor 3"
    return "a wrong checksum, whichever form is assumed"


def _version(wire: Wire, advert: Advert) -> None:
    ours = wire.plan.version
    if advert.version != ours:
        raise _Refused(
            NoticeKind.VERSION,
            f"it speaks VRRPv{advert.version}, this node VRRPv{ours}",
            f"vrrp_version {advert.version}",
        )


def _signature(
    wire: Wire,
    received: Received,
    data: bytes,
    trailer: bytes,
    verifier: Verifier | None,
    wall: Seconds,
) -> None:
    mode = wire.plan.authentication.mode
    if verifier is None:
        if trailer:
            raise _Refused(
                NoticeKind.AUTHENTICATION,
                "it signs its adverts, this node does not know a key",
                "the same auth_hmac block on both nodes",
            )
    elif not trailer:
        if mode is HmacMode.ENFORCE:
            raise _Refused(
                NoticeKind.AUTHENTICATION,
                "it does not sign its adverts, this node insists on it",
                "auth_hmac on the peer, or mode permissive here until it has one",
            )
    else:
        try:
            verifier.check(data, trailer, received.source, wall)
        except SignatureError as error:
            kind = NoticeKind.REPLAY if error.replayed else NoticeKind.SIGNATURE
            raise _Refused(kind, error.text, error.mend) from None


def _password(wire: Wire, advert: Advert) -> None:
    if advert.version != 2:
        return
    authentication = wire.plan.authentication
    passes = authentication.kind is AuthKind.PASS
    if passes != (advert.auth_type is AuthType.PASS):
        raise _Refused(
            NoticeKind.AUTHENTICATION,
            "it sends no password, this node does" if passes else "it sends a password",
            "the same authentication block on both nodes",
            Fault.AUTHENTICATION_MISMATCH,
        )
    # In constant time, so that nobody can guess it byte by byte.
    if passes and not hmac.compare_digest(advert.auth_data, password_data(authentication.secret)):
        raise _Refused(
            NoticeKind.AUTHENTICATION,
            "its password differs",
            "the same auth_pass on both nodes, or another virtual_router_id if this is"
            " another cluster",
            Fault.AUTHENTICATION_FAILURE,
        )


def _interval(wire: Wire, advert: Advert) -> None:
    """Version 2 refuses another interval (RFC 3768 7.1); version 3 learns it."""
    if advert.version == 2 and advert.interval != wire.interval:
        raise _Refused(
            NoticeKind.INTERVAL,
            f"its advert_int is {advert.interval // 100} s, this node's {wire.interval // 100} s",
            f"advert_int {advert.interval // 100}",
            Fault.INTERVAL,
        )


_BEFORE_PARSING: tuple[Callable[[Wire, Received], None], ...] = (_transport, _peer, _ttl)
_AFTER_PARSING: tuple[Callable[[Wire, Advert], None], ...] = (_password, _interval)

Oddity = tuple[NoticeKind, str, str]


def _odd_signature(wire: Wire, advert: Advert, signed: bool) -> Oddity | None:
    """On the way to `mode enforce`: who does not sign yet."""
    if signed or wire.plan.authentication.kind is not AuthKind.HMAC:
        return None
    return (
        NoticeKind.AUTHENTICATION,
        "it does not sign its adverts yet; with mode enforce it would be refused",
        "auth_hmac with mode permissive on the peer",
    )


def _odd_interval(wire: Wire, advert: Advert) -> Oddity | None:
    if advert.interval == wire.interval:
        return None
    theirs = advert.interval / 100
    return (
        NoticeKind.INTERVAL,
        f"its advert_int is {theirs:g} s, this node's {wire.interval / 100:g} s;"
        " while it is master its interval is used",
        f"advert_int {theirs:g}",
    )


def _odd_checksum(wire: Wire, advert: Advert) -> Oddity | None:
    if advert.version == 2 or advert.family == 6 or advert.checksum_form is wire.checksum_form:
        return None
    mend = ""
    if advert.checksum_form is ChecksumForm.PLAIN:
        mend = "v3_checksum_as_v2 true"
    elif advert.checksum_form is ChecksumForm.PSEUDO_HEADER:
        mend = "v3_checksum_as_v2 false"
    return (
        NoticeKind.CHECKSUM_FORM,
        f"it sums {advert.checksum_form.value}, this node {wire.checksum_form.value};"
        " this node takes both, the peer may not",
        mend,
    )


def _odd_addresses(wire: Wire, advert: Advert) -> Oddity | None:
    ours, theirs = set(wire.addresses), set(advert.addresses)
    if ours == theirs:
        return None
    if ours and theirs and not ours & theirs:
        return (
            NoticeKind.FOREIGN_CLUSTER,
            f"it uses virtual_router_id {advert.vrid} for {_listed(theirs)}, this node for"
            f" {_listed(ours)}: only one of the two clusters has its addresses",
            f"another virtual_router_id than {advert.vrid} for one of them",
        )
    parts = []
    if theirs - ours:
        parts.append(f"it has {_listed(theirs - ours)}, this node has not")
    if ours - theirs:
        parts.append(f"it lacks {_listed(ours - theirs)}")
    return NoticeKind.ADDRESS_LIST, "; ".join(parts), f"virtual_ipaddress {{ {_listed(ours)} }}"


_ODDITIES: tuple[Callable[[Wire, Advert], Oddity | None], ...] = (
    _odd_interval,
    _odd_checksum,
    _odd_addresses,
)


def _listed(addresses: set[IPAddress]) -> str:
    return " ".join(str(address) for address in sorted(addresses, key=int))
