"""Converters that read or write something beside the sample: maps, variables, captures."""

from __future__ import annotations

from telamon.haproxy.samples.row import Converter
from telamon.haproxy.samples.types import Type

_S, _I = Type.STR, Type.INT
_MATCHED = {
    "beg": _S, "dir": _S, "dom": _S, "end": _S, "int": _I, "ip": Type.ADDR, "reg": _S, "str": _S,
    "sub": _S,
}  # fmt: skip
_GIVEN = {"": ("str", _S), "_int": ("int", _I), "_ip": ("ipv4", Type.ADDR)}


def _map(name: str, what: str, given: str, since: str = "") -> Converter:
    kind, output = _GIVEN[given]
    doc = f"The value in a map for a key by `-m {what}`{', as ' + kind if given else ''}."
    signature = f"file:mapfile [default:{kind}]"
    return Converter(name, signature, _MATCHED.get(what, _S), output, doc, since)


CONVERTERS = (
    Converter("capture-req", "index:int", _S, _S, "Keeps it in a request's capture slot."),
    Converter("capture-res", "index:int", _S, _S, "Keeps it in a response's capture slot."),
    Converter("debug", "[prefix:str] [destination:str]", Type.ANY, Type.ANY,
              "Shows the sample."),
    _map("map", "str", ""),
    *(_map(f"map_{what}{given}", what, given) for what in _MATCHED for given in _GIVEN),
    *(
        Converter(f"map_{what}_key", "file:mapfile [default:str]", _MATCHED[what], _S,
                  f"The key in a map that matches by `-m {what}`.", "3.0")
        for what in _MATCHED
    ),
    Converter("map_regm", "file:mapfile [default:str]", _S, _S,
              "As `map_reg`; the value's \\1 and so on are filled in."),
    Converter("set-var", "name:var [condition:condition] [condition:condition] "
              "[condition:condition] [condition:condition]", Type.ANY, Type.ANY,
              "Keeps it in a variable."),
    Converter("unset-var", "name:var", Type.ANY, Type.ANY, "Forgets a variable."),
)  # fmt: skip

NOT_YET = frozenset(
    """
51d.single da-csv-conv in_table jwt_decrypt_cert jwt_decrypt_jwk jwt_decrypt_secret jwt_verify_cert
table_bytes_in_rate table_bytes_out_rate table_clr_gpc table_conn_cnt table_conn_cur
table_conn_rate table_expire table_glitch_cnt table_glitch_rate table_gpc table_gpc0 table_gpc0_rate
table_gpc1 table_gpc1_rate table_gpc_rate table_gpt table_gpt0 table_http_err_cnt
table_http_err_rate table_http_fail_cnt table_http_fail_rate table_http_req_cnt
table_http_req_rate table_idle table_inc_gpc table_inc_gpc0 table_inc_gpc1 table_kbytes_in
table_kbytes_out table_server_id table_sess_cnt table_sess_rate table_trackers when x509_v_err_str
eth.data eth.dst eth.hdr eth.proto eth.src eth.vlan ip.data ip.df ip.dst ip.fp ip.hdr ip.proto
ip.src ip.tos ip.ttl ip.ver tcp.dst tcp.flags tcp.options.mss tcp.options.sack tcp.options.tsopt
tcp.options.tsval tcp.options.wscale tcp.options_list tcp.seq tcp.src tcp.win
""".split()
)
"""Known to HAProxy only: stick tables, TLS, device detection, packets' headers."""
