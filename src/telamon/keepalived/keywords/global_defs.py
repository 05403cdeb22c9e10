"""`global_defs`: what holds for the whole program (keepalived.conf(5), "Global definitions")."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telamon.keepalived.keywords.readers import (
    address,
    boolean,
    command,
    flag,
    integer,
    make_command,
    parse_int,
    parse_seconds,
    seconds,
    set_field,
    text,
)
from telamon.keepalived.keywords.row import Block, Keyword, Mark
from telamon.keepalived.model import GlobalDefs
from telamon.keepalived.syntax import Statement

if TYPE_CHECKING:
    from telamon.keepalived.reading import Reading

_G = (Block.GLOBAL,)
_MAX_UNSIGNED = 4294.967295
"""Keepalived's timers count microseconds in 32 bits."""


def read_garp_extra_if(reading: Reading, statement: Statement, node: Any) -> None:
    """`[all] N`: GARP on the other interfaces of VIPs, each N seconds; 0 turns it off."""
    words = list(statement.arguments)
    every = bool(words) and words[0].text == "all"
    number = words[1] if every and len(words) > 1 else words[0] if not every else None
    value = parse_int(number.text) if number is not None else None
    if value is None or not 0 <= value <= 86400:
        reading.bad(statement.whole, f"{statement.name} needs 0 to 86400 seconds", "it is ignored")
        return
    node.garp_extra_if_all = every
    set_field(node, "garp_extra_if", value, statement)


def _script_user(_reading: Reading, statement: Statement, node: GlobalDefs) -> None:
    set_field(node, "script_user", statement.words[1].text, statement)
    if len(statement.words) > 2:
        node.script_group = statement.words[2].text.lstrip(":") or None


def _mail_to(_reading: Reading, statement: Statement, node: GlobalDefs) -> None:
    for entry in statement.entries:
        node.mail_to += [word.text for word in entry.words]
    node.places.setdefault("mail_to", statement)


def _smtp_server(reading: Reading, statement: Statement, node: GlobalDefs) -> None:
    set_field(node, "smtp_server", statement.words[1].text, statement)
    if len(statement.words) > 2:
        port = parse_int(statement.words[2].text)
        if port is None or not 1 <= port <= 65535:
            reading.bad(statement.words[2].span, "the port is outside 1 to 65535", "25 is used")
        else:
            node.smtp_port = port


def _fifo(field: str) -> Any:
    def read(_reading: Reading, statement: Statement, node: GlobalDefs) -> None:
        set_field(node, field, make_command(statement.arguments), statement)

    return read


def _startup_delay(reading: Reading, statement: Statement, node: GlobalDefs) -> None:
    value = parse_seconds(statement.words[1].text)
    if value is None or not 0 <= value <= _MAX_UNSIGNED:
        reading.bad(statement.words[1].span, "it is not a time in seconds", "it is ignored")
        return
    set_field(node, "startup_delay", value, statement)


_REAL_TIME = "Telamon chooses the router's scheduling itself and locks its memory where it may"
_NO_DIRECTOR = "it concerns virtual_server, which is not carried out yet"
_BUFFERS = "Telamon sizes its own socket buffers"
_SNMP = "SNMP is not served; figures and state changes are in the metrics and in `telamon status`"
_DBUS = "D-Bus is not served; `telamon status` tells the state"
_FIREWALL = (
    "Telamon writes no firewall rules: it never drops traffic for a VIP, so it needs no chain"
)
_FILES = "Telamon keeps its own files in its own places"
_PROCESS = "Telamon's processes have fixed names, which pidof and pgrep find"


def _noted(name: str, arguments: str, meaning: str, documentation: str, since: str = "") -> Keyword:
    return Keyword(name, _G, arguments, Mark.NOTED, documentation, meaning=meaning, since=since)


