"""The router's talk with its supervisor, of which none may make the router wait."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from telamon.daemon.messages import (
    Channel,
    InstanceStatus,
    Message,
    NoticeStatus,
    RouterStatus,
)
from telamon.vrrp.lateness import LatenessView
from telamon.vrrp.views import InstanceView


class SupervisorLink:
    """The channel, or nobody at its other end (`channel` None: the router runs alone)."""

    def __init__(self, channel: Channel | None) -> None:
        self.channel = channel
        self.gone = False
        """The supervisor has closed its end, or died."""
        self._unsent: dict[type[Message], Message] = {}
        if channel is not None:
            channel.setblocking(False)

    @property
    def behind(self) -> bool:
        """Messages wait for a slow supervisor; call `flush` now and then."""
        return bool(self._unsent)

    def say(self, message: Message) -> None:
        """Tell it, now or as soon as it listens; of each kind only the newest."""
        if self.channel is None:
            return
        self._unsent.pop(type(message), None)
        self._unsent[type(message)] = message
        self.flush()

    def flush(self) -> None:
        """Send what it takes."""
        while self._unsent and self.channel is not None:
            kind = next(iter(self._unsent))
            try:
                self.channel.send(self._unsent[kind])
            except BlockingIOError:
                return
            except OSError:
                # It is gone; reading the channel will say so.
                self._unsent.clear()
                return
            del self._unsent[kind]

    def received(self) -> Iterator[tuple[Message, tuple[int, ...]]]:
        """What has arrived; the descriptors are the caller's. Sets `gone` at the end of it all."""
        while self.channel is not None and not self.gone:
            try:
                received = self.channel.receive()
            except BlockingIOError:
                return
            except ConnectionError:
                received = None
            if received is None:
                self.gone = True
                return
            yield received


def router_status(
    views: Iterable[InstanceView], refusals: Callable[[str], list[str]], late: LatenessView
) -> RouterStatus:
    """The core's view, and what the kernel refused, as the supervisor is told of it."""
    return RouterStatus(
        tuple(
            InstanceStatus(
                view.name,
                view.state.name,
                view.interface,
                view.vrid,
                view.priority,
                tuple(str(virtual.address.ip) for virtual in view.addresses),
                "; ".join((view.reason, *refusals(view.name))),
                tuple(
                    NoticeStatus(notice.kind.value, str(notice.peer), notice.text, notice.mend)
                    for notice in view.notices
                ),
            )
            for view in views
        ),
        tuple(zip((*late.bounds, None), late.counts, strict=True)),
        late.worst,
    )
