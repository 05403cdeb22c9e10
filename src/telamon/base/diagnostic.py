"""Diagnostics as a good compiler gives them.

A front end never prints and never raises for a user's mistake: it appends a `Diagnostic` to a
`Report` and goes on, so that one run shows all mistakes of a file. The command that called it
renders the report at the rim.

Codes are stable and documented in `docs/diagnostics.md`: `H` for haproxy.cfg, `K` for
keepalived.conf, `P` for what only both files together show; then three digits.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from telamon.base.frozen import frozen
from telamon.base.span import Span


class Severity(IntEnum):
    """How bad it is; the order counts. Only `ERROR` keeps a file from loading."""

    NOTE = 0
    WARNING = 1
    ERROR = 2

    @property
    def label(self) -> str:
        return self.name.lower()


@frozen
class Diagnostic:
    """One thing to tell the user.

    `message` says what is wrong in one line; `label` stands beside the caret; `help` says what to
    do; `notes` give reasons. `span` is None only where no place in a file is to blame.
    """

    severity: Severity
    code: str
    message: str
    span: Span | None = None
    label: str = ""
    help: str = ""
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class Report:
    """The diagnostics of one run, in the order in which they were found."""

    diagnostics: list[Diagnostic] = field(default_factory=list)

    def add(
        self,
        severity: Severity,
        code: str,
        message: str,
        span: Span | None = None,
        *,
        label: str = "",
        help: str = "",
        notes: Sequence[str] = (),
    ) -> None:
        self.diagnostics.append(
            Diagnostic(severity, code, message, span, label, help, tuple(notes))
        )

    def error(
        self, code: str, message: str, span: Span | None = None, *, label: str = "",
        help: str = "", notes: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.add(Severity.ERROR, code, message, span, label=label, help=help, notes=notes)

    def warning(
        self, code: str, message: str, span: Span | None = None, *, label: str = "",
        help: str = "", notes: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.add(Severity.WARNING, code, message, span, label=label, help=help, notes=notes)

    def note(
        self, code: str, message: str, span: Span | None = None, *, label: str = "",
        help: str = "", notes: Sequence[str] = (),
    ) -> None:  # fmt: skip
        self.add(Severity.NOTE, code, message, span, label=label, help=help, notes=notes)

    def extend(self, other: Iterable[Diagnostic]) -> None:
        self.diagnostics.extend(other)

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self.diagnostics)

    def __len__(self) -> int:
        return len(self.diagnostics)

    def count(self, severity: Severity) -> int:
        return sum(1 for d in self.diagnostics if d.severity is severity)

    @property
    def failed(self) -> bool:
        """True if the file must not be loaded."""
        return any(d.severity is Severity.ERROR for d in self.diagnostics)

    @property
    def worst(self) -> Severity | None:
        return max((d.severity for d in self.diagnostics), default=None)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known name that a mistyped `word` most likely meant, or None."""
    # Two letters that changed places weigh more in a short word.
    cutoff = 0.7 if len(word) > 4 else 0.6
    matches = difflib.get_close_matches(word.lower(), list(known), n=1, cutoff=cutoff)
    return matches[0] if matches else None


_COLOURS = {Severity.ERROR: "1;31", Severity.WARNING: "1;33", Severity.NOTE: "1;36"}


def render(diagnostics: Iterable[Diagnostic], *, colour: bool = False) -> str:
    """The diagnostics as text for a terminal, one block each, with the source line and a caret."""
    return "".join(_render_one(d, colour) for d in diagnostics)


def _render_one(diagnostic: Diagnostic, colour: bool) -> str:
    def paint(text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if colour and text else text

    tint = _COLOURS[diagnostic.severity]
    head = paint(f"{diagnostic.severity.label}[{diagnostic.code}]", tint)
    out = [f"{head}: {paint(diagnostic.message, '1')}"]
    span = diagnostic.span
    margin = len(str(span.line)) if span else 1
    bar = paint("|", "1;34")
    if span is not None:
        arrow = paint("-->", "1;34")
        out.append(f"{' ' * margin}{arrow} {span}")
        text = span.source.line(span.line).removesuffix("\r")
        # Tabs are shown as one blank each, so that the caret stands under its word.
        shown = "".join(" " if c == "\t" else c if c.isprintable() else "?" for c in text)
        start, shown = _clip(shown, span.column)
        out.append(f"{' ' * margin} {bar}")
        out.append(f"{paint(str(span.line), '1;34')} {bar} {shown}")
        width = max(1, min(span.width, len(shown) - start + 1))
        caret = paint(f"{'^' * width}{' ' + diagnostic.label if diagnostic.label else ''}", tint)
        out.append(f"{' ' * margin} {bar} {' ' * (start - 1)}{caret}")
    for kind, body in [("help", diagnostic.help), *(("note", n) for n in diagnostic.notes)]:
        if body:
            out.append(f"{' ' * margin} = {paint(kind, '1')}: {body}")
    return "\n".join(out) + "\n\n"


_SHOWN_WIDTH = 160


def _clip(text: str, column: int) -> tuple[int, str]:
    """A window of a very long line around `column`; returns the column within the window."""
    if len(text) <= _SHOWN_WIDTH:
        return column, text
    first = max(0, column - 1 - _SHOWN_WIDTH // 2)
    window = text[first : first + _SHOWN_WIDTH]
    lead = "..." if first else ""
    tail = "..." if first + _SHOWN_WIDTH < len(text) else ""
    return column - first + len(lead), f"{lead}{window}{tail}"
