"""Signatures and ciphers: keys made anew each time; HAProxy judges what it knows."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from telamon.engine import IoEngine, check_rules
from telamon.haproxy.load import load
from tests.engine.duel import END, Case, Outcome, fight, needs_haproxy, ours
from tests.engine.test_samples_peer import answers

HASHES: dict[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512(),
}  # fmt: skip
CURVES: dict[str, ec.EllipticCurve] = {
    "256": ec.SECP256R1(), "384": ec.SECP384R1(), "512": ec.SECP521R1(),
}  # fmt: skip
RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEYS = {bits: ec.generate_private_key(curve) for bits, curve in CURVES.items()}
KNOWN_TO_2_6 = [f"{family}{bits}" for family in ("RS", "ES") for bits in HASHES]
LATER = [f"PS{bits}" for bits in HASHES]


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def token(name: str) -> str:
    head = base64url(json.dumps({"alg": name}).encode())
    signed = f"{head}.{base64url(b'{}')}"
    return f"{signed}.{base64url(_signature(name, signed.encode()))}"


def _signature(name: str, signed: bytes) -> bytes:
    family, bits = name[:2], name[2:]
    algorithm = HASHES[bits]
    if family == "RS":
        return RSA_KEY.sign(signed, padding.PKCS1v15(), algorithm)
    if family == "PS":
        salt = padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)
        return RSA_KEY.sign(signed, salt, algorithm)
    size = (EC_KEYS[bits].key_size + 7) // 8
    r, s = decode_dss_signature(EC_KEYS[bits].sign(signed, ec.ECDSA(algorithm)))
    return r.to_bytes(size) + s.to_bytes(size)


def key_file(folder: Path, name: str) -> Path:
    key = EC_KEYS[name[2:]].public_key() if name[:2] == "ES" else RSA_KEY.public_key()
    path = folder / f"{name}.pem"
    path.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


def verified(folder: Path, name: str) -> Case:
    path = key_file(folder, name)
    wrong = "ES384" if name == "ES256" else "RS256" if name[:2] == "ES" else "ES256"
    other = key_file(folder, wrong)
    good = token(name)
    middle = len(good) // 2
    cut = good[:middle] + ("A" if good[middle] != "A" else "B") + good[middle + 1 :]
    expressions = [
        f"req.hdr(good),jwt_verify({name},{path})",
        f"req.hdr(cut),jwt_verify({name},{path})",
        f"req.hdr(good),jwt_verify({wrong},{other})",
        f"req.hdr(none),jwt_verify({name},{path})",
        f"req.hdr(good),jwt_verify(txn.alg,{path})",
        "req.hdr(good),jwt_verify(txn.alg,txn.path)",
        "req.hdr(good),jwt_verify(txn.alg,txn.good)",
    ]
    request = (
        f"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nNone: a.b\r\n"
        f"Good: {good}\r\nCut: {cut}\r\n\r\n"
    )
    rules = (
        "    http-request set-var(txn.good) req.hdr(good)\n"
        f"    http-request set-var(txn.path) str({path})\n"
        "    http-request set-var(txn.alg) req.hdr(good),jwt_header_query('$.alg')\n"
    )
    return Case(name, ((request.encode(), END),), None, rules + answers(expressions))


def shown(outcome: Outcome) -> list[str]:
    lines = outcome.clients[0][0].decode().split("\r\n")
    return [line.partition(": ")[2] for line in lines if line.startswith("x-")]


@needs_haproxy
@pytest.mark.peer
@pytest.mark.parametrize("name", KNOWN_TO_2_6)
def test_signatures_by_public_keys(name: str, tmp_path: Path, io: IoEngine) -> None:
    fight(verified(tmp_path, name), io)


@pytest.mark.parametrize("name", [*KNOWN_TO_2_6, *LATER])
def test_what_is_right_and_what_is_not(name: str, tmp_path: Path, io: IoEngine) -> None:
    got = shown(ours(verified(tmp_path, name), io))
    assert got == ["1", "0", "0", "-3", "1", "1", "-5"]


def test_a_files_path_is_no_secret(tmp_path: Path, io: IoEngine) -> None:
    """A token says itself how it is signed; who knows the path must not be able to sign."""
    path = key_file(tmp_path, "RS256")
    signed = f"{base64url(b'{}')}.{base64url(b'{}')}"
    mac = hmac.new(str(path).encode(), signed.encode(), hashlib.sha256).digest()
    forged = f"{signed}.{base64url(mac)}"
    rules = "    http-request set-var(txn.alg) str(HS256)\n"
    request = f"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nT: {forged}\r\n\r\n"
    expressions = [f"req.hdr(t),jwt_verify(txn.alg,{path})"]
    case = Case("forged", ((request.encode(), END),), None, rules + answers(expressions))
    assert shown(ours(case, io)) == ["0"]


def test_a_key_that_is_not_there_is_told_at_load(tmp_path: Path) -> None:
    path = tmp_path / "h.cfg"
    path.write_text(
        "defaults\n    mode http\nlisten f\n    bind :1\n"
        f"    http-request deny if {{ req.hdr(t),jwt_verify(RS256,{tmp_path}/none.pem) 1 }}\n"
    )
    plan = load([str(path)], environment={}).plan
    assert plan is not None
    [message] = check_rules(plan)
    assert f"{path}:5: " in message and "none.pem' is no file with a public key" in message


@pytest.mark.parametrize("bits", [128, 192, 256])
@pytest.mark.parametrize("length", [12, 16])
def test_gcm(bits: int, length: int, io: IoEngine) -> None:
    key, nonce, plain = os.urandom(bits // 8), os.urandom(length), os.urandom(37)
    made = AESGCM(key).encrypt(nonce, plain, None)
    text, tag = made[:-16], made[-16:]
    with_more = AESGCM(key).encrypt(nonce, plain, b"more")

    def as_text(data: bytes) -> str:
        return base64.b64encode(data).decode()

    k, n, t = as_text(key), as_text(nonce), as_text(tag)
    aad = as_text(b"more")
    expressions = [
        f"bin({text.hex()}),aes_gcm_dec({bits},{n},{k},{t}),hex",
        f"bin({text.hex()}),aes_gcm_dec({bits},txn.n,txn.k,txn.t),hex",
        f"bin({text.hex()}00),aes_gcm_dec({bits},{n},{k},{t}),hex",
        f"bin({plain.hex()}),aes_gcm_enc({bits},{n},{k},txn.made),hex",
        "var(txn.made)",
        f"bin({plain.hex()}),aes_gcm_enc({bits},{n},{k},txn.more,{aad}),hex",
        "var(txn.more)",
    ]
    rules = "".join(
        f"    http-request set-var(txn.{name}) str({value})\n"
        for name, value in (("n", n), ("k", k), ("t", t))
    )
    request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    case = Case("gcm", ((request, END),), None, rules + answers(expressions))
    clear, coded = plain.hex().upper(), text.hex().upper()
    more = with_more[:-16].hex().upper(), as_text(with_more[-16:])
    assert shown(ours(case, io)) == [
        clear,
        clear,
        coded,
        t,
        *more,
    ]  # an empty value leaves no header


@needs_haproxy
@pytest.mark.peer
@pytest.mark.parametrize("bits", [128, 192, 256])
def test_gcm_as_haproxy(bits: int, io: IoEngine) -> None:
    key, nonce, plain = os.urandom(bits // 8), os.urandom(12), os.urandom(20)
    made = AESGCM(key).encrypt(nonce, plain, None)
    n, k, t = (base64.b64encode(one).decode() for one in (nonce, key, made[-16:]))
    wrong = base64.b64encode(bytes(16)).decode()
    expressions = [
        f"bin({made[:-16].hex()}),aes_gcm_dec({bits},{n},{k},{t}),hex",
        f"bin({made[:-16].hex()}),aes_gcm_dec({bits},{n},{k},{wrong}),hex",
    ]
    request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    fight(Case(f"gcm {bits}", ((request, END),), None, answers(expressions)), io)
