"""Rows that the engine (`crates/telamon-expr`) does not carry out yet: refused by name.

A test compares these lists with what the engine says it knows; when it learns a word, the word
leaves its list, and nothing else is to be done.
"""

from __future__ import annotations

FETCHES = frozenset(
    """
cpu_calls cpu_ns_avg cpu_ns_tot fc_err_name fc_saved_syn last_entity lat_ns_avg lat_ns_tot
req.bytes_out res.bytes_in waiting_entity
""".split()
)

CONVERTERS = frozenset(
    """
add_item aes_cbc_dec aes_cbc_enc aes_gcm_dec aes_gcm_enc be2dec be2hex capture-req capture-res
cut_crlf debug fix_is_valid fix_tag_value has_ctl htonl http_date json_query jwt_header_query
jwt_payload_query jwt_verify language le2dec ltime mqtt_field_value mqtt_is_valid ms_ltime ms_utime
nbsrv protobuf reverse_dom rfc7239_field rfc7239_is_valid rfc7239_n2nn rfc7239_n2np srv_queue ungrpc
us_ltime us_utime utime
""".split()
)

ACTIONS = frozenset(
    """
do-log normalize-uri switch-mode
""".split()
)

ALIASES: frozenset[str] = frozenset()
"""Of log formats."""

FLAGS = frozenset({"bin", "json", "cbor"})
"""Of log formats."""
