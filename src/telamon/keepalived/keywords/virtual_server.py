"""`virtual_server`, `real_server` and `virtual_server_group` (keepalived.conf(5), LVS)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from telamon.keepalived.keywords.row import Block, Keyword, Mark
from telamon.keepalived.keywords.values import (
    host,
    number,
    parse_host,
    put,
    script,
    string,
    switch,
    timer,
    words,
)
from telamon.keepalived.model import (
    Bag,
    Configuration,
    Placed,
    RealServer,
    ServerGroup,
    VirtualServer,
)
from telamon.keepalived.syntax import Statement
from telamon.plan.director import Forwarding, Protocol, Scheduler

if TYPE_CHECKING:
    from telamon.keepalived.reading import Reading

_T, _V, _R = (Block.TOP,), (Block.VIRTUAL_SERVER,), (Block.REAL_SERVER,)
_VR = (Block.VIRTUAL_SERVER, Block.REAL_SERVER)
_VRC = (Block.VIRTUAL_SERVER, Block.REAL_SERVER, Block.CHECKER)
_YET = Mark.NOT_YET


def _virtual_server(reading: Reading, statement: Statement, node: Configuration) -> None:
    server = VirtualServer(statement, " ".join(word.text for word in statement.arguments))
    kind = statement.words[1].text
    if kind == "group" and len(statement.words) > 2:
        put(server, "group", statement.words[2].text, statement)
    elif kind == "fwmark" and len(statement.words) > 2:
        number("fwmark", 1, 2**32 - 1)(reading, Statement(statement.words[1:]), server)
    else:
        found = parse_host(reading, statement, statement.arguments)
        if found is None:
            return
        put(server, "address", found, statement)
    node.virtual_servers.append(server)
    reading.block(Block.VIRTUAL_SERVER, statement.entries, server)


def _real_server(reading: Reading, statement: Statement, node: VirtualServer) -> None:
    found = parse_host(reading, statement, statement.arguments)
    if found is None:
        return
    server = RealServer(statement, " ".join(word.text for word in statement.arguments))
    put(server, "address", found, statement)
    node.real_servers.append(server)
    reading.block(Block.REAL_SERVER, statement.entries, server)


def _server_group(_reading: Reading, statement: Statement, node: Configuration) -> None:
    group = ServerGroup(statement, statement.words[1].text)
    for entry in statement.entries:
        group.entries.append(Placed(tuple(word.text for word in entry.words), entry))
    node.server_groups.append(group)


def _scheduler(reading: Reading, statement: Statement, node: VirtualServer) -> None:
    word = statement.words[1]
    known = [item.value for item in Scheduler]
    if word.text not in known:
        reading.bad(
            word.span, f"unknown scheduler '{word.text}'",
            f"wlc is used, as Keepalived does: write one of {', '.join(known)}",
        )  # fmt: skip
        return
    node.scheduler = Scheduler(word.text)
    node.places["scheduler"] = statement


def _forwarding(reading: Reading, statement: Statement, node: VirtualServer | RealServer) -> None:
    word = statement.words[1]
    if word.text.upper() not in ("NAT", "DR", "TUN"):
        reading.bad(
            word.span, f"unknown forwarding '{word.text}'",
            "NAT is used: write NAT, DR or TUN",
        )  # fmt: skip
        return
    node.forwarding = Forwarding(word.text.upper())
    node.places["forwarding"] = statement
    if len(statement.words) > 2:
        node.values["tunnel"] = tuple(item.text for item in statement.words[2:])


def _protocol(reading: Reading, statement: Statement, node: VirtualServer) -> None:
    word = statement.words[1]
    if word.text.upper() not in ("TCP", "UDP", "SCTP"):
        reading.bad(word.span, f"unknown protocol '{word.text}'", "TCP is used")
        return
    node.protocol = Protocol(word.text.upper())
    node.places["protocol"] = statement


def _ssl(reading: Reading, statement: Statement, node: Configuration) -> None:
    bag = Bag(statement)
    node.bags.append(bag)
    reading.block(Block.SSL, statement.entries, bag)


_MEANING = "it is read and checked, but no traffic is balanced by the kernel: the proxy does that"

_TOP_ROWS = (
    Keyword("virtual_server", _T, "ADDRESS [PORT] | fwmark N | group NAME { ... }", _YET,
            "a service that the kernel balances", _virtual_server, opens=Block.VIRTUAL_SERVER,
            least=1, meaning=_MEANING),
    Keyword("virtual_server_group", _T, "NAME { ADDRESS[-ADDRESS] [PORT] | fwmark N ... }", _YET,
            "addresses that share real servers", _server_group, least=1, meaning=_MEANING),
    Keyword("SSL", _T, "{ ... }", _YET, "the certificate of SSL_GET", _ssl, opens=Block.SSL,
            meaning=_MEANING),
    *(
        Keyword(name, (Block.SSL,), "VALUE", _YET, documentation, string(name), least=1)
        for name, documentation in (
            ("password", "the key's password"),
            ("ca", "the authority's file"),
            ("certificate", "the certificate's file"),
            ("key", "the key's file"),
        )
    ),
)  # fmt: skip

_VIRTUAL_ROWS = (
    Keyword("lvs_sched", _V, "rr|wrr|lc|wlc|sh|mh|dh|...", _YET, "how a server is picked",
            _scheduler, old=("lb_algo", "lb_alg", "lvs_algo"), least=1),
    Keyword("lvs_method", _VR, "NAT|DR|TUN [type ...]", _YET, "how packets reach a server",
            _forwarding, old=("lb_kind",), least=1),
    Keyword("protocol", _V, "TCP|UDP|SCTP", _YET, "the protocol (default TCP)", _protocol,
            least=1),
    Keyword("persistence_timeout", _V, "[SECONDS]", _YET,
            "how long a client keeps its server (bare: 360)",
            number("persistence_timeout", 1, 2**31 - 1, default=360)),
    Keyword("persistence_granularity", _V, "NETMASK", _YET, "which clients count as one",
            string("persistence_granularity"), least=1),
    Keyword("persistence_engine", _V, "NAME", _YET, "the engine of persistence",
            string("persistence_engine"), least=1),
    Keyword("ha_suspend", _V, "", _YET, "check only while the VIP is here", switch("ha_suspend")),
    Keyword("ops", _V, "", _YET, "one packet, one connection (UDP)", switch("ops")),
    *(
        Keyword(name, _V, "", _YET, "a flag of the scheduler", switch(name))
        for name in ("flag-1", "flag-2", "flag-3", "sh-port", "sh-fallback", "mh-port",
                     "mh-fallback")
    ),
    Keyword("omega", _V, "", _YET, "run the down scripts when stopping", switch("omega")),
    Keyword("quorum", _V, "N", _YET, "the weight that must be up (default 1)",
            number("quorum", 1, 2**31 - 1), least=1),
    Keyword("hysteresis", _V, "N", _YET, "slack around the quorum (default 0)",
            number("hysteresis", 0, 2**31 - 1), least=1),
    Keyword("quorum_up", _V, "SCRIPT [USER [GROUP]]", _YET, "run when the quorum is reached",
            script("quorum_up"), least=1),
    Keyword("quorum_down", _V, "SCRIPT [USER [GROUP]]", _YET, "run when the quorum is lost",
            script("quorum_down"), least=1),
    Keyword("ip_family", _V, "inet|inet6", _YET, "the family of a fwmark service",
            string("ip_family"), least=1),
    Keyword("sorry_server", _V, "ADDRESS [PORT]", _YET, "serves when no other one does",
            host("sorry_server"), least=1),
    Keyword("sorry_server_inhibit", _V, "", _YET, "inhibit_on_failure for it",
            switch("sorry_server_inhibit")),
    Keyword("sorry_server_lvs_method", _V, "NAT|DR|TUN", _YET, "how packets reach it",
            words("sorry_server_lvs_method"), least=1),
    Keyword("nat_mask", _V, "NETMASK", Mark.NOTED, "of Keepalived 1.1; no meaning since",
            string("nat_mask"), meaning="it has had no meaning since Keepalived 1.2"),
    Keyword("real_server", _V, "ADDRESS [PORT] { ... }", _YET, "a server", _real_server,
            opens=Block.REAL_SERVER, least=1),
)  # fmt: skip

_SHARED_ROWS = (
    Keyword("virtualhost", _VR, "NAME", _YET, "the host that HTTP checks ask for",
            string("virtualhost"), least=1),
    Keyword("snmp_name", _VR, "NAME", Mark.NOTED, "its name in SNMP", string("snmp_name"),
            meaning="SNMP is not served"),
    Keyword("smtp_alert", _VR, "[BOOL]", _YET, "send mail", switch("smtp_alert")),
    Keyword("alpha", _VRC, "[BOOL]", _YET, "down until a check succeeds", switch("alpha")),
    Keyword("connect_timeout", _VRC, "SECONDS", _YET, "how long a check may take (default 5)",
            timer("connect_timeout"), least=1),
    Keyword("retry", _VRC, "N", _YET, "further tries before it is down (default 1)",
            number("retry", 0, 2**31 - 1), old=("nb_get_retry",), least=1),
    Keyword("delay_before_retry", _VRC, "SECONDS", _YET, "pause before a further try (default 1)",
            timer("delay_before_retry"), least=1),
    Keyword("warmup", _VRC, "SECONDS", _YET, "random delay of the first check",
            timer("warmup"), least=1),
    Keyword("delay_loop", _VRC, "SECONDS", _YET, "time between checks (default 60)",
            timer("delay_loop"), least=1),
    Keyword("inhibit_on_failure", _VR, "[BOOL]", _YET, "weight 0 in place of removal",
            switch("inhibit_on_failure")),
)  # fmt: skip

_REAL_ROWS = (
    Keyword("weight", _R, "N", _YET, "its share (default 1)", number("weight", 0, 65535), least=1),
    Keyword("notify_up", _R, "SCRIPT [USER [GROUP]]", _YET, "run when it comes up",
            script("notify_up"), least=1),
    Keyword("notify_down", _R, "SCRIPT [USER [GROUP]]", _YET, "run when it goes down",
            script("notify_down"), least=1),
    Keyword("uthreshold", _R, "N", _YET, "its most connections", number("uthreshold", 0, 2**31 - 1),
            least=1),
    Keyword("lthreshold", _R, "N", _YET, "below this it is used again",
            number("lthreshold", 0, 2**31 - 1), least=1),
)  # fmt: skip

ROWS: tuple[Keyword, ...] = (*_TOP_ROWS, *_VIRTUAL_ROWS, *_SHARED_ROWS, *_REAL_ROWS)
