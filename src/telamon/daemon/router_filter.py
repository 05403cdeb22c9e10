"""`no_accept`: a master that owns the address by election only may be told not to answer for it.

Traffic to (and from) such a virtual address is dropped where it would enter (leave) this node;
forwarding is untouched, and so is neighbour discovery, without which IPv6 would not find the
router at all (RFC 9568 6.1, Accept_Mode). The rules name addresses that exist here only while
the node is master, so they stand from the start and no election has to wait for them. They live
in a table of our own, `inet telamon`; other tables are never touched. An address owner always
accepts, and `vrrp_strict` alone drops nothing.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable

from telamon.plan.router import RouterPlan

TABLE = "inet telamon"
_OWNER = 255
_LIMIT = 2.0
_DISCOVERY = (
    "icmpv6 type { nd-router-solicit, nd-router-advert, nd-neighbor-solicit, "
    "nd-neighbor-advert, nd-redirect } accept"
)


def ruleset(plan: RouterPlan) -> str:
    """The table for nft(8); empty if nobody asks for one."""
    vips = {
        address.address.ip
        for instance in plan.instances
        if not instance.accept and instance.priority != _OWNER
        for address in (*instance.addresses, *instance.excluded_addresses)
    }
    if not vips:
        return ""
    chains = []
    for hook, field in (("input", "daddr"), ("output", "saddr")):
        lines = [f"type filter hook {hook} priority 0; policy accept;", _DISCOVERY]
        for version, family in ((4, "ip"), (6, "ip6")):
            own = ", ".join(sorted(str(vip) for vip in vips if vip.version == version))
            if own:
                lines.append(f"{family} {field} {{ {own} }} drop")
        chains.append(f"chain {hook} {{\n" + "\n".join(lines) + "\n}")
    return f"table {TABLE} {{\n" + "\n".join(chains) + "\n}\n"


class RouterFilter:
    """Owned by the router's loop. Costs a run of nft(8), but only when the rules change."""

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log = log
        self._rules = ""

    def plan(self, plan: RouterPlan) -> None:
        rules = ruleset(plan)
        if rules == self._rules:
            return
        # Declaring the table first makes its deletion right whether or not it was there.
        problem = _load(f"table {TABLE}\ndelete table {TABLE}\n{rules}")
        if problem:
            self._log(f"no_accept has no effect, traffic to the VIPs is accepted: {problem}")
            rules = ""
        self._rules = rules

    def close(self) -> None:
        if self._rules:
            _load(f"delete table {TABLE}\n")
            self._rules = ""


def _load(text: str) -> str:
    """Why nft did not take it; empty if it did."""
    nft = shutil.which("nft", path="/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/sbin")
    if nft is None:
        return "nft(8) is not installed"
    try:
        done = subprocess.run(
            [nft, "-f", "-"],
            input=text,
            capture_output=True,
            text=True,
            timeout=_LIMIT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"nft cannot be run ({error})"
    return "" if done.returncode == 0 else f"nft refused the rules ({done.stderr.strip()[:200]})"
