"""Telamon's own words: trackers of the proxy that runs beside the router.

Keepalived knows none of them: it would warn of an unknown keyword and go on without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telamon.keepalived.keywords.readers import flag, integer, weight
from telamon.keepalived.keywords.row import Block, Keyword, Mark
from telamon.keepalived.model import BackendEntry, Notified, ProxyEntry
from telamon.keepalived.syntax import Statement

if TYPE_CHECKING:
    from telamon.keepalived.reading import Reading

_P, _B = (Block.TRACK_PROXY,), (Block.TRACK_BACKEND,)
_carried = Mark.CARRIED_OUT


def _track_proxy(reading: Reading, statement: Statement, node: Notified) -> None:
    reading.own_word(statement)
    for extra in statement.arguments:
        reading.bad(extra.span, f"'{extra.text}' after track_proxy",
                    "it is ignored: write it in braces")  # fmt: skip
    node.track_proxy = ProxyEntry(statement)
    node.places["track_proxy"] = statement
    reading.block(Block.TRACK_PROXY, statement.entries, node.track_proxy)


def _track_backend(reading: Reading, statement: Statement, node: Notified) -> None:
    reading.own_word(statement)
    for extra in statement.words[2:]:
        reading.bad(extra.span, f"'{extra.text}' after the backend's name",
                    "it is ignored: write it in braces")  # fmt: skip
    entry = BackendEntry(statement, statement.words[1].text)
    node.track_backends.append(entry)
    reading.block(Block.TRACK_BACKEND, statement.entries, entry)


def own_rows(blocks: tuple[Block, ...]) -> list[Keyword]:
    """The rows for `vrrp_instance` or `vrrp_sync_group`."""
    return [
        Keyword("track_proxy", blocks, "[{ ... }]", _carried,
                "follow the proxy that Telamon runs on this node. *Telamon only*; it is followed "
                "anyway, with weight 0, unless this says otherwise", _track_proxy,
                opens=Block.TRACK_PROXY),
        Keyword("track_backend", blocks, "NAME [{ ... }]", _carried,
                "follow how many servers of this backend are up in that proxy; a proxy that does "
                "not run has none. *Telamon only*", _track_backend, opens=Block.TRACK_BACKEND,
                least=1),
    ]  # fmt: skip


ROWS: tuple[Keyword, ...] = (
    Keyword("weight", _P, "-254-254 [reverse]", _carried,
            "what it changes of the priority; 0 (the default) means FAULT when the proxy is down",
            weight("weight", 254), least=1),
    Keyword("off", _P, "", _carried, "this does not depend on the proxy", flag("off")),
    Keyword("min", _B, "N", _carried, "how many servers must be up (default 1)",
            integer("minimum", 1, 65535, instead=1), least=1),
    Keyword("weight", _B, "-254-254 [reverse]", _carried,
            "what it changes of the priority; 0 (the default) means FAULT with fewer servers",
            weight("weight", 254), least=1),
)  # fmt: skip
