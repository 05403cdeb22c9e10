"""Log lines in JSON and CBOR (manual 8.2.6 of 3.0; HAProxy 2.6 has neither)."""

from __future__ import annotations

import json

import pytest

from telamon.engine import IoEngine
from tests.engine.duel import END, OK, Case, Until, ours

GET = b'GET /p?"q HTTP/1.1\r\nHost: a.example\r\nX-T: 7x\r\nConnection: close\r\n\r\n'


def line(format: str, io: IoEngine) -> str:
    """What a section with this format logs of a request."""
    config = (
        f"    log-format {format}\n    http-request set-var(txn.h) req.hdr(host)\n"
        "    http-request set-var(txn.t) req.hdr(x-t)\n    server s1 {server}"
    )
    return ours(Case("", ((GET, END),), ((Until(), OK),), config), io).log[0].rstrip("\n")


def test_an_object_has_the_items_with_names(io: IoEngine) -> None:
    format = (
        "'%{{+json}}o %(client)ci ignored %(status)ST %sp %(text:str)ST %(host)[var(txn.h)] "
        "%(none)[var(txn.no)] %(yes)[bool(true)] %(bytes)[bin(00ff)] %(seven:sint)[var(txn.t)] "
        "%(uri)HU %(cookie)CC %(end)ts'"
    )
    text = line(format, io)
    assert text.startswith('{"client": "127.0.0.1", "status": 200, "text": "200", '), text
    assert json.loads(text) == {
        "client": "127.0.0.1",
        "status": 200,
        "text": "200",
        "host": "a.example",
        "none": None,
        "yes": True,
        "bytes": "00FF",
        "seven": 7,
        "uri": '/p?"q',
        "cookie": None,
        "end": "--",
    }


@pytest.mark.parametrize("flags", ["+cbor", "+cbor,+bin"])
def test_cbor_is_hex_or_bytes(io: IoEngine, flags: str) -> None:
    format = f"'%{{{{{flags}}}}}o %(a)ST %(b)[str(ab1)] %(c)[var(txn.no)] %(yes)[bool(true)]'"
    wanted = "BF 6161 18C8 6162 63616231 6163 F6 63796573 F5 FF".replace(" ", "")
    text = line(format, io)
    got = text if flags == "+cbor" else text.encode("latin-1").hex().upper()
    assert got == wanted


def test_one_item_alone(io: IoEngine) -> None:
    format = "'x=%{{+json}}[var(txn.h)] y=%{{+json}}ST z=%ST n=%{{+json}}[var(txn.no)]'"
    assert line(format, io) == 'x="a.example" y=200 z=200 n=null'
