"""What instances and sync groups have in common: tracking and notify scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telamon.keepalived.keywords.own import own_rows
from telamon.keepalived.keywords.readers import boolean, command, set_field, tracked
from telamon.keepalived.keywords.row import Block, Keyword, Mark
from telamon.keepalived.model import Notified
from telamon.keepalived.syntax import Statement

if TYPE_CHECKING:
    from telamon.keepalived.reading import Reading


def _deleted(reading: Reading, statement: Statement, node: Notified) -> None:
    set_field(node, "notify_deleted_set", True, statement)
    command("notify_deleted")(reading, statement, node)


def notified_rows(blocks: tuple[Block, ...]) -> list[Keyword]:
    """The rows for `vrrp_instance` or `vrrp_sync_group`."""
    carried = Mark.CARRIED_OUT
    script = "SCRIPT [USER [GROUP]]"
    entries = "{ NAME [weight N [reverse|noreverse]] ... }"
    rows = [
        Keyword(name, blocks, script, carried, f"run when {when}", command(name), least=1)
        for name, when in (
            ("notify", "the state changes; it gets kind, name, state and priority"),
            ("notify_master", "it becomes master"),
            ("notify_backup", "it becomes backup"),
            ("notify_fault", "it enters FAULT"),
            ("notify_stop", "the router stops"),
        )
    ]  # fmt: skip
    return [
        *rows,
        Keyword("notify_deleted", blocks, "[SCRIPT [USER [GROUP]]]", carried,
                "run when a reload removes it", _deleted),
        Keyword("notify_priority_changes", blocks, "BOOL", carried,
                "tell the FIFOs of changes of priority", boolean("notify_priority_changes")),
        Keyword("smtp_alert", blocks, "[BOOL]", carried, "send mail when the state changes",
                boolean("smtp_alert")),
        Keyword("track_script", blocks, entries, carried, "follow these scripts",
                tracked("track_scripts", 253)),
        Keyword("track_interface", blocks, entries, carried, "follow these interfaces",
                tracked("track_interfaces", 253)),
        Keyword("track_process", blocks, entries, carried, "follow these processes",
                tracked("track_processes", 254)),
        Keyword("track_file", blocks, entries, carried, "follow these files",
                tracked("track_files", 254)),
        *own_rows(blocks),
        Keyword("track_bfd", blocks, entries, Mark.REFUSED, "follow these BFD sessions",
                tracked("track_bfds", 253),
                meaning="BFD is not spoken; VRRPv3 with advert_int 0.01 fails over in 0.03 s"),
    ]  # fmt: skip
