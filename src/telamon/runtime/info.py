"""`show info`: the process in figures (management guide 9.3, `show info`).

A table of rows in HAProxy's order, each with its tags (see `fields.py`), its type and what it
means. Figures of things that this program does not have (TLS, compression) are true zeros.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from telamon.base.version import HAPROXY_VERSION, RELEASE_DATE
from telamon.engine import Counters
from telamon.runtime.export import json_value
from telamon.runtime.ports import ProxyControl
from telamon.runtime.rows import Value


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rows are computed from, taken at one moment."""

    control: ProxyControl
    counters: Counters
    uptime: float

    def count(self, name: str) -> int:
        return self.counters.get(name, 0)

    @property
    def listeners(self) -> int:
        return sum(len(p.frontend.listeners) for p in self.control.plan.proxies if p.frontend)


@dataclass(frozen=True, slots=True)
class InfoRow:
    name: str
    tags: str
    type: str
    value: Callable[[Facts], Value]
    description: str


def _zero(_facts: Facts) -> Value:
    return 0


def _counter(name: str) -> Callable[[Facts], Value]:
    return lambda facts: facts.count(name)


def format_uptime(seconds: float) -> str:
    """`0d 1h02m03s`."""
    whole = int(seconds)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    day, hour = divmod(hours, 24)
    return f"{day}d {hour}h{minute:02d}m{second:02d}s"


def _node(facts: Facts) -> Value:
    return facts.control.plan.process.node or os.uname().nodename


def _megabytes(facts: Facts) -> Value:
    return facts.control.memory_bytes >> 20


ROWS: tuple[InfoRow, ...] = (
    InfoRow("Name", "POS", "str", lambda f: "HAProxy", "The product stood in for"),
    InfoRow("Version", "POS", "str", lambda f: HAPROXY_VERSION, "Version"),
    InfoRow("Release_date", "POS", "str", lambda f: RELEASE_DATE, "Date of this version"),
    InfoRow("Nbthread", "CGS", "u32", lambda f: f.control.threads, "Data threads"),
    InfoRow("Nbproc", "CGS", "u32", lambda f: 1, "Worker processes, always 1"),
    InfoRow("Process_num", "KGP", "u32", lambda f: 1, "Number of this process, always 1"),
    InfoRow("Pid", "SGP", "u32", lambda f: f.control.pid, "Process id"),
    InfoRow("Uptime", "MDP", "str", lambda f: format_uptime(f.uptime), "Time since the start"),
    InfoRow("Uptime_sec", "MDP", "u32", lambda f: int(f.uptime), "Seconds since the start"),
    InfoRow("Memmax_MB", "CLP", "u32", _zero, "Limit on memory in MB, 0 for none"),
    InfoRow("PoolAlloc_MB", "MGP", "u32", _megabytes, "Memory held, in MB"),
    InfoRow("PoolUsed_MB", "MGP", "u32", _megabytes, "Memory in use, in MB"),
    InfoRow("PoolFailed", "MCP", "u32", _zero, "Allocations that failed"),
    InfoRow("Ulimit-n", "CLP", "u32", lambda f: f.control.max_descriptors, "Descriptor limit"),
    InfoRow("Maxsock", "CLP", "u32", lambda f: f.control.max_descriptors, "Socket limit"),
    InfoRow("Maxconn", "CLP", "u32", lambda f: f.control.max_connections, "Connection limit"),
    InfoRow(
        "Hard_maxconn", "CLP", "u32", lambda f: f.control.max_connections, "Hard connection limit"
    ),
    InfoRow("CurrConns", "MGP", "u32", _counter("CurrConns"), "Client connections now"),
    InfoRow("CumConns", "MCP", "u32", _counter("CumConns"), "Client connections so far"),
    InfoRow("CumReq", "MCP", "u32", _counter("CumReq"), "Requests so far"),
    InfoRow("MaxSslConns", "MMP", "u32", _zero, "Limit of TLS connections, 0 for none"),
    InfoRow("CurrSslConns", "MGP", "u32", _zero, "TLS connections now"),
    InfoRow("CumSslConns", "MCP", "u32", _zero, "TLS connections so far"),
    InfoRow("Maxpipes", "CLP", "u32", _counter("Maxpipes"), "Limit of kernel pipes, 0 for none"),
    InfoRow("PipesUsed", "MGP", "u32", _counter("PipesUsed"), "Kernel pipes in use"),
    InfoRow("PipesFree", "MGP", "u32", _counter("PipesFree"), "Kernel pipes kept for use"),
    InfoRow("ConnRate", "MRP", "u32", _counter("ConnRate"), "Connections in the last second"),
    InfoRow(
        "ConnRateLimit", "CLP", "u32", _counter("ConnRateLimit"), "Limit of ConnRate, 0 for none"
    ),
    InfoRow("MaxConnRate", "MMP", "u32", _counter("MaxConnRate"), "Highest ConnRate so far"),
    InfoRow("SessRate", "MRP", "u32", _counter("SessRate"), "Sessions in the last second"),
    InfoRow(
        "SessRateLimit", "CLP", "u32", _counter("SessRateLimit"), "Limit of SessRate, 0 for none"
    ),
    InfoRow("MaxSessRate", "MMP", "u32", _counter("MaxSessRate"), "Highest SessRate so far"),
    InfoRow("SslRate", "MRP", "u32", _zero, "TLS connections in the last second"),
    InfoRow("SslRateLimit", "CLP", "u32", _zero, "Limit of SslRate, 0 for none"),
    InfoRow("MaxSslRate", "MMP", "u32", _zero, "Highest SslRate so far"),
    InfoRow("SslFrontendKeyRate", "MGP", "u32", _zero, "TLS keys made on frontends, per second"),
    InfoRow("SslFrontendMaxKeyRate", "MMP", "u32", _zero, "Highest SslFrontendKeyRate so far"),
    InfoRow("SslFrontendSessionReuse_pct", "MGP", "u32", _zero, "Frontend TLS sessions reused, %"),
    InfoRow("SslBackendKeyRate", "MRP", "u32", _zero, "TLS keys made on backends, per second"),
    InfoRow("SslBackendMaxKeyRate", "MMP", "u32", _zero, "Highest SslBackendKeyRate so far"),
    InfoRow("SslCacheLookups", "MCP", "u32", _zero, "TLS session cache lookups"),
    InfoRow("SslCacheMisses", "MCP", "u32", _zero, "TLS session cache misses"),
    InfoRow("CompressBpsIn", "MRP", "u32", _zero, "Bytes into the compressor, per second"),
    InfoRow("CompressBpsOut", "MRP", "u32", _zero, "Bytes out of the compressor, per second"),
    InfoRow("CompressBpsRateLim", "CLP", "u32", _zero, "Limit of CompressBpsOut"),
    InfoRow("Tasks", "MGP", "u32", _counter("Tasks"), "Streams, checks and timers alive"),
    InfoRow("Run_queue", "MGP", "u32", _counter("Run_queue"), "Tasks that wait to run"),
    InfoRow("Idle_pct", "MaP", "u32", lambda f: f.counters.get("Idle_pct", 100), "Idle time, %"),
    InfoRow("node", "COS", "str", _node, "Node name"),
    InfoRow("Stopping", "MGP", "u32", lambda f: int(f.control.stopping), "1 while it is stopping"),
    InfoRow(
        "Jobs", "MGP", "u32", lambda f: f.count("CurrConns") + f.listeners, "Things being served"
    ),
    InfoRow("Unstoppable Jobs", "MGP", "u32", _zero, "Jobs that no soft stop ends"),
    InfoRow("Listeners", "MGP", "u32", lambda f: f.listeners, "Listening sockets"),
    InfoRow("ActivePeers", "MGP", "u32", _zero, "Peers in contact"),
    InfoRow("ConnectedPeers", "MGP", "u32", _zero, "Peers connected"),
    InfoRow("DroppedLogs", "MGP", "u32", _counter("DroppedLogs"), "Log messages lost"),
    InfoRow("BusyPolling", "MGP", "u32", _zero, "1 if polling without sleep"),
    InfoRow("FailedResolutions", "MGP", "u32", _zero, "Name resolutions that failed"),
    InfoRow("TotalBytesOut", "MGP", "u64", _counter("TotalBytesOut"), "Bytes sent so far"),
    InfoRow(
        "TotalSplicedBytesOut", "MGP", "u64", _counter("TotalSplicedBytesOut"), "Bytes spliced"
    ),
    InfoRow("BytesOutRate", "MRP", "u64", _counter("BytesOutRate"), "Bytes sent per second"),
    InfoRow("DebugCommandsIssued", "MGP", "u32", _zero, "Debugging commands given"),
    InfoRow("CumRecvLogs", "MCP", "u32", _zero, "Log messages received"),
    InfoRow("Build info", "POS", "str", lambda f: HAPROXY_VERSION, "Build"),
    InfoRow("Memmax_bytes", "CLP", "u32", _zero, "Limit on memory in bytes, 0 for none"),
    InfoRow("PoolAlloc_bytes", "MGP", "u64", lambda f: f.control.memory_bytes, "Memory held"),
    InfoRow("PoolUsed_bytes", "MGP", "u64", lambda f: f.control.memory_bytes, "Memory in use"),
    InfoRow("Start_time_sec", "MDP", "u32", lambda f: int(f.control.started_wall), "Start time"),
    InfoRow("Tainted", "SGP", "str", lambda f: "0", "Experimental features in use"),
)


