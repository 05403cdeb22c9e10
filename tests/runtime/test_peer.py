"""The statistics beside those of the real HAProxy, given the same proxies."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest

from telamon.haproxy.load import load
from telamon.plan.process import StatsLevel
from telamon.runtime.session import CommandSession
from telamon.testing.control import FakeControl
from tests.runtime.support import control
from tests.support.peers import ask_socket, haproxy
from tests.support.ports import free_port

pytestmark = pytest.mark.peer


def configuration() -> str:
    """The plan of `support.plan()` in HAProxy's words."""
    ports = [free_port() for _ in range(3)]
    return f"""
    maxconn 400
defaults
    timeout connect 5s
    timeout client 5s
    timeout server 5s
listen kube-apiserver
    mode tcp
    bind 127.0.0.1:{ports[0]}
    server m1 127.0.0.1:6001 check
    server m2 127.0.0.1:6002 check weight 10
    server m3 127.0.0.1:6003 backup
    server m4 127.0.0.1:6004 disabled
frontend fe
    mode http
    bind 127.0.0.1:{ports[1]}
    default_backend be
backend be
    mode http
    server a 127.0.0.1:1 check
listen haproxy-stats
    mode http
    bind 127.0.0.1:{ports[2]}
    stats uri /haproxy?stats
"""


def ours(command: str) -> str:
    return CommandSession(control(), StatsLevel.ADMIN).feed(command.encode() + b"\n").decode()


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text[2:].rstrip("\n"))))


# A peer of 2.6 has module columns that ours does not (`h1_*`: its multiplexer's own figures).
def fixed(columns: list[str]) -> list[str]:
    return columns[: columns.index("-")] if "-" in columns else columns


def test_columns_stand_in_haproxys_order(tmp_path: Path) -> None:
    with haproxy(tmp_path, configuration()) as peer:
        theirs = fixed(ask_socket(peer, "show stat").split("\n")[0][2:].split(","))
    mine = fixed(ours("show stat").split("\n")[0][2:].split(","))
    assert [name for name in mine if name in theirs] == theirs
    # What is ours alone is what later versions of HAProxy added behind.
    assert mine[: len(theirs)] == theirs


def test_each_line_has_the_columns_that_haproxys_has(tmp_path: Path) -> None:
    with haproxy(tmp_path, configuration()) as peer:
        theirs = read(ask_socket(peer, "show stat"))
    mine = read(ours("show stat"))
    assert [(r["pxname"], r["svname"]) for r in mine] == [
        (r["pxname"], r["svname"]) for r in theirs
    ]
    # These come and go with the check that runs at this moment.
    volatile = {"last_chk", "check_code", "check_duration", "check_desc"}
    for my_row, their_row in zip(mine, theirs, strict=True):
        shared = fixed(list(their_row))
        present = {name for name in shared if my_row[name]} - volatile
        assert present == {name for name in shared if their_row[name]} - volatile, my_row["svname"]


def test_constant_values_agree(tmp_path: Path) -> None:
    with haproxy(tmp_path, configuration()) as peer:
        theirs = read(ask_socket(peer, "show stat"))
    names = "pid iid sid type mode algo slim check_rise check_fall bck uweight".split()
    for my_row, their_row in zip(read(ours("show stat")), theirs, strict=True):
        if my_row["type"] == "1":  # a backend's weights follow its servers' health
            their_row["uweight"] = my_row["uweight"]
            their_row["bck"] = my_row["bck"]
        assert {n: my_row[n] for n in names} == {n: their_row[n] for n in names}


def test_what_backends_may_be_brought_agrees(tmp_path: Path) -> None:
    """`slim` of a backend without `fullconn`: by the frontends that may come to it."""
    ports = [free_port() for _ in range(3)]
    text = f"""
    maxconn 400
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend one
    bind 127.0.0.1:{ports[0]}
    maxconn 100
    use_backend %[req.hdr(host)] if {{ path /d }}
    use_backend both if {{ path /a }}
    use_backend both if {{ path /b }}
    default_backend first
frontend two
    bind 127.0.0.1:{ports[1]}
    maxconn 305
    use_backend both if {{ path /a }}
    default_backend both
backend both
    server s 127.0.0.1:9
backend first
    server s 127.0.0.1:9
backend nobodys
    server s 127.0.0.1:9
listen own
    bind 127.0.0.1:{ports[2]}
    maxconn 50
    server s 127.0.0.1:9
"""
    file = tmp_path / "ours.cfg"
    file.write_text("global" + text)
    plan = load([str(file)]).plan
    assert plan is not None
    session = CommandSession(FakeControl(plan), StatsLevel.ADMIN)
    mine = read(session.feed(b"show stat\n").decode())
    with haproxy(tmp_path, text) as peer:
        theirs = read(ask_socket(peer, "show stat"))
    names = ("pxname", "svname", "slim")
    assert [[r[n] for n in names] for r in mine] == [[r[n] for n in names] for r in theirs]


def test_show_info_has_haproxys_lines_in_its_order(tmp_path: Path) -> None:
    with haproxy(tmp_path, configuration()) as peer:
        theirs = [line.partition(":")[0] for line in ask_socket(peer, "show info").splitlines()]
    mine = [line.partition(":")[0] for line in ours("show info").splitlines()]
    # 2.6 misspells one name, which later versions mended.
    theirs = [name.replace("TotalSplicdedBytesOut", "TotalSplicedBytesOut") for name in theirs]
    assert mine == theirs


@pytest.mark.parametrize(
    "command",
    [
        "disable server",
        "disable server nobody/x",
        "set server kube-apiserver/m1 state foo",
        "set server kube-apiserver/m1 weight 300",
        "set server kube-apiserver/m1 health foo",
        "get weight kube-apiserver/m2",
        "get weight #2/#2",
        "set server be/a addr 127.0.0.1",
        "set server be/a addr x",
        "set maxconn frontend fe",
        "set maxconn server be/a",
        "disable frontend",
        "set timeout cli x",
        "show servers state nobe",
        "show stat nope 7 -1",
        "show backend",
        "show cli level",
        "clear counters",
        "show map",
        "show cache",
        "expert-mode",
        "experimental-mode on; experimental-mode; expert-mode",
        "show env SURELY_NOT_SET",
    ],
)
def test_answers_agree(tmp_path: Path, command: str) -> None:
    with haproxy(tmp_path, configuration()) as peer:
        assert ours(command) == ask_socket(peer, command)
