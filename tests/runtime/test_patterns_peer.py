"""The stats socket's commands about maps and ACLs: the same dialogue with HAProxy and with us."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.peers import answers, ask_socket, need, program_running
from tests.support.ports import free_port

pytestmark = pytest.mark.peer

FILES = {
    "m.map": "a.com backA\nb.com  back B x\n# comment\na.com dup\n",
    "ip.map": "10.0.0.0/8 ten\n10.1.0.0/16 tenone\n",
    "words.acl": "foo\nbar\n",
    "re.map": "^/x(.)$ re\\1\n",
    "int.map": "1:5 low\n7 seven\n",
    "both.map": "both v\n",
    "numbers.map": "a 5\nb 10\n",
    "addresses.map": "10.0.0.0/8 1.2.3.4\n::/0 ::1\n",
    "end.map": ".png img\npng img2\n",
}
TEXT = """
defaults
    mode http
    timeout client 5s
    timeout server 5s
    timeout connect 5s
frontend f
    bind 127.0.0.1:{port}
    acl inl path_beg /in1 /in2
    acl inl path_beg -i /IN3
    acl named hdr(host) -f words.acl
    acl namedbeg hdr(host) -m beg -i -f words.acl
    acl b2 hdr(host) -M -f both.map
    acl okip src 127.0.0.0/8 ::1
    acl okint dst_port gt 3
    acl okfound req.hdr(x) -m found
    acl okreg path_reg ^/r
    acl okid path -u 77 /zz
    http-request set-header x-m %[req.hdr(host),map(m.map,def)]
    http-request set-header x-m2 %[req.hdr(host),map_beg(m.map)]
    http-request set-header x-b %[req.hdr(host),map_str(both.map)]
    http-request set-header x-i %[src,map_ip(ip.map)]
    http-request set-header x-r %[path,map_regm(re.map)]
    http-request set-header x-n %[int(3),map_int(int.map)] if FALSE
    http-request set-map(only.map) %[path] v if {{ path /set }}
    http-request set-header x-si %[path,map_str_int(numbers.map)]
    http-request set-header x-ii %[src,map_ip_ip(addresses.map)]
    http-request set-header x-e %[path,map_end(end.map)] if {{ path_sub -i -- a b }}
    http-request return status 200 hdr x-m %[req.hdr(x-m)] if inl or named or namedbeg or b2
    http-request deny if okip okint okfound okreg okid
    http-request deny if {{ path_dir x }} {{ path_dom y }} or {{ path_len 3:5 }}
