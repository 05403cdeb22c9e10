"""The routes and policy rules that this node is to hold: the masters' and the static ones.

As with addresses: what the kernel refuses is told once and tried again every second, and what
somebody deletes is put back. The kernel drops routes by itself, and for IPv4 without a word, when
a link goes down or a source address goes; so each link or address that comes is a reason to put
all of them on again. One that is there already costs one refused order.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from telamon.kernel import routes
from telamon.kernel.netlink import Change, KernelRefused, Netlink
from telamon.kernel.rtnetlink import AddressAdded, Link, RouteRemoved, RuleRemoved
from telamon.plan.route_words import Route, Rule, WordsError, read_route, read_rule
from telamon.plan.router import RoutePlan, RouterPlan, RulePlan

RETRY = 1.0
"""Seconds between two tries of what the kernel refused."""

STATICS = "static"
"""The owner of what stays whoever is master, as the log names it."""

_GONE = (errno.ESRCH, errno.ENOENT, errno.ENODEV, errno.EADDRNOTAVAIL)


@dataclass(frozen=True, slots=True)
class _Item:
    """A route or rule, and the words that wrote it."""

    what: Route | Rule
    text: str
    track: bool = field(compare=False, default=True)

    @property
    def noun(self) -> str:
        return "route" if isinstance(self.what, Route) else "rule"


class RouterRoutes:
    """Owned by the router's loop; every method is quick (a few netlink exchanges)."""

    def __init__(
        self,
        netlink: Netlink,
        index_of: Callable[[str], int],
        log: Callable[[str], None],
    ) -> None:
        self._netlink = netlink
        self._index_of = index_of
        self._log = log
        self._planned: dict[str, tuple[_Item, ...]] = {}
        self._wanted: dict[str, tuple[_Item, ...]] = {}
        self._refused: dict[tuple[str, _Item], str] = {}
        self.deadline: float | None = None
        """When `retry` wants to be called; None: never."""

    @property
    def planned(self) -> bool:
        """Is there anything to look after?"""
        return any(self._planned.values())

    def plan(self, plan: RouterPlan, now: float) -> None:
        """Live by this plan: at the start, and by difference at a reload."""
        planned = {i.name: self._items(i.name, i.routes, i.rules) for i in plan.instances}
        planned[STATICS] = self._items(STATICS, plan.statics.routes, plan.statics.rules)
        self._planned = planned
        for owner in (*self._wanted, STATICS):
            self._want(owner, planned.get(owner, ()), now)

    def hold(self, instance: str, now: float) -> None:
        """The instance is master."""
        self._want(instance, self._planned.get(instance, ()), now)

    def release(self, instance: str) -> None:
        """The instance is not master; also what an earlier life of the router left goes."""
        self._wanted.pop(instance, None)
        self._forget(instance)
        self._remove(instance, self._planned.get(instance, ()))

    def changed(self, change: Change, now: float) -> None:
        """Put back what has gone with this change."""
        if isinstance(change, RouteRemoved):
            self._put_back(lambda item: _is_route(item.what, change), now)
        elif isinstance(change, RuleRemoved):
            self._put_back(
                lambda item: isinstance(item.what, Rule) and item.what.family == change.family, now
            )
        elif isinstance(change, AddressAdded) or (isinstance(change, Link) and change.running):
            self.restore(now)

    def restore(self, now: float) -> None:
        """Put all on again; what is there stays as it is."""
        for owner, items in self._wanted.items():
            self._add(owner, [item for item in items if item.track], now)

    def retry(self, now: float) -> None:
        """Try again what was refused, if it is time."""
        if self.deadline is None or now < self.deadline:
            return
        self.deadline = None
        for owner in list(self._wanted):
            self._add(owner, [item for who, item in self._refused if who == owner], now)

    def refusals(self, owner: str) -> list[str]:
        """Why routes and rules of `owner` are not there although they should be."""
        return [reason for (who, _item), reason in self._refused.items() if who == owner]

    def close(self) -> None:
        """The router ends: the static ones go as well."""
        for owner in (STATICS, *self._wanted):
            self._remove(owner, self._wanted.get(owner, ()))
        self._wanted = {}

    def _items(
        self, owner: str, route_plans: Iterable[RoutePlan], rule_plans: Iterable[RulePlan]
    ) -> tuple[_Item, ...]:
        items = []
        plans: list[RoutePlan | RulePlan] = [*route_plans, *rule_plans]
        for plan in plans:
            text = " ".join(plan.arguments)
            try:
                what: Route | Rule = (
                    read_route(plan.arguments, plan.family)
                    if isinstance(plan, RoutePlan)
                    else read_rule(plan.arguments, plan.family)
                )
                items.append(_Item(what, text, plan.track))
            except WordsError as error:
                # The front end has refused such words; a plan from elsewhere may hold them.
                self._log(f"({owner}) '{text}' is left out: {error}")
        return tuple(items)

    def _want(self, owner: str, items: tuple[_Item, ...], now: float) -> None:
        before = self._wanted.get(owner, ())
        self._remove(owner, [item for item in before if item not in items])
        self._wanted[owner] = items
        self._refused = {
            key: reason
            for key, reason in self._refused.items()
            if key[0] != owner or key[1] in items
        }
        self._add(owner, items, now)

    def _forget(self, owner: str) -> None:
        self._refused = {key: why for key, why in self._refused.items() if key[0] != owner}

    def _put_back(self, is_it: Callable[[_Item], bool], now: float) -> None:
        for owner, items in self._wanted.items():
            lost = [item for item in items if item.track and is_it(item)]
            for item in self._add(owner, lost, now):
                self._log(f"({owner}) somebody deleted the {item.noun} '{item.text}'; put back")

    def _add(self, owner: str, items: Iterable[_Item], now: float) -> list[_Item]:
        """Those that were not there, and are now."""
        added = []
        for item, error in self._order(items, adding=True).items():
            if error is None:
                added.append(item)
            elif error.errno != errno.EEXIST:
                self._refuse(owner, item, error, now)
                continue
            if self._refused.pop((owner, item), None) is not None:
                self._log(f"({owner}) the {item.noun} '{item.text}' is there now")
        return added

    def _refuse(self, owner: str, item: _Item, error: KernelRefused, now: float) -> None:
        reason = f"the {item.noun} '{item.text}' cannot be added: {error.strerror}"
        if self._refused.get((owner, item)) != reason:
            self._log(f"({owner}) {reason}; trying again every {RETRY:g} s")
        self._refused[owner, item] = reason
        if self.deadline is None:
            self.deadline = now + RETRY

    def _remove(self, owner: str, items: Iterable[_Item]) -> None:
        # Rules first: they lead to tables that are about to be empty.
        ordered = sorted(items, key=lambda item: isinstance(item.what, Route))
        for item, error in self._order(ordered, adding=False).items():
            if error is not None and error.errno not in _GONE:
                self._log(
                    f"({owner}) the {item.noun} '{item.text}' stays: the kernel refused to "
                    f"remove it ({error.strerror})"
                )

    def _order(self, items: Iterable[_Item], *, adding: bool) -> dict[_Item, KernelRefused | None]:
        found: dict[_Item, KernelRefused | None] = {}
        ready = []
        for item in items:
            missing = [name for name in _devices(item.what) if not self._has(name)]
            if missing:
                found[item] = KernelRefused(errno.ENODEV, f"there is no interface {missing[0]}")
            else:
                found[item] = None
                ready.append(item)

        def request(item: _Item, sequence: int) -> bytes:
            if isinstance(item.what, Route):
                make = routes.add_route_request if adding else routes.remove_route_request
                return make(item.what, self._index_of, sequence)
            return (routes.add_rule_request if adding else routes.remove_rule_request)(
                item.what, sequence
            )

        return found | self._netlink.orders(ready, request)

    def _has(self, device: str) -> bool:
        try:
            self._index_of(device)
        except KeyError:
            return False
        return True


def _devices(what: Route | Rule) -> tuple[str, ...]:
    return what.devices if isinstance(what, Route) else ()


def _is_route(what: Route | Rule, gone: RouteRemoved) -> bool:
    return (
        isinstance(what, Route)
        and what.family == gone.family
        and what.table == gone.table
        and what.destination == gone.destination
    )
