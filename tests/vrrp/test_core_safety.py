"""What must not happen: bad packets that move anything, late sleepers, lost addresses."""

from __future__ import annotations

from ipaddress import ip_address
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telamon.base.address import IPAddress
from telamon.plan.router import Authentication, AuthKind, PeerTtl
from telamon.testing.lan import Lan, Node
from telamon.vrrp.effects import (
    AddAddresses,
    Log,
    Noticed,
    SendGratuitous,
)
from telamon.vrrp.events import Received
from telamon.vrrp.notices import Notice, NoticeKind
from telamon.vrrp.packet import MULTICAST_V4, Advert, AuthType, ChecksumForm, password_data
from telamon.vrrp.states import State
from tests.vrrp.support import VIP, add, lan_of, plan

STRANGER = ip_address("10.77.0.66")
ME = ip_address("10.77.0.1")
PASSWORD = Authentication(AuthKind.PASS, b"1111")


def advert(**changes: object) -> Advert:
    values: dict[str, object] = {
        "version": 3, "vrid": 51, "priority": 254, "interval": 100, "addresses": (VIP,),
    }  # fmt: skip
    return Advert(**{**values, **changes})  # type: ignore[arg-type]


def advert2(**changes: object) -> Advert:
    values = {"version": 2, "auth_data": bytes(8), "checksum_form": ChecksumForm.PLAIN}
    return advert(**{**values, **changes})


def received(
    one: Advert | bytes,
    source: IPAddress = STRANGER,
    destination: IPAddress = MULTICAST_V4,
    ttl: int = 255,
) -> Received:
    payload = one if isinstance(one, bytes) else one.emit(source, destination)
    return Received("eth0", payload, source, destination, ttl)


def node_with(**changes: object) -> Node:
    """One router, master since a while."""
    lan = Lan()
    node = add(lan, 1, plan("VI", **changes))
    node.boot()
    lan.run(20)
    assert node.is_master("VI")
    return node


def notices(node: Node) -> list[Notice]:
    return [e.notice for _t, e in node.effects if isinstance(e, Noticed)]


_sound = advert().emit(STRANGER, MULTICAST_V4)
_peers: dict[str, object] = {"unicast_peers": (ip_address("10.77.0.2"),)}

REFUSED: list[tuple[dict[str, object], Received, NoticeKind]] = [
    ({}, received(_sound[:-1]), NoticeKind.MALFORMED),
    ({}, received(_sound[:6] + b"\0\0" + _sound[8:]), NoticeKind.CHECKSUM),
    ({"checksum_as_v2": True}, received(_sound[:6] + b"\0\0" + _sound[8:]), NoticeKind.CHECKSUM),
    ({}, received(b"\x51" + _sound[1:]), NoticeKind.VERSION),
    ({}, received(advert(), ttl=254), NoticeKind.TTL),
    ({}, received(advert2()), NoticeKind.VERSION),
    ({"version": 2}, received(advert()), NoticeKind.VERSION),
    ({"version": 2}, received(advert2(interval=200)), NoticeKind.INTERVAL),
    ({"version": 2, "authentication": PASSWORD}, received(advert2()), NoticeKind.AUTHENTICATION),
    (
        {"version": 2},
        received(advert2(auth_type=AuthType.PASS, auth_data=password_data(b"1111"))),
        NoticeKind.AUTHENTICATION,
    ),
    (
        {"version": 2, "authentication": PASSWORD},
        received(advert2(auth_type=AuthType.PASS, auth_data=password_data(b"2222"))),
        NoticeKind.AUTHENTICATION,
    ),
    ({}, received(advert(), source=ME), NoticeKind.OWN_ADDRESS),
    ({}, received(advert(), destination=ME), NoticeKind.TRANSPORT),
    (_peers, received(advert()), NoticeKind.TRANSPORT),
    (_peers, received(advert(), destination=ME), NoticeKind.UNKNOWN_PEER),
    (
        _peers,
        received(advert(), source=ip_address("10.77.0.2"), destination=ME, ttl=64),
        NoticeKind.TTL,
    ),
]


