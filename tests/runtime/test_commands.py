"""The stats socket's protocol and commands, against a proxy in memory.

Expected answers were taken from HAProxy 2.6's own socket, given the same commands.
"""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telamon.plan.process import StatsLevel
from telamon.runtime.commands.index import COMMANDS
from telamon.runtime.fields import FIELDS
from telamon.runtime.ports import AdminState, CheckStatus
from telamon.runtime.session import CommandSession, split_commands
from telamon.testing.control import FakeControl
from tests.runtime.support import control


def ask(fake: FakeControl, line: str, level: StatsLevel = StatsLevel.ADMIN) -> str:
    return CommandSession(fake, level).feed(line.encode() + b"\n").decode()


def statistics(fake: FakeControl, line: str = "show stat") -> dict[tuple[str, str], dict[str, str]]:
    text = ask(fake, line)
    assert text.startswith("# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,")
    table = csv.DictReader(io.StringIO(text[2:].rstrip("\n")))
    return {(row["pxname"], row["svname"]): row for row in table}


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("disable server", "Require 'backend/server'.\n\n"),
        ("disable server kube/x", "No such backend.\n\n"),
        ("disable server kube-apiserver/nope", "No such server.\n\n"),
        ("disable server kube-apiserver/m1", "\n"),
        (
            "set server kube-apiserver/m1 state foo",
            "'set server <srv> state' expects 'ready', 'drain' and 'maint'.\n\n",
        ),
        (
            "set server kube-apiserver/m1 weight 300",
            "Absolute weight can only be between 0 and 256 inclusive.\n\n",
        ),
        ("get weight kube-apiserver/m2", "10 (initial 10)\n\n"),
        ("get weight #2/#2", "10 (initial 10)\n\n"),
        (
            "set server kube-apiserver/m1 addr 127.0.0.5 port 99",
            "IP changed from '127.0.0.1' to '127.0.0.5', port changed from '6001' to '99' "
            "by 'stats socket command'\n\n",
        ),
        (
            "set server be/a addr 127.0.0.1",
            "no need to change the addr by 'stats socket command'\n\n",
        ),
        ("set server be/a addr x", "Invalid addr 'x' by 'stats socket command'\n\n"),
        (
            "set server be/a health foo",
            "'set server <srv> health' expects 'up', 'stopping', or 'down'.\n\n",
        ),
        ("set maxconn frontend nope 3", "No such frontend.\n\n"),
        ("set maxconn frontend fe", "Integer value expected.\n\n"),
        ("set maxconn server be/a", "Require <maxconn>.\n\n"),
        ("set maxconn global 100000", "Value out of range.\n\n"),
        ("disable frontend", "A frontend name is expected.\n\n"),
        ("set timeout cli x", "Invalid timeout value.\n\n"),
        ("show servers state nobe", "Can't find backend.\n\n"),
        ("show stat nope 7 -1", "No such proxy.\n\n"),
        ("show cli level", "admin\n\n"),
        ("show backend", "# name\nkube-apiserver\nbe\nhaproxy-stats\n\n"),
        ("add server x", "'add server' is known to HAProxy, not yet to Telamon.\n\n"),
    ],
)
def test_answers_are_haproxys(line: str, answer: str) -> None:
    assert ask(control(), line) == answer


def test_show_stat_has_haproxys_columns_in_its_order() -> None:
    header = ask(control(), "show stat").split("\n")[0]
    assert header == "# " + ",".join(f.name for f in FIELDS) + ","
    assert header.startswith(
        "# pxname,svname,qcur,qmax,scur,smax,slim,stot,bin,bout,dreq,dresp,ereq,econ,eresp,wretr,"
        "wredis,status,weight,act,bck,chkfail,chkdown,lastchg,downtime,qlimit,pid,iid,sid,throttle,"
        "lbtot,tracked,type,rate,rate_lim,rate_max,check_status,check_code,check_duration,"
    )


