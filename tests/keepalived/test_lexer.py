"""The lexer covers every character; the document prints back what was read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telamon.base.span import Source
from telamon.keepalived.lexer import Kind, decode, is_unterminated, scan, split_command
from telamon.keepalived.mapped import MappedText
from telamon.keepalived.syntax import Document

LANGUAGE = st.text(alphabet="ab1 \t{}\"'\\#!$@~(),.\r\n=_é", max_size=80)


@given(LANGUAGE)
def test_a_document_prints_back(text: str) -> None:
    assert str(Document.parse(Source("x", text))) == text


@given(st.text(max_size=60))
def test_a_document_of_any_text_prints_back(text: str) -> None:
    assert str(Document.parse(Source("x", text))) == text


@given(LANGUAGE.filter(lambda text: "\n" not in text), st.booleans())
def test_pieces_cover_the_line_without_gap(text: str, comments: bool) -> None:
    at = 0
    for _, start, end in scan(text, comments=comments):
        assert start == at < end
        at = end
    assert at == len(text)


@given(LANGUAGE.filter(lambda text: "\n" not in text))
def test_any_word_can_be_decoded(text: str) -> None:
    for kind, start, end in scan(text):
        if kind is Kind.WORD:
            decode(text[start:end])
            is_unterminated(text[start:end])


@given(st.text(alphabet="abc /'\"", max_size=30))
def test_any_command_can_be_split(text: str) -> None:
    assert all(isinstance(word, str) for word in split_command(text))


def words(text: str) -> list[str]:
    return [decode(text[s:e]) for kind, s, e in scan(text) if kind is Kind.WORD]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('abcd" efg h jkl "mnop', ["abcd efg h jkl mnop"]),
        ('abcd "efg h jkl" mnop', ["abcd", "efg h jkl", "mnop"]),
        (r'"a\tb\"c"', ['a\tb"c']),
        (r'"\x41\101\cA"', ["AA\x01"]),
        ("a{b}c", ["a", "b", "c"]),
        ("${A B}{c", ["${A B}", "c"]),
        ("word#comment", ["word"]),
        ("word !comment", ["word"]),
        ("'#!{}'", ["#!{}"]),
        (r"\"a", ['"a']),
        ("", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [('"a', True), ('"a"', False), ("'", True), (r'"a\"', True), (r'"a\\"', False), ("a", False)],
)
def test_unterminated_quotes(raw: str, expected: bool) -> None:
    assert is_unterminated(raw) is expected


def test_a_command_keeps_quoted_blanks() -> None:
    assert split_command("/a/b ' x y ' z") == ("/a/b", " x y ", "z")


@given(st.text(alphabet="abcdef ", min_size=1, max_size=20), st.data())
def test_mapped_text_knows_where_each_character_stands(text: str, data: st.DataObject) -> None:
    source = Source("x", text)
    cut = data.draw(st.integers(0, len(text)))
    mapped = MappedText.of_line(source, 1, 0, len(text))
    swapped = MappedText.join([mapped.slice(cut, len(text)), mapped.slice(0, cut)])
    assert swapped.text == text[cut:] + text[:cut]
    for index in range(len(text)):
        span = swapped.span(index, index + 1)
        assert text[span.column - 1] == swapped.text[index]
        assert span.end == span.column + 1