def _garp_rows() -> list[Keyword]:
    carried = Mark.CARRIED_OUT
    return [
        Keyword("vrrp_garp_master_delay", _G, "SECONDS", carried,
                "when the second burst of gratuitous ARP follows the first (default 5; 0: never)",
                integer("garp_master_delay", 0, 86400), least=1),
        Keyword("vrrp_garp_master_repeat", _G, "N", carried,
                "gratuitous ARPs in a burst on becoming master (default 5)",
                integer("garp_master_repeat", 1, 2**31 - 1, instead=1), least=1),
        Keyword("vrrp_garp_lower_prio_delay", _G, "SECONDS", carried,
                "as vrrp_garp_master_delay, after a lower-priority advert was heard",
                integer("garp_lower_prio_delay", 0, 86400), least=1),
        Keyword("vrrp_garp_lower_prio_repeat", _G, "N", carried,
                "as vrrp_garp_master_repeat, after a lower-priority advert was heard",
                integer("garp_lower_prio_repeat", 0, 2**31 - 1), least=1),
        Keyword("vrrp_garp_master_refresh", _G, "SECONDS", carried,
                "while master, announce again this often (default 0: never)",
                integer("garp_master_refresh", 0, 86400), least=1),
        Keyword("vrrp_garp_master_refresh_repeat", _G, "N", carried,
                "gratuitous ARPs at each refresh (default 1)",
                integer("garp_master_refresh_repeat", 1, 2**31 - 1, instead=1), least=1),
        Keyword("vrrp_garp_interval", _G, "SECONDS", carried,
                "pause between two gratuitous ARPs on an interface (default 0)",
                seconds("garp_interval", 0.000001, _MAX_UNSIGNED), least=1),
        Keyword("vrrp_gna_interval", _G, "SECONDS", carried,
                "pause between two unsolicited neighbour advertisements (default 0)",
                seconds("gna_interval", 0.000001, _MAX_UNSIGNED), least=1),
        Keyword("vrrp_min_garp", _G, "[BOOL]", carried,
                "one gratuitous ARP and no second burst", boolean("min_garp")),
        Keyword("vrrp_garp_extra_if", _G, "[all] SECONDS", carried,
                "announce VIPs on other VMACs (all: other interfaces) this often",
                read_garp_extra_if, least=1),
    ]  # fmt: skip


def _vrrp_rows() -> list[Keyword]:
    carried = Mark.CARRIED_OUT
    return [
        Keyword("vrrp_version", _G, "2|3", carried, "the VRRP version of instances that do not "
                "say (default 2; IPv6 is always 3)", integer("version", 2, 3), least=1),
        Keyword("vrrp_mcast_group4", _G, "ADDRESS", carried,
                "where IPv4 adverts go (default 224.0.0.18)",
                address("mcast_group4", multicast=True, version=4), least=1),
        Keyword("vrrp_mcast_group6", _G, "ADDRESS", carried,
                "where IPv6 adverts go (default ff02::12)",
                address("mcast_group6", multicast=True, version=6), least=1),
        Keyword("vrrp_down_timer_adverts", _G, "1-100", carried,
                "adverts that may be missed before a backup takes over (default 3)",
                integer("down_timer_adverts", 1, 100), least=1),
        Keyword("default_interface", _G, "NAME", carried,
                "the interface of instances and static addresses that name none",
                text("default_interface"), least=1),
        Keyword("vrrp_lower_prio_no_advert", _G, "[BOOL]", carried,
                "do not answer a lower-priority advert", boolean("lower_prio_no_advert")),
        Keyword("vrrp_higher_prio_send_advert", _G, "[BOOL]", Mark.NOTED,
                "send one advert before giving way to a higher priority",
                boolean("higher_prio_send_advert"),
                meaning="a master that gives way always does, also with `off`: so the winner "
                "announces the addresses anew"),
        Keyword("vrrp_check_unicast_src", _G, "", carried,
                "believe only configured unicast peers (Telamon always does)",
                boolean("check_unicast_src")),
        Keyword("v3_checksum_as_v2", _G, "[BOOL]", carried,
                "send VRRPv3 IPv4 adverts with RFC 9568's checksum (no pseudo-header)",
                boolean("checksum_as_v2"), since="2.3"),
        Keyword("vrrp_strict", _G, "[BOOL]", Mark.NOTED, "check the protocol strictly",
                boolean("strict"), meaning="the protocol's limits are checked when the file "
                "loads; traffic to the VIP is never dropped (Keepalived would drop it)"),
        Keyword("vrrp_startup_delay", _G, "SECONDS", carried,
                "seconds before the instances start", _startup_delay, least=1),
        Keyword("vrrp_delay_after_boot", _G, "SECONDS", carried,
                "as vrrp_startup_delay, counted from the machine's boot",
                seconds("delay_after_boot", 0, _MAX_UNSIGNED), least=1, since="2.3"),
        Keyword("dynamic_interfaces", _G, "[allow_if_changes]", carried,
                "interfaces may be missing and come later (Telamon always waits for them)",
                flag("dynamic_interfaces")),
        Keyword("vrrp_notify_priority_changes", _G, "BOOL", carried,
                "tell the notify FIFOs of changes of priority too",
                boolean("notify_priority_changes")),
        _noted("vrrp_skip_check_adv_addr", "[BOOL]", "Telamon checks each advert's addresses",
               "do not check the addresses of adverts from the same master"),
        Keyword("router_id", _G, "NAME", Mark.NOTED, "this machine's name",
                text("router_id"), least=0,
                meaning="a name for logs and mail only; it takes no part in VRRP"),
    ]  # fmt: skip


