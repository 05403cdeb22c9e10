"""What an instance's plan comes to on the wire: its adverts, from whom, to whom."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

from telamon.base.address import IPAddress
from telamon.plan.router import AuthKind, InstancePlan, VirtualAddress
from telamon.vrrp import signature
from telamon.vrrp.effects import SendAdvert
from telamon.vrrp.events import Interface
from telamon.vrrp.packet import (
    MAX_INTERVAL,
    MULTICAST_V4,
    MULTICAST_V6,
    Advert,
    AuthType,
    ChecksumForm,
    password_data,
)

_MAX_ADDRESSES = 255
_TTL = 255


def family(plan: InstancePlan) -> Literal[4, 6]:
    """The family of the adverts: that of the first virtual address, or else of the peers."""
    candidates = [a.address.version for a in plan.addresses]
    candidates += [a.version for a in (plan.source, *plan.unicast_peers) if a is not None]
    candidates += [a.address.version for a in plan.excluded_addresses]
    return 6 if candidates and candidates[0] == 6 else 4


def placed(plan: InstancePlan) -> tuple[VirtualAddress, ...]:
    """All addresses that the master holds, each with its device."""
    return tuple(
        address if address.device else _on(address, plan.interface)
        for address in (*plan.addresses, *plan.excluded_addresses)
    )


def _on(address: VirtualAddress, device: str) -> VirtualAddress:
    return replace(address, device=device)


@dataclass(frozen=True, slots=True)
class Wire:
    """An instance as others see it. `source` is None while the interface has no fit address."""

    plan: InstancePlan
    family: Literal[4, 6]
    addresses: tuple[IPAddress, ...]
    source: IPAddress | None
    _built: dict[int, tuple[SendAdvert, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """The adverts by priority: a hundred a second are the same, and built once."""

    @staticmethod
    def of(plan: InstancePlan, interface: Interface, strangers: frozenset[IPAddress]) -> Wire:
        """`strangers` are virtual addresses: no advert comes from one, since they move."""
        kind = family(plan)
        own = tuple(a.address.ip for a in plan.addresses if a.address.version == kind)
        source = plan.source or _primary(kind, interface, strangers)
        tail = 8 if plan.version == 2 else 0
        tail += signature.SIZE if plan.authentication.kind is AuthKind.HMAC else 0
        return Wire(plan, kind, own[: _room(kind, tail, interface.mtu)], source)

    @property
    def is_unicast(self) -> bool:
        return bool(self.plan.unicast_peers)

    @property
    def group(self) -> IPAddress:
        if self.plan.multicast_group is not None:
            return self.plan.multicast_group
        return MULTICAST_V4 if self.family == 4 else MULTICAST_V6

    @property
    def interval(self) -> int:
        """Our own, in centiseconds, as far as the version can say it."""
        if self.plan.version == 2:
            return max(1, min(255, round(self.plan.advert_interval))) * 100
        return max(1, min(MAX_INTERVAL, round(self.plan.advert_interval * 100)))

    @property
    def checksum_form(self) -> ChecksumForm:
        plain = self.plan.version == 2 or (self.plan.checksum_as_v2 and self.family == 4)
        return ChecksumForm.PLAIN if plain else ChecksumForm.PSEUDO_HEADER

    def adverts(self, priority: int) -> tuple[SendAdvert, ...]:
        """One advert for each destination; none while there is no source."""
        built = self._built.get(priority)
        if built is None:
            # One at a time: what was said before (priority 0, another weight) is past.
            self._built.clear()
            built = self._built[priority] = self._build(priority)
        return built

    def _build(self, priority: int) -> tuple[SendAdvert, ...]:
        if self.source is None:
            return ()
        advert = self._advert(priority)
        source, plan = self.source, self.plan
        ttl = plan.unicast_ttl if self.is_unicast else _TTL
        return tuple(
            SendAdvert(plan.name, plan.interface, advert.emit(source, to), source, to, ttl)
            for to in plan.unicast_peers or (self.group,)
        )

    def _advert(self, priority: int) -> Advert:
        if self.plan.version == 3:
            return Advert(
                3, self.plan.vrid, priority, self.interval, self.addresses, self.family,
                checksum_form=self.checksum_form,
            )  # fmt: skip
        authentication = self.plan.authentication
        passes = authentication.kind is AuthKind.PASS
        return Advert(
            2, self.plan.vrid, priority, self.interval, self.addresses, self.family,
            AuthType.PASS if passes else AuthType.NONE,
            password_data(authentication.secret if passes else b""),
            ChecksumForm.PLAIN,
        )  # fmt: skip


def _room(kind: int, tail: int, mtu: int) -> int:
    """How many addresses fit; the rest is held, but not advertised (as keepalived)."""
    header, size = (20, 4) if kind == 4 else (40, 16)
    return max(0, min(_MAX_ADDRESSES, (mtu - header - 8 - tail) // size))


def _primary(kind: int, interface: Interface, strangers: frozenset[IPAddress]) -> IPAddress | None:
    """IPv4: the first address; IPv6: the first link-local one (RFC 9568 7.2)."""
    fit = [a for a in interface.addresses if a.version == kind and (kind == 4 or a.is_link_local)]
    own = [a for a in fit if a not in strangers]
    # An address owner's only address may be the virtual one.
    return next(iter(own or fit), None)
