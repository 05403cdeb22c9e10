"""Includes, conditions, definitions and sequences give the lines that the man page promises."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telamon.base.diagnostic import Report
from telamon.base.span import Source
from telamon.keepalived.expand import Expander
from telamon.keepalived.files import expand_braces
from telamon.keepalived.syntax import Document


def lines(text: str, *, config_id: str = "main", name: str = "x") -> tuple[list[str], Report]:
    report = Report()
    expander = Expander(report, config_id, {"HOME": "/h"})
    rows = expander.run(Document.parse(Source(name, text)))
    return [" ".join(t.word.text if t.word else t.kind.name for t in row) for row in rows], report


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$B=10.${S}\n$S=0\n${B}.100/32\n$S=10\n${B}.100/32", ["10.0.100/32", "10.10.100/32"]),
        ("~SEQ(N, 0, 3) ip 10.0.${N}.1", [f"ip 10.0.{n}.1" for n in range(4)]),
        ("~SEQ(N, 3) x$N\n~SEQ(N, 3) x ${N}", ["x1", "x2", "x3", "x 1", "x 2", "x 3"]),
        ("~SEQ(N, -2) ${N}", ["-1", "-2"]),
        ("~SEQ(N, 1, 2, 6) ${N}", ["1", "3", "5"]),
        ("~SEQ(N, 5, 3) ${N}", ["5", "4", "3"]),
        ("~SEQx(N, 0x90, 0x10, 0xc0) f::${N}", ["f::90", "f::a0", "f::b0", "f::c0"]),
        ("~LST(A, x, y) ${A}", ["x", "y"]),
        ("~LST({A, B}, {10,1},{20,4}) 1.${A}.${B}", ["1.10.1", "1.20.4"]),
        ("~LST(A, 1, 2) ~SEQ(B, 5, 6) ${A}.${B}", ["1.5", "1.6", "2.5", "2.6"]),
        ("@main a\n@back b\n@^main c\n@^back d", ["a", "d"]),
        ("$IF=@main\n$IF priority 240\n$NO=@other\n$NO priority 1", ["priority 240"]),
        ("@main $P=1\n@back $P=2\np $P", ["p 1"]),
        ("$I= \\\n vrrp { \\\n  a ${N} \\\n  @back b \\\n }\n$N=7\n$I",
         ["vrrp OPEN", "a 7", "CLOSE"]),
        ("$R= \\\n r ${V} \\\n s\n$O= \\\n $V=1 \\\n $R \\\n $V=2 \\\n $R\n$O",
         ["r 1", "s", "r 2", "s"]),
        ("@back $M= \\\n one \\\n two\n$M", ["$M"]),
        ("${_INSTANCE} ${_HASH}x ${_BANG}", ["main #x !"]),
        ("${_ENV HOME} ${_ENV NOTHING}", ["/h ${_ENV NOTHING}"]),
        ("${_RANDOM 4 4}", ["4"]),
        ("$E=\na${E}b", ["ab"]),
        ("a # c\n! c\n#\n b", ["a", "b"]),
        ('script "$X ${Y}"', ["script $X ${Y}"]),
    ],
)  # fmt: skip
def test_lines(text: str, expected: list[str]) -> None:
    found, report = lines(text)
    assert found == expected
    assert not report.failed


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("$A=${B}\n$B=${A}\n${A}", "K009"),
        ("$A=${A}${A}\n${A}", "K009"),
        ("~SEQ(N, 1, 0, 5) x", "K010"),
        ("~SEQ(N, a) x", "K010"),
        ("~SEQ(N, 1, 100000000) x", "K010"),
        ("~SEQ x", "K010"),
        ("~LST(A) x", "K010"),
        ("~LST({A,B}, {1}) x", "K010"),
        ('a "b', "K003"),
        ("include", "K006"),
    ],
)
def test_errors(text: str, code: str) -> None:
    _, report = lines(text)
    assert code in {d.code for d in report if d.severity.name == "ERROR"}


def test_a_message_about_a_definition_points_at_its_value() -> None:
    report = Report()
    source = Source("x", "$P=abc\npriority $P")
    (row,) = Expander(report, "main", {}).run(Document.parse(source))
    span = row[1].span
    assert (span.line, span.column, span.end) == (1, 4, 7)


def test_includes_are_relative_to_the_file_that_has_them(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.conf").write_text("include b.conf\nin_a ${_PWD}")
    (tmp_path / "sub" / "b.conf").write_text("in_b")
    found, report = lines("include sub/{a,nope}.conf\nend", name=str(tmp_path / "main"))
    assert found == ["in_b", f"in_a {tmp_path}/sub", "end"]
    assert not report.failed


@pytest.mark.parametrize("keyword", ["include", "includer", "includem", "includew", "includea"])
def test_what_is_missing_is_an_error_where_it_was_asked_for(tmp_path: Path, keyword: str) -> None:
    _, plain = lines(f"{keyword} none.conf", name=str(tmp_path / "main"))
    assert plain.failed is (keyword in ("includem", "includea"))
    _, wild = lines(f"{keyword} *.none", name=str(tmp_path / "main"))
    assert wild.failed is (keyword in ("includew", "includea"))


def test_an_include_loop_is_an_error_with_its_chain(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("include b")
    (tmp_path / "b").write_text("include a")
    _, report = lines("include a", name=str(tmp_path / "main"))
    (error,) = [d for d in report if d.code == "K007"]
    assert "main" in error.notes[0] and error.notes[0].count("->") == 3


@given(st.text(alphabet="$AB{}=\\~SEQLT(),1 \n@^#", max_size=60))
def test_any_text_expands_or_is_refused(text: str) -> None:
    lines(text)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a{b,c}d", ["abd", "acd"]),
        ("{foo/{,cat,dog},bar}", ["foo/", "foo/cat", "foo/dog", "bar"]),
        ("plain", ["plain"]),
        ("{open", ["{open"]),
    ],
)
def test_braces(pattern: str, expected: list[str]) -> None:
    assert expand_braces(pattern) == expected