@pytest.mark.parametrize(("changes", "packet", "kind"), REFUSED)
def test_a_refused_packet_changes_nothing_and_is_named(
    changes: dict[str, object], packet: Received, kind: NoticeKind
) -> None:
    node = node_with(**changes)
    before = node.router.next_timeout()
    effects = node.router.handle_received(packet, node.lan.clock.now)
    assert node.router.next_timeout() == before
    (told,) = effects
    assert isinstance(told, Noticed)
    assert told.notice.kind is kind
    assert told.notice.peer == packet.source
    assert not told.notice.harmless
    # Once is enough.
    assert node.router.handle_received(packet, node.lan.clock.now + 0.01) == []


@pytest.mark.parametrize(("changes", "packet", "kind"), REFUSED)
def test_refused_packets_neither_silence_a_master_nor_wake_a_backup(
    changes: dict[str, object], packet: Received, kind: NoticeKind
) -> None:
    """Five a second for 30 s; keepalived loses the VIP over this."""
    del kind
    if packet.source == ME or packet.destination == ME or "unicast_peers" in changes:
        pytest.skip("the pair of this test speaks multicast")
    lan = Lan()
    for number, priority in ((1, 150), (2, 100)):
        add(lan, number, plan("VI", **{**changes, "priority": priority})).boot()
    lan.run(10)
    assert lan.masters("VI") == ["n1"]
    before = len(lan.sent)
    for _ in range(150):
        for node in lan.nodes.values():
            node.deliver(packet)
        lan.run(0.2)
    assert lan.masters("VI") == ["n1"]
    times = [s.at for s in lan.sent[before:]]
    assert len(times) == 30
    assert max(b - a for a, b in pairwise(times)) == pytest.approx(1.0)
    assert [s for _t, s in lan.nodes["n2"].history if s.new is State.MASTER] == []


def test_a_known_unicast_peer_is_believed_within_its_ttl_range() -> None:
    peer = ip_address("10.77.0.2")
    node = node_with(unicast_peers=(peer,), peer_ttls=(PeerTtl(peer, low=60),))
    node.deliver(received(advert(), source=peer, destination=ME, ttl=64))
    assert not node.is_master("VI")


@given(st.binary(max_size=80), st.integers(0, 255))
def test_noise_never_moves_a_master(noise: bytes, ttl: int) -> None:
    """Whatever arrives: unless it is a sound advert, nothing but a notice comes of it."""
    router = _MASTER.router
    now = _MASTER.lan.clock.now
    before = router.next_timeout()
    payload = noise[:1] + b"\x33" + noise[2:]
    effects = router.handle_received(received(payload, ttl=ttl), now)
    assert all(isinstance(e, Noticed) for e in effects)
    assert router.next_timeout() == before


_MASTER = node_with()


def test_either_checksum_form_is_believed_and_told_once() -> None:
    node = node_with()
    other = advert(checksum_form=ChecksumForm.PLAIN)
    for _ in range(3):
        node.deliver(received(other))
    assert not node.is_master("VI")
    told = [n for n in notices(node) if n.kind is NoticeKind.CHECKSUM_FORM]
    assert [n.mend for n in told] == ["v3_checksum_as_v2 true"]
    assert told[0].harmless


def test_another_clusters_vrid_is_called_so() -> None:
    node = node_with()
    node.deliver(received(advert(addresses=(ip_address("10.77.0.200"),))))
    (told,) = [n for n in notices(node) if n.kind is NoticeKind.FOREIGN_CLUSTER]
    assert "10.77.0.200" in told.text
    assert "virtual_router_id" in told.mend


def test_a_longer_address_list_is_told_and_the_advert_counts() -> None:
    node = node_with()
    node.deliver(received(advert(addresses=(VIP, ip_address("10.77.0.101")))))
    (told,) = [n for n in notices(node) if n.kind is NoticeKind.ADDRESS_LIST]
    assert "10.77.0.101" in told.text
    assert not node.is_master("VI")


