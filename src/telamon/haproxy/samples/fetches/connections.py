"""Addresses and states of the two connections (manual 7.3.3, layer 4, and 7.3.4 without TLS)."""

from __future__ import annotations

from telamon.haproxy.samples.row import Fetch
from telamon.haproxy.samples.stages import Needs
from telamon.haproxy.samples.types import Type

_C, _S, _F = Needs.CLIENT, Needs.SERVER_CONNECTION, Needs.FRONTEND
_UNIT = "[unit:ms|us]"

FETCHES = (
    Fetch("bc_be_queue", "", Type.INT, _S, "Place in the backend's queue.", "3.1"),
    Fetch("bc_dst", "", Type.IPV4, _S, "The server's address."),
    Fetch("bc_dst_port", "", Type.INT, _S, "The server's port."),
    Fetch("bc_err", "", Type.INT, _S, "The number of the connection's error."),
    Fetch("bc_err_str", "", Type.STR, _S, "The text of the connection's error."),
    Fetch("bc_glitches", "", Type.INT, _S, "Oddities of the connection.", "3.0"),
    Fetch("bc_http_major", "", Type.INT, _S, "The server's HTTP version."),
    Fetch("bc_nb_streams", "", Type.INT, _S, "Streams on the connection.", "3.0"),
    Fetch("bc_reused", "", Type.BOOL, _S, "Whether the connection served before.", "3.1"),
    Fetch("bc_rtt", _UNIT, Type.INT, _S, "The round trip time.", "2.9"),
    Fetch("bc_rttvar", _UNIT, Type.INT, _S, "The round trip time's variance.", "2.9"),
    Fetch("bc_setting_streams_limit", "", Type.INT, _S, "Most streams on it.", "3.0"),
    Fetch("bc_src", "", Type.IPV4, _S, "Our address towards the server."),
    Fetch("bc_src_port", "", Type.INT, _S, "Our port towards the server."),
    Fetch("bc_srv_queue", "", Type.INT, _S, "Place in the server's queue.", "3.1"),
    Fetch("bc_timer_connect", "", Type.INT, _S, "The log's Tc.", "2.9"),
    Fetch("dst", "", Type.IPV4, _C, "The address that the client reached."),
    Fetch("dst_conn", "", Type.INT, _F, "Connections of the listener."),
    Fetch("dst_is_local", "", Type.BOOL, _C, "Whether `dst` is this machine's."),
    Fetch("dst_port", "", Type.INT, _C, "The port that the client reached."),
    Fetch("fc_dst", "", Type.IPV4, _C, "`dst` before any rule changed it."),
    Fetch("fc_dst_is_local", "", Type.BOOL, _C, "Whether `fc_dst` is this machine's."),
    Fetch("fc_dst_port", "", Type.INT, _C, "The port of `fc_dst`."),
    Fetch("fc_err", "", Type.INT, _C, "The number of the connection's error."),
    Fetch("fc_err_name", "", Type.STR, _C, "The name of the connection's error.", "3.0"),
    Fetch("fc_err_str", "", Type.STR, _C, "The text of the connection's error."),
    Fetch("fc_fackets", _UNIT, Type.INT, _C, "The kernel's `fackets`."),
    Fetch("fc_glitches", "", Type.INT, _C, "Oddities of the connection.", "3.0"),
    Fetch("fc_http_major", "", Type.INT, _C, "The client's HTTP version."),
    Fetch("fc_lost", _UNIT, Type.INT, _C, "The kernel's count of lost segments."),
    Fetch("fc_nb_streams", "", Type.INT, _C, "Streams on the connection.", "3.0"),
    Fetch("fc_pp_authority", "", Type.STR, _C, "The PROXY header's authority."),
    Fetch("fc_pp_tlv", "id:str", Type.STR, _C, "A field of the PROXY header, by number.", "2.9"),
    Fetch("fc_pp_unique_id", "", Type.STR, _C, "The PROXY header's unique id."),
    Fetch("fc_rcvd_proxy", "", Type.BOOL, _C, "Whether a PROXY header came."),
    Fetch("fc_reordering", _UNIT, Type.INT, _C, "The kernel's `reordering`."),
    Fetch("fc_retrans", _UNIT, Type.INT, _C, "The kernel's count of retransmissions."),
    Fetch("fc_rtt", _UNIT, Type.INT, _C, "The round trip time."),
    Fetch("fc_rttvar", _UNIT, Type.INT, _C, "The round trip time's variance."),
    Fetch("fc_sacked", _UNIT, Type.INT, _C, "The kernel's `sacked`."),
    Fetch("fc_saved_syn", "", Type.BIN, _C, "The client's SYN.", "3.3"),
    Fetch("fc_settings_streams_limit", "", Type.INT, _C, "Most streams on it.", "3.0"),
    Fetch("fc_src", "", Type.IPV4, _C, "`src` before any rule changed it."),
    Fetch("fc_src_is_local", "", Type.BOOL, _C, "Whether `fc_src` is this machine's."),
    Fetch("fc_src_port", "", Type.INT, _C, "The port of `fc_src`."),
    Fetch("fc_timer_handshake", "", Type.INT, _C, "The log's Th.", "2.9"),
    Fetch("fc_timer_total", "", Type.INT, _C, "The log's Tt.", "2.9"),
    Fetch("fc_unacked", _UNIT, Type.INT, _C, "The kernel's count of unacknowledged segments."),
    Fetch("src", "", Type.IPV4, _C, "The client's address."),
    Fetch("src_is_local", "", Type.BOOL, _C, "Whether `src` is this machine's."),
    Fetch("src_port", "", Type.INT, _C, "The client's port."),
)  # fmt: skip
