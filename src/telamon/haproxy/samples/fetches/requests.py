"""The HTTP request (manual 7.3.6)."""

from __future__ import annotations

from telamon.haproxy.samples.row import Fetch
from telamon.haproxy.samples.stages import Needs
from telamon.haproxy.samples.types import Type

_Q, _T = Needs.REQUEST, Needs.TRANSACTION
_NAME, _HEADER = "[name:str]", "[name:str] [occurrence:occurrence]"

FETCHES = (
    Fetch("base", "", Type.STR, _Q, "The host and the path."),
    Fetch("base32", "", Type.INT, _Q, "A hash of `base`."),
    Fetch("base32+src", "", Type.BIN, _Q, "`base32` and the client's address."),
    Fetch("baseq", "", Type.STR, _Q, "The host and the path with its query."),
    Fetch("capture.req.hdr", "index:int", Type.STR, _T, "A captured request header."),
    Fetch("capture.req.method", "", Type.STR, _T, "The method, kept."),
    Fetch("capture.req.uri", "", Type.STR, _T, "The URI, kept."),
    Fetch("capture.req.ver", "", Type.STR, _T, "The version, kept."),
    Fetch("http_auth", "list:userlist", Type.BOOL, _Q, "Whether the list has user and password."),
    Fetch("http_auth_bearer", "[header:str]", Type.STR, _Q, "The bearer token."),
    Fetch("http_auth_group", "list:userlist", Type.STR, _Q,
          "The user, if the list has it; in ACLs its groups, compared with names of groups."),
    Fetch("http_auth_pass", "", Type.STR, _Q, "The password of HTTP authentication."),
    Fetch("http_auth_type", "", Type.STR, _Q, "The scheme of HTTP authentication."),
    Fetch("http_auth_user", "", Type.STR, _Q, "The user of HTTP authentication."),
    Fetch("http_first_req", "", Type.BOOL, _T, "Whether it is the connection's first request."),
    Fetch("method", "", Type.METH, _T, "The method."),
    Fetch("path", "", Type.STR, _Q, "The path."),
    Fetch("pathq", "", Type.STR, _Q, "The path with its query."),
    Fetch("query", "", Type.STR, _Q, "The query string."),
    Fetch("req.body", "", Type.BIN, _Q, "What has come of the body."),
    Fetch("req.body_len", "", Type.INT, _Q, "How much has come of the body."),
    Fetch("req.body_param", "[name:str] [i:i]", Type.BIN, _Q, "A parameter of a form in the body."),
    Fetch("req.body_size", "", Type.INT, _Q, "The body's announced length."),
    Fetch("req.bytes_in", "", Type.INT, Needs.PROCESS, "Request bytes that came.", "3.3"),
    Fetch("req.bytes_out", "", Type.INT, Needs.PROCESS, "Request bytes that went.", "3.3"),
    Fetch("req.cook", _NAME, Type.STR, _Q, "A cookie's value."),
    Fetch("req.cook_cnt", _NAME, Type.INT, _Q, "How often a cookie is there."),
    Fetch("req.cook_names", "[delimiter:str]", Type.STR, _Q, "The cookies' names.", "3.0"),
    Fetch("req.cook_val", _NAME, Type.INT, _Q, "A cookie's value as a number."),
    Fetch("req.fhdr", _HEADER, Type.STR, _Q, "A header's whole value."),
    Fetch("req.fhdr_cnt", _NAME, Type.INT, _Q, "How often a header is there."),
    Fetch("req.hdr", _HEADER, Type.STR, _Q, "A header's value, split at commas."),
    Fetch("req.hdr_cnt", _NAME, Type.INT, _Q, "How many values a header has."),
    Fetch("req.hdr_ip", _HEADER, Type.IPV4, _Q, "A header's value as an address."),
    Fetch("req.hdr_names", "[delimiter:str]", Type.STR, _Q, "The headers' names."),
    Fetch("req.hdr_val", _HEADER, Type.INT, _Q, "A header's value as a number."),
    Fetch("req.hdrs", "", Type.BIN, _Q, "All headers, as text."),
    Fetch("req.hdrs_bin", "", Type.BIN, _Q, "All headers, with lengths."),
    Fetch("req.timer.hdr", "", Type.INT, _T, "The log's TR.", "2.9"),
    Fetch("req.timer.idle", "", Type.INT, _T, "The log's Ti.", "2.9"),
    Fetch("req.timer.queue", "", Type.INT, Needs.SERVER_CONNECTION, "The log's Tw.", "2.9"),
    Fetch("req.timer.tq", "", Type.INT, _T, "The log's Tq.", "2.9"),
    Fetch("req.ver", "", Type.STR, _Q, "The version, as in `1.1`."),
    Fetch("url", "", Type.STR, _Q, "The URI as the client sent it."),
    Fetch("url32", "", Type.INT, _Q, "A hash of the host and the URI."),
    Fetch("url32+src", "", Type.BIN, _Q, "`url32` and the client's address."),
    Fetch("url_ip", "", Type.IPV4, _Q, "The address in an absolute URI."),
    Fetch("url_param", "[name:str] [delimiter:str] [i:i]", Type.STR, _Q, "A query parameter."),
    Fetch("url_port", "", Type.INT, _Q, "The port in an absolute URI."),
    Fetch("urlp_val", "[name:str] [delimiter:str] [i:i]", Type.INT, _Q,
          "A query parameter as a number."),
)  # fmt: skip
