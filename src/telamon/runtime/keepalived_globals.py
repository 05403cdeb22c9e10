"""The dump's global definitions, as a table: each line that Keepalived 2.2.7 writes, in its order.

A line tells what the file asks for. What Telamon does otherwise (its own scheduling, its own
buffers) is told when the file loads, not here: exporters and people compare this with the file.
Missing are the lines about libraries that are not there (libnftnl) and about what the process
was given by the kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from telamon.plan.router import CommandPlan, FifoPlan, RouterPlan
from telamon.runtime import keepalived_text as text

Words = Mapping[str, tuple[str, ...]]
"""Each word of global_defs with its arguments; the last one of several counts."""

Line = Callable[[RouterPlan, Words], Iterable[str]]

_FALSE = ("off", "false", "no")


def global_lines(plan: RouterPlan, *, vrrp: bool = True) -> Iterator[str]:
    """The section's lines. `vrrp` unset: as the parent process writes them."""
    words = dict(plan.written)
    for line in _LINES:
        if vrrp or line not in _VRRP_ONLY:
            yield from (f" {found}" for found in line(plan, words))


# The kinds of lines.


def _always(words: str) -> Line:
    return lambda _plan, _words: (words,)


def _one(show: Callable[[RouterPlan, Words], str | None]) -> Line:
    """One line or none."""

    def line(plan: RouterPlan, words: Words) -> Iterable[str]:
        found = show(plan, words)
        return () if found is None else (found,)

    return line


def _argument(title: str, word: str, default: str | None = None) -> Line:
    """`title = ARGUMENT`; without a default only if the word is there."""

    def show(_plan: RouterPlan, words: Words) -> str | None:
        value = _first(words, word) or default
        return None if value is None else f"{title} = {value}"

    return _one(show)


def _number(title: str, word: str, default: int, unit: str = "") -> Line:
    def show(_plan: RouterPlan, words: Words) -> str:
        value = _first(words, word)
        good = value is not None and value.lstrip("-").isdigit()
        return f"{title} = {int(value) if good and value else default}{unit}"

    return _one(show)


def _switch(title: str, word: str, yes: str = "true", no: str = "false") -> Line:
    return _one(lambda _plan, words: f"{title} = {yes if _is_on(words, word) else no}")


def _first(words: Words, word: str) -> str | None:
    return next(iter(words.get(word, ())), None)


def _is_on(words: Words, word: str) -> bool:
    """Whether a `[<BOOL>]` is there and does not say no."""
    return word in words and _first(words, word) not in _FALSE


# Lines that are like no other.


def _namespace(_plan: RouterPlan, words: Words) -> str:
    return f"Network namespace = {_first(words, 'net_namespace') or '(default)'}"


def _namespace_ipvs(_plan: RouterPlan, words: Words) -> str:
    name = _first(words, "net_namespace_ipvs") or "(main namespace)"
    return f"Network namespace ipvs = {name}"


def _process_name(title: str, word: str, default: str) -> Line:
    def show(_plan: RouterPlan, words: Words) -> str | None:
        name = _first(words, word) or (default if default and "process_names" in words else None)
        return None if name is None else f"{title} process name = {name}"

    return _one(show)


def _mail(plan: RouterPlan, _words: Words) -> Iterator[str]:
    if plan.mail is None:
        return
    yield f"Smtp server = {plan.mail.server}"
    yield f"Smtp server port = {plan.mail.port}"
    yield f"Smtp HELO name = {plan.mail.helo}"
    yield f"Smtp server connection timeout = {plan.mail.timeout:g}"
    yield f"Email notification from = {plan.mail.sender}"
    yield "Email notification to:"
    yield from (f"  {receiver}" for receiver in plan.mail.receivers)


def _alert(word: str) -> Line:
    def show(_plan: RouterPlan, words: Words) -> str:
        said = "unset" if word not in words else "on" if _is_on(words, word) else "off"
        return f"Default {word} = {said}"

    return _one(show)


def _reload_times(_plan: RouterPlan, words: Words) -> Iterator[str]:
    path = _first(words, "reload_time_file")
    if path is not None:
        yield f"Reload time file = {path}{' (repeat)' if 'reload_repeat' in words else ''}"
        yield "No reload scheduled"


def _given(word: str, words_of_line: str) -> Line:
    return _one(lambda _plan, words: words_of_line if word in words else None)


def _dynamic(plan: RouterPlan, words: Words) -> Iterator[str]:
    yield f"Dynamic interfaces = {_truth(plan.allow_missing_interfaces)}"
    if plan.allow_missing_interfaces:
        changes = _first(words, "dynamic_interfaces") == "allow_if_changes"
        yield f"Allow interface changes = {_truth(changes)}"


