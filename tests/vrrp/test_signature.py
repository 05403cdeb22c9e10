"""`auth_hmac`: the bytes of the trailer, replays, key changes, and the steps of a roll-out."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telamon.plan.router import Authentication, AuthKind, HmacKey, HmacMode
from telamon.testing.lan import Lan, Node
from telamon.vrrp.effects import Noticed, SendAdvert
from telamon.vrrp.events import Received
from telamon.vrrp.notices import NoticeKind
from telamon.vrrp.packet import Advert, split_trailer
from telamon.vrrp.signature import SIZE, SignatureError, Signer, Verifier
from tests.vrrp.support import VIP, add, plan, router_plan, vip

KEY = HmacKey(7, b"k" * 32, active=True)
OTHER = HmacKey(8, b"o" * 64)
SOURCE, PEER, GROUP = ip_address("10.77.0.1"), ip_address("10.77.0.2"), ip_address("224.0.0.18")
PDU = bytes.fromhex("31339601006442d9" + "0a4d0064")
WALL = 1_800_000_000.25


def signing(*keys: HmacKey, **changes: Any) -> Authentication:
    return replace(Authentication(AuthKind.HMAC, keys=keys or (KEY,)), **changes)


def pair(first: Authentication, second: Authentication, **changes: Any) -> Lan:
    lan = Lan()
    add(lan, 1, plan(priority=150, authentication=first, **changes))
    add(lan, 2, plan(priority=100, authentication=second, **changes))
    lan.boot()
    lan.run(10)
    return lan


def kinds(node: Node) -> set[NoticeKind]:
    return {e.notice.kind for _t, e in node.effects if isinstance(e, Noticed)}


def last_advert(lan: Lan) -> SendAdvert:
    return lan.sent[-1].advert


def heard(sent: SendAdvert, **changes: object) -> Received:
    whole = Received("eth0", sent.payload, sent.source, sent.destination, sent.ttl)
    return replace(whole, **changes)  # type: ignore[arg-type]


# The bytes.


def test_the_trailer_is_laid_out_as_described() -> None:
    signer = Signer(signing())
    trailer = signer.trailer(PDU, SOURCE, signer.sequence(WALL))
    assert len(trailer) == SIZE == 28
    assert trailer[:4] == bytes([1, 7, 0, 0])
    assert int.from_bytes(trailer[4:8], "big") == 1_800_000_000
    assert trailer[8:12] == bytes([0x40, 0, 0, 0]), "a quarter of a second, count 0"
    pseudo = bytes([4, 3, 0x33, 0]) + SOURCE.packed + bytes(12)
    message = pseudo + PDU[:6] + b"\0\0" + PDU[8:] + trailer[:12] + bytes(16)
    assert trailer[12:] == hmac.new(KEY.secret, message, hashlib.sha256).digest()[:16]


def test_a_signed_v3_advert_is_60_bytes_with_its_header_and_keeps_its_checksum() -> None:
    lan = pair(signing(), signing())
    payload = last_advert(lan).payload
    assert len(payload) + 20 == 60
    assert payload[:12] == PDU


def test_over_ipv6_the_checksum_counts_the_trailer_as_the_kernel_would() -> None:
    lan = Lan()
    one = plan(addresses=(vip("fe80::100/64"),), authentication=signing())
    lan.add("n1", router_plan(one), {"eth0": (ip_address("fe80::1"),)}).boot()
    lan.run(5)
    sent = last_advert(lan)
    pseudo = sent.source.packed + sent.destination.packed
    pseudo += len(sent.payload).to_bytes(4, "big") + bytes([0, 0, 0, 112])
    total = sum(
        int.from_bytes((pseudo + sent.payload)[i : i + 2], "big")
        for i in range(0, len(pseudo + sent.payload), 2)
    )
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    assert total == 0xFFFF
    data, trailer = split_trailer(sent.payload, 6, SIZE)
    assert Advert.parse(data, sent.source, sent.destination, trailer).addresses


def test_all_copies_of_a_unicast_advert_have_one_number() -> None:
    peers = (PEER, ip_address("10.77.0.3"))
    lan = Lan()
    add(lan, 1, plan(unicast_peers=peers, authentication=signing())).boot()
    lan.run(5)
    one, two = (s.advert.payload for s in lan.sent[-2:])
    assert one[-24:-16] == two[-24:-16]


def test_numbers_grow_when_the_clock_stands_or_is_set_back() -> None:
    signer = Signer(signing())
    numbers = [signer.sequence(wall) for wall in (WALL, WALL, WALL - 3600, WALL + 1)]
    assert numbers == sorted(set(numbers))
    assert numbers[1] == numbers[0] + 1


def test_numbers_go_on_beyond_2106() -> None:
    """Serial arithmetic: 0 follows 2**32 - 1 seconds."""
    end = float(2**32)
    signer, verifier = Signer(signing()), Verifier(plan(authentication=signing()))
    for wall in (end - 1, end, end + 1):
        trailer = signer.trailer(PDU, SOURCE, signer.sequence(wall))
        verifier.check(PDU, trailer, SOURCE, wall)
    with pytest.raises(SignatureError):
        verifier.check(PDU, trailer, SOURCE, end + 1)


@given(st.binary(max_size=120), st.integers(0, 255))
def test_noise_behind_an_advert_is_no_signature(noise: bytes, at: int) -> None:
    verifier = Verifier(plan(authentication=signing()))
    signer = Signer(signing())
    good = signer.trailer(PDU, SOURCE, signer.sequence(WALL))
    bad = bytearray(good)
    bad[at % SIZE] ^= 1 + at % 255
    for trailer in (bytes(bad), noise[:SIZE].ljust(SIZE, b"\0")):
        with pytest.raises(SignatureError):
            verifier.check(PDU, trailer, SOURCE, WALL)


# Two cores.


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("monotonic", [False, True])
def test_a_signed_pair_has_one_master(version: int, monotonic: bool) -> None:
    auth = signing(monotonic=monotonic)
    lan = pair(auth, auth, version=version)
    assert lan.masters("VI") == ["n1"]
    lan.nodes["n1"].stop()
    lan.run(1)
    assert lan.masters("VI") == ["n2"]
    assert not kinds(lan.nodes["n2"])


def test_another_key_is_refused_by_name() -> None:
    lan = pair(signing(HmacKey(7, b"x" * 32, active=True)), signing())
    assert lan.masters("VI") == ["n1", "n2"]
    assert kinds(lan.nodes["n2"]) == {NoticeKind.SIGNATURE}


def test_an_unknown_key_is_refused_by_name() -> None:
    lan = pair(signing(replace(OTHER, active=True)), signing())
    (told,) = [
        e.notice
        for _t, e in lan.nodes["n2"].effects
        if isinstance(e, Noticed) and e.notice.peer == SOURCE
    ]
    assert told.kind is NoticeKind.SIGNATURE
    assert "key 8" in told.text


def test_keys_change_without_a_gap() -> None:
    """First both know the new key, then one after the other signs with it."""
    old = signing(KEY, OTHER)
    new = signing(replace(KEY, active=False), replace(OTHER, active=True))
    lan = pair(old, old)
    for name in ("n2", "n1"):
        node = lan.nodes[name]
        (one,) = node.plan.instances
        node.reload(replace(node.plan, instances=(replace(one, authentication=new),)))
        lan.run(5)
    assert last_advert(lan).payload[-27] == 8
    assert lan.masters("VI") == ["n1"]
    assert len(lan.nodes["n2"].history) == 2, "never master, never moved"


def test_a_roll_out_in_three_steps_never_has_two_masters() -> None:
    lan = pair(Authentication(), Authentication())
    steps = [
        signing(mode=m) for m in (HmacMode.RECEIVE_ONLY, HmacMode.PERMISSIVE, HmacMode.ENFORCE)
    ]
    for step in steps:
        for name in ("n2", "n1"):
            node = lan.nodes[name]
            (one,) = node.plan.instances
            node.reload(replace(node.plan, instances=(replace(one, authentication=step),)))
            lan.run(5)
            assert lan.masters("VI") == ["n1"], (step.mode, name)
            assert lan.holders(VIP) == ["n1"]
        assert (len(last_advert(lan).payload) == 40) == (step.mode is not HmacMode.RECEIVE_ONLY)


def test_enforce_refuses_what_is_not_signed() -> None:
    lan = pair(Authentication(), signing())
    assert lan.masters("VI") == ["n1", "n2"]
    assert kinds(lan.nodes["n1"]) == kinds(lan.nodes["n2"]) == {NoticeKind.AUTHENTICATION}


def test_permissive_obeys_what_is_not_signed_and_says_so() -> None:
    lan = pair(Authentication(), signing(mode=HmacMode.PERMISSIVE))
    # The unsigned one is the stronger; the other direction would need its keys.
    assert lan.masters("VI") == ["n1"]
    assert kinds(lan.nodes["n2"]) == {NoticeKind.AUTHENTICATION}


# Replays.


def test_a_recorded_farewell_moves_nothing() -> None:
    lan = pair(signing(), signing())
    lan.nodes["n1"].stop()
    farewell = heard(last_advert(lan))
    assert farewell.payload[2] == 0
    lan.run(5)
    lan.nodes["n1"].boot()
    lan.run(10)
    backup = lan.nodes["n2"]
    assert lan.masters("VI") == ["n1"]
    due = backup.router.next_timeout()
    backup.deliver(farewell)
    assert backup.router.next_timeout() == due
    assert NoticeKind.REPLAY in kinds(backup)


@pytest.mark.parametrize(("monotonic", "believed"), [(False, False), (True, True)])
def test_time_stops_what_was_recorded_before_this_node_started(
    monotonic: bool, believed: bool
) -> None:
    auth = signing(monotonic=monotonic)
    lan = pair(auth, auth)
    recorded = heard(last_advert(lan))
    for node in lan.nodes.values():
        node.crash()
    lan.run(60)
    node = lan.nodes["n2"]
    node.boot()
    lan.run(10)
    assert node.is_master("VI")
    node.deliver(recorded)
    assert node.is_master("VI") != believed


@pytest.mark.parametrize(("apart", "window", "masters"), [
    (4.0, None, ["n1"]), (6.0, None, ["n1", "n2"]), (-6.0, None, ["n1", "n2"]),
    (30.0, 60.0, ["n1"]),
])  # fmt: skip
def test_clocks_may_differ_by_the_window(
    apart: float, window: float | None, masters: list[str]
) -> None:
    lan = Lan()
    for number, priority in ((1, 150), (2, 100)):
        auth = signing(window=window)
        add(lan, number, plan(priority=priority, authentication=auth))
    lan.nodes["n1"].unix_ahead += apart
    lan.boot()
    lan.run(10)
    assert lan.masters("VI") == masters


def test_a_clock_set_back_while_running_does_not_split_monotonic_nodes() -> None:
    auth = signing(monotonic=True)
    lan = pair(auth, auth)
    node = lan.nodes["n1"]
    node.set_unix_ahead(node.unix_ahead - 3600)
    lan.run(30)
    assert lan.masters("VI") == ["n1"]
    assert len(node.history) == 3


def test_a_signed_advert_is_nobody_elses() -> None:
    """The source is part of what is signed."""
    lan = pair(signing(), signing())
    stolen = heard(last_advert(lan), source=ip_address("10.77.0.66"))
    backup = lan.nodes["n2"]
    due = backup.router.next_timeout()
    backup.deliver(stolen)
    assert backup.router.next_timeout() == due


def test_strangers_push_nobody_out_of_the_memory() -> None:
    lan = pair(signing(), signing())
    backup, old = lan.nodes["n2"], heard(last_advert(lan))
    lan.run(2)
    for number in range(10, 40):
        backup.deliver(heard(last_advert(lan), source=ip_address(f"10.77.0.{number}")))
    due = backup.router.next_timeout()
    backup.deliver(old)
    assert backup.router.next_timeout() == due
