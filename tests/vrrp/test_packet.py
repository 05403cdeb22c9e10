"""The wire format: captured bytes, round trips, and noise."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telamon.base.address import IPAddress
from telamon.vrrp.packet import (
    MULTICAST_V4,
    MULTICAST_V6,
    Advert,
    AuthType,
    ChecksumForm,
    PacketError,
    Reason,
    password_data,
)

SOURCE = IPv4Address("10.77.0.1")
PEER = IPv4Address("10.77.0.2")
SOURCE6 = IPv6Address("fe80::1")
VIP = IPv4Address("10.77.0.100")

# Captured from keepalived (node 10.77.0.1, VRID 51, priority 150, VIP 10.77.0.100).
V2 = bytes.fromhex("2133960100013e19 0a4d0064 0000000000000000")
V3 = bytes.fromhex("31339601006442d9 0a4d0064")


def test_captured_version_2_is_understood_and_made() -> None:
    advert = Advert.parse(V2, SOURCE, MULTICAST_V4)
    assert (advert.version, advert.vrid, advert.priority, advert.interval) == (2, 51, 150, 100)
    assert advert.addresses == (VIP,)
    assert advert.auth_type is AuthType.NONE
    assert advert.emit(SOURCE, MULTICAST_V4) == V2


def test_captured_version_3_is_understood_and_made() -> None:
    advert = Advert.parse(V3, SOURCE, MULTICAST_V4)
    assert (advert.version, advert.vrid, advert.priority, advert.interval) == (3, 51, 150, 100)
    assert advert.checksum_form is ChecksumForm.PSEUDO_HEADER
    assert advert.emit(SOURCE, MULTICAST_V4) == V3


def test_ethernet_padding_is_no_part_of_the_message() -> None:
    padded = V3.ljust(26, b"\0")
    assert Advert.parse(padded, SOURCE, MULTICAST_V4) == Advert.parse(V3, SOURCE, MULTICAST_V4)
    with pytest.raises(PacketError) as caught:
        Advert.parse(V3.ljust(27, b"\0"), SOURCE, MULTICAST_V4)
    assert caught.value.reason is Reason.LENGTH


def _resummed(data: bytes) -> bytes:
    """`data` as a version 2 message with a right checksum, whatever else is wrong in it."""
    cleared = data[:6] + b"\0\0" + data[8:]
    total = sum(int.from_bytes(cleared[i : i + 2], "big") for i in range(0, len(cleared), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return cleared[:6] + (~total & 0xFFFF).to_bytes(2, "big") + cleared[8:]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", Reason.SHORT),
        (V2[:7], Reason.SHORT),
        (b"\x41" + V2[1:], Reason.VERSION),
        (b"\x01" + V2[1:], Reason.VERSION),
        (V2[:-1], Reason.LENGTH),
        (V2[:3] + b"\x02" + V2[4:], Reason.LENGTH),
        (V2[:2] + b"\x97" + V2[3:], Reason.CHECKSUM),
        (_resummed(b"\x22" + V2[1:]), Reason.TYPE),
        (_resummed(V2[:1] + b"\0" + V2[2:]), Reason.VRID),
        (_resummed(V2[:5] + b"\0" + V2[6:]), Reason.INTERVAL),
        (_resummed(V2[:4] + b"\x02" + V2[5:]), Reason.AUTHENTICATION_TYPE),
    ],
)
def test_each_flaw_has_its_name(data: bytes, reason: Reason) -> None:
    with pytest.raises(PacketError) as caught:
        Advert.parse(data, SOURCE, MULTICAST_V4)
    assert caught.value.reason is reason


def test_version_2_is_not_for_ipv6() -> None:
    with pytest.raises(PacketError) as caught:
        Advert.parse(V2, SOURCE6, MULTICAST_V6)
    assert caught.value.reason is Reason.VERSION


@pytest.mark.parametrize("form", list(ChecksumForm))
def test_every_valid_checksum_form_is_told_apart(form: ChecksumForm) -> None:
    advert = Advert(3, 51, 100, 100, (VIP,), checksum_form=form)
    assert Advert.parse(advert.emit(SOURCE, PEER), SOURCE, PEER).checksum_form is form


def test_the_old_unicast_form_is_no_excuse_for_multicast() -> None:
    """To 224.0.0.18 it is simply the pseudo-header form."""
    old = Advert(3, 51, 100, 100, (VIP,), checksum_form=ChecksumForm.OLD_UNICAST)
    parsed = Advert.parse(old.emit(SOURCE, MULTICAST_V4), SOURCE, MULTICAST_V4)
    assert parsed.checksum_form is ChecksumForm.PSEUDO_HEADER


def test_reserved_bits_are_ignored_on_receipt() -> None:
    """RFC 9568 5.2.6: the four bits before the interval."""
    plain = Advert(3, 51, 100, 100, (VIP,), checksum_form=ChecksumForm.PLAIN)
    data = _resummed_v3(plain.emit(SOURCE, MULTICAST_V4), first_auth_byte=0xF0)
    assert Advert.parse(data, SOURCE, MULTICAST_V4) == plain


def _resummed_v3(data: bytes, first_auth_byte: int) -> bytes:
    return _resummed(data[:4] + bytes([first_auth_byte | data[4]]) + data[5:])


@pytest.mark.parametrize(
    ("secret", "data"),
    [
        (b"1111", b"1111\0\0\0\0"),
        (b"12345678", b"12345678"),
        (b"123456789", b"12345678"),
        (b"", bytes(8)),
    ],
)
def test_passwords_are_eight_bytes(secret: bytes, data: bytes) -> None:
    assert password_data(secret) == data


def test_what_cannot_be_said_on_the_wire_cannot_be_made() -> None:
    wrongs: tuple[Callable[[], Advert], ...] = (
        lambda: Advert(3, 0, 100, 100),
        lambda: Advert(3, 256, 100, 100),
        lambda: Advert(3, 1, 256, 100),
        lambda: Advert(3, 1, 100, 4096),
        lambda: Advert(3, 1, 100, 0),
        lambda: Advert(3, 1, 100, 100, (SOURCE6,)),
        lambda: Advert(3, 1, 100, 100, auth_data=bytes(8)),
        lambda: Advert(3, 1, 100, 100, (VIP,) * 256),
        lambda: Advert(3, 1, 100, 100, (), 6, checksum_form=ChecksumForm.PLAIN),
        lambda: Advert(2, 1, 100, 150, auth_data=bytes(8), checksum_form=ChecksumForm.PLAIN),
        lambda: Advert(2, 1, 100, 100, auth_data=b"", checksum_form=ChecksumForm.PLAIN),
        lambda: Advert(2, 1, 100, 100, auth_data=bytes(8)),
        lambda: Advert(2, 1, 100, 100, (), 6, checksum_form=ChecksumForm.PLAIN),
    )
    for wrong in wrongs:
        with pytest.raises(ValueError, match=r"."):
            wrong()


_v2 = st.builds(
    Advert,
    version=st.just(2),
    vrid=st.integers(1, 255),
    priority=st.integers(0, 255),
    interval=st.integers(1, 255).map(lambda s: s * 100),
    addresses=st.lists(st.ip_addresses(v=4), max_size=255).map(tuple),
    auth_type=st.sampled_from(AuthType),
    auth_data=st.binary(min_size=8, max_size=8),
    checksum_form=st.just(ChecksumForm.PLAIN),
)
_v3 = st.builds(
    Advert,
    version=st.just(3),
    vrid=st.integers(1, 255),
    priority=st.integers(0, 255),
    interval=st.integers(1, 4095),
    addresses=st.lists(st.ip_addresses(v=4), max_size=255).map(tuple),
    checksum_form=st.sampled_from(ChecksumForm),
)
_v3_ipv6 = st.builds(
    Advert,
    version=st.just(3),
    vrid=st.integers(1, 255),
    priority=st.integers(0, 255),
    interval=st.integers(1, 4095),
    addresses=st.lists(st.ip_addresses(v=6), max_size=100).map(tuple),
    family=st.just(6),
)


@given(_v2 | _v3)
def test_what_is_made_is_understood(advert: Advert) -> None:
    assert Advert.parse(advert.emit(SOURCE, PEER), SOURCE, PEER) == advert


@given(_v3_ipv6)
def test_what_is_made_for_ipv6_is_understood(advert: Advert) -> None:
    data = advert.emit(SOURCE6, MULTICAST_V6)
    assert Advert.parse(data, SOURCE6, MULTICAST_V6) == advert


@given(st.binary(max_size=300), st.ip_addresses(), st.booleans())
def test_noise_is_an_advert_or_the_declared_error(
    data: bytes, source: IPAddress, multicast: bool
) -> None:
    group: IPAddress = MULTICAST_V4 if source.version == 4 else MULTICAST_V6
    destination = group if multicast else source
    try:
        advert = Advert.parse(data, source, destination)
    except PacketError:
        return
    assert Advert.parse(advert.emit(source, destination), source, destination) == advert


@given(_v2 | _v3, st.data())
def test_one_flipped_bit_never_passes_as_the_same_sender(
    advert: Advert, data: st.DataObject
) -> None:
    """The checksum sees every single bit, so a damaged packet is refused for some reason."""
    sound = advert.emit(SOURCE, PEER)
    bit = data.draw(st.integers(0, len(sound) * 8 - 1))
    damaged = bytearray(sound)
    damaged[bit // 8] ^= 1 << bit % 8
    with pytest.raises(PacketError):
        Advert.parse(bytes(damaged), SOURCE, PEER)
