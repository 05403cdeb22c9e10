"""Each row of the rule language (fetch, converter, action, alias) does its work on both engines.

The examples are in `tests/engine/rows/`. A row that gets carried out gets an example there: without
one these tests fail.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from telamon.engine import IoEngine
from telamon.haproxy.actions.index import ACTIONS, SET_NAMES
from telamon.haproxy.samples import index, missing
from telamon.haproxy.samples.aliases import ALIASES as ALIAS_ROWS
from tests.engine.rows import actions, aliases, converters, fetches
from tests.engine.rows.stage import Section, stage, table, words
from tests.engine.test_hello_peer import DISTCC, RDP, hello

POST = (
    b"POST /p/a;b?x=1&y=22 HTTP/1.1\r\nHost: A.example:81\r\nCookie: s1=v1; n=12\r\n"
    b'X-Ip: 10.1.2.3\r\nX-N: 12\r\nX-Token: bearer abc\r\nJ: {"a":1}\r\n'
    b"Authorization: Basic YWxpY2U6b3BlbjpzZXNhbWU=\r\n"
    b'Forwarded: for="[::1]:8080";host=h;proto=https;by=_x\r\n'
    b"Accept-Language: de;q=0.5, en-GB;q=0.9\r\n"
    b"JW: eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwi"
    b"aWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c\r\n"
    b"Connection: close\r\nContent-Length: 7\r\n\r\nk=v&a=b"
)
GET = b"GET /a//b/c?x=1 HTTP/1.1\r\nHost: a\r\nX-A: one\r\nX-B: a, b\r\nConnection: close\r\n\r\n"
CAPTURES = """
    declare capture request len 20
    declare capture request len 20
    declare capture response len 20
    declare capture response len 20
    http-request capture req.hdr(host) id 0
    http-response capture res.hdr(x-code) id 0
    capture cookie s1 len 20
    unique-id-format the-id
    acl is_post method POST
    http-request wait-for-body time 1s
    http-request set-var(txn.v) str(kept)
