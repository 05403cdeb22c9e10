"""What is read and has no effect is never skipped in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from telamon.haproxy.load import load

LISTEN = (
    "{top}listen a\n bind :80\n mode http\n timeout client 1s\n timeout server 1s\n"
    " timeout connect 1s\n{line}server s 10.0.0.1:80{word}\n"
)


def codes(folder: Path, *, top: str = "", line: str = "", word: str = "") -> list[str]:
    path = folder / "h.cfg"
    path.write_text(LISTEN.format(top=top, line=line, word=word))
    return [d.code for d in load([str(path)], environment={}).report]


def test_what_is_undone_is_not_noted(tmp_path: Path) -> None:
    assert codes(tmp_path, line=" no option http-use-proxy-header\n") == []


def test_lost_comfort_is_a_note(tmp_path: Path) -> None:
    assert codes(tmp_path, top="global\n tune.idletimer 500\n") == ["H038"]


def test_what_is_carried_out_is_not_noted(tmp_path: Path) -> None:
    assert codes(tmp_path, top="global\n tune.idle-pool.shared off\n") == []


FOREIGN = " source 0.0.0.0 usesrc hdr_ip(x-forwarded-for)"


def test_a_foreign_source_needs_rights_and_a_head(tmp_path: Path) -> None:
    assert codes(tmp_path, word=FOREIGN) == []
    assert codes(tmp_path, top="global\n uid 65534\n", word=FOREIGN) == ["H042"]
    assert codes(tmp_path, line=" mode tcp\n", word=FOREIGN) == ["H081"]


@pytest.mark.parametrize(
    "words,version",
    [
        ("", 0),
        ("send-proxy", 1),
        ("send-proxy-v2", 2),
        ("check-send-proxy", 1),
        ("check-send-proxy send-proxy-v2", 2),
        ("send-proxy port 81", 0),
        ("send-proxy addr 10.0.0.2", 0),
        ("send-proxy port 81 check-send-proxy", 1),
    ],
)
def test_checks_greet_as_traffic_does(tmp_path: Path, words: str, version: int) -> None:
    path = tmp_path / "h.cfg"
    path.write_text(LISTEN.format(top="", line="", word=f" check {words}"))
    plan = load([str(path)], environment={}).plan
    assert plan is not None and plan.proxies[0].backend is not None
    check = plan.proxies[0].backend.servers[0].check
    assert check is not None and check.send_proxy == version
