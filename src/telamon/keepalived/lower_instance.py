"""One `vrrp_instance`, from the model to the plan.

Where Keepalived adjusts a combination of values (a v2 interval with a fraction, `nopreempt` on
a node that starts as MASTER) the same is done here, and said.
"""

from __future__ import annotations

import dataclasses

from telamon.base.address import IPAddress
from telamon.base.diagnostic import Report
from telamon.base.span import Span
from telamon.keepalived import codes
from telamon.keepalived.lower_garp import merge_garp
from telamon.keepalived.lower_notify import either, lower_notify
from telamon.keepalived.lower_strict import strictly
from telamon.keepalived.lower_tracking import Scripts, lower_tracked
from telamon.keepalived.model import (
    Configuration,
    Hmac,
    Instance,
)
from telamon.plan.router import (
    Authentication,
    AuthKind,
    InitialState,
    InstancePlan,
    PeerTtl,
    TrackInterface,
    VirtualAddress,
    VmacPlan,
)

MAX_ADDRESSES = 255
MAX_IPV6_ADDRESSES = 90
"""(1500 - 40 IPv6 - 8 VRRP) / 16: what an Ethernet frame holds."""


class InstanceLowering:
    """One `vrrp_instance` on its way to the plan."""

    def __init__(
        self, node: Instance, configuration: Configuration, scripts: Scripts, report: Report
    ) -> None:
        self.node = node
        self.globals = configuration.globals
        self.configuration = configuration
        self.scripts = scripts
        self.report = report

    def lower(self) -> InstancePlan | None:
        strict = bool(self.node.strict if self.node.strict is not None else self.globals.strict)
        if strict:
            self.node = strictly(self.node, self._family(), self.report)
        node = self.node
        interface = node.interface or self.globals.default_interface
        if interface is None:
            self.report.error(
                codes.INCOMPLETE, f"vrrp_instance '{node.name}' has no interface", node.span,
                help="write 'interface NAME'; `ip -br link` lists them",
            )  # fmt: skip
        if node.vrid is None and "vrid" not in node.places:
            self.report.error(
                codes.INCOMPLETE,
                f"vrrp_instance '{node.name}' has no virtual_router_id", node.span,
                help="write 'virtual_router_id N' with N from 1 to 255, the same on all its nodes",
            )  # fmt: skip
        family = self._family()
        version = self._version(family)
        addresses, excluded = self._addresses(family)
        if interface is None or node.vrid is None:
            return None
        state, priority = self._state_and_priority()
        preempt, delay = self._preemption(state, priority)
        peers = tuple(item.value.address for item in node.unicast_peers)
        source = self._source(family)
        if node.unicast_fault_no_peer and not peers:
            self.report.error(
                codes.INCOMPLETE, f"vrrp_instance '{node.name}' has no unicast peer",
                node.at("unicast_fault_no_peer"), help="write 'unicast_peer { ADDRESS }'",
            )  # fmt: skip
        elif not peers and self._speaks_of_unicast():
            self._adjusted(
                "unicast_src_ip", "unicast is spoken of, but there is no unicast_peer",
                "adverts go by multicast, as under Keepalived: write 'unicast_peer { ADDRESS }'",
            )  # fmt: skip
        if node.track_src_ip and source is None:
            self.report.note(
                codes.NOTED, "'track_src_ip': there is no address to track",
                node.at("track_src_ip"),
                help="nothing is tracked, as under Keepalived: write mcast_src_ip or "
                "unicast_src_ip",
            )  # fmt: skip
        tracked = lower_tracked(node, self.configuration, self.scripts, self.report)
        merged = self.globals
        interfaces = self._other_interfaces(tracked.interfaces, interface)
        return InstancePlan(
            name=node.name,
            interface=interface,
            vrid=node.vrid,
            version=version,
            priority=priority,
            initial_state=state,
            advert_interval=self._interval(version),
            preempt=preempt,
            preempt_delay=delay,
            authentication=self._authentication(version),
            source=source,
            unicast_peers=self._peers(family),
            multicast_group=self._group(family),
            addresses=addresses,
            excluded_addresses=excluded,
            track_interfaces=interfaces,
            track_scripts=tracked.scripts,
            garp=merge_garp(merged, node, self.configuration.garp_groups, interface),
            down_timer_adverts=node.down_timer_adverts or merged.down_timer_adverts or 3,
            checksum_as_v2=node.checksum_as_v2 or merged.checksum_as_v2,
            track_primary=node.track_primary,
            source_line=node.statement.place,
            track_files=tracked.files,
            track_processes=tracked.processes,
            track_backends=tracked.backends,
            proxy=tracked.proxy,
            track_source=node.track_src_ip,
            notify=lower_notify(node, merged, self.scripts, self.report),
            vmac=self._vmac(),
            routes=tuple(item.value for item in node.routes),
            rules=tuple(item.value for item in node.rules),
            accept=node.accept is not False,
            strict=strict,
            answer_lower_priority=not either(
                node.lower_prio_no_advert, merged.lower_prio_no_advert
            ),
            advertise_before_yielding=either(
                node.higher_prio_send_advert, merged.higher_prio_send_advert
            ),
            unicast_ttl=255 if node.unicast_ttl is None else node.unicast_ttl,
            peer_ttls=tuple(
                PeerTtl(peer.address, peer.min_ttl, peer.max_ttl)
                for peer in (item.value for item in node.unicast_peers)
                if peer.min_ttl is not None or peer.max_ttl is not None
            ),
            promote_secondaries=node.promote_secondaries,
            timer_expired_backup=node.timer_expired_backup,
            skip_check_addresses=either(
                node.skip_check_adv_addr, "vrrp_skip_check_adv_addr" in merged.words()
            ),
            receive_buffer=node.kernel_rx_buf_size,
        )

    # what the family is ----------------------------------------------------------------------

    def _family(self) -> int:
        """4 or 6: of the first VIP, else of the source or a peer."""
        node = self.node
        if node.addresses:
            return node.addresses[0].value.address.version
        candidates: list[IPAddress | None] = [node.unicast_src_ip, node.mcast_src_ip]
        candidates += [item.value.address for item in node.unicast_peers]
        return next((item.version for item in candidates if item is not None), 4)

    def _version(self, family: int) -> int:
        asked = self.node.version
        if family == 6:
            if asked == 2:
                self._adjusted("version", "VRRPv2 has no IPv6", "version 3 is used")
            return 3
        return asked or self.globals.version or 2

    def _addresses(
        self, family: int
    ) -> tuple[tuple[VirtualAddress, ...], tuple[VirtualAddress, ...]]:
        node = self.node
        fitting = []
        seen: dict[str, Span] = {}
        for item in node.addresses:
            address = item.value.address
            if address.version != family:
                self.report.warning(
                    codes.BAD_VALUE,
                    f"{address.ip} is not an IPv{family} address like the first VIP",
                    item.span,
                    help="it is left out, as Keepalived does: put it into "
                    "virtual_ipaddress_excluded",
                )  # fmt: skip
                continue
            key = f"{address.ip} {item.value.device}"
            if key in seen:
                # Keepalived's own sample has this, and its test takes it.
                self.report.note(
                    codes.ADJUSTED, f"{address.ip} stands twice in vrrp_instance '{node.name}'",
                    item.span, help="one is used",
                )  # fmt: skip
                continue
            seen[key] = item.span
            fitting.append(item.value)
        most = MAX_ADDRESSES if family == 4 else MAX_IPV6_ADDRESSES
        excluded = tuple(item.value for item in node.excluded)
        if len(fitting) > most:
            self._adjusted(
                "addresses", f"{len(fitting)} VIPs do not fit into one advert",
                f"the first {most} are advertised, the others move with them unlisted "
                "(virtual_ipaddress_excluded)",
            )  # fmt: skip
            excluded = (*fitting[most:], *excluded)
            del fitting[most:]
        if not fitting and not excluded and not node.no_addresses:
            self.report.warning(
                codes.EMPTY, f"vrrp_instance '{node.name}' has no virtual address", node.span,
                help="it is elected, but owns nothing: write 'virtual_ipaddress { ADDRESS }'",
            )  # fmt: skip
        return tuple(fitting), excluded

    # how it is elected -----------------------------------------------------------------------

    def _state_and_priority(self) -> tuple[InitialState, int]:
        state = self.node.state or InitialState.BACKUP
        if self.node.priority is not None:
            return state, self.node.priority
        if state is InitialState.MASTER:
            self.report.warning(
                codes.TRAP_OWNER,
                f"vrrp_instance '{self.node.name}' is MASTER without a priority: 255 is used",
                self.node.at("state"),
                help="write a priority, for example 'priority 150' here and 100 on the others",
                notes=["255 means address owner: no tracked script can lower it, so the VIP stays"],
            )
            return state, 255
        return state, 100

    def _preemption(self, state: InitialState, priority: int) -> tuple[bool, float]:
        node = self.node
        preempt, delay = node.preempt, node.preempt_delay or 0.0
        why = (
            "the state at start is MASTER"
            if state is InitialState.MASTER
            else "priority 255 is the address owner"
            if priority == 255
            else ""
        )
        if not preempt and why:
            self.report.warning(
                codes.TRAP_MASTER, f"'nopreempt' does not work when {why}", node.at("preempt"),
                help="it is cleared, as Keepalived does: write 'state BACKUP' on all nodes to "
                "keep it" if state is InitialState.MASTER else "it is cleared, as Keepalived does",
            )  # fmt: skip
            preempt = True
        if delay and (why or not preempt):
            self._adjusted(
                "preempt_delay",
                f"'preempt_delay' does not work {'when ' + why if why else 'with nopreempt'}",
                "it is cleared, as Keepalived does",
            )  # fmt: skip
            delay = 0.0
        return preempt, delay

    def _interval(self, version: int) -> float:
        asked = self.node.advert_int
        if asked is None:
            return 1.0
        if version == 2:
            value = float(max(1, int(asked + 0.5)))
            if value != asked:
                self._adjusted(
                    "advert_int", f"VRRPv2 has whole seconds only, not {asked:g}",
                    f"{value:g} s is used, as Keepalived does; 'version 3' can have {asked:g} s",
                )  # fmt: skip
            return value
        value = round(min(asked, 40.95), 2)
        if value != asked:
            self._adjusted(
                "advert_int", f"VRRPv3 has 0.01 to 40.95 s in steps of 0.01 s, not {asked:g}",
                f"{value:g} s is used",
            )  # fmt: skip
        return value

    def _authentication(self, version: int) -> Authentication:
        if self.node.hmac is not None:
            return self._hmac(self.node.hmac)
        node = self.node.authentication
        if node is None or (node.kind is None and node.password is None):
            return Authentication()
        if version == 3:
            self.report.warning(
                codes.ADJUSTED, "VRRPv3 has no authentication", node.statement.span,
                help="it is ignored, as Keepalived does: remove the block, or write 'version 2'",
            )  # fmt: skip
            return Authentication()
        if node.kind == "AH":
            # Told where it stands.
            return Authentication()
        if node.kind is None or not node.password:
            missing = "auth_type" if node.kind is None else "auth_pass"
            self.report.warning(
                codes.BAD_VALUE, f"authentication without {missing}", node.statement.span,
                help="it is ignored, as Keepalived does: write auth_type and auth_pass on lines "
                "of their own",
            )  # fmt: skip
            return Authentication()
        return Authentication(AuthKind.PASS, node.password.encode())

    def _hmac(self, node: Hmac) -> Authentication:
        if self.node.authentication is not None:
            self.report.error(
                codes.ADJUSTED, "auth_hmac and authentication exclude each other",
                self.node.at("hmac"), help="remove the authentication block",
            )  # fmt: skip
        active = node.active_key if node.active_key is not None else node.keys[0].id
        return Authentication(
            AuthKind.HMAC,
            keys=tuple(dataclasses.replace(key, active=key.id == active) for key in node.keys),
            mode=node.mode,
            monotonic=node.monotonic,
            window=None if node.time_window is None else float(node.time_window),
        )

    # where packets go ------------------------------------------------------------------------

    def _source(self, family: int) -> IPAddress | None:
        node = self.node
        field = "unicast_src_ip" if node.unicast_src_ip is not None else "mcast_src_ip"
        source: IPAddress | None = getattr(node, field)
        if source is not None and source.version != family:
            self._adjusted(field, f"{source} is not an IPv{family} address", "it is ignored")
            return None
        return source

    def _peers(self, family: int) -> tuple[IPAddress, ...]:
        good: list[IPAddress] = []
        for item in self.node.unicast_peers:
            address = item.value.address
            if address.version != family:
                self.report.warning(
                    codes.BAD_VALUE, f"the peer {address} is not an IPv{family} address", item.span,
                    help="it is left out, as Keepalived does",
                )  # fmt: skip
            elif address not in good:
                good.append(address)
        return tuple(good)

    def _group(self, family: int) -> IPAddress | None:
        chosen = self.node.mcast_dst_ip
        if chosen is not None and chosen.version != family:
            self._adjusted(
                "mcast_dst_ip", f"{chosen} is not an IPv{family} address", "it is ignored"
            )
            chosen = None
        return chosen or (self.globals.mcast_group4 if family == 4 else self.globals.mcast_group6)

    def _speaks_of_unicast(self) -> bool:
        node = self.node
        return node.unicast_src_ip is not None or "unicast_peers" in node.places

    def _other_interfaces(
        self, entries: tuple[TrackInterface, ...], own: str
    ) -> tuple[TrackInterface, ...]:
        """Keepalived ignores the instance's own interface here, as its loss is a FAULT anyway."""
        if all(item.interface != own for item in entries):
            return entries
        followed = self.node.track_primary
        self.report.note(
            codes.OWN_INTERFACE,
            f"'{own}' is the instance's own interface: its loss is "
            f"{'a FAULT anyway' if followed else 'ignored, as dont_track_primary says'}",
            self.node.at("track_interfaces"),
            notes=["Keepalived leaves this entry out too, whatever its weight"],
        )
        return tuple(item for item in entries if item.interface != own)

    def _vmac(self) -> VmacPlan | None:
        node = self.node
        addresses = [item.value for item in (*node.addresses, *node.excluded)]
        if not node.vmac and not node.vmac_addresses and not any(a.vmac for a in addresses):
            return None
        if node.vmac and node.unicast_peers and not node.vmac_xmit_base:
            self._adjusted(
                "vmac", "unicast adverts cannot leave from a VMAC",
                "they leave from the interface itself: write 'vmac_xmit_base'",
            )  # fmt: skip
        return VmacPlan(
            node.vmac_name,
            node.vmac_address,
            node.vmac_xmit_base,
            node.vmac_addresses,
            node.vmac,
            prefix=self.globals.vmac_prefix or "vrrp",
            address_prefix=self.globals.vmac_addr_prefix or self.globals.vmac_prefix or "vrrp",
        )

    def _adjusted(self, field: str, message: str, done: str) -> None:
        self.report.warning(codes.ADJUSTED, message, self.node.at(field), help=done)
