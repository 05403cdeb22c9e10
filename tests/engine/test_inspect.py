"""Content rules in mode tcp: what is withheld, what is refused, and what the log says of it."""

from __future__ import annotations

import pytest

from telamon.engine import IoEngine
from tests.engine.duel import END, EOF, NAP, STAY, Case, Until, fight, needs_haproxy

pytestmark = needs_haproxy

TCP = "    mode tcp\n    option tcplog\n"
HELLO = (Until(b"hello"), b"welcome", Until(b"bye"), END)


def rules(*lines: str, tail: str = "") -> str:
    text = "".join(f"    {line}\n" for line in lines).replace("{", "{{").replace("}", "}}")
    return f"{TCP}{text}    server s1 {{server}}{tail}"


CASES = [
    Case("accept", ((b"hello", Until(b"welcome"), b"bye", EOF, END),), (HELLO,),
         rules("tcp-request content accept")),
    Case("reject", ((END,),), (HELLO,), rules("tcp-request content reject")),
    Case("reject by source", ((END,),), (HELLO,),
         rules("tcp-request inspect-delay 300ms",
               "tcp-request content reject if { src 127.0.0.1 }")),
    Case("response rejected", ((END,),), ((END,),),
         rules("tcp-response content reject")),
    Case("response closed", ((END,),), ((END,),),
         rules("tcp-response content close")),
    Case("response accepted", ((b"hello", Until(b"welcome"), b"bye", EOF, END),), (HELLO,),
         rules("tcp-response inspect-delay 300ms", "tcp-response content accept")),
    Case("use-server", ((b"hello", Until(b"welcome"), b"bye", EOF, END),), (HELLO,),
         rules("use-server s2 if { src 127.0.0.1 }", tail="\n    server s2 {server}")),
    Case("silent drop", ((b"hello", NAP, STAY),), (HELLO,),
         rules("tcp-request content silent-drop")),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_as_haproxy_does(io: IoEngine, case: Case) -> None:
    fight(case, io)
