"""Documents that are made from tables are up to date, and the tables are whole."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from telamon.base.codes import CODES
from telamon.haproxy.keywords.bind import BIND_OPTIONS
from telamon.haproxy.keywords.index import KEYWORDS
from telamon.haproxy.keywords.known import (
    BIND_NOT_YET,
    GLOBAL_NOT_YET,
    PROXY_NOT_YET,
    REMOVED,
    SERVER_NOT_YET,
)
from telamon.haproxy.keywords.sections import Place
from telamon.haproxy.keywords.server import SERVER_OPTIONS

ROOT = Path(__file__).parents[2]


def test_documents_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "generate_docs.py", "--check"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_code_in_the_source_is_explained() -> None:
    used = set()
    for path in (ROOT / "src" / "telamon").rglob("*.py"):
        if path.name != "codes.py" or path.parent.name == "keepalived":
            used |= set(re.findall(r'"([HKP]\d{3})"', path.read_text()))
    assert used - set(CODES) == set(), "explain these in base/codes.py"
    assert {code for code in CODES if code.startswith("H")} <= used


def test_no_name_is_both_carried_out_and_not_yet() -> None:
    ours_global = {row.name for row in KEYWORDS if row.places & Place.GLOBAL}
    ours_proxy = {row.name for row in KEYWORDS if row.places & Place.ANY_PROXY}
    assert ours_global & GLOBAL_NOT_YET == set()
    assert ours_proxy & PROXY_NOT_YET == set()
    assert {row.name for row in BIND_OPTIONS} & BIND_NOT_YET == set()
    assert {row.name for row in SERVER_OPTIONS} & SERVER_NOT_YET == set()
    assert (ours_global | ours_proxy) & set(REMOVED) == set()
