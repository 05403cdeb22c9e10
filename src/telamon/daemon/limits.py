"""How many connections and descriptors the proxy takes.

A TCP stream needs two descriptors. With `maxconn` in the file the limit is raised to what it
needs; without, `maxconn` follows from the hard limit, as in HAProxy (manual, `maxconn` and
`fd-hard-limit`, whose default bounds absurdly large limits of containers).
"""

from __future__ import annotations

from dataclasses import dataclass

from telamon.daemon.checker import CONCURRENT
from telamon.kernel.process import hard_descriptor_limit, raise_descriptor_limit
from telamon.plan.proxy import ProxyPlan

FD_HARD_LIMIT = 1_048_576
_SPARE = 64
"""Logs, rings, the channel, Python's own."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """`warning` is not empty if the file asks for more than can be had."""

    connections: int
    descriptors: int
    warning: str = ""


def reserved(plan: ProxyPlan, threads: int) -> int:
    """Descriptors that are not streams'."""
    listeners = sum(len(p.frontend.listeners) for p in plan.proxies if p.frontend)
    checks = sum(1 for p in plan.proxies if p.backend for s in p.backend.servers if s.check)
    stats = len(plan.process.stats_sockets) + plan.process.stats_maxconn
    return listeners + min(checks, CONCURRENT) + stats + 4 * threads + _SPARE


def allow(plan: ProxyPlan, threads: int) -> Allowance:
    """Raise this process's descriptor limit and settle on its maxconn."""
    fixed, asked = reserved(plan, threads), plan.process.maxconn
    if asked is None:
        bound = plan.process.fd_hard_limit or FD_HARD_LIMIT
        limit = raise_descriptor_limit(plan.process.ulimit_n or min(hard_descriptor_limit(), bound))
        return Allowance(max(1, (min(limit, bound) - fixed) // 2), limit)
    wanted = max(plan.process.ulimit_n or 0, 2 * asked + fixed)
    limit = raise_descriptor_limit(wanted)
    if limit >= wanted:
        return Allowance(asked, limit)
    fits = max(1, (limit - fixed) // 2)
    return Allowance(
        min(asked, fits),
        limit,
        f"maxconn {asked} needs {wanted} descriptors, but the limit is {limit}: going on with "
        f"maxconn {fits}; raise the hard limit (ulimit -Hn, LimitNOFILE=) to {wanted}",
    )
