"""What the supervisor tells of itself: the document of `telamon status`, a line for systemd."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Mapping
from typing import Any

from telamon import __version__
from telamon.daemon.core import Core
from telamon.daemon.effects import Role
from telamon.daemon.messages import RouterStatus


def document(
    core: Core, texts: Mapping[int, str], router: RouterStatus | None, started: float
) -> dict[str, Any]:
    """`texts`: what each child says of itself, by pid; `started`: of the monotonic clock."""
    now = time.monotonic()
    found: dict[str, Any] = {
        "ok": True,
        "version": __version__,
        "pid": os.getpid(),
        "uptime": round(now - started, 3),
        "reloading": core.reloading,
        "stopping": core.closing,
        "draining": sorted(core.draining),
    }
    for role in core.roles:
        found[role.value] = _role(core, role, texts, now)
        if role is Role.ROUTER and role in core.current:
            found[role.value] |= _router(router)
    return found


def summary(core: Core, router: RouterStatus | None) -> str:
    """One line for systemd."""
    words = []
    for role in core.roles:
        child = core.current.get(role)
        words.append(f"{role} {child.phase.value if child else 'stopped'}")
    if router is not None:
        words += [f"{item.name} {item.state}" for item in router.instances]
    return ", ".join(words)


def _role(core: Core, role: Role, texts: Mapping[int, str], now: float) -> dict[str, Any]:
    child = core.current.get(role)
    if child is None:
        waits = role in core.wanted
        return {"state": "waiting to start again" if waits else "stopped", "pid": None}
    return {
        "state": child.phase.value,
        "pid": child.pid,
        "since": round(now - child.since, 3),
        "text": texts.get(child.pid, ""),
    }


def _router(told: RouterStatus | None) -> dict[str, Any]:
    if told is None:
        return {"instances": []}
    return {
        "instances": [
            {
                "name": item.name,
                "state": item.state,
                "interface": item.interface,
                "vrid": item.vrid,
                "priority": item.priority,
                "addresses": list(item.addresses),
                "reason": item.reason,
                "notices": [dataclasses.asdict(notice) for notice in item.notices],
            }
            for item in told.instances
        ],
        "lateness": {
            "buckets": [{"at_most": bound, "timers": count} for bound, count in told.lateness],
            "worst": round(told.latest, 6),
        },
    }
