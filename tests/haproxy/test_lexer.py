"""Words, and the tree that prints back what was read."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from telamon.base.diagnostic import Report
from telamon.base.span import Source
from telamon.haproxy.environment import Environment
from telamon.haproxy.lexer import Kind, expand, split
from telamon.haproxy.syntax import parse

# Mostly characters that mean something, so that they meet each other.
_LINES = st.text(alphabet=st.sampled_from(list("ab $\\\"'#{}[*]-\t\rxn0_@:é\udcff")), max_size=40)
_TEXTS = st.one_of(
    st.text(max_size=200),
    st.lists(
        st.one_of(_LINES, st.sampled_from(["global", " listen a", "defaults#x", ".if 1", ""])),
        max_size=12,
    ).map("\n".join),
)


def words(line: str, **environment: str) -> list[str] | str:
    """The words of `line`, or the code of what is wrong with it."""
    report = Report()
    found = expand(line, Source("f", line), 1, Environment(environment), report)
    return report.diagnostics[0].code if found is None else [word.text for word in found]


@given(_LINES)
@example('a"b\\"c" \'d\'#e')
def test_pieces_joined_are_the_line(line: str) -> None:
    assert "".join(piece.text for piece in split(line)) == line


@given(_TEXTS)
@example("")
@example("\n\n")
@example("global\r\n  daemon")
def test_the_tree_prints_back_what_it_read(text: str) -> None:
    assert str(parse(Source("f", text))) == text


@given(_LINES)
def test_spans_cover_the_words_as_written(line: str) -> None:
    source = Source("f", line)
    found = expand(line, source, 1, Environment({}), Report())
    for word in found or []:
        written = line[word.span.column - 1 : word.span.end - 1]
        assert written and not written[0].isspace()
        if not set(written) & set("\\\"'"):
            assert written == word.text


@given(st.lists(st.text(alphabet='ab \\"#$\t', min_size=1), min_size=1, max_size=5))
def test_single_quotes_protect_everything(texts: list[str]) -> None:
    assert words(" ".join(f"'{text}'" for text in texts)) in (texts, "H015")


@given(_LINES)
def test_the_short_way_and_the_long_way_agree(line: str) -> None:
    """`expand` skips the pieces for lines without special characters."""
    plain = [piece.text for piece in split(line) if piece.kind is Kind.PLAIN]
    if all(piece.kind in (Kind.PLAIN, Kind.GAP) for piece in split(line)):
        assert words(line) in (plain, "H004")


# What HAProxy 2.6 prints for each with `.notice`.
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (r"a\qb", [r"a\qb"]),
        (r'"a\qb"', [r"a\qb"]),
        (r"a\$b $V", [r"a\$b", "$V"]),
        (r'"a\$b$V"', ["a$b<v>"]),
        ('"x${NOPE-def ault}y"', ["xdef aulty"]),
        ('"x${NOPE}y"', ["xy"]),
        (r'"\x41\n\t|"', ["A\n\t|"]),
        (r"\x41\x4", "H011"),
        ("""'a\\b"$V'""", ['a\\b"$V']),
        (r'''"a\'b\#c\ d\e"''', [r"a'b#c d\e"]),
        ("""a"b c"d'e f'""", ["ab cde f"]),
        ('"abc', "H010"),
        ("'abc", "H010"),
        ('"$1x"', "H012"),
        ('"$"', "H012"),
        ('"${"', "H012"),
        ('"${V"', "H013"),
        ('"${NOPE-}z"', ["z"]),
        ('"$NOPE-x"', ["-x"]),
        ('"a${L[*]}b" two', ["ap", "q", "rb", "two"]),
        ('"${NOPE[*]}"', [""]),
        ("global#this is", ["global"]),
        ("a\tb \t c", ["a", "b", "c"]),
        ("abc\\", ["abc\\"]),
        ("a\rb", ["a"]),
        ('""', [""]),
        ("", []),
    ],
)
def test_words_as_haproxy_reads_them(line: str, expected: list[str] | str) -> None:
    assert words(line, V="<v>", L="p q r") == expected


def test_too_many_words() -> None:
    assert words(" ".join("x" * 65)) == "H014"
    assert words(" ".join("x" * 64)) == ["x"] * 64


def test_pseudo_variables_tell_the_place() -> None:
    environment = Environment({})
    environment.section = "web"
    source = Source("a.cfg", '\n"${.FILE}:$.LINE:${.SECTION}"')
    found = expand(source.line(2), source, 2, environment, Report())
    assert found is not None and found[0].text == "a.cfg:2:web"