def test_a_version_3_interval_is_told_and_learned() -> None:
    node = node_with()
    node.deliver(received(advert(interval=50)))
    (told,) = [n for n in notices(node) if n.kind is NoticeKind.INTERVAL]
    assert told.mend == "advert_int 0.5"
    view = node.router.status(node.lan.clock.now)[0]
    assert told in view.notices
    assert view.master == STRANGER


def test_a_notice_comes_back_when_it_was_over() -> None:
    node = node_with()
    packet = received(advert(), ttl=1)
    node.deliver(packet)
    node.lan.run(120)
    node.deliver(packet)
    assert [n.kind for n in notices(node)] == [NoticeKind.TTL, NoticeKind.TTL]


def test_a_flood_of_invented_senders_fills_neither_log_nor_memory() -> None:
    node = node_with()
    for number in range(2000):
        source = ip_address(0x0A4E0000 + number)
        node.deliver(received(advert(), source=source, ttl=1))
    assert len(notices(node)) == 256


# Oversleeping.


def test_a_master_that_wakes_late_listens_before_it_speaks() -> None:
    lan = lan_of(150, 100, preempt=False)
    lan.run(10)
    lan.nodes["n1"].pause()
    lan.run(10)
    assert lan.holders(VIP) == ["n1", "n2"]
    before = len(lan.sent)
    lan.nodes["n1"].resume()
    # At once, before anything else happens.
    assert lan.holders(VIP) == ["n2"]
    lan.run(20)
    assert lan.masters("VI") == ["n2"]
    assert {s.node for s in lan.sent[before:]} == {"n2"}


def test_a_short_pause_moves_nothing() -> None:
    lan = lan_of(150, 100)
    lan.run(10.1)
    lan.nodes["n1"].pause()
    lan.run(2.0)
    lan.nodes["n1"].resume()
    lan.run(10)
    assert [c.new for _t, c in lan.nodes["n2"].history] == [State.INIT, State.BACKUP]
    assert lan.masters("VI") == ["n1"]


def test_a_backup_that_wakes_late_believes_what_waits_in_its_socket() -> None:
    lan = lan_of(150, 100)
    lan.run(10)
    lan.nodes["n2"].pause()
    lan.run(60)
    lan.nodes["n2"].resume()
    lan.run(10)
    assert [c.new for _t, c in lan.nodes["n2"].history] == [State.INIT, State.BACKUP]


def test_a_backup_that_wakes_late_with_an_empty_socket_listens_too() -> None:
    lan = lan_of(150, 100)
    lan.run(10)
    backup = lan.nodes["n2"]
    # A frozen machine's packets are lost: its clock is late, its socket empty.
    effects = backup.router.handle_timeout(lan.clock.now + 60)
    assert effects == []
    due = backup.router.next_timeout()
    assert due == pytest.approx(lan.clock.now + 60 + 3 + 156 / 256)


# Addresses that vanish.


def test_a_deleted_address_is_put_back_at_once_without_an_election() -> None:
    lan = lan_of(150, 100)
    lan.run(10.5)
    node = lan.nodes["n1"]
    before, sent = len(node.effects), len(lan.sent)
    node.lose_address("eth0", VIP)
    effects = [e for _t, e in node.effects[before:]]
    assert isinstance(effects[0], AddAddresses)
    assert [type(e) for e in effects[1:]] == [SendGratuitous] * 5 + [Log]
    assert lan.holders(VIP) == ["n1"]
    assert len(lan.sent) == sent
    assert node.router.status(lan.clock.now)[0].losses == 1


def test_addresses_that_are_not_ours_to_hold_are_left_alone() -> None:
    lan = lan_of(150, 100)
    lan.run(10)
    for name, device, address in (
        ("n1", "eth1", VIP),
        ("n1", "eth0", ip_address("10.77.0.99")),
        ("n2", "eth0", VIP),
    ):
        router = lan.nodes[name].router
        assert router.handle_address_removed(device, address, lan.clock.now) == []


def test_nobody_asked_for_it_and_nothing_breaks() -> None:
    router = node_with().router
    assert router.handle_script("unknown", True, 20.0) == []
    assert router.handle_received(received(advert(vrid=52)), 20.0) == []
    assert router.handle_received(received(b""), 20.0) == []
