"""What the edge tells the router: facts from the wire and from the kernel, as values.

Times are seconds of one monotonic clock, as float. The clock should go on while the machine
sleeps (CLOCK_BOOTTIME), so that a node that was suspended knows that it overslept.
"""

from __future__ import annotations

from dataclasses import dataclass

from telamon.base.address import IPAddress

Instant = float
"""A point in time, in seconds of the edge's monotonic clock."""


@dataclass(frozen=True, slots=True)
class Received:
    """One packet of IP protocol 112 as it came in on `interface`.

    `payload` starts behind the IP header. `ttl` is the TTL or hop limit as received.
    """

    interface: str
    payload: bytes
    source: IPAddress
    destination: IPAddress
    ttl: int


@dataclass(frozen=True, slots=True)
class Interface:
    """What the kernel says about a network interface.

    `up`: it exists, is administratively up and has carrier. `addresses`: all its addresses in the
    kernel's order; virtual ones may be among them, the router knows its own.
    `mtu` in bytes. One that vanished, or never was, is `Interface(name, present=False)`.
    """

    name: str
    up: bool = False
    addresses: tuple[IPAddress, ...] = ()
    mtu: int = 1500
    present: bool = True

    @property
    def condition(self) -> str:
        """In words: "interface em1 is down"."""
        state = "up" if self.up else "down" if self.present else "not there"
        return f"interface {self.name} is {state}"
