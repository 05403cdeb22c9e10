"""/tmp/keepalived.json: one object an instance, in the shape of Keepalived 2.2.7.

Numbers stand where Keepalived has numbers and truth values where it has those: exporters decode
the file into typed structures.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from telamon.plan.router import AuthKind, NotifyPlan
from telamon.runtime import keepalived_text as text
from telamon.runtime.keepalived_routes import route_line, rule_line
from telamon.vrrp.counters import Counters
from telamon.vrrp.detail import InstanceDetail

_SCRIPTS = (
    ("script_backup", "backup"),
    ("script_master", "master"),
    ("script_fault", "fault"),
    ("script_stop", "stop"),
    ("script_deleted", "deleted"),
    ("script", "any"),
    ("script_master_rx_lower_pri", "lower_priority_heard"),
)


def render(instances: Iterable[InstanceDetail], commands: dict[str, str], now: float) -> str:
    """`commands`: the quoted command of each script; `now`: seconds since the epoch."""
    document = [
        {"data": _data(detail, commands, now), "stats": _stats(detail.counters)}
        for detail in instances
    ]
    # The slash is escaped there, which JSON allows and nobody needs.
    return json.dumps(document, separators=(",", ":")).replace("/", "\\/") + "\n"


def _data(detail: InstanceDetail, commands: dict[str, str], now: float) -> dict[str, Any]:
    plan, garp = detail.plan, detail.plan.garp
    data: dict[str, Any] = {
        "iname": plan.name,
        "dont_track_primary": int(not plan.track_primary),
        "skip_check_adv_addr": int(plan.skip_check_addresses),
        "strict_mode": int(plan.strict),
        "vmac_ifname": text.device(plan) if plan.vmac is not None else "",
        "ifp_ifname": text.device(plan),
        "master_priority": detail.master_priority,
        "last_transition": round(now - detail.age, 6),
        "garp_delay": _number(garp.delay),
        "garp_refresh": _number(garp.refresh),
        "garp_rep": garp.repeat,
        "garp_refresh_rep": garp.refresh_repeat,
        "garp_lower_prio_delay": _number(garp.lower_priority_delay),
        "garp_lower_prio_rep": garp.lower_priority_repeat,
        "lower_prio_no_advert": int(not plan.answer_lower_priority),
        "higher_prio_send_advert": int(plan.advertise_before_yielding),
        "vrid": plan.vrid,
        "base_priority": plan.priority,
        "effective_priority": detail.priority,
        "vipset": bool(detail.held),
        "promote_secondaries": plan.promote_secondaries,
        "adver_int": _number(plan.advert_interval),
        "master_adver_int": _number(detail.master_interval),
        "accept": int(plan.accept),
        "nopreempt": not plan.preempt,
        "preempt_delay": _number(plan.preempt_delay),
        "state": text.STATE_NUMBERS[detail.state],
        "wantstate": text.STATE_NUMBERS[text.wanted(detail)],
        "version": plan.version,
        "smtp_alert": plan.notify.mail,
        "notify_deleted": plan.notify.tell_deleted or plan.notify.deleted is not None,
    }
    data.update(_scripts(plan.notify))
    lists = {
        "vips": text.virtual_addresses(detail, plan.addresses),
        "evips": text.virtual_addresses(detail, plan.excluded_addresses),
        "vroutes": [route_line(entry) for entry in plan.routes],
        "vrules": [rule_line(entry) for entry in plan.rules],
        "track_ifp": [entry.interface for entry in plan.track_interfaces],
        "track_script": [commands.get(entry.script, "") for entry in plan.track_scripts],
    }
    # An empty list is left out there.
    data.update({key: entries for key, entries in lists.items() if entries})
    passes = plan.version == 2 and plan.authentication.kind is AuthKind.PASS
    data["auth_type"] = int(passes)
    if passes:
        data["auth_data"] = plan.authentication.secret.decode("utf-8", "backslashreplace")
    return data


def _scripts(notify: NotifyPlan) -> dict[str, str]:
    plans = ((key, getattr(notify, name)) for key, name in _SCRIPTS)
    return {key: text.command(plan) for key, plan in plans if plan is not None}


def _stats(counters: Counters) -> dict[str, int]:
    order = (
        "advert_rcvd", "advert_sent", "become_master", "release_master", "packet_len_err",
        "advert_interval_err", "ip_ttl_err", "invalid_type_rcvd", "addr_list_err",
        "invalid_authtype", "authtype_mismatch", "auth_failure", "pri_zero_rcvd", "pri_zero_sent",
    )  # fmt: skip
    return {name: getattr(counters, name) for name in order}


def _number(value: float) -> int | float:
    """Whole seconds without a fraction: some readers decode into integers."""
    return int(value) if float(value).is_integer() else value
