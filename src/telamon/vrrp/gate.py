"""What an instance lets in, and how what it sends is signed: state for `admission.py`.

A living master says the same a hundred times a second. What is byte for byte what it said last,
to the same wire, is judged as it was then. Signed adverts never are the same.
"""

from __future__ import annotations

from dataclasses import replace

from telamon.base.address import IPAddress
from telamon.plan.router import AuthKind, InstancePlan, Seconds
from telamon.vrrp.admission import Admission, admit
from telamon.vrrp.effects import SendAdvert
from telamon.vrrp.events import Received
from telamon.vrrp.packet import with_trailer
from telamon.vrrp.signature import Signer, Verifier
from telamon.vrrp.wire import Wire

_REMEMBERED = 16
"""Senders whose last advert is remembered with its verdict."""


class Gate:
    """One instance's keys, and the verdicts on what it hears again and again."""

    __slots__ = ("_admitted", "_signer", "_verifier")

    def __init__(self, plan: InstancePlan) -> None:
        self._signer: Signer | None = None
        self._verifier: Verifier | None = None
        self._admitted: dict[IPAddress, tuple[Received, Wire, Admission]] = {}
        self.replan(plan)

    def replan(self, plan: InstancePlan) -> None:
        """A reload may bring other keys; the sequence numbers go on."""
        if plan.authentication.kind is not AuthKind.HMAC:
            self._signer = self._verifier = None
            return
        if self._signer is None or self._verifier is None:
            self._signer, self._verifier = Signer(plan.authentication), Verifier(plan)
        self._signer.replan(plan.authentication)
        self._verifier.replan(plan)

    def admit(self, wire: Wire, received: Received, wall: Seconds) -> Admission:
        """Judge a packet with this instance's VRID. `wall` is Unix time."""
        if self._verifier is not None:
            return admit(wire, received, self._verifier, wall)
        known = self._admitted.get(received.source)
        # The edge may give the very same value again; that is looked at first.
        if (
            known is not None
            and known[1] is wire
            and (known[0] is received or known[0] == received)
        ):
            return known[2]
        admission = admit(wire, received)
        if admission.advert is not None:
            if len(self._admitted) >= _REMEMBERED:
                self._admitted.clear()
            self._admitted[received.source] = (received, wire, admission)
        return admission

    def signed(self, adverts: tuple[SendAdvert, ...], wall: Seconds) -> tuple[SendAdvert, ...]:
        """The copies of one advert as they go out: with one sequence number, if signed."""
        signer = self._signer
        if signer is None or not signer.signs:
            return adverts
        number = signer.sequence(wall)
        return tuple(_with_signature(advert, signer, number) for advert in adverts)


def _with_signature(advert: SendAdvert, signer: Signer, number: int) -> SendAdvert:
    data, source = advert.payload, advert.source
    trailer = signer.trailer(data, source, number)
    return replace(advert, payload=with_trailer(data, trailer, source, advert.destination))
