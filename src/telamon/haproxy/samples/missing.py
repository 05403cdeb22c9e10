"""Rows that the engine (`crates/telamon-expr`) does not carry out yet: refused by name.

A test compares these lists with what the engine says it knows; when it learns a word, the word
leaves its list, and nothing else is to be done.
"""

from __future__ import annotations

FETCHES = frozenset(
    """
accept_date base32 base32+src baseq bc_be_queue bc_dst bc_dst_port bc_err bc_err_str bc_glitches
bc_http_major bc_nb_streams bc_reused bc_rtt bc_rttvar bc_setting_streams_limit bc_src bc_src_port
bc_srv_queue bc_timer_connect be_connect_timeout be_max_retries be_queue_timeout be_server_timeout
be_tarpit_timeout be_tunnel_timeout bytes_in bytes_out capture.res.ver cpu_calls cpu_ns_avg
cpu_ns_tot cur_client_timeout cur_connect_timeout cur_max_retries cur_queue_timeout
cur_server_timeout cur_tarpit_timeout cur_tunnel_timeout date_us distcc_body distcc_param dst_conn
fc_dst_is_local fc_err fc_err_name fc_err_str fc_fackets fc_glitches fc_http_major fc_lost
fc_nb_streams fc_pp_authority fc_pp_tlv fc_pp_unique_id fc_rcvd_proxy fc_reordering fc_retrans
fc_rtt fc_rttvar fc_sacked fc_saved_syn fc_settings_streams_limit fc_src_is_local fc_timer_handshake
fc_timer_total fc_unacked fe_client_timeout fe_defbe fe_tarpit_timeout http_auth_bearer
http_auth_pass http_auth_type http_auth_user last_entity last_rule_file last_rule_line lat_ns_avg
lat_ns_tot nbproc pid prio_class prio_offset proc quic_enabled req.bytes_in req.bytes_out
req.hdrs_bin req.len req.payload req.payload_lv req.proto_http req.rdp_cookie req.rdp_cookie_cnt
req.ssl_alpn req.ssl_cipherlist req.ssl_ec_ext req.ssl_hello_type req.ssl_keyshare_groups
req.ssl_sigalgs req.ssl_sni req.ssl_st_ext req.ssl_supported_groups req.ssl_ver req.timer.hdr
req.timer.idle req.timer.queue req.timer.tq request_date res.body res.body_len res.body_size
res.bytes_in res.bytes_out res.hdrs_bin res.len res.payload res.payload_lv res.ssl_hello_type
res.timer.data res.timer.hdr server_status srv_iweight srv_uweight txn.conn_retries txn.id32
txn.redispatched txn.sess_term_state txn.status txn.timer.total txn.timer.user url32 url32+src
url_ip url_port urlp_val wait_end waiting_entity
""".split()
)

CONVERTERS = frozenset(
    """
add_item aes_cbc_dec aes_cbc_enc aes_gcm_dec aes_gcm_enc be2dec be2hex capture-req capture-res
cut_crlf debug fix_is_valid fix_tag_value has_ctl htonl http_date json_query jwt_header_query
jwt_payload_query jwt_verify language le2dec ltime map_beg_key map_dir_key map_dom_key map_end_key
map_int_key map_ip_key map_reg_key map_str_key map_sub_key mqtt_field_value mqtt_is_valid ms_ltime
ms_utime nbsrv protobuf reverse_dom rfc7239_field rfc7239_is_valid rfc7239_n2nn rfc7239_n2np
srv_queue ungrpc us_ltime us_utime utime
""".split()
)

ACTIONS = frozenset(
    """
do-log normalize-uri switch-mode
""".split()
)

ALIASES = frozenset({"OG", "sslc", "sslv"})
"""Of log formats."""

FLAGS = frozenset({"bin", "json", "cbor"})
"""Of log formats."""
