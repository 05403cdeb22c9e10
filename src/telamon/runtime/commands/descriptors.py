"""`show fd`: the open descriptors (management guide 9.3).

A line has HAProxy's form: what is awaited (`R:srA`: active, `W:srA` so for writing), which threads
know it (`tmask`), whose it is. HAProxy's addresses of objects and pollers have no counterpart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from telamon.engine import Descriptor, Holder
from telamon.plan.process import StatsLevel
from telamon.plan.proxy import Proxy
from telamon.runtime.commands.base import Command, Context
from telamon.runtime.ports import ProxyControl

_ACTIVE_READ, _ACTIVE_WRITE = 0x01, 0x10
_CALLS = {
    Holder.LISTENER: "accept",
    Holder.CLIENT: "client",
    Holder.SERVER: "server",
    Holder.MAILBOX: "mailbox",
}


@dataclass(slots=True)
class _Shown:
    """One descriptor; what the threads say of it together."""

    first: Descriptor
    threads: int = 0
    receiving: bool = False
    sending: bool = False


def _together(descriptors: Iterable[Descriptor]) -> dict[int, _Shown]:
    found: dict[int, _Shown] = {}
    for one in descriptors:
        shown = found.setdefault(one.fd, _Shown(one))
        shown.threads |= 1 << one.thread
        shown.receiving |= one.receiving
        shown.sending |= one.sending or one.connecting
    return found


def show_descriptors(context: Context, words: list[str]) -> str:
    control = context.control
    found = _together(control.descriptors())
    lines = {fd: _line(control, shown) for fd, shown in found.items()}
    for fd in control.other_descriptors(frozenset(found)):
        lines[fd] = f"{_state(fd, False, False)} tmask=0x0 iocb=control{_address(control, fd)}"
    if words and words[0].isdecimal():
        lines = {fd: line for fd, line in lines.items() if fd == int(words[0])}
    return "".join(f"{lines[fd]}\n" for fd in sorted(lines))


def _state(fd: int, reads: bool, writes: bool) -> str:
    bits = _ACTIVE_READ * reads | _ACTIVE_WRITE * writes
    marks = f"W:sr{'A' if writes else 'a'} R:sr{'A' if reads else 'a'}"
    return f"{fd:>7} : st=0x{bits:06x}({marks})"


def _line(control: ProxyControl, shown: _Shown) -> str:
    one = shown.first
    state = _state(one.fd, shown.receiving, shown.sending)
    line = f"{state} tmask={shown.threads:#x} iocb={_CALLS[one.holder]}"
    if one.holder is Holder.MAILBOX:
        return line
    if one.holder is Holder.LISTENER:
        line += f" l.st={'RDY' if shown.receiving else 'LIM'}"
    proxies = {proxy.id: proxy for proxy in control.plan.proxies}
    return line + _owners(one, proxies) + _address(control, one.fd)


def _owners(one: Descriptor, proxies: dict[int, Proxy]) -> str:
    front, back = proxies.get(one.proxy_id or 0), proxies.get(one.backend_id or 0)
    text = f" fe={front.name}" if front is not None else ""
    if one.holder is Holder.SERVER and back is not None and back.backend is not None:
        server = next((s for s in back.backend.servers if s.id == one.server_id), None)
        text += f" sv={server.name}/{back.name}" if server else f" px={back.name}"
    return text


def _address(control: ProxyControl, fd: int) -> str:
    known = control.local_address(fd)
    if known is None:
        return ""
    family, port = known
    return f" fam={family}" + (f" lport={port}" if port else "")


COMMANDS = (
    Command(
        "show fd", "[num]", "list the descriptors in use, or one", show_descriptors,
        StatsLevel.OPERATOR,
    ),
)  # fmt: skip
