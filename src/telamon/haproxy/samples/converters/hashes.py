"""Hashes, digests and ciphers."""

from __future__ import annotations

from telamon.haproxy.samples.row import Converter
from telamon.haproxy.samples.types import Type

_B, _I = Type.BIN, Type.INT
DIGESTS = (
    "md5|sha1|sha224|sha256|sha384|sha512|sha512-224|sha512-256|sha3-224|sha3-256|sha3-384|sha3-512"
)
_AVALANCHE, _SEED = "[avalanche:int]", "[seed:int]"
_BITS = "bits:128|192|256"
_GCM = f"{_BITS} nonce:base64 key:base64 tag:base64 [aad:base64]"
_CBC = f"{_BITS} nonce:base64 key:base64 [aad:base64]"

CONVERTERS = (
    Converter("aes_cbc_dec", _CBC, _B, _B, "Deciphers AES-CBC.", "3.3"),
    Converter("aes_cbc_enc", _CBC, _B, _B, "Enciphers AES-CBC.", "3.3"),
    Converter("aes_gcm_dec", _GCM, _B, _B, "Deciphers AES-GCM."),
    Converter("aes_gcm_enc", _GCM, _B, _B, "Enciphers AES-GCM; the tag goes to a variable.", "3.0"),
    Converter("crc32", _AVALANCHE, _B, _I, "CRC-32."),
    Converter("crc32c", _AVALANCHE, _B, _I, "CRC-32C (RFC 9260)."),
    Converter("digest", f"algorithm:{DIGESTS}", _B, _B, "A digest."),
    Converter("djb2", _AVALANCHE, _B, _I, "DJB2."),
    Converter("hmac", f"algorithm:{DIGESTS} key:base64", _B, _B, "HMAC (RFC 2104)."),
    Converter("sdbm", _AVALANCHE, _B, _I, "SDBM."),
    Converter("sha1", "", _B, _B, "SHA-1."),
    Converter("sha2", "[bits:224|256|384|512]", _B, _B, "SHA-2, of 256 bits if none are said."),
    Converter("wt6", _AVALANCHE, _B, _I, "WT6."),
    Converter("xxh3", _SEED, _B, _I, "XXH3, 64 bits."),
    Converter("xxh32", _SEED, _B, _I, "XXH32."),
    Converter("xxh64", _SEED, _B, _I, "XXH64."),
)  # fmt: skip
