"""How diagnostics look."""

from __future__ import annotations

from telamon.base.diagnostic import Diagnostic, Severity, nearest, render
from telamon.base.span import Source, Span


def _shown(line: str, column: int, end: int) -> list[str]:
    source = Source("a.cfg", f"\n{line}\n")
    span = Span(source, 2, column, end)
    text = render([Diagnostic(Severity.ERROR, "H033", "what", span, "here", "do this", ("why",))])
    return text.splitlines()


def test_a_caret_stands_under_its_word() -> None:
    assert _shown("\tserver a chek\r", 11, 15) == [
        "error[H033]: what",
        " --> a.cfg:2:11",
        "  |",
        "2 |  server a chek",
        "  |           ^^^^ here",
        "  = help: do this",
        "  = note: why",
        "",
    ]


def test_a_long_line_is_shown_around_its_caret() -> None:
    source, caret = _shown("x" * 500 + "BAD" + "y" * 500, 501, 504)[3:5]
    assert source[caret.index("^") : caret.rindex("^") + 1] == "BAD"
    assert len(source) < 200


def test_control_characters_and_stray_bytes_are_not_sent_to_the_terminal() -> None:
    text = "\n".join(_shown("a\x1b[2Jb\udcff", 1, 2))
    assert "\x1b" not in text and "\udcff" not in text


def test_nearest_names() -> None:
    assert nearest("chek", ["check", "cookie"]) == "check"
    assert nearest("wbe", ["web", "api"]) == "web"
    assert nearest("zzz", ["check"]) is None
