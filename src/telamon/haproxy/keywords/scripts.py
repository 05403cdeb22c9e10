"""`telamon-python`: files whose functions rules call (docs/python.md)."""

from __future__ import annotations

import stat
from pathlib import Path

from telamon.base.span import Source, Span
from telamon.haproxy.keywords.row import Arguments, Context, Keyword, Refused
from telamon.haproxy.keywords.sections import Place
from telamon.haproxy.lexer import Word
from telamon.haproxy.paths import Base, DefaultPath
from telamon.script.registry import ScriptError


def _file(args: Arguments, context: Context) -> None:
    # Only files with such a line pay for what starting a process needs.
    from telamon.script.describe import describe

    word = args.word("the path of a Python file")
    args.end()
    path = _resolved(word, context.model.process.default_path)
    try:
        found = describe(path)
    except ScriptError as error:
        raise _refused(args, word, error) from None
    if Path(path).stat().st_mode & stat.S_IWOTH:
        context.report.warning(
            "H112", f"'{word}' can be changed by everybody, and runs with the rights of the start",
            word.span, help=f"chmod o-w {path}",
        )  # fmt: skip
    for signature in found:
        key = (signature.kind, signature.name)
        if key in context.model.functions:
            raise args.refuse(
                "H110", f"'{word}', line {signature.line}: the {signature.kind} "
                f"'{signature.name}' is registered by a file above too", word.span,
                help="give one of them another name",
            )  # fmt: skip
        context.model.functions[key] = signature
    context.model.process.python_files.append(path)


def _resolved(word: Word, default: DefaultPath) -> str:
    """Beside the file that names it, unless `default-path` says otherwise. Absolute: whoever runs
    it stands elsewhere by then."""
    base = DefaultPath(Base.CONFIG) if default == DefaultPath() else default
    return str(Path(base.resolve(word)).absolute())


def _refused(args: Arguments, word: Word, error: ScriptError) -> Refused:
    """Points at the line of the script, if one is to blame."""
    if error.line is None:
        return args.refuse(
            "H110", f"'{word}': {error.reason}", word.span,
            help="" if Path(error.path).exists() else f"there is no {error.path}",
        )  # fmt: skip
    source = Source(error.path, Path(error.path).read_text("utf-8", "replace"))
    text = source.line(error.line)
    first = len(text) - len(text.lstrip()) + 1
    return args.refuse(
        "H110", error.reason, Span(source, error.line, first, max(first, len(text)) + 1),
        help=f"this file is named by '{args.keyword}' at {word.span}",
    )  # fmt: skip


def _timeout(args: Arguments, context: Context) -> None:
    word = args.peek()
    value = args.time()
    args.end()
    if value == 0 and word is not None:
        raise args.refuse(
            "H042", "the time limit of Python functions cannot be 0: a request would wait for ever",
            word.span,
        )  # fmt: skip
    context.model.process.python_timeout = value


KEYWORDS = (
    Keyword("telamon-python", Place.GLOBAL, "<file>", "Telamon's own: Python functions for rules; "
            "see `python.md`.", _file),
    Keyword("telamon-python-timeout", Place.GLOBAL, "<time>", "Telamon's own: how long a rule "
            "waits for one of them, 1 s unless said otherwise.", _timeout),
)  # fmt: skip
