"""The top level's keywords: blocks, and the few words that Keepalived wants outside of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telamon.keepalived.keywords.addresses import routes, rules, virtual_addresses
from telamon.keepalived.keywords.readers import parse_seconds
from telamon.keepalived.keywords.row import Block, Keyword, Mark, Reader
from telamon.keepalived.model import (
    Bag,
    Configuration,
    GarpGroup,
    Instance,
    Node,
    Placed,
    Script,
    SyncGroup,
    TrackFile,
    TrackGroup,
    TrackProcess,
)
from telamon.keepalived.syntax import Statement

if TYPE_CHECKING:
    from telamon.keepalived.reading import Reading

_T = (Block.TOP,)


def named_block(make: type[Any], block: Block, field: str) -> Reader:
    """A block with a name that may stand only once: the second one is left out, as there."""

    def read(reading: Reading, statement: Statement, node: Configuration) -> None:
        name = statement.words[1].text
        first = reading.names.get((field, name))
        if first is not None:
            reading.bad(
                statement.words[1].span, f"{statement.name} '{name}' stands here a second time",
                "this one is left out, as Keepalived does; the first one is at "
                f"{first.place}",
            )  # fmt: skip
            return
        if statement.block is None:
            reading.wrong(statement.whole, f"{statement.name} '{name}' has no block",
                          "write '{' after the name")  # fmt: skip
            return
        for extra in statement.words[2:]:
            reading.bad(extra.span, f"'{extra.text}' after the name", "it is ignored")
        item = make(statement, name)
        getattr(node, field).append(item)
        reading.names[field, name] = statement
        reading.block(block, statement.entries, item)

    return read


def _global_defs(reading: Reading, statement: Statement, node: Configuration) -> None:
    node.globals.written += statement.entries
    reading.block(Block.GLOBAL, statement.entries, node.globals)


def _word(_reading: Reading, statement: Statement, node: Configuration) -> None:
    node.globals.written.append(statement)


def _namespace(reading: Reading, statement: Statement, node: Configuration) -> None:
    word = statement.words[1]
    if "/" in word.text or word.text in (".", ".."):
        reading.wrong(word.span, f"'{word.text}' is not a name of ip-netns(8)")
        return
    node.namespace = word.text
    node.globals.written.append(statement)


def _bag(_reading: Reading, statement: Statement, node: Configuration) -> None:
    node.bags.append(Bag(statement))


def _bag_of(block: Block) -> Reader:
    def read(reading: Reading, statement: Statement, node: Configuration) -> None:
        bag = Bag(statement)
        node.bags.append(bag)
        reading.block(block, statement.entries, bag)

    return read


def _garp_group(reading: Reading, statement: Statement, node: Configuration) -> None:
    group = GarpGroup(statement)
    node.garp_groups.append(group)
    reading.block(Block.GARP_GROUP, statement.entries, group)


def _delays(reading: Reading, statement: Statement, node: Configuration) -> None:
    for entry in statement.entries:
        times = [parse_seconds(word.text) for word in entry.words[1:3]]
        good = [value for value in times if value is not None and 0 <= value <= 255]
        if not times or len(good) != len(times):
            reading.bad(entry.whole, "write: INTERFACE DOWN_SECONDS [UP_SECONDS]", "it is ignored")
            continue
        value = (entry.words[0].text, good[0], good[-1])
        node.interface_delays.append(Placed(value, entry))


def _misplaced_include(reading: Reading, statement: Statement, _node: Node) -> None:
    reading.bad(
        statement.span, f"'{statement.name}' stands on a line with a condition or a definition",
        "it is ignored, as Keepalived does: an include is seen only where it begins the line",
    )  # fmt: skip


_carried, _noted = Mark.CARRIED_OUT, Mark.NOTED

ROWS: tuple[Keyword, ...] = (
    Keyword("global_defs", _T, "{ ... }", _carried, "what holds for the whole program",
            _global_defs, opens=Block.GLOBAL),
    Keyword("vrrp_script", _T, "NAME { ... }", _carried, "a check that instances can track",
            named_block(Script, Block.SCRIPT, "scripts"), opens=Block.SCRIPT, least=1),
    Keyword("vrrp_instance", _T, "NAME { ... }", _carried, "a virtual router",
            named_block(Instance, Block.INSTANCE, "instances"), opens=Block.INSTANCE, least=1),
    Keyword("vrrp_sync_group", _T, "NAME { ... }", _carried, "instances that are master together",
            named_block(SyncGroup, Block.GROUP, "groups"), opens=Block.GROUP, least=1),
    Keyword("track_file", _T, "NAME { ... }", _carried, "a file that instances can track",
            named_block(TrackFile, Block.FILE, "track_files"), opens=Block.FILE,
            old=("vrrp_track_file",), least=1),
    Keyword("vrrp_track_process", _T, "NAME { ... }", _carried,
            "a process that instances can track",
            named_block(TrackProcess, Block.PROCESS, "track_processes"), opens=Block.PROCESS,
            old=("track_process",), least=1),
    Keyword("track_group", _T, "NAME { ... }", _carried, "instances that follow static addresses",
            named_block(TrackGroup, Block.TRACK_GROUP, "track_groups"), opens=Block.TRACK_GROUP,
            least=1),
    Keyword("static_ipaddress", _T, "{ ADDRESS ... }", _carried,
            "addresses that stay on this machine", virtual_addresses("static_addresses")),
    Keyword("static_routes", _T, "{ ROUTE ... }", _carried,
            "routes that stay on this machine", routes("static_routes")),
    Keyword("static_rules", _T, "{ RULE ... }", _carried, "policy rules that stay",
            rules("static_rules")),
    Keyword("interface_up_down_delays", _T, "{ INTERFACE DOWN [UP] ... }", _carried,
            "how long a link may flap unseen", _delays),
    Keyword("garp_group", _T, "{ ... }", _carried,
            "pauses between gratuitous ARPs of interfaces", _garp_group, opens=Block.GARP_GROUP),
    Keyword("bfd_instance", _T, "NAME { ... }", Mark.REFUSED, "a BFD session", _bag_of(Block.BFD),
            opens=Block.BFD,
            meaning="BFD is not spoken; VRRPv3 with advert_int 0.01 fails over in 0.03 s"),
    Keyword("linkbeat_interfaces", _T, "{ NAME [TYPE] ... }", _noted, "links to be polled", _bag,
            meaning="links are watched by netlink events"),
    Keyword("net_namespace", _T, "NAME", _carried, "run the router in this network namespace",
            _namespace, least=1),
    Keyword("net_namespace_ipvs", _T, "[NAME]", _noted, "IPVS's network namespace", _word,
            meaning="it concerns virtual_server, which is not carried out yet"),
    Keyword("namespace_with_ipsets", _T, "", _noted, "ipsets in a namespace", _bag,
            meaning="Telamon writes no firewall rules"),
    Keyword("instance", _T, "NAME", _noted, "this instance's name in file names", _word,
            meaning="Telamon keeps its own files in its own places"),
    Keyword("use_pid_dir", _T, "", _noted, "keep pid files in a directory", _bag,
            meaning="Telamon keeps its own files in its own places"),
    Keyword("linkbeat_use_polling", _T, "", _noted, "poll links", _bag,
            meaning="links are watched by netlink events"),
    Keyword("child_wait_time", _T, "SECONDS", _noted, "how long children may take to stop", _bag,
            meaning="Telamon's stop has its own time limit"),
    Keyword("include_check", _T, "[OPTIONS]", _carried, "which missing includes are errors", _bag),
    *(
        Keyword(name, _T, "PATH", _carried, documentation, _misplaced_include)
        for name, documentation in (
            ("include", "read these files here; it is no error if there are none"),
            ("includer", "as include; a file that cannot be read is an error"),
            ("includem", "as include; no match is an error, if there is no wildcard"),
            ("includew", "as include; no match is an error, with a wildcard too"),
            ("includeb", "as include; each alternative in braces must match"),
            ("includea", "as include, with all of these checks"),
        )
    ),
)  # fmt: skip
