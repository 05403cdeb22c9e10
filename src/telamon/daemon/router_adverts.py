"""Adverts and announcements on their way out, adverts on their way in."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from telamon.base.address import IPAddress
from telamon.daemon.router_log import RouterLog
from telamon.daemon.router_sockets import RouterSockets
from telamon.daemon.router_vmacs import RouterVmacs
from telamon.kernel import sysctl
from telamon.kernel.announce import Announcer
from telamon.kernel.interfaces import Interfaces
from telamon.kernel.vrrp_socket import Datagram, VrrpSocket
from telamon.vrrp import effects as do
from telamon.vrrp.events import Received


class RouterAdverts:
    """`hear` is given each advert that came in by an interface of the plan."""

    def __init__(
        self,
        sockets: RouterSockets,
        interfaces: Interfaces,
        vmacs: RouterVmacs,
        hear: Callable[[Received], None],
        log: RouterLog,
    ) -> None:
        self._sockets, self._interfaces, self._vmacs = sockets, interfaces, vmacs
        self._hear, self._log = hear, log
        self._announcer = Announcer()
        self._unsendable: dict[str, int] = {}
        self._heard: tuple[Datagram, Received] | None = None

    def send(self, effect: do.SendAdvert) -> None:
        outlet = effect.interface
        if self._vmacs and effect.destination.is_multicast:
            outlet = self._vmacs.outlet(effect.instance, outlet)
        sock = self._sockets.get(outlet, effect.source.version)
        if sock is None:
            return
        try:
            sock.send(effect.payload, effect.source, effect.destination, effect.ttl)
        except OSError as error:
            number = error.errno or 0
            if self._unsendable.get(effect.instance) != number:
                self._log.warn(
                    f"({effect.instance}) cannot send an advert from {effect.source} to "
                    f"{effect.destination} on {effect.interface}: {error.strerror}"
                )
            self._unsendable[effect.instance] = number
        else:
            if effect.instance in self._unsendable:
                del self._unsendable[effect.instance]
                self._log.info(f"({effect.instance}) adverts can be sent again")

    def announce(self, effect: do.SendGratuitous) -> None:
        link = self._interfaces.link(effect.device)
        if link is None or not link.speaks_arp:
            return
        router = effect.address.version == 6 and sysctl.ipv6_forwarding(effect.device)
        # A link that is down says so elsewhere; the next burst comes with the next election.
        with contextlib.suppress(OSError):
            self._announcer.announce(effect.address, effect.device, link.mac, router=router)

    def announce_extra(self, instance: str, device: str, address: IPAddress) -> None:
        self.announce(do.SendGratuitous(instance, device, address))

    def read(self, interface: str, sock: VrrpSocket) -> None:
        for datagram in sock.receive():
            # The socket gives the same value again for a packet that says the same; so do we.
            if self._heard is not None and self._heard[0] is datagram:
                self._hear(self._heard[1])
                continue
            inlet: str | None = interface
            if self._vmacs and datagram.destination.is_multicast:
                inlet = self._vmacs.inlet(interface, datagram.payload[1:2], datagram.source.version)
            if inlet is None:
                continue
            received = Received(
                inlet,
                datagram.payload,
                datagram.source,
                datagram.destination,
                datagram.ttl,
            )
            self._heard = (datagram, received)
            self._hear(received)

    def forget(self) -> None:
        """The plan has changed, and with it what a packet is to us."""
        self._heard = None

    def close(self) -> None:
        self._announcer.close()