def facts(control: ProxyControl) -> Facts:
    return Facts(control, control.snapshot().process, control.now() - control.started)


def as_text(control: ProxyControl, *, describe: bool = False, precise: bool = False) -> str:
    """`Name: value` lines; `describe` adds the meaning, `precise` fractions of a second."""
    taken = facts(control)
    lines = []
    for row in ROWS:
        value = row.value(taken)
        if precise and row.name == "Uptime_sec":
            value = f"{taken.uptime:.6f}"
        elif precise and row.name == "Start_time_sec":
            value = f"{control.started_wall:.6f}"
        lines.append(f"{row.name}: {value}{f':{chr(34)}{row.description}{chr(34)}' * describe}\n")
    return "".join(lines)


def as_typed(control: ProxyControl, *, describe: bool = False) -> str:
    taken = facts(control)
    return "".join(
        f"{position}.{row.name}.1:{row.tags}:{row.type}:{row.value(taken)}"
        + f':"{row.description}"' * describe
        + "\n"
        for position, row in enumerate(ROWS)
    )


def as_json(control: ProxyControl) -> str:
    taken = facts(control)
    return json.dumps(
        [
            json_value(position, row.name, row.tags, row.type, row.value(taken))
            for position, row in enumerate(ROWS)
        ],
        separators=(",", ":"),
    )


def log_time(wall: float) -> str:
    """A wall time as HAProxy's logs and answers write it: `24/Nov/2026:02:06:51.563`."""
    stamp = time.localtime(wall)
    return time.strftime("%d/%b/%Y:%H:%M:%S", stamp) + f".{int(wall * 1000) % 1000:03d}"
