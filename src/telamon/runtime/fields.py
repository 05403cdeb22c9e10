"""The figures of the statistics, as a table (management guide 9.1, "CSV format").

One row a column, in the order of the CSV. A typed output (`show stat typed`, JSON) says of each
value where it comes from, what it is, and what it speaks of (guide 9.2, "Typed output format"):

    origin   M metric, S status, K key, C config, P product
    nature   A age, a average, C counter, D duration, G gauge, L limit, M maximum, m minimum,
             N name, O free output, R rate, T time
    scope    C cluster, S service, P process
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

ORIGINS = {"M": "Metric", "S": "Status", "K": "Key", "C": "Config", "P": "Product"}
NATURES = {
    "A": "Age", "a": "Avg", "C": "Counter", "D": "Duration", "G": "Gauge", "L": "Limit",
    "M": "Max", "m": "Min", "N": "Name", "O": "Output", "R": "Rate", "T": "Time",
}  # fmt: skip
SCOPES = {"C": "Cluster", "S": "Service", "P": "Process"}


class RowKind(Enum):
    """What a line of the statistics speaks of; the value is the guide's `type`, and its letter."""

    FRONTEND = (0, "F", "Frontend")
    BACKEND = (1, "B", "Backend")
    SERVER = (2, "S", "Server")
    LISTENER = (3, "L", "Listener")

    @property
    def number(self) -> int:
        return self.value[0]

    @property
    def letter(self) -> str:
        return self.value[1]

    @property
    def label(self) -> str:
        return self.value[2]


@dataclass(frozen=True, slots=True)
class Field:
    """One column: its name, its three tag letters, its type (`u32`, `u64`, `s32`, `str`)."""

    name: str
    tags: str
    type: str

    def tags_for(self, kind: RowKind) -> str:
        """A server's `act`/`bck` say what it is, a backend's how many there are."""
        if self.name in ("act", "bck") and kind is RowKind.SERVER:
            return "SGP"
        if self.name in ("rate", "rate_max") and kind is RowKind.BACKEND:
            return "MGP"
        return self.tags


_TABLE = """
pxname KNS str|svname KNS str|qcur MGP u32|qmax MMP u32|scur MGP u32|smax MMP u32|slim CLP u32
stot MCP u64|bin MCP u64|bout MCP u64|dreq MCP u64|dresp MCP u64|ereq MCP u64|econ MCP u64
eresp MCP u64|wretr MCP u64|wredis MCP u64|status SGP str|weight MaP u32|act MGP u32|bck MGP u32
chkfail MCP u64|chkdown MCP u64|lastchg MAP u32|downtime MCP u32|qlimit CLS u32|pid KGP u32
iid KGS u32|sid KGS u32|throttle MaP u32|lbtot MCP u64|tracked CGS str|type CGS u32|rate MRP u32
rate_lim CLP u32|rate_max MMP u32|check_status MOP str|check_code MOP u32|check_duration MDP u64
hrsp_1xx MCP u64|hrsp_2xx MCP u64|hrsp_3xx MCP u64|hrsp_4xx MCP u64|hrsp_5xx MCP u64
hrsp_other MCP u64|hanafail MCP u64|req_rate MRP u32|req_rate_max MMP u32|req_tot MCP u64
cli_abrt MCP u64|srv_abrt MCP u64|comp_in MCP u64|comp_out MCP u64|comp_byp MCP u64
comp_rsp MCP u64|lastsess MAP s32|last_chk MOP str|last_agt MOP str|qtime MaP u32|ctime MaP u32
rtime MaP u32|ttime MaP u32|agent_status MOP str|agent_code MOP u32|agent_duration MDP u64
check_desc MOP str|agent_desc MOP str|check_rise CGS u32|check_fall CGS u32|check_health CGS u32
agent_rise CGS u32|agent_fall CGS u32|agent_health CGS u32|addr CGS str|cookie CNS str
mode CGS str|algo CGS str|conn_rate MRP u32|conn_rate_max MMP u32|conn_tot MCP u64
intercepted MCP u64|dcon MCP u64|dses MCP u64|wrew MCP u64|connect MCP u64|reuse MCP u64
cache_lookups MCP u64|cache_hits MCP u64|srv_icur MGP u32|src_ilim CLP u32|qtime_max MMP u32
ctime_max MMP u32|rtime_max MMP u32|ttime_max MMP u32|eint MCP u64|idle_conn_cur MGP u32
safe_conn_cur MGP u32|used_conn_cur MGP u32|need_conn_est MGP u32|uweight MaP u32
agg_server_status MGP u32|agg_server_check_status MGP u32|agg_check_status MGP u32|srid MGP u32
sess_other MCP u64|h1sess MCP u64|h2sess MCP u64|h3sess MCP u64|req_other MCP u64|h1req MCP u64
h2req MCP u64|h3req MCP u64|proto SOP str|- SNS str
ssl_sess MCP u64|ssl_reused_sess MCP u64|ssl_failed_handshake MCP u64|h2_headers_rcvd MCP u64
h2_data_rcvd MCP u64|h2_settings_rcvd MCP u64|h2_rst_stream_rcvd MCP u64|h2_goaway_rcvd MCP u64
h2_detected_conn_protocol_errors MCP u64|h2_detected_strm_protocol_errors MCP u64
h2_rst_stream_resp MCP u64|h2_goaway_resp MCP u64|h2_open_connections MGP u64
h2_backend_open_streams MGP u64|h2_total_connections MCP u64|h2_backend_total_streams MCP u64
"""

FIELDS: tuple[Field, ...] = tuple(
    Field(*cell.split(" ")) for line in _TABLE.split("\n") if line for cell in line.split("|")
)
BY_NAME = {field.name: (position, field) for position, field in enumerate(FIELDS)}

SEPARATOR = "-"
"""The column between the fixed figures and those of HAProxy's stats modules."""

SSL_FIELDS = tuple(f.name for f in FIELDS if f.name.startswith("ssl_"))
H2_FIELDS = tuple(f.name for f in FIELDS if f.name.startswith("h2_"))
"""True zeros until TLS and HTTP/2 are carried out: no such connection can have been made."""
