"""Basic authentication (manual 3.4, 4.2, 7.3.6), beside HAProxy: who passes, who does not."""

from __future__ import annotations

from base64 import b64encode

import pytest

from telamon.engine import IoEngine
from tests.engine.duel import END, OK, Case, Until, fight, needs_haproxy

pytestmark = needs_haproxy

SHA256 = "$5$saltstring$dpp83Gw80RwXMu3uTayJceXPuNPIaqrzxHgMiJWTXR0"
SHA512 = (
    "$6$rounds=1500$saltsalt$DNOcwDRuM9EZCNOkXMEiPED3dbEMulYysRVQg6l3s5kjRPt5eXhkI1CjLK0oOPPf"
    "kRUo3lVJfCdcC8aWK0Kck0"
)
USERS = f"""
userlist people
    group ops users tiger,md5
    group admins
    group empty
    user tiger insecure-password elgato
    user scott insecure-password "el gato:2" groups admins
    user nothing insecure-password ""
    user md5 password $1$abcdefgh$5XhrJpGu.bBXAZh4lT8oY/
    user blowfish password $2y$04$abcdefghijklmnopqrstuuinwY/tkBVrn3xrxQI/TgnMHhkvl85RW
    user sha256 password {SHA256} groups admins,ops
    user sha512 password {SHA512}
    user des password abnqrLigH.z/s
    user locked password !
    user umlaut insecure-password g\u00fcnther
"""
"""The hashes are of "sesame"."""

RULES = """
    http-request auth realm "The gate" unless {{ http_auth(people) }}
    http-request set-header x-user %[http_auth_group(people)]
    http-request deny deny_status 404 unless {{ http_auth_group(people) ops empty }}
    server s1 {server}
"""


def basic(credentials: bytes) -> bytes:
    return b"Authorization: Basic " + b64encode(credentials)


HEADS = {
    "none": b"X-A: b",
    "right": basic(b"tiger:elgato"),
    "wrong": basic(b"tiger:elgatO"),
    "longer": basic(b"tiger:elgato2"),
    "unknown user": basic(b"lion:elgato"),
    "another group": basic(b"scott:el gato:2"),
    "no group": basic(b"umlaut:g\xc3\xbcnther"),
    "not UTF-8": basic(b"umlaut:g\xfcnther"),
    "not UTF-8, a name": basic(b"\xff\xfe:x"),
    "an empty password": basic(b"nothing:"),
    "an empty password wanted": basic(b"tiger:"),
    "no colon": basic(b"tiger"),
    "nothing at all": basic(b""),
    "no base64": b"Authorization: Basic @@@@",
    "base64 cut short": b"Authorization: Basic dGlnZXI6ZWxnYXRv=",
    "no padding": b"Authorization: Basic dGlnZXI6ZWxnYXRvMg",
    "no credentials": b"Authorization: Basic",
    "small letters": b"authorization: basic " + b64encode(b"tiger:elgato"),
    "for a proxy": b"Proxy-" + basic(b"tiger:elgato"),
    "MD5": basic(b"md5:sesame"),
    "MD5, wrong": basic(b"md5:sesam"),
    "blowfish": basic(b"blowfish:sesame"),
    "SHA-256": basic(b"sha256:sesame"),
    "SHA-256, wrong": basic(b"sha256:" + SHA256.encode()),
    "SHA-512": basic(b"sha512:sesame"),
    "DES": basic(b"des:sesame"),
    "DES, wrong": basic(b"des:sesam"),
    "locked": basic(b"locked:!"),
}


def request(head: bytes, last: bool = True) -> bytes:
    end = b"Connection: close\r\n\r\n" if last else b"\r\n"
    return b"GET /x HTTP/1.1\r\nHost: a\r\n" + head + b"\r\n" + end


@pytest.mark.parametrize("name", HEADS)
def test_who_passes(io: IoEngine, name: str) -> None:
    case = Case(name, ((request(HEADS[name]), END),), ((Until(), OK),), RULES, tune=USERS)
    fight(case, io)


def test_the_same_password_twice_and_then_a_wrong_one(io: IoEngine) -> None:
    """What has been proved is kept, for that password alone."""
    right, wrong = request(HEADS["SHA-256"], last=False), request(HEADS["SHA-256, wrong"])
    script = (right, Until(b"ok"), right, Until(b"ok"), wrong, END)
    case = Case("kept", (script,), ((Until(), OK, Until(), OK),), RULES, tune=USERS, lines=3)
    fight(case, io)


def test_a_proxy_asks_for_its_own(io: IoEngine) -> None:
    lines = "    option http-use-proxy-header\n" + RULES
    for head in ("none", "right", "for a proxy"):
        asked = request(HEADS[head]).replace(b"GET /x", b"GET http://a/x")
        fight(Case(head, ((asked, END),), ((Until(), OK),), lines, tune=USERS), io)
