"""What stands in the buffers, whatever the protocol (manual 7.3.5, layer 6)."""

from __future__ import annotations

from telamon.haproxy.samples.row import Fetch
from telamon.haproxy.samples.stages import Needs
from telamon.haproxy.samples.types import Type

_Q, _R, _M = Needs.REQUEST, Needs.RESPONSE, Needs.MESSAGE
_PAYLOAD = "offset:int length:int"
_PAYLOAD_LV = "offset:int length:int [offset2:shift]"

FETCHES = (
    Fetch("distcc_body", "token:str [occurrence:int]", Type.BIN, _M, "The body of a distcc token."),
    Fetch("distcc_param", "token:str [occurrence:int]", Type.INT, _M,
          "The parameter of a distcc token."),
    Fetch("req.len", "", Type.INT, _Q, "Bytes in the request's buffer."),
    Fetch("req.payload", _PAYLOAD, Type.BIN, _Q, "Bytes of the request; length 0: all."),
    Fetch("req.payload_lv", _PAYLOAD_LV, Type.BIN, _Q, "Bytes whose length the request says."),
    Fetch("req.proto_http", "", Type.BOOL, Needs.TRANSACTION, "Whether the request is HTTP."),
    Fetch("req.rdp_cookie", "[name:str]", Type.STR, _Q, "A cookie of RDP (mstshash and its like)."),
    Fetch("req.rdp_cookie_cnt", "[name:str]", Type.INT, _Q, "How often that RDP cookie is there."),
    Fetch("req.ssl_alpn", "", Type.STR, _Q, "The first ALPN name of a TLS hello in the buffer."),
    Fetch("req.ssl_cipherlist", "", Type.BIN, _Q, "The ciphers of a TLS hello.", "3.2"),
    Fetch("req.ssl_ec_ext", "", Type.BOOL, _Q, "Whether a TLS hello knows elliptic curves."),
    Fetch("req.ssl_hello_type", "", Type.INT, _Q, "1 for a TLS client's hello in the buffer."),
    Fetch("req.ssl_keyshare_groups", "", Type.BIN, _Q, "Key share groups of a hello.", "3.2"),
    Fetch("req.ssl_sigalgs", "", Type.BIN, _Q, "Signature algorithms of a hello.", "3.2"),
    Fetch("req.ssl_sni", "", Type.STR, _Q, "The server name of a TLS hello in the buffer."),
    Fetch("req.ssl_st_ext", "", Type.INT, _Q, "The session ticket of a TLS hello."),
    Fetch("req.ssl_supported_groups", "", Type.BIN, _Q, "Groups of a TLS hello.", "3.2"),
    Fetch("req.ssl_ver", "", Type.INT, _Q, "The TLS version of a hello in the buffer."),
    Fetch("res.len", "", Type.INT, _R, "Bytes in the response's buffer."),
    Fetch("res.payload", _PAYLOAD, Type.BIN, _R, "Bytes of the response; length 0: all."),
    Fetch("res.payload_lv", _PAYLOAD_LV, Type.BIN, _R, "Bytes whose length the response says."),
    Fetch("res.ssl_hello_type", "", Type.INT, _R, "2 for a TLS server's hello in the buffer."),
    Fetch("wait_end", "", Type.BOOL, Needs.PROCESS, "True once the inspection's time is over."),
)  # fmt: skip
