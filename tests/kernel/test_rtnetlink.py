"""The rtnetlink codec against messages that a real kernel sent, and against nonsense."""

from __future__ import annotations

import contextlib
import errno
import struct
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telamon.kernel import rtnetlink
from telamon.kernel.rtnetlink import (
    Address,
    AddressAdded,
    AddressRemoved,
    Done,
    Link,
    LinkGone,
    NetlinkFormatError,
    Reply,
    parse,
)

VIP = Address(
    7,
    IPv4Interface("192.168.10.99/32"),
    scope=253,
    label="em1:vip",
    broadcast=IPv4Address("192.168.10.255"),
    protocol=rtnetlink.PROTOCOL_KEEPALIVED,
)


def message(kind: int, body: bytes, flags: int = 0, sequence: int = 5) -> bytes:
    return struct.pack("=IHHII", 16 + len(body), kind, flags, sequence, 0) + body


def attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


@pytest.mark.parametrize(
    "address",
    [
        VIP,
        Address(1, IPv4Interface("10.0.0.1/24")),
        Address(300, IPv6Interface("2001:db8::1/64"), flags=rtnetlink.IFA_F_NODAD),
    ],
)
def test_a_request_reads_back_as_the_notification_of_it(address: Address) -> None:
    # A request and the kernel's notification have one body; only the message type's flags differ.
    request = rtnetlink.add_address_request(address, 9)
    assert list(parse(request)) == [AddressAdded(address)]
    assert list(parse(rtnetlink.remove_address_request(address, 9))) == [AddressRemoved(address)]


def test_a_request_asks_for_an_answer_and_never_replaces() -> None:
    _length, kind, flags, sequence, port = struct.unpack_from(
        "=IHHII", rtnetlink.add_address_request(VIP, 9)
    )
    assert (kind, sequence, port) == (20, 9, 0)
    assert flags == 0x01 | 0x04 | 0x200 | 0x400


def test_point_to_point_addresses_are_read_by_their_local_end() -> None:
    body = struct.pack("=BBBBI", 2, 32, 0, 0, 3)
    body += attribute(1, bytes([10, 0, 0, 2])) + attribute(2, bytes([10, 0, 0, 1]))
    (event,) = parse(message(20, body))
    assert event == AddressAdded(Address(3, IPv4Interface("10.0.0.1/32")))


def test_long_flags_win_over_the_short_ones() -> None:
    body = struct.pack("=BBBBI", 2, 32, 0x80, 0, 3)
    body += attribute(2, bytes([10, 0, 0, 1])) + attribute(8, struct.pack("=I", 0x280))
    (event,) = parse(message(20, body))
    assert isinstance(event, AddressAdded)
    assert event.address.flags == 0x280


def link_body(family: int, index: int, flags: int, name: str) -> bytes:
    body = struct.pack("=BxHiII", family, 1, index, flags, 0)
    return (
        body
        + attribute(3, name.encode() + b"\0")
        + attribute(4, struct.pack("=I", 1500))
        + attribute(1, bytes.fromhex("020000000001"))
    )


@pytest.mark.parametrize(
    ("flags", "running"), [(0x1043, True), (0x1003, False), (0x1042, False), (0, False)]
)
def test_a_link_runs_only_if_it_is_up_and_has_a_carrier(flags: int, running: bool) -> None:
    (event,) = parse(message(16, link_body(0, 4, flags, "em1")))
    assert event == Link(4, "em1", flags, bytes.fromhex("020000000001"), 1500)
    assert isinstance(event, Link)
    assert event.running is running
    assert event.speaks_arp


def test_leaving_a_bridge_is_not_the_end_of_a_link() -> None:
    assert list(parse(message(17, link_body(7, 4, 0x1043, "em1")))) == []
    assert list(parse(message(17, link_body(0, 4, 0x1043, "em1")))) == [LinkGone(4, "em1")]


def test_a_refusal_carries_the_kernels_own_words() -> None:
    request = rtnetlink.add_address_request(VIP, 9)
    body = struct.pack("=i", -errno.EINVAL) + request[:16]
    text = attribute(1, b"ipv4: Invalid scope value\0")
    capped = message(2, body + text, flags=0x100 | 0x200)
    assert list(parse(capped)) == [Reply(5, errno.EINVAL, "ipv4: Invalid scope value")]
    plain = message(2, body)
    assert list(parse(plain)) == [Reply(5, errno.EINVAL, "Invalid argument")]
    yes = message(2, struct.pack("=i", 0) + request[:16])
    assert list(parse(yes)) == [Reply(5, 0)]


def test_one_datagram_holds_many_messages() -> None:
    data = rtnetlink.add_address_request(VIP, 1)
    data += bytes(-len(data) % 4) + message(3, struct.pack("=i", 0))
    assert list(parse(data)) == [AddressAdded(VIP), Done(5)]


def test_scopes_by_name_and_number() -> None:
    assert [rtnetlink.scope_number(s) for s in (None, "global", "link", "host", "200")] == [
        0, 0, 253, 254, 200,
    ]  # fmt: skip
    for wrong in ("universe", "256", "-1"):
        with pytest.raises(ValueError, match=r".+"):
            rtnetlink.scope_number(wrong)


@given(st.binary(max_size=200))
def test_nonsense_raises_the_declared_error_only(data: bytes) -> None:
    with contextlib.suppress(NetlinkFormatError):
        list(parse(data))


@given(st.sampled_from([2, 3, 16, 17, 20, 21]), st.integers(0, 0x3FF), st.binary(max_size=120))
def test_nonsense_within_a_sound_frame(kind: int, flags: int, body: bytes) -> None:
    with contextlib.suppress(NetlinkFormatError):
        list(parse(message(kind, body, flags)))


@given(st.integers(0, 200), st.integers(0, 255))
def test_a_truncated_or_bent_request_never_escapes(position: int, value: int) -> None:
    data = bytearray(rtnetlink.add_address_request(VIP, 1))
    data[position % len(data)] = value
    for candidate in (bytes(data), bytes(data[: position % len(data)])):
        with contextlib.suppress(NetlinkFormatError):
            list(parse(candidate))
