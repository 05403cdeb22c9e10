"""The HTTP response (manual 7.3.6)."""

from __future__ import annotations

from telamon.haproxy.samples.row import Fetch
from telamon.haproxy.samples.stages import Needs
from telamon.haproxy.samples.types import Type

_R, _S = Needs.RESPONSE, Needs.SERVER_CONNECTION
_NAME, _HEADER = "[name:str]", "[name:str] [occurrence:occurrence]"

FETCHES = (
    Fetch("capture.res.hdr", "index:int", Type.STR, _S, "A captured response header."),
    Fetch("capture.res.ver", "", Type.STR, Needs.TRANSACTION, "The version, kept."),
    Fetch("res.body", "", Type.BIN, _R, "What has come of the body."),
    Fetch("res.body_len", "", Type.INT, _R, "How much has come of the body."),
    Fetch("res.body_size", "", Type.INT, _R, "The body's announced length."),
    Fetch("res.bytes_in", "", Type.INT, Needs.PROCESS, "Response bytes that came.", "3.3"),
    Fetch("res.bytes_out", "", Type.INT, Needs.PROCESS, "Response bytes that went.", "3.3"),
    Fetch("res.cook", _NAME, Type.STR, _R, "The value of a cookie that is set."),
    Fetch("res.cook_cnt", _NAME, Type.INT, _R, "How often a cookie is set."),
    Fetch("res.cook_names", "[delimiter:str]", Type.STR, _R, "Names of cookies set.", "3.0"),
    Fetch("res.cook_val", _NAME, Type.INT, _R, "That value as a number."),
    Fetch("res.fhdr", _HEADER, Type.STR, _R, "A header's whole value."),
    Fetch("res.fhdr_cnt", _NAME, Type.INT, _R, "How often a header is there."),
    Fetch("res.hdr", _HEADER, Type.STR, _R, "A header's value, split at commas."),
    Fetch("res.hdr_cnt", _NAME, Type.INT, _R, "How many values a header has."),
    Fetch("res.hdr_ip", _HEADER, Type.IPV4, _R, "A header's value as an address."),
    Fetch("res.hdr_names", "[delimiter:str]", Type.STR, _R, "The headers' names."),
    Fetch("res.hdr_val", _HEADER, Type.INT, _R, "A header's value as a number."),
    Fetch("res.hdrs", "", Type.BIN, _R, "All headers, as text."),
    Fetch("res.hdrs_bin", "", Type.BIN, _R, "All headers, with lengths."),
    Fetch("res.timer.data", "", Type.INT, Needs.TRANSACTION, "The log's Td.", "2.9"),
    Fetch("res.timer.hdr", "", Type.INT, _S, "The log's Tr.", "2.9"),
    Fetch("res.ver", "", Type.STR, _R, "The version, as in `1.1`."),
    Fetch("server_status", "", Type.INT, _S, "The status that the server sent.", "3.0"),
    Fetch("status", "", Type.INT, _S, "The status."),
    Fetch("txn.status", "", Type.INT, Needs.TRANSACTION, "The status for the log.", "3.0"),
)  # fmt: skip
