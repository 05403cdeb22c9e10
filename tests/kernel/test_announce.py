"""Announcements as bytes."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from telamon.kernel.announce import gratuitous_arp, neighbour_advertisement

MAC = bytes.fromhex("0a1b2c3d4e5f")


def test_gratuitous_arp_has_keepalived_s_form() -> None:
    # Captured from keepalived 2.2.7: a broadcast request, target hardware address all ones.
    assert gratuitous_arp(IPv4Address("10.77.0.100"), MAC).hex() == (
        "ffffffffffff" "0a1b2c3d4e5f" "0806"
        "0001" "0800" "06" "04" "0001"
        "0a1b2c3d4e5f" "0a4d0064" "ffffffffffff" "0a4d0064"
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
