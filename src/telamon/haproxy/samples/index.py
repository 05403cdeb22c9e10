"""The index of all samples: which row a name means, in which stage."""

from __future__ import annotations

from telamon.base.frozen import frozen
from telamon.haproxy.samples.converters import encodings, hashes, numbers, stores, texts
from telamon.haproxy.samples.fetches import (
    buffers,
    connections,
    constants,
    internal,
    not_yet,
    requests,
    responses,
)
from telamon.haproxy.samples.row import Converter, Fetch
from telamon.haproxy.samples.stages import RESPONSES, Stage
from telamon.plan.rules import Match

FETCHES: tuple[Fetch, ...] = tuple(
    row
    for family in (constants, internal, connections, buffers, requests, responses)
    for row in family.FETCHES
)
CONVERTERS: tuple[Converter, ...] = tuple(
    row for family in (texts, numbers, hashes, encodings, stores) for row in family.CONVERTERS
)
FETCHES_NOT_YET = not_yet.NOT_YET
CONVERTERS_NOT_YET = stores.NOT_YET

FETCH = {row.name: row for row in FETCHES}
CONVERTER = {row.name: row for row in CONVERTERS}

OLD_NAMES = {
    "cook": "req.cook", "cook_cnt": "req.cook_cnt", "cook_val": "req.cook_val",
    "hdr_cnt": "req.hdr_cnt", "hdr_ip": "req.hdr_ip", "hdr_val": "req.hdr_val",
    "rdp_cookie": "req.rdp_cookie", "rdp_cookie_cnt": "req.rdp_cookie_cnt",
    "rep_ssl_hello_type": "res.ssl_hello_type", "req_len": "req.len",
    "req_proto_http": "req.proto_http", "req_rdp_cookie": "req.rdp_cookie",
    "req_rdp_cookie_cnt": "req.rdp_cookie_cnt", "req_ssl_hello_type": "req.ssl_hello_type",
    "req_ssl_sni": "req.ssl_sni", "req_ssl_ver": "req.ssl_ver", "req_ver": "req.ver",
    "resp_ver": "res.ver", "scook": "res.cook", "scook_cnt": "res.cook_cnt",
    "scook_val": "res.cook_val", "shdr": "res.hdr", "shdr_cnt": "res.hdr_cnt",
    "shdr_ip": "res.hdr_ip", "shdr_val": "res.hdr_val", "urlp": "url_param",
}  # fmt: skip
"""Deprecated names of fetches."""

TWO_SIDED = {
    "cookie": ("req.cook", "res.cook"),
    "hdr": ("req.hdr", "res.hdr"),
    "payload": ("req.payload", "res.payload"),
    "payload_lv": ("req.payload_lv", "res.payload_lv"),
}
"""Names that mean the request's or the response's, by the rule in which they stand."""


def find_fetch(name: str, stages: tuple[Stage, ...]) -> Fetch | None:
    """The row that a name means in a rule of these stages."""
    if name in TWO_SIDED:
        name = TWO_SIDED[name][any(stage in RESPONSES for stage in stages)]
    return FETCH.get(OLD_NAMES.get(name, name))


@frozen
class Criterion:
    """A keyword that only ACLs know: a fetch and how it is matched."""

    fetch: str
    match: Match


_SUFFIXES = (Match.BEG, Match.DIR, Match.DOM, Match.END, Match.LEN, Match.REG, Match.SUB)
_MATCHED = {
    "base": "base", "cook": "req.cook", "hdr": "req.hdr", "path": "path", "scook": "res.cook",
    "shdr": "res.hdr", "url": "url", "urlp": "url_param",
}  # fmt: skip


def _criteria() -> dict[str, Criterion]:
    found = {name: Criterion(fetch, Match.STR) for name, fetch in _MATCHED.items()}
    for name, fetch in _MATCHED.items():
        found |= {f"{name}_{match}": Criterion(fetch, match) for match in _SUFFIXES}
    for name in (
        "http_auth_group",
        "method",
        "req.rdp_cookie",
        "req.ssl_sni",
        "req.ver",
        "res.ver",
    ):
        found[name] = Criterion(name, Match.STR)
    for name in ("req_rdp_cookie", "req_ssl_sni", "req_ver", "resp_ver"):
        found[name] = Criterion(OLD_NAMES[name], Match.STR)
    for name in ("req.ssl_ver", "req_ssl_ver"):
        found[name] = Criterion("req.ssl_ver", Match.INT)
    for name in ("payload", "payload_lv"):
        found[name] = Criterion(f"req.{name}", Match.BIN)
    return found


CRITERIA: dict[str, Criterion] = _criteria()
"""The ACL keywords that are no fetches (`haproxy -dKacl`), and those fetches that they shadow."""
