"""The table itself, its page, and how much of what people write it carries out."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from telamon.keepalived.keywords import ROWS, table
from telamon.keepalived.keywords.census import coverage
from telamon.keepalived.keywords.page import page
from telamon.keepalived.keywords.row import Mark

PAGE = Path(__file__).parents[2] / "docs" / "keepalived-keywords.md"


def test_no_keyword_stands_twice_in_one_block() -> None:
    places = [
        (block, name) for row in ROWS for block in row.blocks for name in (row.name, *row.old)
    ]
    assert len(places) == len(set(places)) == len(table())


def test_every_row_says_what_it_is() -> None:
    for row in ROWS:
        assert row.documentation, row.name
        if row.mark is Mark.NOTED:
            assert row.meaning, f"{row.name} is noted, but not why"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "run python -m telamon.keepalived.keywords.page"


def test_nearly_all_that_people_write_is_carried_out() -> None:
    shares = coverage(ROWS)
    assert shares.unknown == ()
    assert shares.share(Mark.CARRIED_OUT) >= 0.95
    assert shares.uses[Mark.NOT_YET] == 0


@pytest.mark.peer
def test_every_keyword_of_the_manual_page_is_known() -> None:
    """The page's synopsis lines begin with a keyword in bold."""
    found = Path("/usr/share/man/man5/keepalived.conf.5.gz")
    if not found.exists() or shutil.which("zcat") is None:
        pytest.skip("keepalived's manual page is not installed")
    text = subprocess.run(["zcat", str(found)], capture_output=True, text=True, check=True).stdout
    written = set(re.findall(r"^\s*\\fB([A-Za-z_][A-Za-z0-9_-]+) ?\\fR", text, re.MULTILINE))
    written |= set(re.findall(r"^\s+\\fB([A-Za-z_][A-Za-z0-9_-]+)$", text, re.MULTILINE))
    assert len(written) > 200
    prose = {"Note", "or", "NOTE", "Important", "Example", "include_"}
    known = {name for _, name in table()}
    assert written - known - prose - NOT_KEYWORDS == set()


NOT_KEYWORDS = {"CHECKER_TYPE", "NOT", "start", "val1"}
"""Bold words of the page that stand for something else."""
