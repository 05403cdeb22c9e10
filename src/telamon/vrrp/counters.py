"""What an instance has counted since it was made: the objects of the VRRP MIB (RFC 2787).

The names are those of Keepalived's JSON dump, which exporters read. As there, an advert counts
as received only once it has passed all checks; one whose address list differs counts twice, as
received and as an error, since it is obeyed all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """Why a packet counts as an error; the values are names of `Counters`."""

    LENGTH = "packet_len_err"
    TTL = "ip_ttl_err"
    TYPE = "invalid_type_rcvd"
    INTERVAL = "advert_interval_err"
    ADDRESS_LIST = "addr_list_err"
    AUTHENTICATION_UNKNOWN = "invalid_authtype"
    AUTHENTICATION_MISMATCH = "authtype_mismatch"
    AUTHENTICATION_FAILURE = "auth_failure"


@dataclass(slots=True)
class Counters:
    """Counted from 0, since the instance was made; the order is Keepalived's."""

    advert_rcvd: int = 0
    advert_sent: int = 0
    """Rounds, priority 0 included: one to many unicast peers counts once."""
    become_master: int = 0
    release_master: int = 0
    packet_len_err: int = 0
    advert_interval_err: int = 0
    ip_ttl_err: int = 0
    invalid_type_rcvd: int = 0
    addr_list_err: int = 0
    invalid_authtype: int = 0
    authtype_mismatch: int = 0
    auth_failure: int = 0
    pri_zero_rcvd: int = 0
    pri_zero_sent: int = 0

    def received(self, priority: int) -> None:
        """A sound advert."""
        self.advert_rcvd += 1
        if priority == 0:
            self.pri_zero_rcvd += 1

    def sent(self, priority: int) -> None:
        self.advert_sent += 1
        if priority == 0:
            self.pri_zero_sent += 1

    def fault(self, fault: Fault) -> None:
        setattr(self, fault.value, getattr(self, fault.value) + 1)

    def clear(self) -> None:
        """Count from 0 again (Keepalived's STATS_CLEAR)."""
        for name in self.__slots__:
            setattr(self, name, 0)