def _script_rows() -> list[Keyword]:
    carried = Mark.CARRIED_OUT
    return [
        Keyword("script_user", _G, "USER [GROUP]", carried,
                "whom scripts run as (default keepalived_script, else root)", _script_user,
                least=1),
        Keyword("enable_script_security", _G, "", carried,
                "never run as root what others can change", flag("script_security")),
        _noted("use_symlink_paths", "[BOOL]", "scripts are run by the path that was written",
               "keep symbolic links in scripts' paths", "2.3"),
        _noted("set_supplementary_groups", "", "scripts get their user's groups",
               "give scripts their user's supplementary groups", "2.3"),
        Keyword("startup_script", _G, "SCRIPT [USER [GROUP]]", carried,
                "run once before the router starts", command("startup_script"), least=1),
        Keyword("shutdown_script", _G, "SCRIPT [USER [GROUP]]", carried,
                "run once after the router has stopped", command("shutdown_script"), least=1),
        Keyword("startup_script_timeout", _G, "1-1000", carried,
                "the seconds that startup_script may take (default 10)",
                integer("startup_script_timeout", 1, 1000), least=1),
        Keyword("shutdown_script_timeout", _G, "1-1000", carried,
                "the seconds that shutdown_script may take (default 10)",
                integer("shutdown_script_timeout", 1, 1000), least=1),
        Keyword("notify_fifo", _G, "PATH [USER [GROUP]]", carried,
                "a FIFO for all changes of state", _fifo("notify_fifo"), least=1),
        Keyword("notify_fifo_script", _G, "SCRIPT [USER [GROUP]]", carried,
                "what reads notify_fifo", command("notify_fifo_script"), least=1),
        Keyword("vrrp_notify_fifo", _G, "PATH [USER [GROUP]]", carried,
                "a FIFO for VRRP's changes of state", _fifo("vrrp_notify_fifo"), least=1),
        Keyword("vrrp_notify_fifo_script", _G, "SCRIPT [USER [GROUP]]", carried,
                "what reads vrrp_notify_fifo", command("vrrp_notify_fifo_script"), least=1),
        Keyword("fifo_write_vrrp_states_on_reload", _G, "", carried,
                "write all states to the FIFOs after a reload", flag("fifo_states_on_reload")),
        _noted("lvs_notify_fifo", "PATH [USER [GROUP]]", _NO_DIRECTOR,
               "a FIFO for real servers' changes"),
        _noted("lvs_notify_fifo_script", "SCRIPT [USER [GROUP]]", _NO_DIRECTOR,
               "what reads lvs_notify_fifo"),
    ]  # fmt: skip


