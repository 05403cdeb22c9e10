"""`vrrp_sync_group`, `track_group` and `garp_group`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telamon.keepalived.keywords.readers import flag, names
from telamon.keepalived.keywords.row import Block, Keyword, Mark
from telamon.keepalived.keywords.shared import notified_rows
from telamon.keepalived.syntax import Statement

if TYPE_CHECKING:
    from telamon.keepalived.reading import Reading

_G, _T, _R = (Block.GROUP,), (Block.TRACK_GROUP,), (Block.GARP_GROUP,)


def _ignored(_reading: Reading, _statement: Statement, _node: Any) -> None:
    """Its content matters to nothing."""


ROWS: tuple[Keyword, ...] = (
    Keyword("group", _G, "{ INSTANCE ... }", Mark.CARRIED_OUT, "the members", names("members")),
    Keyword("global_tracking", _G, "", Mark.NOTED, "members share what they track",
            meaning="it is deprecated: put track_script and track_interface into the group"),
    Keyword("sync_group_tracking_weight", _G, "", Mark.CARRIED_OUT,
            "members' weights count", flag("tracking_weight")),
    *notified_rows(_G),
    Keyword("group", _T, "{ INSTANCE ... }", Mark.NOT_YET, "the instances that follow",
            names("members")),
    Keyword("garp_interval", _R, "SECONDS", Mark.NOT_YET, "pause between gratuitous ARPs"),
    Keyword("gna_interval", _R, "SECONDS", Mark.NOT_YET, "pause between unsolicited NAs"),
    Keyword("interface", _R, "NAME", Mark.NOT_YET, "the interface it is about"),
    Keyword("interfaces", _R, "{ NAME ... }", Mark.NOT_YET, "the interfaces it is about",
            _ignored),
)  # fmt: skip
