"""Log formats: text, aliases and expressions (manual 8.2.6).

    %alias  %{+Q,-X}alias  %(name)alias  %[expression]  %%

`%{...}o` sets flags for all that follows. In `log-format` and its like blanks are merged.
"""

from __future__ import annotations

import re
from dataclasses import replace

from telamon.base.diagnostic import nearest
from telamon.base.frozen import frozen
from telamon.haproxy.expressions import read_sample
from telamon.haproxy.lexer import Word
from telamon.haproxy.samples.aliases import BY_NAME, FLAGS, Alias
from telamon.haproxy.scope import Scope
from telamon.haproxy.spots import Mistake
from telamon.plan.rules import Encoding, Expression, Format, Piece


def read_format(word: Word, scope: Scope, *, merge_blanks: bool = False) -> Format:
    """The format that a word holds; what is wrong is reported with its column."""
    scope = scope.on(word)
    try:
        return _Reader(word.text, scope, merge_blanks).read()
    except Mistake as mistake:
        raise scope.mistaken(mistake) from None


def plain(text: str) -> Format:
    """A format that is a text."""
    return Format((Piece(text=text),) if text else ())


@frozen
class _Flags:
    quote: bool = False
    hexadecimal: bool = False
    escape: bool = False
    mandatory: bool = False
    binary: bool = False
    json: bool = False
    cbor: bool = False

    @property
    def encoding(self) -> Encoding:
        if self.json:
            return Encoding.JSON
        return Encoding.CBOR if self.cbor else Encoding.PLAIN


_ALIAS = re.compile(r"[A-Za-z0-9]*")
_KINDS = ("str", "sint", "bool")
"""Types that an item's name may ask for."""
_FLAG = re.compile(r"([+-])([A-Za-z]+)\Z")


class _Reader:
    def __init__(self, text: str, scope: Scope, merge_blanks: bool) -> None:
        self._text = text
        self._scope = scope
        self._merge_blanks = merge_blanks
        self._at = 0
        self._pieces: list[Piece] = []
        self._flags = _Flags()
        self._encoding = Encoding.PLAIN

    def read(self) -> Format:
        text = self._text
        while self._at < len(text):
            sign = text.find("%", self._at)
            if sign < 0:
                sign = len(text)
            self._put(text[self._at : sign])
            self._at = sign
            if sign < len(text):
                self._item(sign)
        return Format(tuple(self._pieces), self._encoding)

    def _put(self, text: str) -> None:
        if self._merge_blanks:
            text = re.sub(r"\s+", " ", text)
        if not text:
            return
        last = self._pieces[-1] if self._pieces else None
        if last is not None and last.text is not None:
            self._pieces[-1] = replace(last, text=last.text + text)
        else:
            self._pieces.append(Piece(text=text))

    def _item(self, sign: int) -> None:
        self._at += 1
        following = self._text[self._at : self._at + 1]
        if following == "%":
            self._at += 1
            self._put("%")
            return
        name, kind = self._name() if following == "(" else ("", "")
        flags = self._own_flags() if self._text[self._at : self._at + 1] == "{" else self._flags
        if self._text[self._at : self._at + 1] == "[":
            piece = Piece(expression=self._expression(), name=name, kind=kind)
        else:
            alias = self._alias(sign)
            if alias.name == "o":
                self._flags = flags
                self._encoding = flags.encoding
                return
            piece = Piece(alias=alias.name, name=name, kind=kind)
        self._pieces.append(_flagged(piece, flags, self._encoding))

    def _name(self) -> tuple[str, str]:
        """`(name)` or `(name:type)`."""
        start, close = self._at + 1, self._closing(")")
        name, colon, kind = self._text[start:close].partition(":")
        if re.fullmatch(r"[A-Za-z0-9_-]+", name) is None:
            raise Mistake(
                f"'{name}' is no name of an item", start, start + len(name),
                help="names have letters, digits, '_' and '-'",
            )  # fmt: skip
        if colon and kind not in _KINDS:
            raise Mistake(
                f"'{kind}' is no type of an item", close - len(kind), close,
                help=f"types are: {', '.join(_KINDS)}",
            )  # fmt: skip
        self._at = close + 1
        return name, kind

    def _closing(self, char: str) -> int:
        close = self._text.find(char, self._at)
        if close < 0:
            raise Mistake(
                f"'{self._text[self._at]}' is never closed", self._at, self._at + 1,
                help=f"add '{char}'",
            )  # fmt: skip
        return close

    def _own_flags(self) -> _Flags:
        """`{+Q,-X}`, on top of the flags that hold for all."""
        close, at = self._closing("}"), self._at + 1
        flags = self._flags
        for item in self._text[at:close].split(","):
            match = _FLAG.match(item)
            if match is None or match[2] not in FLAGS:
                near = nearest(item.lstrip("+-"), FLAGS)
                self._scope.context.report.warning(
                    "H103", f"'{item}' is no flag: it changes nothing",
                    self._scope.spot(at, at + len(item)),
                    help=f"did you mean '+{near}'?" if near else f"flags are: +{', +'.join(FLAGS)}",
                )  # fmt: skip
            else:
                flags = replace(flags, **{FLAGS[match[2]]: match[1] == "+"})
            at += len(item) + 1
        self._at = close + 1
        return flags

    def _expression(self) -> Expression:
        opening = self._at
        sampled = read_sample(self._scope, opening + 1, closing="]")
        if self._text[sampled.end : sampled.end + 1] != "]":
            raise Mistake("this bracket is never closed", opening, opening + 1, help="add ']'")
        self._at = sampled.end + 1
        return sampled.expression

    def _alias(self, sign: int) -> Alias:
        match = _ALIAS.match(self._text, self._at)
        assert match is not None
        self._at = match.end()
        return _known(match[0], sign, self._at)


def _known(name: str, start: int, end: int) -> Alias:
    alias = BY_NAME.get(name)
    if alias is not None:
        return alias
    if not name:
        raise Mistake(
            "nothing follows the '%'", start, end, help="write %% for a percent sign", code="H100"
        )
    near = nearest(name, BY_NAME)
    raise Mistake(
        f"there is no '%{name}'", start, end,
        help=(f"did you mean '%{near}'? " if near else "") + "Write %% for a percent sign",
        code="H100",
    )  # fmt: skip


def _flagged(piece: Piece, flags: _Flags, whole: Encoding) -> Piece:
    """`whole`: how all of the format is encoded, so that a piece says nothing of it."""
    encoding = Encoding.PLAIN if whole is not Encoding.PLAIN else flags.encoding
    return replace(
        piece, quote=flags.quote, hexadecimal=flags.hexadecimal, escape=flags.escape,
        mandatory=flags.mandatory, binary=flags.binary, encoding=encoding,
    )  # fmt: skip