"""


def proxied(text: bytes) -> bytes:
    """A PROXY header of version 2 with an authority and a unique id, and what follows."""
    tlvs = b"\x02\x00\x0chost.example" + b"\x05\x00\x03u-1"
    addresses = bytes([192, 0, 2, 1, 127, 0, 0, 1]) + (4321).to_bytes(2) + (80).to_bytes(2)
    length = len(addresses + tlvs).to_bytes(2)
    return b"\r\n\r\n\x00\r\nQUIT\n\x21\x11" + length + addresses + tlvs + text


def put(text: str) -> str:
    """With what the table of converters only names."""
    text = text.replace("KEY", converters.KEY).replace("NONCE", converters.NONCE)
    text = text.replace("bin(FIX)", f"bin({converters.fix()})")
    return text.replace("bin(MQTT)", f"bin({converters.mqtt()})")


ON_REQUESTS = [*table(fetches.REQUEST), *table(converters.CONVERTERS)]
ON_RESPONSES = [*table(fetches.RESPONSE), *table(converters.RESPONSE)]
IN_LOGS = [
    *((f"%[{one}]", right) for one, right in table(fetches.LOG)),
    *((f"%{one}", right) for one, right in table(aliases.ALIASES)),
]
STREAMS = {
    "tls": (hello("example.com", alpn=("h2",)), table(fetches.TLS), "request"),
    "rdp": (RDP.replace(b"alice", b"user"), table(fetches.RDP), "request"),
    "distcc": (DISTCC, table(fetches.DISTCC), "request"),
    "answer": (DISTCC, table(fetches.TCP_RESPONSE), "response"),
}


def numbered(parts: list[tuple[str, str]]) -> str:
    return " ".join(f"<{at}>{left}" for at, (left, _) in enumerate(parts)) + f" <{len(parts)}>"


def compare(got: dict[int, str], parts: list[tuple[str, str]]) -> list[str]:
    """What is not as the table says."""
    return [
        f"{left} => {got.get(at)!r}, not {right}"
        for at, (left, right) in enumerate(parts)
        if re.fullmatch(right, got.get(at, "(nothing)"), re.DOTALL) is None
    ]


def in_line(line: str) -> dict[int, str]:
    return {int(at): value for at, value in re.findall(r"<(\d+)>(.*?)(?= <\d+>)", line, re.DOTALL)}


def in_fields(text: str) -> dict[int, str]:
    return {int(at): value for at, value in re.findall(r"(?i)^x-row-(\d+): ?(.*?)\r$", text, re.M)}


def expressions(name: str, which: str, parts: list[tuple[str, str]]) -> str:
    return "\n".join(
        f'    {which} set-header X-Row-{at} "%[{put(left)}]"' for at, (left, _) in enumerate(parts)
    )


def sections() -> list[Section]:
    made = [
        Section(
            "requests",
            f"{CAPTURES}"
            f"{expressions('requests', 'http-request', ON_REQUESTS)}\n"
            "    http-response set-var(txn.r) str(caught),capture-res(1)\n"
            f"    log-format name=%f\\ {numbered(IN_LOGS).replace(' ', chr(92) + ' ')}\n",
            proxied(POST),
            bind="name door accept-proxy",
        ),
        Section(
            "responses",
            f"{CAPTURES}    http-response wait-for-body time 1s\n"
            f"{expressions('responses', 'http-response', ON_RESPONSES)}\n"
            "    log-format name=%f\n",
            POST,
        ),
    ]
    for name, (sends, parts, side) in STREAMS.items():
        rules = "".join(
            f"    tcp-{side} content set-var(sess.v{at}) {left}\n"
            for at, (left, _) in enumerate(parts)
        )
        log = numbered([(f"%[var(sess.v{at})]", "") for at in range(len(parts))])
        made.append(
            Section(
                name,
                f"    tcp-{side} inspect-delay 1s\n"
                f"    tcp-{side} content reject unless {{ {side[:3]}.len gt 9 }}\n{rules}"
                f"    log-format name=%f\\ {log.replace(' ', chr(92) + ' ')}\n",
                sends,
                mode="tcp",
            )
        )
    return made


def test_fetches_converters_aliases(
    io: IoEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROWS", "set")
    for name, text in converters.MAPS.items():
        (tmp_path / name).write_text(text)
    wrong = []
    made = sections()
    with stage(made, io, tmp_path) as playing:
        for section in made:
            got = playing.ask(section)
            client, _, line = got.partition("\nLOG ")
            if section.name == "requests":
                wrong += compare(in_fields(client), ON_REQUESTS) + compare(in_line(line), IN_LOGS)
            elif section.name == "responses":
                wrong += compare(in_fields(client), ON_RESPONSES)
            else:
                wrong += compare(in_line(line), STREAMS[section.name][1])
    assert not wrong, "\n".join(wrong)


def played(rows: list[tuple[str, str]], mode: str) -> list[tuple[Section, str]]:
    log = {
        "http": "name=%f\\ %ST\\ %tsc\\ %hr\\ %hs",
        "tcp": "name=%f\\ %ts\\ %hr\\ src=%[src]\\ sport=%[src_port]\\ dst=%[dst]\\ port="
        "%[dst_port]\\ class=%[prio_class]\\ offset=%[prio_offset]\\ v=%[var(sess.a,-)]",
    }
    made = []
    for at, (rules, right) in enumerate(rows):
        lines = "".join(f"    {rule}\n" for rule in rules.split(" ; "))
        if "tcp-request content" in rules:
            lines = f"    tcp-request inspect-delay 1s\n{lines}"
        if "tcp-response content" in rules:
            lines = f"    tcp-response inspect-delay 1s\n{lines}"
        lines += f"    log-format {log[mode]}\n"
        sends = GET if mode == "http" else b"hello"
        section = Section(
            f"{mode}{at}",
            lines,
            sends,
            mode,
            logs="LOG $" not in right,
            silent="silent-drop" in rules,
        )
        made.append((section, right))
    return made


@pytest.mark.parametrize("mode", ["http", "tcp"])
def test_actions(io: IoEngine, tmp_path: Path, mode: str) -> None:
    for name, text in actions.FILES.items():
        (tmp_path / name).write_text(text)
    rows = table(actions.HTTP if mode == "http" else actions.TCP)
    made = played(rows, mode)
    wrong = []
    with stage([section for section, _ in made], io, tmp_path) as playing:
        for (rules, _), (section, right) in zip(rows, made, strict=True):
            got = playing.ask(section)
            if re.search(right, got) is None:
                wrong.append(f"{rules} => {right}\n  {got!r}")
    assert not wrong, "\n".join(wrong)


def test_each_fetch_has_an_example() -> None:
    asked = [*ON_REQUESTS, *ON_RESPONSES, *table(fetches.LOG)]
    asked += [part for _, parts, _ in STREAMS.values() for part in parts]
    shown = {words(left)[0] for left, _ in asked}
    assert set(index.FETCH) - missing.FETCHES - shown == set()


def test_each_converter_has_an_example() -> None:
    shown = {name for left, _ in [*ON_REQUESTS, *ON_RESPONSES] for name in words(left)[1]}
    assert set(index.CONVERTER) - missing.CONVERTERS - shown == set()


def test_each_alias_has_an_example() -> None:
    assert {row.name for row in ALIAS_ROWS} == {left for left, _ in table(aliases.ALIASES)}


def test_each_action_has_an_example_in_each_set_of_rules() -> None:
    shown = set()
    for rules, _ in [*table(actions.HTTP), *table(actions.TCP)]:
        for rule in rules.split(" ; "):
            for at, name in SET_NAMES.items():
                if rule.startswith(f"{name} "):
                    shown.add((at, rule.removeprefix(f"{name} ").split()[0].partition("(")[0]))
    wanted = {
        (at, row.name)
        for row in ACTIONS
        for at in SET_NAMES
        if row.at & at and row.name not in missing.ACTIONS | set(actions.ELSEWHERE)
    }
    assert sorted((SET_NAMES[at], name) for at, name in wanted - shown) == []