def _no_faults(plan: RouterPlan, _words: Words) -> str | None:
    quiet = plan.mail is not None and not plan.mail.faults
    return "Send emails for fault transitions = off" if quiet else None


def _fifos(plan: RouterPlan, _words: Words) -> Iterator[str]:
    for fifo in plan.fifos:
        scope = "VRRP" if fifo.vrrp_only else "Global"
        yield f"{scope} notify fifo = {fifo.path}, uid:gid {fifo.uid or 0}:{fifo.gid or 0}"
        if fifo.reader is not None:
            yield f"{scope} notify fifo script = {_reader(fifo, fifo.reader)}"


def _reader(fifo: FifoPlan, reader: CommandPlan) -> str:
    return (
        f"{text.words((*reader.command, fifo.path))}, uid:gid {reader.uid or 0}:{reader.gid or 0}"
    )


def _garp(title: str, word: str, default: int, least: int) -> Line:
    """`vrrp_min_garp` changes the default to `least`."""

    def line(plan: RouterPlan, words: Words) -> Iterable[str]:
        value = least if _is_on(words, "vrrp_min_garp") else default
        return _number(title, word, value)(plan, words)

    return line


def _lower_priority(what: str, default: int, least: int) -> Line:
    """Not said: as `vrrp_garp_master_…`."""

    def line(plan: RouterPlan, words: Words) -> Iterable[str]:
        suffix = what.lower()
        own = f"vrrp_garp_lower_prio_{suffix}"
        word = own if own in words else f"vrrp_garp_master_{suffix}"
        return _garp(f"Gratuitous ARP lower priority {suffix}", word, default, least)(plan, words)

    return line


def _extra_interfaces(_plan: RouterPlan, words: Words) -> str:
    said = words.get("vrrp_garp_extra_if", ("0",))
    where = "i/f" if said[0] == "all" else "VMAC"
    return f"Gratuitous ARP for each secondary {where} = {said[-1]}s"


def _seconds(title: str, word: str) -> Line:
    def show(_plan: RouterPlan, words: Words) -> str:
        try:
            value = float(_first(words, word) or 0)
        except ValueError:
            value = 0.0
        return f"{title} = {value:f}"

    return _one(show)


def _nftables(plan: RouterPlan, words: Words) -> Iterator[str]:
    # VMACs and no_accept need a table there, whether the file names one or not.
    needed = any(i.vmac is not None or not i.accept for i in plan.instances)
    if needed or "nftables" in words or "vrrp_iptables" in words:
        yield f"nftables table name = {_first(words, 'nftables') or 'keepalived'}"
        yield f"nftables base chain priority = {_first(words, 'nftables_priority') or -1}"
        force = "force" if "nftables_ifindex" in words else "don't force"
        yield f"nftables {force} use ifindex for link local IPv6"
    yield f"nftables {'with' if 'nftables_counters' in words else 'without'} counters"


def _auto_priority(_plan: RouterPlan, words: Words) -> str:
    value = _first(words, "max_auto_priority") or ("99" if "max_auto_priority" in words else "0")
    return f"Max auto priority = {value}"


def _scheduling(role: str, title: str) -> tuple[Line, ...]:
    def processors(_plan: RouterPlan, words: Words) -> str | None:
        said = words.get(f"{role}_cpu_affinity")
        return None if said is None else f"{title} CPU Affinity = {' '.join(said)} "

    return (
        _number(f"{title} process priority", f"{role}_priority", 0),
        _switch(f"{title} don't swap", f"{role}_no_swap"),
        _number(f"{title} realtime priority", f"{role}_rt_priority", 0),
        _one(processors),
        _number(f"{title} realtime limit", f"{role}_rlimit_rttime", 10000),
    )


def _buffers(name: str) -> tuple[Line, ...]:
    return (
        _number(f"{name}_rcv_bufs", f"{name}_rcv_bufs", 0),
        _switch(f"{name}_rcv_bufs_force", f"{name}_rcv_bufs_force", "1", "0"),
    )


def _umask(_plan: RouterPlan, words: Words) -> str:
    return f"umask = 0{(_first(words, 'umask') or '177').lstrip('0')}"


def _startup_delay(plan: RouterPlan, _words: Words) -> str | None:
    return f"vrrp_startup_delay = {plan.startup_delay:g}" if plan.startup_delay else None


def _truth(flag: bool) -> str:
    return "true" if flag else "false"


_DEFAULT_INTERFACE = _argument("Default interface", "default_interface", "eth0")
_VRRP_ONLY = (_DEFAULT_INTERFACE,)
"""Lines that the parent process does not write."""

