"""How often each keyword is used in public configurations, and what Telamon does with them.

The weights are the counts of a census of 149 repositories, by the group in which they were
counted: 90 run VRRP alone, 24 VRRP and LVS. What stands in LVS's blocks is counted apart.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from telamon.keepalived.keywords.row import Block, Keyword, Mark

REPOSITORIES = 149

_LVS = (Block.VIRTUAL_SERVER, Block.REAL_SERVER, Block.CHECKER, Block.URL, Block.SSL)
_LVS_WORDS = ("virtual_server", "virtual_server_group", "SSL")

USES: dict[str, int] = {
    "global_defs": 96, "router_id": 61, "notification_email": 30, "notification_email_from": 30,
    "smtp_server": 30, "smtp_connect_timeout": 30, "smtp_alert": 30, "script_user": 32,
    "enable_script_security": 32, "vrrp_garp_master_delay": 13, "garp_master_delay": 13,
    "vrrp_garp_master_refresh": 9, "garp_master_refresh": 9, "vrrp_version": 7, "version": 7,
    "max_auto_priority": 6, "vrrp_no_swap": 6, "vrrp_skip_check_adv_addr": 4,
    "vrrp_garp_interval": 4, "default_interface": 3, "dynamic_interfaces": 3, "vrrp_iptables": 3,
    "nftables": 3, "vrrp_startup_delay": 2, "vrrp_delay_after_boot": 2, "net_namespace": 1,
    "instance": 1, "use_pid_dir": 1, "enable_snmp_vrrp": 1, "enable_traps": 1, "snmp_socket": 1,
    "enable_dbus": 1, "vrrp_notify_fifo": 2, "notify_fifo": 2, "lvs_notify_fifo": 2, "include": 2,
    "vrrp_instance": 146, "interface": 146, "virtual_router_id": 146, "priority": 146,
    "state": 146, "advert_int": 118, "virtual_ipaddress": 139, "virtual_ipaddress_excluded": 6,
    "virtual_routes": 4, "virtual_rules": 3, "authentication": 121, "auth_type": 121,
    "auth_pass": 121, "nopreempt": 40, "preempt_delay": 8, "unicast_src_ip": 37,
    "unicast_peer": 37, "mcast_src_ip": 11, "vrrp_script": 102, "track_script": 102,
    "script": 102, "interval": 102, "weight": 102, "timeout": 23, "user": 10, "init_fail": 3,
    "rise": 60, "fall": 60, "track_interface": 9, "track_process": 4, "vrrp_track_process": 4,
    "track_file": 2, "track_src_ip": 1, "dont_track_primary": 5, "vrrp_sync_group": 13,
    "group": 13, "notify": 39, "notify_master": 39, "notify_backup": 39, "notify_fault": 39,
    "notify_stop": 39, "use_vmac": 8, "vmac_xmit_base": 8, "use_vmac_addr": 8, "accept": 3,
    "no_accept": 3, "native_ipv6": 2, "higher_prio_send_advert": 1, "lower_prio_no_advert": 1,
    "garp_lower_prio_repeat": 1, "debug": 1, "promote_secondaries": 1,
    "virtual_server": 30, "real_server": 30, "delay_loop": 30, "protocol": 30,
    "virtual_server_group": 2, "lb_algo": 24, "lvs_sched": 5, "lb_kind": 24, "lvs_method": 4,
    "persistence_timeout": 16, "sorry_server": 8, "quorum": 5, "hysteresis": 5, "quorum_up": 5,
    "quorum_down": 5, "inhibit_on_failure": 1, "alpha": 2, "omega": 2, "ha_suspend": 2, "ops": 2,
    "notify_up": 2, "notify_down": 2, "TCP_CHECK": 14, "connect_port": 14,
    "connect_timeout": 20, "retry": 12, "nb_get_retry": 12, "delay_before_retry": 20,
    "HTTP_GET": 6, "SSL_GET": 4, "url": 8, "path": 8, "digest": 5, "status_code": 3,
    "MISC_CHECK": 4, "misc_path": 4, "misc_timeout": 4, "misc_dynamic": 2, "SMTP_CHECK": 1,
    "lvs_sync_daemon": 8, "lvs_sync_daemon_interface": 7, "nat_mask": 9,
    "lvs_sync_daemon_inteface": 2, "uthreshold": 1,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Coverage:
    """The uses by what Telamon does with the word, and the words that it does not know."""

    uses: Counter[Mark]
    unknown: tuple[str, ...]

    def share(self, *marks: Mark) -> float:
        return sum(self.uses[mark] for mark in marks) / self.uses.total()


def coverage(rows: Iterable[Keyword], *, lvs: bool = False) -> Coverage:
    """Of global_defs and VRRP, or of LVS's blocks."""
    best: dict[str, tuple[bool, Mark]] = {}
    for row in rows:
        for block in row.blocks:
            for name in (row.name, *row.old):
                # A word of several blocks counts where it is used most, with its best mark.
                rank = (block in _LVS or name in _LVS_WORDS, row.mark)
                best[name] = min(best.get(name, rank), rank, key=_rank)
    uses: Counter[Mark] = Counter()
    for name, count in USES.items():
        if name in best and best[name][0] is lvs:
            uses[best[name][1]] += count
    return Coverage(uses, tuple(name for name in USES if name not in best))


def _rank(found: tuple[bool, Mark]) -> tuple[bool, int]:
    return found[0], list(Mark).index(found[1])
