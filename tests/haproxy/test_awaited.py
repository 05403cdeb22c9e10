"""What the plan has and the engine does not carry out is never skipped in silence."""

from __future__ import annotations

from pathlib import Path

import pytest

from telamon.haproxy import awaited
from telamon.haproxy.keywords.index import KEYWORDS
from telamon.haproxy.keywords.server import SERVER_OPTIONS
from telamon.haproxy.load import load

LISTEN = (
    "{top}listen a\n bind :80\n mode http\n timeout client 1s\n timeout server 1s\n"
    " timeout connect 1s\n{line}server s 10.0.0.1:80{word}\n"
)


def codes(folder: Path, *, top: str = "", line: str = "", word: str = "") -> list[str]:
    path = folder / "h.cfg"
    path.write_text(LISTEN.format(top=top, line=line, word=word))
    return [d.code for d in load([str(path)], environment={}).report]


def test_the_tables_name_keywords() -> None:
    assert {row.name for row in KEYWORDS} >= (awaited.REFUSED | awaited.NOTED)
    assert {option.name for option in SERVER_OPTIONS} >= awaited.SERVER_REFUSED


@pytest.mark.skipif(not awaited.REFUSED, reason="all are carried out")
def test_an_awaited_word_is_refused_by_name(tmp_path: Path) -> None:
    for word in sorted(awaited.REFUSED):
        assert "H034" in codes(tmp_path, line=f" {word} x\n")


def test_what_is_undone_is_not_awaited(tmp_path: Path) -> None:
    assert codes(tmp_path, line=" no option http-use-proxy-header\n") == []


@pytest.mark.skipif("tune.idle-pool.shared" not in awaited.NOTED, reason="it is carried out")
def test_lost_comfort_is_a_note(tmp_path: Path) -> None:
    assert codes(tmp_path, top="global\n tune.idle-pool.shared on\n") == ["H038"]