_LINES: tuple[Line, ...] = (
    _one(_namespace),
    _one(_namespace_ipvs),
    _process_name("Parent", "process_name", ""),
    _process_name("VRRP", "vrrp_process_name", "keepalived_vrrp"),
    _process_name("LVS", "checker_process_name", "keepalived_lvs"),
    _process_name("BFD", "bfd_process_name", "keepalived_bfd"),
    _one(lambda plan, _words: f"Router ID = {plan.router_id}"),
    _mail,
    _alert("smtp_alert"),
    _alert("smtp_alert_vrrp"),
    _alert("smtp_alert_checker"),
    _switch("Checkers log all failures", "checker_log_all_failures"),
    _one(lambda _plan, words: None if "reload_check_config" in words
         else "No test config before reload"),
    _reload_times,
    _argument("config save directory", "tmp_config_directory"),
    _given("data_use_instance", "Use instance name in data dumps"),
    _dynamic,
    _one(_no_faults),
    _DEFAULT_INTERFACE,
    _switch("Disable local IGMP", "disable_local_igmp", "yes", "no"),
    # Nothing is ever flushed here, whatever the file says.
    _always("LVS flush = false"),
    _always("LVS flush on stop = disabled"),
    _fifos,
    _one(lambda plan, _words:
         f"FIFO write vrrp states on reload = {_truth(plan.fifo_states_on_reload)}"),
    _switch("VRRP notify priority changes", "vrrp_notify_priority_changes"),
    _argument("VRRP IPv4 mcast group", "vrrp_mcast_group4", "224.0.0.18"),
    _argument("VRRP IPv6 mcast group", "vrrp_mcast_group6", "ff02::12"),
    _garp("Gratuitous ARP delay", "vrrp_garp_master_delay", 5, 0),
    _garp("Gratuitous ARP repeat", "vrrp_garp_master_repeat", 5, 1),
    _number("Gratuitous ARP refresh timer", "vrrp_garp_master_refresh", 0),
    _garp("Gratuitous ARP refresh repeat", "vrrp_garp_master_refresh_repeat", 1, 0),
    _lower_priority("delay", 5, 0),
    _lower_priority("repeat", 5, 1),
    _number("Num adverts before down", "vrrp_down_timer_adverts", 3),
    _one(_extra_interfaces),
    _switch("Send advert after receive lower priority advert", "vrrp_lower_prio_no_advert",
            "false", "true"),
    _switch("Send advert after receive higher priority advert", "vrrp_higher_prio_send_advert"),
    _seconds("Gratuitous ARP interval", "vrrp_garp_interval"),
    _seconds("Gratuitous NA interval", "vrrp_gna_interval"),
    _number("VRRP default protocol version", "vrrp_version", 2),
    _nftables,
    _switch("VRRP check unicast_src", "vrrp_check_unicast_src"),
    _switch("VRRP skip check advert addresses", "vrrp_skip_check_adv_addr"),
    _switch("VRRP strict mode", "vrrp_strict"),
    _one(_auto_priority),
    _number("Min auto priority delay", "min_auto_priority_delay", 1000000, " usecs"),
    *_scheduling("vrrp", "VRRP"),
    *_scheduling("checker", "Checker"),
    *_scheduling("bfd", "BFD"),
    # Neither is served; see `keepalived/keywords/global_defs.py`.
    *map(_always, ("SNMP vrrp disabled", "SNMP checker disabled", "SNMP RFCv2 disabled",
                   "SNMP RFCv3 disabled", "SNMP traps disabled")),
    _argument("SNMP socket", "snmp_socket", "default (unix:/var/agentx/master)"),
    _always("DBus disabled"),
    _one(lambda _plan, words: f"DBus service name = {_first(words, 'dbus_service_name') or ''}"),
    _one(lambda plan, _words:
         f"Script security {'enabled' if plan.script_security else 'disabled'}"),
    _one(lambda plan, _words:
         f"Default script uid:gid {plan.script_user[0]}:{plan.script_user[1]}"),
    *_buffers("vrrp_netlink_cmd"),
    *_buffers("vrrp_netlink_monitor"),
    *_buffers("process_monitor"),
    *_buffers("lvs_netlink_cmd"),
    *_buffers("lvs_netlink_monitor"),
    _switch("rs_init_notifies", "rs_init_notifies", "1", "0"),
    _switch("no_checker_emails", "no_checker_emails", "1", "0"),
    _argument("rx_bufs_policy", "vrrp_rx_bufs_policy"),
    _number("rx_bufs_multiples", "vrrp_rx_bufs_multiplier", 3),
    _one(_umask),
    _one(_startup_delay),
    _argument("VMAC prefix", "vmac_prefix"),
    _argument("VMAC address prefix", "vmac_addr_prefix"),
)  # fmt: skip
"""In Keepalived's order."""
