"""`auth_hmac`: signed adverts (keepalived.conf(5) of 2.4, "Authentication extension")."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from telamon.keepalived.keywords.readers import integer, set_field
from telamon.keepalived.keywords.row import Block, Keyword, Mark
from telamon.keepalived.model import Hmac, Instance
from telamon.keepalived.syntax import Statement, Word
from telamon.plan.router import HmacKey, HmacMode

if TYPE_CHECKING:
    from telamon.keepalived.reading import Reading

_H = (Block.HMAC,)
_RUNS = Mark.CARRIED_OUT
_MIN_KEY, _MAX_KEY = 32, 64


def _hmac(reading: Reading, statement: Statement, node: Instance) -> None:
    block = Hmac(statement)
    reading.block(Block.HMAC, statement.entries, block)
    set_field(node, "hmac", block, statement)
    if not block.keys:
        reading.wrong(statement.span, "auth_hmac has no key", "write: key ID SECRET")
    elif block.active_key is None and len(block.keys) > 1:
        reading.wrong(statement.span, "auth_hmac names no active key", "write: active_key ID")
    elif block.active_key is not None and block.active_key not in {k.id for k in block.keys}:
        reading.wrong(block.at("active_key"), f"there is no key {block.active_key}")


def _key(reading: Reading, statement: Statement, node: Hmac) -> None:
    number = statement.words[1]
    if not number.text.isdigit() or not 1 <= int(number.text) <= 255:
        reading.wrong(number.span, f"key id '{number.text}' is not a number from 1 to 255")
        return
    if any(key.id == int(number.text) for key in node.keys):
        reading.wrong(number.span, f"key {number.text} stands here for the second time")
        return
    secret = _secret(reading, statement.words[2], statement.words[2].text)
    if secret is None:
        return
    if not _MIN_KEY <= len(secret) <= _MAX_KEY:
        reading.wrong(
            statement.words[2].span,
            f"the key has {len(secret)} bytes; {_MIN_KEY} to {_MAX_KEY} are allowed",
            "make one: openssl rand -hex 32",
        )
        return
    node.keys.append(HmacKey(int(number.text), secret))


def _secret(reading: Reading, word: Word, text: str) -> bytes | None:
    """`hex:` bytes, `file:` the value in a file (its last line end cut), or plain text."""
    if text.startswith("file:"):
        try:
            content = Path(text.removeprefix("file:")).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is not text"
            reading.wrong(word.span, f"the key's file cannot be read: {reason}")
            return None
        return _secret(reading, word, content.rstrip("\n").removeprefix("file:"))
    if text.startswith("hex:"):
        try:
            return bytes.fromhex(text.removeprefix("hex:"))
        except ValueError:
            reading.wrong(word.span, "the key after 'hex:' is not made of pairs of hex digits")
            return None
    return text.encode()


def _anti_replay(reading: Reading, statement: Statement, node: Hmac) -> None:
    word = statement.words[1]
    if word.text not in ("time", "monotonic"):
        reading.wrong(word.span, f"anti_replay '{word.text}' is neither time nor monotonic")
        return
    set_field(node, "monotonic", word.text == "monotonic", statement)


def _mode(reading: Reading, statement: Statement, node: Hmac) -> None:
    word = statement.words[1]
    if word.text not in {mode.value for mode in HmacMode}:
        reading.wrong(word.span, f"mode '{word.text}' is none of enforce, permissive, receive-only")
        return
    set_field(node, "mode", HmacMode(word.text), statement)


ROWS: tuple[Keyword, ...] = (
    Keyword("auth_hmac", (Block.INSTANCE,), "{ key ID SECRET; ... }", _RUNS,
            "sign adverts with HMAC-SHA256", _hmac, opens=Block.HMAC, since="2.4"),
    Keyword("key", _H, "1-255 [hex:|file:]SECRET", _RUNS, "a key of 32 to 64 bytes", _key, least=2,
            since="2.4"),
    Keyword("active_key", _H, "1-255", _RUNS, "the key that signs", integer("active_key", 1, 255),
            least=1, since="2.4"),
    Keyword("anti_replay", _H, "time|monotonic", _RUNS, "what a sequence number is", _anti_replay,
            least=1, since="2.4"),
    Keyword("time_window", _H, "1-300", _RUNS, "how far clocks may differ, in seconds",
            integer("time_window", 1, 300), least=1, since="2.4"),
    Keyword("mode", _H, "enforce|permissive|receive-only", _RUNS, "how strict the receiver is",
            _mode, least=1, since="2.4"),
)  # fmt: skip
