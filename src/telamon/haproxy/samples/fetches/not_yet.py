"""Fetches that HAProxy knows and Telamon does not yet: only names, by what they need."""

from __future__ import annotations

_COUNTERS = """
bytes_in_rate bytes_out_rate clr_gpc clr_gpc0 clr_gpc1 conn_cnt conn_cur conn_rate get_gpc get_gpc0
get_gpc1 get_gpt get_gpt0 glitch_cnt glitch_rate gpc0_rate gpc1_rate gpc_rate http_err_cnt
http_err_rate http_fail_cnt http_fail_rate http_req_cnt http_req_rate inc_gpc inc_gpc0 inc_gpc1
kbytes_in kbytes_out sess_cnt sess_rate tracked trackers key
""".split()

_TLS_SIDES = """
alg_keysize alpn cipher client_random curve err err_str is_resumed npn protocol server_random
session_id session_key unique_id use_keysize
""".split()

_TLS_FRONT = """
cipherlist_bin cipherlist_hex cipherlist_str cipherlist_xxh client_early_traffic_secret
client_handshake_traffic_secret client_traffic_secret_0 crtname early_exporter_secret
early_rcvd ecformats_bin eclist_bin exporter_secret extlist_bin has_crt has_early has_sni
protocol_hello_id server_handshake_traffic_secret server_traffic_secret_0 sigalgs_bin sni
supported_versions_bin
""".split()

_TLS_CERTIFICATES = """
chain_der der i_dn key_alg notafter notbefore s_dn san serial sha1 sig_alg version
""".split()

TABLES = frozenset(
    f"{prefix}_{name}" for prefix in ("sc", "sc0", "sc1", "sc2", "src") for name in _COUNTERS
) | {"src_updt_conn_cnt", "table_avl", "table_cnt"}  # fmt: skip

TLS = (
    frozenset(f"ssl_{side}_{name}" for side in ("fc", "bc") for name in (*_TLS_SIDES, *_TLS_FRONT))
    | frozenset(f"ssl_{who}_{name}" for who in "cfrs" for name in _TLS_CERTIFICATES)
    | frozenset(
        "ssl_fc ssl_bc ssl_c_ca_err ssl_c_ca_err_depth ssl_c_err ssl_c_used ssl_c_verify".split()
    )
)

OTHERS = frozenset(
    """
51d.all da-csv-fetch wurfl-get wurfl-get-all fcgi.docroot fcgi.index
res.cache_hit res.cache_name res.comp res.comp_algo internal.htx.data internal.htx.free
internal.htx.free_data internal.htx.has_eom internal.htx.nbblks internal.htx.size
internal.htx.used internal.htx_blk.data internal.htx_blk.hdrname internal.htx_blk.hdrval
internal.htx_blk.size internal.htx_blk.start_line internal.htx_blk.type internal.strm.is_htx
""".split()
)

WHY = {
    "stick tables": TABLES,
    "TLS": TLS,
    "caches, compression, FastCGI and other machinery": OTHERS,
}

NOT_YET = TABLES | TLS | OTHERS
