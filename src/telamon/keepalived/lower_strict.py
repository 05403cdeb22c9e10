"""`vrrp_strict`: an instance is brought back to what the RFCs know, as Keepalived does it.

Two nodes with one file must come to the same packets. Keepalived sends no password in strict mode;
a node that still did would be a second master, and the sample file that many systems bring has
both words. (What Keepalived drops in strict mode beyond the RFCs, the VIP's own traffic, is not
dropped here.)
"""

from __future__ import annotations

import dataclasses

from telamon.base.diagnostic import Report
from telamon.keepalived import codes
from telamon.keepalived.model import Instance
from telamon.plan.router import InitialState

_OWNER = 255
_ADVERTS = 3
"""RFC 9568 6.1: Active_Down_Interval is three adverts and the skew."""


def strictly(node: Instance, family: int, report: Report) -> Instance:
    """The instance as strict mode has it; each word that is put back is told."""

    def say(field: str, message: str, done: str = "it is ignored, as Keepalived does") -> None:
        report.warning(codes.ADJUSTED, message, node.at(field), help=done)

    authentication = node.authentication
    if authentication is not None:
        report.warning(
            codes.ADJUSTED, "strict mode has no authentication", authentication.statement.span,
            help="it is ignored, as Keepalived does: remove the block, or vrrp_strict",
        )  # fmt: skip
    state = node.state
    if state is InitialState.MASTER and node.priority not in (None, _OWNER):
        say("state", "in strict mode only the address owner, priority 255, starts as MASTER",
            "BACKUP is used, as Keepalived does")  # fmt: skip
        state = InitialState.BACKUP
    if node.preempt_delay:
        say("preempt_delay", "strict mode has no preempt_delay")
    if node.down_timer_adverts not in (None, _ADVERTS):
        say("down_timer_adverts", f"strict mode waits for {_ADVERTS} adverts, not more or less")
    if node.lower_prio_no_advert is False:
        say("lower_prio_no_advert", "strict mode does not answer lower-priority adverts")
    if node.higher_prio_send_advert:
        say("higher_prio_send_advert", "strict mode says nothing to a higher-priority advert")
    first = node.addresses[0].value.address if node.addresses else None
    if family == 6 and first is not None and not first.ip.is_link_local:
        say("addresses", "the first IPv6 VIP must be link-local (RFC 9568 5.2.9)",
            "it is advertised as it stands; Keepalived leaves the instance out")  # fmt: skip
    return dataclasses.replace(
        node,
        authentication=None,
        state=state,
        preempt_delay=None,
        down_timer_adverts=_ADVERTS,
        lower_prio_no_advert=True,
        higher_prio_send_advert=False,
    )