def _mail_rows() -> list[Keyword]:
    carried = Mark.CARRIED_OUT
    return [
        Keyword("notification_email", _G, "{ ADDRESS ... }", carried, "who gets mail", _mail_to),
        Keyword("notification_email_from", _G, "ADDRESS", carried,
                "mail's sender (default: the user that runs it @ the host's name)",
                text("mail_from"), least=1),
        Keyword("smtp_server", _G, "HOST [PORT]", carried,
                "where mail is handed in (default port 25)", _smtp_server, least=1),
        Keyword("smtp_helo_name", _G, "NAME", carried,
                "the name said to the mail server (default: the host's)", text("smtp_helo"),
                least=1),
        Keyword("smtp_connect_timeout", _G, "SECONDS", carried,
                "how long a mail may take, from the name server to the end (default 30)",
                seconds("smtp_timeout", 0.001, _MAX_UNSIGNED), least=1),
        Keyword("smtp_alert", _G, "[BOOL]", carried, "mail for everything by default",
                boolean("smtp_alert")),
        Keyword("smtp_alert_vrrp", _G, "[BOOL]", carried, "mail for VRRP by default",
                boolean("smtp_alert_vrrp")),
        _noted("smtp_alert_checker", "[BOOL]", _NO_DIRECTOR, "mail for checks by default"),
        Keyword("no_email_faults", _G, "", carried, "no mail for FAULT",
                flag("no_email_faults")),
        _noted("no_checker_emails", "", _NO_DIRECTOR, "no mail for each check"),
        _noted("checker_log_all_failures", "[BOOL]", _NO_DIRECTOR, "log each failed check"),
    ]  # fmt: skip


def _tuning_rows() -> list[Keyword]:
    rows = [
        _noted(f"{role}_{name}", arguments, _REAL_TIME if role == "vrrp" else _NO_DIRECTOR
               if role == "checker" else "BFD is not carried out", documentation)
        for role in ("vrrp", "checker", "bfd")
        for name, arguments, documentation in (
            ("priority", "-20-19", "the process's nice value"),
            ("no_swap", "", "lock the process in memory"),
            ("cpu_affinity", "N ...", "the processors it may use"),
            ("rt_priority", "1-99", "real-time scheduling"),
            ("rlimit_rttime", "MICROSECONDS", "the limit of processor time between two sleeps"),
            ("process_name", "NAME", "the process's name"),
        )
    ]  # fmt: skip
    rows += [
        _noted("max_auto_priority", "[-1-99]", _REAL_TIME, "how far priority may be raised"),
        _noted(
            "min_auto_priority_delay",
            "MICROSECONDS",
            _REAL_TIME,
            "the lateness at which priority is raised",
        ),
        _noted("process_names", "", _PROCESS, "the default names of the processes"),
        _noted("process_name", "NAME", _PROCESS, "the parent process's name"),
        _noted("vrrp_rx_bufs_policy", "MTU|ADVERT|BYTES", _BUFFERS, "receive buffers' size"),
        _noted("vrrp_rx_bufs_multiplier", "N", _BUFFERS, "receive buffers' factor"),
        _noted("process_monitor_rcv_bufs", "BYTES", _BUFFERS, "process events' buffer"),
        _noted("process_monitor_rcv_bufs_force", "BOOL", _BUFFERS, "beyond the system's limit"),
    ]
    for role in ("vrrp", "lvs"):
        for kind in ("cmd", "monitor"):
            name = f"{role}_netlink_{kind}_rcv_bufs"
            rows.append(_noted(name, "BYTES", _BUFFERS, "netlink's receive buffer"))
            rows.append(_noted(f"{name}_force", "BOOL", _BUFFERS, "beyond the system's limit"))
    return rows


