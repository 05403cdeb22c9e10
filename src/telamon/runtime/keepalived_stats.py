"""/tmp/keepalived.stats: the counters of each instance, in the shape of Keepalived 2.2.7."""

from __future__ import annotations

from collections.abc import Iterable

from telamon.vrrp.detail import InstanceDetail

_LINES: tuple[tuple[str, str], ...] = (
    ("  Advertisements:", ""),
    ("    Received", "advert_rcvd"),
    ("    Sent", "advert_sent"),
    ("  Became master", "become_master"),
    ("  Released master", "release_master"),
    ("  Packet Errors:", ""),
    ("    Length", "packet_len_err"),
    ("    TTL", "ip_ttl_err"),
    ("    Invalid Type", "invalid_type_rcvd"),
    ("    Advertisement Interval", "advert_interval_err"),
    ("    Address List", "addr_list_err"),
    ("  Authentication Errors:", ""),
    ("    Invalid Type", "invalid_authtype"),
    ("    Type Mismatch", "authtype_mismatch"),
    ("    Failure", "auth_failure"),
    ("  Priority Zero:", ""),
    ("    Received", "pri_zero_rcvd"),
    ("    Sent", "pri_zero_sent"),
)
"""The text of a line, and which counter follows it (none after a heading)."""


def render(instances: Iterable[InstanceDetail]) -> str:
    lines = []
    for detail in instances:
        lines.append(f"VRRP Instance: {detail.plan.name}")
        for text, name in _LINES:
            lines.append(f"{text}: {getattr(detail.counters, name)}" if name else text)
    return "".join(f"{line}\n" for line in lines)
