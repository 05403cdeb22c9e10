"""The tables that tests fill: the safety table and the matrix of both programs as peers.

The tests record what a row of the page needs as properties (`row`, and one for each column); they
are run here, and their verdicts read from pytest's JUnit file.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.etree import ElementTree

_ROOT = Path(__file__).parents[1]

Record = dict[str, str]


def run_tests(*paths: str) -> list[Record]:
    """The properties of every test that records a `row`, with its verdict as `result`."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "junit.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", f"--junitxml={file}", *paths]
        subprocess.run(command, cwd=_ROOT, check=False, stdout=sys.stderr)
        cases = ElementTree.parse(file).getroot().iter("testcase")
        records = [_record(case) for case in cases]
    return [record for record in records if "row" in record]


def _record(case: ElementTree.Element) -> Record:
    record = {p.get("name", ""): p.get("value", "") for p in case.iter("property")}
    if case.find("failure") is not None or case.find("error") is not None:
        return {**record, "result": "**failed**"}
    skipped = case.find("skipped")
    if skipped is not None:
        return {**record, "result": f"not run: {skipped.get('message', '')}"}
    return {**record, "result": "ok"}


def tables() -> dict[str, str]:
    """Both tables as Markdown, by the name of their markers."""
    safety = run_tests("tests/safety")
    matrix = run_tests("tests/interop/test_matrix.py")
    return {
        "safety": _table(safety, ("disturbance", "Telamon", "keepalived", "")),
        "matrix": _table(matrix, ("case", "first node", "second node", "")),
    }


def _table(records: list[Record], head: tuple[str, ...]) -> str:
    rows = [
        (r["row"], r.get("ours", ""), r.get("theirs", ""), r["result"])
        for r in sorted(records, key=lambda r: int(r.get("place", "0")))
    ]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    good = sum(record["result"] == "ok" for record in records)
    return "\n".join([*lines, "", f"{good} of {len(records)} rows are well.", ""])
