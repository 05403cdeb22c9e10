"""The words of routes and rules: what they come to, and that nothing but WordsError comes out."""

from __future__ import annotations

from ipaddress import IPv4Address, ip_interface

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telamon.plan.route_words import (
    ROUTE_KINDS,
    Metric,
    NextHop,
    Route,
    Rule,
    WordsError,
    read_route,
    read_rule,
)

GATEWAY = IPv4Address("10.0.0.1")


@pytest.mark.parametrize(
    ("text", "route"),
    [
        ("default via 10.0.0.1 dev em1", Route(4, hop=NextHop(GATEWAY, "em1"))),
        ("0.0.0.0/0 gw 10.0.0.1", Route(4, hop=NextHop(GATEWAY))),
        (
            "blackhole 10.1.0.0/16 metric 5 proto bgp table main",
            Route(
                4, ROUTE_KINDS["blackhole"], ip_interface("10.1.0.0/16"), priority=5, protocol=186
            ),
        ),
        (
            "10.1.2.3 dev em1 mtu lock 1400 rtt 2ms rto_min 1s scope link tos 0x10",
            Route(
                4, destination=ip_interface("10.1.2.3/32"), hop=NextHop(device="em1"), scope=253,
                tos=16, metrics=(Metric(2, 1400, True), Metric(4, 16), Metric(13, 1000)),
            ),
        ),
        (
            "10.1.0.0/16 nexthop via 10.0.0.1 weight 3 nexthop dev em2 onlink",
            Route(
                4, destination=ip_interface("10.1.0.0/16"),
                hops=(NextHop(GATEWAY, weight=3), NextHop(device="em2", onlink=True)),
            ),
        ),
    ],
)  # fmt: skip
def test_routes(text: str, route: Route) -> None:
    assert read_route(text.split(), 4) == route


def test_a_rule() -> None:
    words = "not from 10.1.0.0/16 to all iif em1 fwmark 0x5/0xff lookup 7 pref 9 sport 1-2"
    assert read_rule(words.split(), 4) == Rule(
        4, origin=ip_interface("10.1.0.0/16"), incoming="em1", mark=(5, 255), table=7, priority=9,
        inverted=True, source_ports=(1, 2),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "message", "refused"),
    [
        ("via 10.0.0.1", "no destination", False),
        ("10.1.0.0/16 via fe80::1", "not an IPv4 address", False),
        ("10.1.0.0/16 via", "needs a value", False),
        ("10.1.0.0/16 encap mpls 7", "'encap' of a route is not carried out", True),
        ("10.1.0.0/16 bogus", "unknown word 'bogus'", False),
        ("10.1.0.0/16 table nosuch", "not a routing table", False),
        ("10.1.0.0/16 metric many", "not a number", False),
    ],
)
def test_bad_routes(words: str, message: str, refused: bool) -> None:
    with pytest.raises(WordsError, match=message) as caught:
        read_route(words.split(), 4)
    assert caught.value.refused is refused


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("from 10.0.0.0/8", "no table"),
        ("from 10.0.0.0/8 lookup 0", "not a routing table"),
        ("from 10.0.0.0/8 realms 3", "not carried out"),
        ("dport 9-1 table 7", "not a range"),
    ],
)
def test_bad_rules(words: str, message: str) -> None:
    with pytest.raises(WordsError, match=message):
        read_rule(words.split(), 4)


_WORDS = st.lists(
    st.sampled_from(
        "to from via dev src table metric mtu lock nexthop weight blackhole default all onlink "
        "10.0.0.0/8 10.0.0.1 fe80::1 2001:db8::/32 7 -1 em1 lookup fwmark 1/2 goto not inet6 "
        "dport 5-6 rto_min 3s features ecn congctl reno pref high uidrange".split()
    )
    | st.text(max_size=6),
    max_size=12,
)


@given(_WORDS, st.sampled_from([4, 6]))
def test_nothing_else_comes_out(words: list[str], family: int) -> None:
    for read in (read_route, read_rule):
        try:
            read(words, family)
        except WordsError as error:
            assert str(error)
