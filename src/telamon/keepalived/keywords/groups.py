"""`vrrp_sync_group`, `track_group` and `garp_group`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telamon.keepalived.keywords.readers import flag, names, seconds
from telamon.keepalived.keywords.row import Block, Keyword, Mark
from telamon.keepalived.keywords.shared import notified_rows
from telamon.keepalived.model import GarpGroup, Placed
from telamon.keepalived.syntax import Statement

if TYPE_CHECKING:
    from telamon.keepalived.reading import Reading

_G, _T, _R = (Block.GROUP,), (Block.TRACK_GROUP,), (Block.GARP_GROUP,)


def _interface(_reading: Reading, statement: Statement, node: GarpGroup) -> None:
    node.interfaces.append(Placed(statement.words[1].text, statement))


ROWS: tuple[Keyword, ...] = (
    Keyword("group", _G, "{ INSTANCE ... }", Mark.CARRIED_OUT, "the members", names("members")),
    Keyword("global_tracking", _G, "", Mark.NOTED, "members share what they track",
            meaning="it is deprecated: put track_script and track_interface into the group"),
    Keyword("sync_group_tracking_weight", _G, "", Mark.CARRIED_OUT,
            "members' weights count", flag("tracking_weight")),
    *notified_rows(_G),
    Keyword("group", _T, "{ INSTANCE ... }", Mark.CARRIED_OUT, "the instances that follow",
            names("members")),
    Keyword("garp_interval", _R, "SECONDS", Mark.CARRIED_OUT,
            "pause between gratuitous ARPs", seconds("garp_interval", 0.000001, 4294), least=1),
    Keyword("gna_interval", _R, "SECONDS", Mark.CARRIED_OUT,
            "pause between unsolicited NAs", seconds("gna_interval", 0.000001, 4294), least=1),
    Keyword("interface", _R, "NAME", Mark.CARRIED_OUT, "the interface it is about",
            _interface, least=1),
    Keyword("interfaces", _R, "{ NAME ... }", Mark.CARRIED_OUT,
            "the interfaces it is about", names("interfaces")),
)  # fmt: skip
