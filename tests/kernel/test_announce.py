"""Announcements as bytes."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from telamon.kernel.announce import gratuitous_arp, neighbour_advertisement

MAC = bytes.fromhex("fa8f4c9afe12")


def test_gratuitous_arp_has_keepalived_s_form() -> None:
    # Captured from keepalived 2.2.7: a broadcast request, target hardware address all ones.
    assert gratuitous_arp(IPv4Address("10.77.0.100"), MAC).hex() == (
        "ffffffffffff" "fa8f4c9afe12" "0806"
        "0001" "0800" "06" "04" "0001"
        "fa8f4c9afe12" "0a4d0064" "ffffffffffff" "0a4d0064"
    )  # fmt: skip


def test_neighbour_advertisement() -> None:
    vip = IPv6Address("2001:db8::64")
    frame = neighbour_advertisement(vip, MAC, router=False)
    assert frame[:14].hex() == "333300000001" + MAC.hex() + "86dd"
    ip, body = frame[14:54], frame[54:]
    assert ip[6:8] == bytes([58, 255])
    assert IPv6Address(ip[8:24]) == vip
    assert IPv6Address(ip[24:40]) == IPv6Address("ff02::1")
    assert body[0] == 136
    assert body[4:8].hex() == "20000000"
    assert body[8:24] == vip.packed
    assert body[24:] == bytes([2, 1]) + MAC
    assert _sum16(ip[8:40] + bytes([0, 0, 0, len(body), 0, 0, 0, 58]) + body) == 0xFFFF


def test_neighbour_advertisement_is_keepalived_s_to_the_byte() -> None:
    # Captured from keepalived 2.2.7.
    assert neighbour_advertisement(IPv6Address("fe80::99"), MAC, router=False).hex() == (
        "333300000001" "fa8f4c9afe12" "86dd" "60000000" "0020" "3aff"
        "fe800000000000000000000000000099" "ff020000000000000000000000000001"
        "8800132f20000000" "fe800000000000000000000000000099" "0201fa8f4c9afe12"
    )  # fmt: skip


def test_a_router_says_so() -> None:
    frame = neighbour_advertisement(IPv6Address("2001:db8::64"), MAC, router=True)
    assert frame[58:62].hex() == "a0000000"


def _sum16(data: bytes) -> int:
    """The plain ones' complement sum; with a right checksum in the data it is all ones."""
    total = 0
    for high, low in zip(data[::2], data[1::2], strict=True):
        total += high << 8 | low
        total = (total & 0xFFFF) + (total >> 16)
    return total
