"""The table, the live view's block, and the record of who held the VIP."""

from __future__ import annotations

import io

from telamon.lab.live import Lines, NodeState, Screen, State, bars, block
from telamon.lab.report import Outcome, table
from telamon.lab.watch import Watch

GOOD = Outcome("master node crashed", "node1", "node3", 3.0551, 211, 1198)
BAD = Outcome("proxy killed", "node3", "", 15.0, 7, 0, "nobody had the VIP 15 s later")


def test_the_table_is_aligned_and_says_what_failed() -> None:
    text = table([GOOD, BAD])
    head, rule, good, bad, empty, problem = text.splitlines()
    assert head.split() == [
        "event",
        "VIP",
        "before",
        "→",
        "after",
        "outage",
        "ms",
        "lost",
        "served",
    ]
    assert set(rule) == {"─", " "}
    assert good.split()[-4:] == ["3055", "211", "1198", "ok"]
    assert "node1 → node3" in good
    assert "node3 → nobody" in bad
    assert bad.endswith("FAILED")
    assert good.index("211") + 3 == bad.index("  7") + 3
    assert empty == ""
    assert problem == "proxy killed: nobody had the VIP 15 s later"


def test_a_table_without_problems_ends_with_its_last_row() -> None:
    assert table([GOOD]).splitlines()[-1].endswith("ok")


def state() -> State:
    nodes = (
        NodeState("node1", "192.168.10.80", True, "running", "MASTER", "up"),
        NodeState("node2", "192.168.10.81", False, "", "", ""),
    )
    return State(1.0, "master node crashed", nodes, (0, 50, 100), 100, 3)


def test_the_block_shows_who_has_the_vip_and_what_is_gone() -> None:
    lines = block(state())
    assert lines[1].strip() == "master node crashed"
    assert lines[2].endswith("◀ VIP")
    assert "VIP" not in lines[3]
    assert lines[3].count("-") == 3
    assert "answered  100/s ▁▄█  lost 3" in lines[4]


def test_bars_stay_in_their_range() -> None:
    assert bars((0, 250, 100), 100) == "▁██"


def test_a_screen_takes_its_block_away_before_it_writes() -> None:
    out = io.StringIO()
    screen = Screen(out)
    screen.show(state())
    height = len(block(state()))
    assert out.getvalue().count("\n") == height
    screen.say(2.0, "the VIP moves")
    assert f"\x1b[{height}A\r\x1b[0J   2.0 s  the VIP moves\n" in out.getvalue()
    screen.close()
    assert out.getvalue().endswith(f"\x1b[{height}A\r\x1b[0J")


def test_lines_hold_no_control_characters() -> None:
    out = io.StringIO()
    view = Lines(out)
    view.say(12.34, "the VIP moves")
    view.show(state())
    view.close()
    assert out.getvalue() == "  12.3 s  the VIP moves\n"


def test_the_watch_knows_the_sole_holder() -> None:
    watch = Watch()
    assert watch.sole == ""
    assert watch.saw(1.0, frozenset({"node1"}))
    assert not watch.saw(2.0, frozenset({"node1"}))
    assert watch.sole == "node1"
    assert watch.steady_for(5.0) == 4.0
    assert watch.saw(6.0, frozenset({"node1", "node2"}))
    assert watch.sole == ""


def test_the_watch_measures_two_holders() -> None:
    watch = Watch()
    watch.saw(0.0, frozenset({"a"}))
    watch.saw(1.0, frozenset({"a", "b"}))
    watch.saw(1.5, frozenset({"b"}))
    watch.saw(4.0, frozenset({"a", "b"}))
    watch.saw(5.0, frozenset({"b", "c"}))
    watch.saw(6.0, frozenset({"c"}))
    assert watch.longest_with_two(0.0, 10.0) == 2.0
    assert watch.longest_with_two(0.0, 2.0) == 0.5
    assert watch.longest_with_two(5.5, 10.0) == 0.5
    assert watch.longest_with_two(7.0, 10.0) == 0.0