def _other_rows() -> list[Keyword]:
    return [
        _noted("vrrp_iptables", "[CHAIN_IN [CHAIN_OUT]]", _FIREWALL, "use iptables, these chains"),
        _noted("vrrp_ipsets", "[NAME ...]", _FIREWALL, "use ipsets of these names"),
        _noted("nftables", "[TABLE]", _FIREWALL, "use nftables, this table"),
        _noted("nftables_priority", "N", _FIREWALL, "the chains' priority"),
        _noted("nftables_counters", "", _FIREWALL, "count in the rules"),
        _noted("nftables_ifindex", "", _FIREWALL, "use interface indices in sets"),
        _noted("nftables_ipvs", "[TABLE]", _NO_DIRECTOR, "marks for virtual server groups"),
        _noted("nftables_ipvs_priority", "N", _NO_DIRECTOR, "the chains' priority"),
        _noted("nftables_ipvs_start_fwmark", "N", _NO_DIRECTOR, "the first mark"),
        _noted("disable_local_igmp", "", "IGMP reports are left to the kernel",
               "no IGMP reports for 224.0.0.0/24"),
        _noted("enable_traps", "", _SNMP, "send SNMP traps"),
        _noted("snmp_socket", "SOCKET", _SNMP, "the SNMP agent's socket"),
        _noted("enable_snmp_vrrp", "", _SNMP, "Keepalived's own MIB, VRRP"),
        _noted("enable_snmp_checker", "", _SNMP, "Keepalived's own MIB, checks"),
        _noted("enable_snmp_keepalived", "", _SNMP, "old name of enable_snmp_vrrp"),
        _noted("enable_snmp_rfc", "", _SNMP, "the MIBs of RFC 2787 and 6527"),
        _noted("enable_snmp_rfcv2", "", _SNMP, "the MIB of RFC 2787"),
        _noted("enable_snmp_rfcv3", "", _SNMP, "the MIB of RFC 6527"),
        _noted("snmp_vs_stats_update_interval", "SECONDS", _SNMP, "how old figures may be", "2.3"),
        _noted("snmp_rs_stats_update_interval", "SECONDS", _SNMP, "how old figures may be", "2.3"),
        _noted("enable_dbus", "", _DBUS, "serve D-Bus"),
        _noted("dbus_service_name", "NAME", _DBUS, "the name on D-Bus"),
        _noted("dbus_no_interface_name", "NAME", _DBUS, "path of instances without interface",
               "2.3"),
        _noted("tmp_config_directory", "PATH", _FILES, "where the configuration is copied"),
        _noted("config_save_dir", "PATH", _FILES, "where each reload's state is kept"),
        _noted("umask", "BITS", _FILES, "the mask for new files"),
        _noted("data_use_instance", "[BOOL]", _FILES, "the instance's name in dump files"),
        _noted("json_version", "1|2", "the dump has version 1's form", "the JSON dump's form",
               "2.2.8"),
        _noted("state_dump_file", "PATH", _FILES, "where the state is dumped", "2.3"),
        _noted("stats_dump_file", "PATH", _FILES, "where the counters are dumped", "2.3"),
        _noted("json_dump_file", "PATH", _FILES, "where the JSON is dumped", "2.3"),
        _noted("log_unknown_vrids", "", "`telamon status` names other VRIDs that it hears",
               "log adverts of VRIDs that are not configured"),
        Keyword("vmac_prefix", _G, "NAME", Mark.CARRIED_OUT,
                "the prefix of VMAC names (default vrrp)", text("vmac_prefix"), least=1),
        Keyword("vmac_addr_prefix", _G, "NAME", Mark.CARRIED_OUT,
                "the same for VMACs of single addresses (default: vmac_prefix)",
                text("vmac_addr_prefix"), least=1),
        _noted("random_seed", "N", "${_RANDOM} is random here", "the seed of ${_RANDOM}"),
        _noted("reload_check_config", "[FILE]", "Telamon checks the whole file before each reload",
               "check the file before a reload"),
        _noted("reload_time_file", "PATH", "reloads are asked for by SIGHUP only",
               "a file that says when to reload"),
        _noted("reload_repeat", "", "reloads are asked for by SIGHUP only", "reload every day"),
        _noted("reload_file", "[PATH]", "a reload reads all files before it changes anything",
               "a file that exists while files are read"),
        _noted("include_check", "[OPTIONS]", "it is heeded by the includes that follow",
               "which missing includes are errors"),
        _noted("rs_init_notifies", "", _NO_DIRECTOR, "notify at start too"),
        _noted("lvs_flush", "", _NO_DIRECTOR, "empty IPVS at start"),
        _noted("lvs_flush_on_stop", "[VS]", _NO_DIRECTOR, "empty IPVS at stop"),
        _noted("lvs_timeouts", "[tcp N] [tcpfin N] [udp N]", _NO_DIRECTOR, "IPVS's time-outs"),
        Keyword("lvs_sync_daemon", _G, "INTERFACE [inst INSTANCE] [id N] ...", Mark.NOTED,
                "share IPVS's connections with the other node",
                old=("lvs_sync_daemon_inteface",), meaning=_NO_DIRECTOR),
        _noted("linkbeat_use_polling", "", "links are watched by netlink events", "poll links"),
        _noted("child_wait_time", "SECONDS", "Telamon's stop has its own time limit",
               "how long children may take to stop"),
    ]  # fmt: skip


ROWS: tuple[Keyword, ...] = tuple(
    _garp_rows() + _vrrp_rows() + _script_rows() + _mail_rows() + _tuning_rows() + _other_rows()
)
