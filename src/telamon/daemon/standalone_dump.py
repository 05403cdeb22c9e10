"""Keepalived's dump files, written on its signals: whole, at once, and safe in /tmp.

A name in /tmp may be a trap laid by another user: a link to a file that root would overwrite. So
each file is made anew under a name that did not exist (O_EXCL follows no link) and renamed into
place; a reader sees the old file or the new one, never half of one. Mode 0600, as Keepalived's:
the dump holds the password.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from telamon.daemon.standalone_signals import Function
from telamon.kernel import vmac
from telamon.kernel.interfaces import Interfaces
from telamon.kernel.rtnetlink import IFF_LOOPBACK, IFF_RUNNING, IFF_UP
from telamon.kernel.vrrp_socket import VrrpSocket
from telamon.plan.router import RouterPlan
from telamon.runtime import keepalived_data, keepalived_json, keepalived_stats
from telamon.runtime.keepalived_data import Descriptor
from telamon.runtime.keepalived_interfaces import InterfaceLine
from telamon.runtime.keepalived_text import words
from telamon.vrrp.detail import RouterDetail
from telamon.vrrp.events import Instant
from telamon.vrrp.router import Router

FOLDER = Path("/tmp")
DATA, STATS, JSON = "keepalived.data", "keepalived.stats", "keepalived.json"
PARENT_DATA = "keepalived_parent.data"

Say = Callable[[str], None]


class Dumper:
    """Carries the signals out. `sockets` finds the socket on an interface for a family."""

    def __init__(
        self,
        core: Router,
        interfaces: Interfaces,
        sockets: Callable[[str, int], VrrpSocket | None],
        warn: Say,
    ) -> None:
        self._core, self._interfaces = core, interfaces
        self._sockets, self._warn = sockets, warn

    def write(self, function: Function, now: Instant) -> None:
        """Write what DATA, STATS, STATS_CLEAR or JSON asks for; `now` is the router's clock."""
        detail = self._core.details(now)
        if function is Function.DATA:
            write_data(detail, _lines(self._interfaces), self._descriptor, self._warn)
        elif function is Function.JSON:
            write_json(detail, self._warn)
        else:
            write_stats(detail, self._warn)
        if function is Function.STATS_CLEAR:
            self._core.clear_counters()

    def _descriptor(self, interface: str, family: int) -> int:
        sock = self._sockets(interface, family)
        return -1 if sock is None else sock.fileno()


def _lines(interfaces: Interfaces) -> list[InterfaceLine]:
    names = {link.index: link.name for link in interfaces.links()}
    return [
        InterfaceLine(
            link.name,
            link.index,
            bool(link.flags & IFF_UP),
            bool(link.flags & IFF_RUNNING),
            bool(link.flags & IFF_LOOPBACK),
            link.mtu,
            link.mac,
            interfaces.addresses(link.name),
            names.get(link.parent) if link.kind == vmac.KIND else None,
        )
        for link in interfaces.links()
    ]


def write_data(
    detail: RouterDetail, interfaces: Iterable[InterfaceLine], descriptor: Descriptor, warn: Say
) -> None:
    _replace(DATA, keepalived_data.render(detail, interfaces, descriptor, time.time()), warn)


def write_stats(detail: RouterDetail, warn: Say) -> None:
    _replace(STATS, keepalived_stats.render(detail.instances), warn)


def write_json(detail: RouterDetail, warn: Say) -> None:
    commands = {script.name: words(script.command) for script in detail.plan.scripts}
    _replace(JSON, keepalived_json.render(detail.instances, commands, time.time()), warn)


def write_parent(plan: RouterPlan, warn: Say) -> None:
    _replace(PARENT_DATA, keepalived_data.render_globals(plan), warn)


def _replace(name: str, text: str, warn: Say) -> None:
    """`warn` is told if it cannot be written; a dump is no reason to fail."""
    path = FOLDER / name
    draft = FOLDER / f".{name}.{secrets.token_hex(8)}"
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(draft, flags, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        draft.rename(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink()
        warn(f"cannot write {path}: {error.strerror}")
