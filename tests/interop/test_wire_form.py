"""What Telamon puts on the wire is, byte for byte, what keepalived does from the same node."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.interop.lan import Frame, Lan, Program, Wire, eventually, lan
from tests.interop.setups import Setup

pytestmark = [
    pytest.mark.netns,
    pytest.mark.peer,
    pytest.mark.skipif(shutil.which("keepalived") is None, reason="keepalived is not installed"),
]

SETUPS = {
    "v3": Setup(150),
    "v3, two addresses": Setup(150, vips=("10.77.0.100", "10.77.0.101/24")),
    "v2 with a password": Setup(150, version=2, interval=1, password="1111"),
    "v3, IPv6": Setup(150, vips=("fe80::99", "2001:db8::99")),
    "v3, unicast": Setup(150, source="10.77.0.1", peers=("10.77.0.2",)),
}


@pytest.mark.parametrize("name", SETUPS)
def test_one_life_looks_alike(name: str, tmp_path: Path) -> None:
    setup = SETUPS[name]
    # Two equal switches, so that both live at the same time.
    with lan(tmp_path, 2) as one, lan(tmp_path, 2) as other:
        their_wire, our_wire = one.wire(one.nodes[0].port), other.wire(other.nodes[0].port)
        their_program = one.nodes[0].keepalived(setup.keepalived())
        our_program = other.nodes[0].telamon(setup.plan())
        theirs = _life(one, setup, their_program, their_wire)
        ours = _life(other, setup, our_program, our_wire)
    assert _adverts(ours) == _adverts(theirs)
    assert _announcements(ours) == _announcements(theirs)


def _life(made: Lan, setup: Setup, program: Program, wire: Wire) -> list[Frame]:
    """From the election to the farewell."""
    eventually(lambda: len(wire.adverts()) >= 2, "the second advert")
    program.stop()
    eventually(lambda: wire.adverts()[-1].priority == 0, "the farewell")
    eventually(lambda: not made.holders(setup.vips[0].split("/")[0]), "the address to go")
    return wire.frames


def _adverts(frames: list[Frame]) -> list[bytes]:
    """The first advert, the second and the farewell, without what counts up or is random."""
    adverts = [_settled(frame) for frame in frames if frame.is_advert]
    return [adverts[0], adverts[1], adverts[-1]]


def _settled(frame: Frame) -> bytes:
    data = bytearray(frame.data)
    if frame.ethertype == 0x0800:
        data[18:20] = data[24:26] = bytes(2)  # identification, and the checksum over it
    else:
        data[15:18] = bytes([data[15] & 0xF0, 0, 0])  # flow label
    return bytes(data)


def _announcements(frames: list[Frame]) -> list[bytes]:
    """The first burst: five rounds over all addresses, ours and theirs in one order."""
    found = [f.data for f in frames if _is_announcement(f)]
    return found[: 5 * len(set(found))]


def _is_announcement(frame: Frame) -> bool:
    if frame.is_arp:
        return frame.data[28:32] == frame.data[38:42]
    return frame.ethertype == 0x86DD and frame.data[20] == 58 and frame.data[54] == 136
