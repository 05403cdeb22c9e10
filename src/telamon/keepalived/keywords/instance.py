"""`vrrp_instance` (keepalived.conf(5), "VRRP instance(s)")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telamon.base.address import ip_or_none
from telamon.keepalived import codes
from telamon.keepalived.keywords.addresses import routes, rules, virtual_addresses
from telamon.keepalived.keywords.global_defs import read_garp_extra_if
from telamon.keepalived.keywords.readers import (
    address,
    boolean,
    command,
    flag,
    integer,
    parse_int,
    seconds,
    set_field,
    text,
)
from telamon.keepalived.keywords.row import Block, Keyword, Mark
from telamon.keepalived.keywords.shared import notified_rows
from telamon.keepalived.model import Authentication, Instance, Peer, Placed
from telamon.keepalived.syntax import Statement
from telamon.plan.router import InitialState

if TYPE_CHECKING:
    from telamon.keepalived.reading import Reading

_I = (Block.INSTANCE,)
_A = (Block.AUTHENTICATION,)


def _state(reading: Reading, statement: Statement, node: Instance) -> None:
    word = statement.words[1]
    state = InitialState.BACKUP
    if word.text in ("MASTER", "BACKUP"):
        state = InitialState(word.text)
    elif word.text.upper() == "SLAVE":
        reading.bad(word.span, f"'state {word.text}' is not a state", "BACKUP is meant and used")
    else:
        reading.bad(
            word.span, f"unknown state '{word.text}'",
            "BACKUP is used, as Keepalived does: write MASTER or BACKUP",
        )  # fmt: skip
    set_field(node, "state", state, statement)


def _vrid(reading: Reading, statement: Statement, node: Instance) -> None:
    word = statement.words[1]
    value = parse_int(word.text)
    if value is None or not 1 <= value <= 255:
        reading.wrong(word.span, f"virtual_router_id '{word.text}' is not a number from 1 to 255")
        node.vrid = None
        node.places["vrid"] = statement
        return
    set_field(node, "vrid", value, statement)


def _peers(reading: Reading, statement: Statement, node: Instance) -> None:
    for entry in statement.entries:
        peer = _peer(reading, entry)
        if peer is not None:
            node.unicast_peers.append(Placed(peer, entry))
    node.places.setdefault("unicast_peers", statement)


def _peer(reading: Reading, entry: Statement) -> Peer | None:
    first = entry.words[0]
    host = ip_or_none(first.text)
    if host is None:
        reading.bad(
            first.span,
            f"'{first.text}' is not a peer's address",
            "it is left out, as Keepalived does",
        )
        return None
    limits: dict[str, int] = {}
    rest = list(entry.words[1:])
    while rest:
        word = rest.pop(0)
        value = parse_int(rest[0].text) if rest else None
        if word.text in ("min_ttl", "max_ttl") and value is not None and 0 <= value <= 255:
            limits[word.text] = value
            rest.pop(0)
        else:
            reading.bad(word.span, f"unknown option '{word.text}' of the peer", "it is ignored")
    return Peer(host, limits.get("min_ttl"), limits.get("max_ttl"))


def _authentication(reading: Reading, statement: Statement, node: Instance) -> None:
    block = Authentication(statement)
    reading.block(Block.AUTHENTICATION, statement.entries, block)
    set_field(node, "authentication", block, statement)


def _auth_type(reading: Reading, statement: Statement, node: Authentication) -> None:
    word = statement.words[1]
    if word.text == "AH":
        reading.report.warning(
            codes.NOT_YET, "auth_type AH is not carried out by Telamon", word.span,
            help="adverts go without it: a node that asks for AH does not believe them and is "
            "master too. It was withdrawn in 2004 (RFC 3768): write 'auth_type PASS' on all nodes",
        )  # fmt: skip
        set_field(node, "kind", "AH", statement)
    elif word.text == "PASS":
        set_field(node, "kind", "PASS", statement)
    else:
        reading.bad(
            word.span, f"unknown auth_type '{word.text}'",
            "the instance runs without a password, as under Keepalived: write PASS",
        )  # fmt: skip


def _auth_pass(reading: Reading, statement: Statement, node: Authentication) -> None:
    word = statement.words[1]
    secret = word.text
    if len(secret.encode()) > 8:
        secret = secret.encode()[:8].decode("utf-8", "ignore")
        reading.bad(
            word.span, f"auth_pass has {len(word.text.encode())} characters; VRRPv2 carries 8",
            f"cut to its first 8, as Keepalived does: write 'auth_pass {secret}'",
        )  # fmt: skip
    set_field(node, "password", secret, statement)


def _vmac(_reading: Reading, statement: Statement, node: Instance) -> None:
    for word in statement.arguments:
        if word.text.count(":") in (4, 5):
            node.vmac_address = word.text
        else:
            node.vmac_name = word.text
    set_field(node, "vmac", True, statement)


def _strict(reading: Reading, statement: Statement, node: Instance) -> None:
    boolean("strict")(reading, statement, node)


def _basic_rows() -> list[Keyword]:
    carried = Mark.CARRIED_OUT
    return [
        Keyword("state", _I, "MASTER|BACKUP", carried,
                "the state at start; MASTER with no priority means priority 255", _state, least=1),
        Keyword("interface", _I, "NAME", carried, "where adverts go and VIPs live",
                text("interface"), least=1),
        Keyword("virtual_router_id", _I, "1-255", carried,
                "the group of routers that share the VIPs", _vrid, least=1),
        Keyword("priority", _I, "1-255", carried,
                "the highest one is master; 255 means address owner (default 100)",
                integer("priority", 1, 255, instead=100), least=1),
        Keyword("advert_int", _I, "SECONDS", carried,
                "time between adverts: whole seconds in v2, 0.01 to 40.95 in v3 (default 1)",
                seconds("advert_int", 0.01, 255), least=1),
        Keyword("version", _I, "2|3", carried, "the VRRP version (default vrrp_version)",
                integer("version", 2, 3), old=("vrrp_version",), least=1),
        Keyword("nopreempt", _I, "", carried, "a higher priority does not displace a master",
                flag("preempt", False)),
        Keyword("preempt", _I, "", carried, "a higher priority displaces a master (the default)",
                flag("preempt", True)),
        Keyword("preempt_delay", _I, "0-1000", carried,
                "seconds to wait before displacing a lower master",
                seconds("preempt_delay", 0, 1000), least=1),
        Keyword("down_timer_adverts", _I, "1-100", carried,
                "adverts that may be missed (default 3)",
                integer("down_timer_adverts", 1, 100), least=1),
        Keyword("authentication", _I, "{ auth_type PASS; auth_pass SECRET }", carried,
                "VRRPv2's password in clear", _authentication, opens=Block.AUTHENTICATION),
        Keyword("auth_type", _A, "PASS", carried, "the kind of authentication", _auth_type,
                least=1),
        Keyword("auth_pass", _A, "SECRET", carried, "the password, 8 characters count",
                _auth_pass, least=1),
    ]  # fmt: skip


def _address_rows() -> list[Keyword]:
    carried = Mark.CARRIED_OUT
    return [
        Keyword("virtual_ipaddress", _I, "{ ADDRESS[/PREFIX] [dev NAME] [label NAME] ... }",
                carried, "the VIPs, in the order in which adverts list them",
                virtual_addresses("addresses")),
        Keyword("virtual_ipaddress_excluded", _I, "{ ADDRESS[/PREFIX] ... }", carried,
                "VIPs that adverts do not list", virtual_addresses("excluded"),
                old=("virtual_ipaddress_exclude",)),
        Keyword("no_virtual_ipaddress", _I, "", carried, "no VIP is meant", flag("no_addresses"),
                since="2.3"),
        Keyword("promote_secondaries", _I, "", carried,
                "set the interface's promote_secondaries", flag("promote_secondaries")),
        Keyword("virtual_routes", _I, "{ ROUTE ... }", carried,
                "routes that move with the VIPs, in ip-route(8)'s words", routes("routes")),
        Keyword("virtual_rules", _I, "{ RULE ... }", carried,
                "policy rules that move with the VIPs, in ip-rule(8)'s words", rules("rules")),
        Keyword("accept", _I, "", carried, "take traffic for the VIPs (the default)",
                flag("accept", True)),
        Keyword("no_accept", _I, "", carried, "drop traffic for the VIPs, by nft(8)",
                flag("accept", False)),
        Keyword("use_vmac", _I, "[NAME] [MAC]", carried,
                "VIPs and adverts with the virtual router's own MAC address", _vmac),
        Keyword("use_vmac_addr", _I, "", carried, "VMACs for VIPs on other interfaces",
                flag("vmac_addresses")),
        Keyword("vmac_xmit_base", _I, "", carried, "adverts from the interface itself",
                flag("vmac_xmit_base")),
        Keyword("use_ipvlan", _I, "[NAME] [ADDRESS] [MODE]", Mark.REFUSED,
                "VIPs on an ipvlan", meaning="it has the interface's own MAC address, so that it "
                "spares nobody's neighbour table: use the interface itself, or use_vmac"),
    ]  # fmt: skip


def _network_rows() -> list[Keyword]:
    carried = Mark.CARRIED_OUT
    return [
        Keyword("mcast_src_ip", _I, "ADDRESS", carried, "the source of multicast adverts",
                address("mcast_src_ip"), least=1),
        Keyword("unicast_src_ip", _I, "ADDRESS", carried, "the source of unicast adverts",
                address("unicast_src_ip"), old=("vrrp_unicast_bind", "unicast_bind"), least=1),
        Keyword("mcast_dst_ip", _I, "ADDRESS", carried, "where adverts go",
                address("mcast_dst_ip", multicast=True), since="2.2.8", least=1),
        Keyword("unicast_peer", _I, "{ ADDRESS [min_ttl N] [max_ttl N] ... }", carried,
                "send adverts to these only", _peers,
                old=("vrrp_unicast_peer", "vrrp_unicast_peers", "unicast_peers")),
        Keyword("unicast_ttl", _I, "0-255", carried, "the TTL of unicast adverts",
                integer("unicast_ttl", 0, 255), least=1),
        Keyword("unicast_fault_no_peer", _I, "", carried,
                "unicast words without a peer are a fault", flag("unicast_fault_no_peer")),
        Keyword("check_unicast_src", _I, "[BOOL]", carried,
                "believe only configured peers (Telamon always does)",
                boolean("check_unicast_src")),
        Keyword("v3_checksum_as_v2", _I, "[BOOL]", carried,
                "send IPv4 v3 adverts with RFC 9568's checksum", boolean("checksum_as_v2"),
                since="2.3"),
        Keyword("old_unicast_checksum", _I, "[never]", Mark.NOTED,
                "the checksum of Keepalived 1.3.6 and older",
                meaning="each valid form of checksum is accepted"),
        Keyword("vrf", _I, "NAME", Mark.REFUSED, "put the VMAC into this VRF",
                meaning="put the interface into the VRF (ip link set NAME master VRF) and name "
                "it: adverts and VIPs follow it"),
        Keyword("dont_track_primary", _I, "", carried, "the interface's loss is not a fault",
                flag("track_primary", False)),
        Keyword("track_src_ip", _I, "", carried, "the source address's loss is a fault",
                flag("track_src_ip")),
        Keyword("native_ipv6", _I, "", Mark.NOTED, "an IPv6 instance",
                meaning="the VIPs tell the family"),
        Keyword("lvs_sync_daemon_interface", _I, "NAME", Mark.NOTED,
                "share IPVS's connections; today lvs_sync_daemon in global_defs",
                old=("lvs_sync_daemon_inteface",),
                meaning="it concerns virtual_server, which is not carried out yet"),
        Keyword("linkbeat_use_polling", _I, "", Mark.NOTED, "poll the link",
                meaning="links are watched by netlink events"),
        Keyword("kernel_rx_buf_size", _I, "BYTES", Mark.NOTED, "the receive buffer's size",
                integer("kernel_rx_buf_size", 1, 2**31 - 1), least=1,
                meaning="Telamon sizes its own socket buffers"),
        Keyword("debug", _I, "[0-4]", Mark.NOTED, "nothing yet, also in Keepalived",
                meaning="use Telamon's own log level"),
        Keyword("strict_mode", _I, "[BOOL]", Mark.NOTED, "check the protocol strictly", _strict,
                meaning="the protocol's limits are checked when the file loads; traffic to the "
                "VIP is never dropped"),
        Keyword("skip_check_adv_addr", _I, "[BOOL]", Mark.NOTED,
                "do not check the addresses of adverts from the same master",
                boolean("skip_check_adv_addr"),
                meaning="Telamon checks each advert's addresses"),
        Keyword("timer_expired_backup", _I, "[PRIORITY]", Mark.NOTED,
                "a late master becomes backup", flag("timer_expired_backup"), since="2.2.8",
                meaning="always so: a router that wakes late listens before it speaks"),
        Keyword("lower_prio_no_advert", _I, "[BOOL]", carried,
                "do not answer a lower-priority advert", boolean("lower_prio_no_advert")),
        Keyword("higher_prio_send_advert", _I, "[BOOL]", Mark.NOTED,
                "send one advert before giving way", boolean("higher_prio_send_advert"),
                meaning="a master that gives way always does, also with `off`: so the winner "
                "announces the addresses anew"),
    ]  # fmt: skip


def _garp_rows() -> list[Keyword]:
    carried = Mark.CARRIED_OUT
    text_of = "as vrrp_{} in global_defs, for this instance"
    rows = [
        Keyword(name, _I, arguments, carried, text_of.format(name), reader, least=1)
        for name, arguments, reader in (
            ("garp_master_delay", "SECONDS", integer("garp_master_delay", 0, 86400)),
            ("garp_master_repeat", "N", integer("garp_master_repeat", 1, 2**31 - 1, instead=1)),
            ("garp_lower_prio_delay", "SECONDS", integer("garp_lower_prio_delay", 0, 86400)),
            ("garp_lower_prio_repeat", "N", integer("garp_lower_prio_repeat", 0, 2**31 - 1)),
            ("garp_master_refresh", "SECONDS", integer("garp_master_refresh", 0, 86400)),
            ("garp_master_refresh_repeat", "N",
             integer("garp_master_refresh_repeat", 1, 2**31 - 1, instead=1)),
        )
    ]  # fmt: skip
    rows.append(
        Keyword("garp_extra_if", _I, "[all] SECONDS", carried, text_of.format("garp_extra_if"),
                read_garp_extra_if, old=("garp_extra_if_vmac",), least=1),
    )  # fmt: skip
    return rows


ROWS: tuple[Keyword, ...] = (
    *_basic_rows(),
    *_address_rows(),
    *_network_rows(),
    *_garp_rows(),
    *notified_rows(_I),
    Keyword(
        "notify_master_rx_lower_pri", _I, "SCRIPT [USER [GROUP]]", Mark.CARRIED_OUT,
        "run when a master hears a lower-priority advert (at most ten times a second)",
        command("notify_master_rx_lower_pri"), least=1,
    ),
)  # fmt: skip