def test_lines_come_in_haproxys_order_and_leave_foreign_columns_empty() -> None:
    table = statistics(control())
    assert list(table) == [
        ("kube-apiserver", "FRONTEND"),
        ("kube-apiserver", "m1"),
        ("kube-apiserver", "m2"),
        ("kube-apiserver", "m3"),
        ("kube-apiserver", "m4"),
        ("kube-apiserver", "BACKEND"),
        ("fe", "FRONTEND"),
        ("be", "a"),
        ("be", "BACKEND"),
        ("haproxy-stats", "FRONTEND"),
        ("haproxy-stats", "BACKEND"),
    ]
    frontend = table["kube-apiserver", "FRONTEND"]
    assert (frontend["qcur"], frontend["hrsp_2xx"], frontend["slim"]) == ("", "", "400")
    assert table["fe", "FRONTEND"]["hrsp_2xx"] == "0"
    assert table["kube-apiserver", "m3"]["check_status"] == ""
    assert table["kube-apiserver", "BACKEND"]["slim"] == "40"


def test_a_server_is_told_by_its_health() -> None:
    fake = control()
    words = {}
    changes: dict[str, dict[str, object]] = {
        "UP": {},
        "UP 1/3": {"health": 2},
        "UP 2/3": {"health": 3},
        "DOWN": {"up": False, "health": 0},
        "DOWN 1/2": {"up": False, "health": 1},
        "DRAIN": {"admin": AdminState.FORCED_DRAIN},
        "MAINT": {"admin": AdminState.FORCED_MAINT},
        "no check": {"check_enabled": False},
    }
    for label, change in changes.items():
        before = fake.health(2, 1)
        fake.change(2, 1, **change)
        words[label] = statistics(fake)["kube-apiserver", "m1"]["status"]
        fake.healths[2, 1] = before
    assert words == {label: label for label in words}


def test_the_last_check_is_told() -> None:
    fake = control()
    fake.change(
        2,
        1,
        up=False,
        health=0,
        check_status=CheckStatus.L4_CONNECTION_ERROR,
        check_description="Connection refused",
        check_duration_ms=3,
        checks_failed=4,
        went_down=1,
        last_change=150.0,
        down_time=2.0,
    )
    row = statistics(fake)["kube-apiserver", "m1"]
    assert row["check_status"] == "L4CON"
    assert row["last_chk"] == "Connection refused"
    assert row["check_desc"] == "Layer4 connection problem"
    assert (row["check_duration"], row["chkfail"], row["chkdown"]) == ("3", "4", "1")
    assert (row["lastchg"], row["downtime"]) == ("15", "17")


def test_show_stat_takes_a_part() -> None:
    fake = control()
    assert list(statistics(fake, "show stat -1 1 -1")) == [
        ("kube-apiserver", "FRONTEND"),
        ("fe", "FRONTEND"),
        ("haproxy-stats", "FRONTEND"),
    ]
    assert list(statistics(fake, "show stat 2 4 3")) == [("kube-apiserver", "m3")]
    assert list(statistics(fake, "show stat be 7 -1")) == [("be", "a"), ("be", "BACKEND")]
    fake.change(4, 1, up=False)
    assert ("be", "a") not in statistics(fake, "show stat up")
    assert ("kube-apiserver", "m4") not in statistics(fake, "show stat no-maint")


def test_typed_and_json_agree_with_the_csv() -> None:
    fake = control()
    typed = ask(fake, "show stat typed").splitlines()
    assert typed[0] == "F.2.0.0.pxname.1:KNS:str:kube-apiserver"
    assert "F.2.0.6.slim.1:CLP:u32:400" in typed
    document = json.loads(ask(fake, "show stat json"))
    table = statistics(fake)
    for row in document:
        named = {item["field"]["name"]: item["value"]["value"] for item in row}
        line = table[named["pxname"], named["svname"]]
        assert {name: value for name, value in line.items() if value} == {
            name: str(value) for name, value in named.items()
        }


def test_show_info_has_what_exporters_read() -> None:
    fake = control()
    fake.process = {"CurrConns": 7, "CumConns": 9}
    lines = dict(line.split(": ", 1) for line in ask(fake, "show info").strip().splitlines())
    assert lines["Name"] == "HAProxy"
    assert lines["Version"][0].isdigit()
    assert lines["Uptime"] == "0d 0h01m05s"
    assert (lines["CurrConns"], lines["CumConns"], lines["Maxconn"]) == ("7", "9", "400")
    typed = ask(fake, "show info typed").splitlines()
    assert typed[0] == "0.Name.1:POS:str:HAProxy"
    values = json.loads(ask(fake, "show info json"))
    assert values[6]["field"] == {"pos": 6, "name": "Pid"}
    assert values[6]["value"] == {"type": "u32", "value": 4242}


