"""From statements to the model, by the keywords' rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from telamon.base.diagnostic import Report, nearest
from telamon.base.span import Span
from telamon.keepalived import codes
from telamon.keepalived.keywords.row import Block, Keyword, Mark
from telamon.keepalived.model import Configuration
from telamon.keepalived.syntax import Statement


@dataclass(slots=True)
class Reading:
    """One walk over a file's statements. Readers of keywords get it as their first argument."""

    report: Report
    configuration: Configuration
    rows: dict[tuple[Block, str], Keyword]
    names: dict[tuple[str, str], Statement] = field(default_factory=dict)
    """Which named blocks were seen, by the model's field and the name."""
    _said: set[str] = field(default_factory=set)
    _quiet: int = 0
    seen: list[tuple[Keyword, Statement]] = field(default_factory=list)

    def block(self, block: Block, statements: list[Statement], node: Any) -> None:
        """Read the statements that stand in `block` into `node`."""
        for statement in statements:
            self._statement(block, statement, node)

    def _statement(self, block: Block, statement: Statement, node: Any) -> None:
        row = self.rows.get((block, statement.name))
        if row is None:
            self._unknown(block, statement)
            return
        self.seen.append((row, statement))
        if statement.name != row.name:
            self._once(
                f"old {statement.name}", self.report.note, codes.OLD_SPELLING,
                f"'{statement.name}' is the old spelling of '{row.name}': read as that",
                statement.span,
            )  # fmt: skip
        self._tell_mark(row, statement)
        if len(statement.arguments) < row.least:
            self.report.error(
                codes.MISSING_ARGUMENT, f"'{statement.name}' needs a value", statement.span,
                help=f"write: {row.name} {row.arguments}",
            )  # fmt: skip
            return
        if statement.block is not None and not _takes_block(row):
            self.report.error(
                codes.NO_BLOCK,
                f"'{statement.name}' takes no block",
                statement.brace or statement.span,
            )
            return
        if row.arguments.startswith("{") and len(statement.words) == 1 and statement.block is None:
            self.report.warning(
                codes.EMPTY, f"'{statement.name}' has no block: it means nothing", statement.span,
                help=f"write: {row.name} {row.arguments}",
            )  # fmt: skip
            return
        if row.opens is None and not self._entries_are_flat(statement):
            return
        quiet = row.mark in (Mark.NOT_YET, Mark.REFUSED_YET, Mark.REFUSED)
        self._quiet += quiet
        if row.read is not None:
            row.read(self, statement, node)
        elif row.opens is not None:
            self.block(row.opens, statement.entries, node)
        self._quiet -= quiet

    def _entries_are_flat(self, statement: Statement) -> bool:
        """A list of addresses or names holds no blocks: one means that a '}' is missing."""
        for entry in statement.entries:
            if entry.block is None:
                continue
            if (Block.TOP, entry.name) in self.rows:
                self._misplaced(entry, statement.name)
            else:
                self.report.error(
                    codes.NO_BLOCK, f"'{_shown(entry.name)}' takes no block",
                    entry.brace or entry.span,
                )  # fmt: skip
            return False
        return True

    def _misplaced(self, statement: Statement, place: str) -> None:
        self.report.error(
            codes.MISSING_BRACE, f"'{statement.name}' cannot stand in {place}", statement.span,
            help="a '}' is missing above: the block before was not closed",
        )  # fmt: skip

    def _tell_mark(self, row: Keyword, statement: Statement) -> None:
        name, meaning = statement.name, row.meaning
        if row.mark is Mark.NOTED:
            self._once(name, self.report.note, codes.NOTED, f"'{name}': {meaning}", statement.span)
        elif row.mark is Mark.NOT_YET and not self._quiet:
            self._once(
                name, self.report.warning, codes.NOT_YET,
                f"'{name}' is known to Keepalived, not yet to Telamon", statement.span,
                help=meaning,
            )  # fmt: skip
        elif row.mark is Mark.REFUSED_YET and not self._quiet:
            self._once(
                name, self.report.error, codes.REFUSED,
                f"'{name}' is known to Keepalived, not yet to Telamon", statement.span,
                help=meaning,
            )  # fmt: skip
        elif row.mark is Mark.REFUSED:
            self._once(
                name, self.report.error, codes.REFUSED,
                f"'{name}' is not carried out by Telamon", statement.span, help=meaning,
            )  # fmt: skip

    def _once(
        self, key: str, tell: Callable[..., None], code: str, message: str, span: Span,
        *, help: str = "",
    ) -> None:  # fmt: skip
        """Say it at the first place only: a file with fifty instances has one line of each."""
        if key not in self._said:
            self._said.add(key)
            tell(code, message, span, help=help)

    def _unknown(self, block: Block, statement: Statement) -> None:
        name = statement.name
        if block is not Block.TOP and (Block.TOP, name) in self.rows and statement.block:
            self._misplaced(statement, block.value)
            return
        known = [key for place, key in self.rows if place is block]
        near = nearest(name, known)
        elsewhere = sorted({place.value for place, key in self.rows if key == name})
        notes = ["Keepalived says so too and goes on without it; so does Telamon"]
        if statement.block is not None:
            notes[0] = "it is skipped with its whole block"
        help = f"did you mean '{near}'?" if near else ""
        if elsewhere:
            help = f"it belongs into {' or '.join(elsewhere)}"
        place = "" if block is Block.TOP else f" in {block.value}"
        self.report.warning(
            codes.UNKNOWN,
            f"unknown keyword '{_shown(name)}'{place}",
            statement.span,
            help=help,
            notes=notes,
        )

    # for readers -----------------------------------------------------------------------------

    def bad(self, span: Span, message: str, done: str) -> None:
        """A value that Keepalived adjusts or ignores with a log line: so do we. `done` says how."""
        self.report.warning(codes.BAD_VALUE, message, span, help=done)

    def own_word(self, statement: Statement) -> None:
        """A word of Telamon's: the file is not one for Keepalived any more."""
        self._once(
            statement.name, self.report.warning, codes.OWN_WORD,
            f"'{statement.name}' is Telamon's own word", statement.span,
            help="real Keepalived would warn of an unknown keyword and go on without it",
        )  # fmt: skip

    def wrong(self, span: Span, message: str, help: str = "") -> None:
        """A value with which the file cannot be run."""
        self.report.error(codes.BAD_VALUE, message, span, help=help)


def _takes_block(row: Keyword) -> bool:
    return row.opens is not None or "{" in row.arguments


def _shown(text: str) -> str:
    clean = "".join(c if c.isprintable() else "?" for c in text)
    return clean if len(clean) <= 60 else f"{clean[:57]}..."