"""
DIALOGUE = r"""
show map
show acl
show map m.map
show map #0
show map #999
show map nope
show acl nope
show acl #0
show acl #1
show acl #8
show acl #77
show acl words.acl
show acl both.map
show map both.map
show acl m.map
show map @0 m.map
show map @9 m.map
show map @x m.map
show map @0
show map #
show map #-1
get map
get map m.map
get map m.map a.com
get map m.map b.com.x
get map m.map nope
get map nope nope
get map ip.map 10.1.2.3
get map ip.map x
get map re.map /xy
get map int.map 3
get map int.map z
get map numbers.map a
get map addresses.map 10.1.1.1
get map addresses.map ::5
get map end.map x.png
get acl
get acl #1 /in1
get acl #1 /in3x
get acl #0 /in1
get acl #7 127.3.3.3
get acl #7 z
get acl #8 9
get acl #8 2
get acl #9 127.0.0.1
get acl #10 /rx
get acl words.acl foo
get acl words.acl FOOx
get acl nope x
get acl both.map both
get map both.map both
add map
add map m.map
add map m.map k
add map m.map k v w
add map m.map k2 v\ w
add map nope k v
add map @1 m.map k v
show map m.map
add acl
add acl words.acl
add acl words.acl baz
add acl words.acl baz
add acl words.acl two words
add acl nope x
add acl both.map x
add acl @5 words.acl x
add acl #9 bad
show acl words.acl
set map
set map m.map
set map m.map k
set map m.map nokey v
set map m.map a.com newv x
set map m.map #0x0 v
set map m.map #zz v
set map nope k v
show map m.map
del map
del map m.map
del map m.map nokey
del map m.map a.com
del map m.map #0x0
del map m.map #zz
del map nope k
show map m.map
del acl
del acl words.acl
del acl words.acl nokey
del acl words.acl baz
del acl both.map both
del acl nope k
show acl words.acl
prepare map
prepare map nope
prepare map @1 m.map
prepare map m.map
prepare map m.map
prepare acl
prepare acl nope
prepare acl both.map
prepare acl words.acl
add map @2 m.map n1 v1
add map @2 m.map k other
add map @3 m.map n1 v1
add map @1 m.map n0 v0
set map m.map k new
show map @2 m.map
del map m.map k
show map @2 m.map
show map m.map
show map
commit map
commit map nope
commit map @2
commit map m.map
commit map @9 m.map
commit map @0 m.map
commit map @x m.map
commit map @2 nope
commit map @2 m.map
commit map @2 m.map
show map m.map
show map @1 m.map
show map
commit acl @1 words.acl
commit acl @1 both.map
show acl
clear map
clear map nope
clear map @7 m.map
clear map m.map
clear acl
clear acl nope
clear acl words.acl
clear acl both.map
show map
show acl
add map m.map <<\nk1 v1\nk2 v two\nk3\n
show map m.map
add map m.map <<\nk1 v1\n  k2   v two  \n#k3 x\n
show map m.map
add acl words.acl <<\nk1 v1\nk2\n
show acl words.acl
set map m.map <<\na b\n
del map m.map <<\nk1\n
add map only.map a b
show map only.map
show acl only.map
add map m.map a b;show map m.map;get map m.map a
add map ip.map bad v
add map ip.map 10.9.0.0/33 v
add map int.map xx v
add map numbers.map c x
add map addresses.map 1.1.1.1 x
add acl #8 3:x
add acl #8 a
add acl #7 10.0.0.0/8;get acl #7 10.1.1.1;get acl #7 ::1
"""


def masked(answer: str) -> str:
    """References are addresses there; lists of commands and HAProxy's inner ACLs are its own."""
    answer = re.sub(r"(?m)^0x[0-9a-f]+ ", "REF ", answer)
    return re.sub(r"(?m)^(  [a-z].*|.*'httpclient'.*)\n", "", answer)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("patterns")
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return folder


def dialogue(folder: Path, program: list[str]) -> Iterator[tuple[str, str]]:
    stats = folder / "stats"
    stats.unlink(missing_ok=True)
    text = f"global\n    stats socket {stats} level admin\n" + TEXT.format(port=free_port())
    (folder / "h.cfg").write_text(text)
    command = [*program, "-db", "-f", "h.cfg"]
    with program_running(command, folder / "log", lambda: answers(stats), folder=folder):
        deleted = False
        for line in DIALOGUE.strip().split("\n"):
            answer = masked(ask_socket(stats, line.replace("\\n", "\n")))
            deleted |= line.startswith("del")
            # HAProxy's count keeps some of what was removed.
            yield line, re.sub(r"entry_cnt=\d+", "entry_cnt", answer) if deleted else answer


def test_the_dialogue_is_haproxys(folder: Path) -> None:
    theirs = list(dialogue(folder, [need("haproxy")]))
    start = "from telamon.cli.haproxy_main import main; import sys; sys.exit(main(sys.argv[1:]))"
    ours = list(dialogue(folder, [sys.executable, "-c", start]))
    different = [(line, a, b) for (line, a), (_, b) in zip(theirs, ours, strict=True) if a != b]
    for line, a, b in different:
        print(f"{line}\n--- HAProxy\n{a}--- Telamon\n{b}")
    assert different == []
