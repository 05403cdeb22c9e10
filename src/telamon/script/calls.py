"""One call from a rule: find the function, run it, and turn what comes of it into an outcome.

Nothing that a script does leaves here as an exception: a fault becomes a `Failure` with the
traceback, cut down to the script's own lines.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence

from telamon.base.frozen import frozen
from telamon.script.registry import Kind, Registered
from telamon.script.reply import Reply
from telamon.script.transaction import Edit, Transaction
from telamon.script.values import SAMPLE_TYPES, Value, cast


@frozen
class Outcome:
    """What the data plane is to do: a fetch's or converter's `value` (None: it has none), edits in
    their order, and `message`, the bytes of an answer."""

    value: Value | None = None
    edits: tuple[Edit, ...] = ()
    message: bytes | None = None


@frozen
class Failure:
    """The function raised or gave what cannot be used."""

    reason: str
    traceback: str = ""


def call(
    registered: Registered,
    transaction: Transaction,
    arguments: Sequence[Value],
    value: Value | None = None,
) -> Outcome | Failure:
    """Runs a function. `value` is a converter's input; one that has no form of the type which the
    function wants gives no value, as with HAProxy's own converters."""
    signature = registered.signature
    try:
        match signature.kind:
            case Kind.FETCH:
                return _sample(registered.function(transaction, *arguments))
            case Kind.CONVERTER:
                given = cast(value, signature.input) if value is not None else None
                if given is None:
                    return Outcome()
                return _sample(registered.function(given, *arguments))
            case Kind.ACTION:
                registered.function(transaction, *arguments)
                return _edits(transaction)
            case Kind.SERVICE:
                return _page(registered.function(transaction.request, *arguments))
    except (Exception, SystemExit) as error:
        # From the script's first frame on.
        own = error.__traceback__.tb_next if error.__traceback__ else None
        text = "".join(traceback.format_exception(type(error), error, own))
        return Failure(f"{type(error).__name__}: {error}", text)


def _sample(result: object) -> Outcome | Failure:
    if result is None:
        return Outcome()
    if type(result) not in SAMPLE_TYPES:
        return Failure(f"a sample cannot be of type {type(result).__name__}")
    assert isinstance(result, Value)
    return Outcome(value=result)


def _edits(transaction: Transaction) -> Outcome:
    answer = transaction.answer
    return Outcome(
        edits=tuple(transaction.edits), message=answer.message() if answer is not None else None
    )


def _page(result: object) -> Outcome | Failure:
    if isinstance(result, (str, bytes)):
        result = Reply(200, result)
    if not isinstance(result, Reply):
        return Failure(f"a service gives a Reply, not {type(result).__name__}")
    return Outcome(message=result.message())
