"""Answers of the proxy's own in rules (manual 4.2, `http-request return`).

    [status <code>] [content-type <type>]
    [ { default-errorfiles | errorfile <file> | errorfiles <section>
      | file <file> | lf-file <file> | string <text> | lf-string <format> } ]
    [ hdr <name> <format> ]*

Files are read while the configuration loads, before any chroot.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from telamon.haproxy.formats import read_format
from telamon.haproxy.keywords.http_errors import STATUSES, read_error_file
from telamon.haproxy.keywords.row import Arguments
from telamon.haproxy.lexer import Word
from telamon.haproxy.scope import Scope
from telamon.plan.rules import Format, Reply, ReplyHeader

_LOWEST, _HIGHEST = 200, 599
_WITHOUT_BODY = (204, 304)
_MADE_BY_US = frozenset({"content-length", "content-type", "transfer-encoding", "connection"})


@dataclass(slots=True)
class _Draft:
    """What the words have said so far; `payload` is the word that says what is sent."""

    status: int
    status_word: Word | None = None
    content_type: Word | None = None
    payload: Word | None = None
    body: bytes | None = None
    format: Format | None = None
    message: bytes | None = None
    section: Word | None = None
    default: bool = False
    headers: list[ReplyHeader] = field(default_factory=list)


def read_reply(args: Arguments, scope: Scope, status: int, *, errors: bool = False) -> Reply:
    """The reply that the next words write, up to the first that belongs to none.

    `status` holds if none is written. `errors`: without a payload the proxy's own error reply of
    that status is sent, as by `deny` and `tarpit`; else an answer without a body.
    """
    draft = _Draft(status)
    while (word := args.peek()) is not None and word.text in _WORDS:
        args.optional()
        if word.text in _PAYLOADS:
            _check_first(args, word, draft)
        _WORDS[word.text](args, scope, draft)
    return _finished(args, scope, draft, errors)


def _check_first(args: Arguments, word: Word, draft: _Draft) -> None:
    if draft.payload is not None:
        raise args.refuse(
            "H041", f"'{word}' after '{draft.payload}': there is one answer", word.span,
            help="keep one of the two",
        )  # fmt: skip
    draft.payload = word


def _status(args: Arguments, _: Scope, draft: _Draft) -> None:
    draft.status_word = args.peek()
    draft.status = args.integer("a status", _LOWEST, _HIGHEST)


def _content_type(args: Arguments, _: Scope, draft: _Draft) -> None:
    draft.content_type = args.word("a content type")


def _header(args: Arguments, scope: Scope, draft: _Draft) -> None:
    name = args.word("a header's name")
    value = args.word("a value")
    if name.text.lower() in _MADE_BY_US:
        args.report.warning(
            "H081", f"the header '{name}' is always made by the proxy: this one is ignored",
            name.span, help="remove it",
        )  # fmt: skip
        return
    draft.headers.append(ReplyHeader(name.text, read_format(value, scope)))


def _error_file(args: Arguments, scope: Scope, draft: _Draft) -> None:
    draft.message = read_error_file(args, args.word("a file"), scope.context)


def _error_section(args: Arguments, _: Scope, draft: _Draft) -> None:
    draft.section = args.word("the name of an http-errors section")


def _default(_: Arguments, __: Scope, draft: _Draft) -> None:
    draft.default = True


def _string(args: Arguments, _: Scope, draft: _Draft) -> None:
    draft.body = args.word("a text").text.encode()


def _format_string(args: Arguments, scope: Scope, draft: _Draft) -> None:
    draft.format = read_format(args.word("a format"), scope)


def _file(args: Arguments, scope: Scope, draft: _Draft) -> None:
    draft.body = _content(args, scope)


def _format_file(args: Arguments, scope: Scope, draft: _Draft) -> None:
    word = args.peek()
    data = _content(args, scope)
    assert word is not None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise args.refuse("H044", f"'{word}' is not UTF-8 text", word.span) from None
    draft.format = read_format(Word(text, word.span), scope)


def _content(args: Arguments, scope: Scope) -> bytes:
    word = args.word("a file")
    path = Path(scope.context.model.process.default_path.resolve(word))
    try:
        return path.read_bytes()
    except OSError as error:
        raise args.refuse("H044", f"'{word}' cannot be read: {error.strerror}", word.span) from None


_PAYLOADS: dict[str, Callable[[Arguments, Scope, _Draft], None]] = {
    "default-errorfiles": _default,
    "errorfile": _error_file,
    "errorfiles": _error_section,
    "file": _file,
    "lf-file": _format_file,
    "lf-string": _format_string,
    "string": _string,
}
_WORDS: dict[str, Callable[[Arguments, Scope, _Draft], None]] = {
    **_PAYLOADS,
    "status": _status,
    "deny_status": _status,
    "content-type": _content_type,
    "hdr": _header,
}


def _finished(args: Arguments, scope: Scope, draft: _Draft, errors: bool) -> Reply:
    has_body = bool(draft.body) or draft.format is not None
    if has_body and draft.status in _WITHOUT_BODY:
        raise args.refuse(
            "H042", f"an answer with status {draft.status} has no body",
            (draft.status_word or args.keyword).span,
        )  # fmt: skip
    if has_body and draft.content_type is None:
        raise args.refuse(
            "H040", f"'{args.keyword}' needs a content type for its body",
            (draft.payload or args.keyword).span, help="as in `content-type text/plain`",
        )  # fmt: skip
    if draft.content_type is not None and not has_body:
        args.report.warning(
            "H081", f"'{draft.content_type}' is ignored: the answer has no body of its own",
            draft.content_type.span,
        )  # fmt: skip
    if draft.section is not None:
        draft.message = _from_section(args, scope, draft, draft.section)
    whole = draft.message is not None
    default = draft.default or (errors and draft.payload is None and not draft.headers)
    if default and draft.status not in STATUSES:
        raise args.refuse(
            "H042", f"there is no error page of status {draft.status}",
            (draft.status_word or args.keyword).span,
            help="give the answer a body, as in `content-type text/plain string ...`",
        )  # fmt: skip
    return Reply(
        status=draft.status,
        content_type=draft.content_type.text if draft.content_type and has_body else None,
        headers=() if whole else tuple(draft.headers),
        body=draft.body.hex() if draft.body is not None else None,
        format=draft.format,
        message=draft.message.hex() if draft.message is not None else None,
        default=default,
    )


def _from_section(args: Arguments, scope: Scope, draft: _Draft, name: Word) -> bytes:
    section = scope.context.model.errors.get(name.text)
    if section is None:
        raise args.refuse(
            "H073", f"no http-errors section '{name}' stands above", name.span,
            help="put the section before the rules that use it",
        )  # fmt: skip
    found = section.replies.get(draft.status)
    if found is None or found.reply.message is None:
        raise args.refuse(
            "H085", f"the http-errors section '{name}' defines no {draft.status}", name.span,
            help=f"add `errorfile {draft.status} <file>` to it",
        )  # fmt: skip
    return bytes.fromhex(found.reply.message)