def test_show_servers_state_is_a_state_file() -> None:
    lines = ask(control(), "show servers state").splitlines()
    assert lines[0] == "1"
    assert lines[2] == (
        "2 kube-apiserver 1 m1 127.0.0.1 2 0 1 1 65 6 3 4 6 0 0 0 - 6001 - 0 0 - - 0"
    )
    assert lines[4].startswith("2 kube-apiserver 3 m3 127.0.0.1 2 0 1 1 65 1 0 2 0 0")


def test_state_changes_are_carried_out() -> None:
    fake = control()
    ask(fake, "set server kube-apiserver/m1 state maint")
    assert fake.health(2, 1).admin is AdminState.FORCED_MAINT
    ask(fake, "set server kube-apiserver/m1 state drain")
    assert fake.health(2, 1).admin is AdminState.FORCED_DRAIN
    ask(fake, "set server kube-apiserver/m1 state ready")
    assert fake.health(2, 1).admin is AdminState.READY
    ask(fake, "enable server kube-apiserver/m4")
    assert fake.health(2, 4).admin is AdminState.READY
    ask(fake, "set server kube-apiserver/m2 weight 50%")
    assert fake.health(2, 2).weight == 5
    ask(fake, "set server kube-apiserver/m2 health down")
    assert not fake.health(2, 2).up
    ask(fake, "set maxconn server kube-apiserver/m2 7")
    assert statistics(fake)["kube-apiserver", "m2"]["slim"] == "7"


def test_levels_are_kept() -> None:
    fake = control()
    for command in COMMANDS:
        if command.level is not StatsLevel.USER:
            assert ask(fake, command.words, StatsLevel.USER) == "Permission denied\n\n"
    assert ask(fake, "clear counters all", StatsLevel.OPERATOR) == "Permission denied\n\n"
    assert ask(fake, "operator;set server be/a state maint") == "\nPermission denied\n\n"
    assert fake.health(4, 1).admin is AdminState.READY


def test_prompt_keeps_the_connection() -> None:
    session = CommandSession(control(), StatsLevel.ADMIN)
    assert session.feed(b"prompt\n") == b"\n> "
    assert session.feed(b"show cli level\r\n") == b"admin\n\n> "
    assert not session.closed
    assert session.feed(b"quit\n") == b""
    assert session.closed


def test_without_prompt_the_connection_ends() -> None:
    session = CommandSession(control(), StatsLevel.ADMIN)
    assert session.feed(b"show cli ") == b""
    assert session.feed(b"level;show cli level\n") == b"admin\n\nadmin\n\n"
    assert session.closed


def test_a_payload_is_not_taken_for_commands() -> None:
    session = CommandSession(control(), StatsLevel.ADMIN)
    session.feed(b"set ssl cert x <<\nshow info\n")
    assert not session.closed
    assert b"Uptime" not in session.feed(b"quit\n\n")


def test_an_endless_line_is_refused() -> None:
    session = CommandSession(control(), StatsLevel.ADMIN)
    session.feed(b"x" * 20000)
    assert session.closed


def test_escapes_and_semicolons() -> None:
    assert split_commands(r"a\;b c\ d;e") == [["a;b", "c d"], ["e"]]
    assert split_commands("") == [[]]
    assert split_commands("a;") == [["a"]]


@given(st.binary(max_size=200))
def test_no_bytes_break_a_session(data: bytes) -> None:
    session = CommandSession(control(), StatsLevel.ADMIN)
    session.feed(data + b"\n")


@given(
    st.lists(st.sampled_from(sorted({w for c in COMMANDS for w in c.words.split()})), max_size=6)
)
def test_no_words_break_a_session(words: list[str]) -> None:
    assert ask(control(), " ".join(words)).endswith("\n")
