"""The index of actions: which row a name means in a rule set."""

from __future__ import annotations

from telamon.haproxy.actions import decisions, headers, patterns, streams
from telamon.haproxy.actions.row import Action, At

ACTIONS: tuple[Action, ...] = tuple(
    row for family in (decisions, headers, patterns, streams) for row in family.ACTIONS
)
_BY_NAME = {row.name: row for row in ACTIONS}

ACTIONS_NOT_YET = frozenset(
    """
add-headers-bin attach-srv cache-store cache-use del-headers-bin do-resolve expect-netscaler-cip
expect-proxy ot-group sc-add-gpc sc-inc-gpc sc-inc-gpc0 sc-inc-gpc1 sc-set-gpt sc-set-gpt0
send-spoe-group set-bandwidth-limit set-headers-bin track-sc0 track-sc1 track-sc2
""".split()
)
"""Known to HAProxy only: stick tables, caches, DNS, SPOE, bandwidth limits."""

SET_NAMES = {
    At.CONNECTION: "tcp-request connection",
    At.SESSION: "tcp-request session",
    At.CONTENT: "tcp-request content",
    At.TCP_RESPONSE: "tcp-response content",
    At.REQUEST: "http-request",
    At.RESPONSE: "http-response",
    At.AFTER: "http-after-response",
}
"""The rule sets, as they are written."""

SETS = {
    At.CONNECTION: "tcp_connection",
    At.SESSION: "tcp_session",
    At.CONTENT: "tcp_content",
    At.TCP_RESPONSE: "tcp_response",
    At.REQUEST: "http_request",
    At.RESPONSE: "http_response",
    At.AFTER: "http_after_response",
}
"""The rule sets, as fields of `plan.rules.RuleSets`."""


def find(name: str, at: At) -> Action | None:
    row = _BY_NAME.get(name)
    return row if row is not None and row.at & at else None


def names(at: At) -> list[str]:
    return [row.name for row in ACTIONS if row.at & at]
