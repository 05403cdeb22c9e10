"""What is read from /proc, from stats sockets and from the guide's files."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from pathlib import Path

import pytest

from telamon.lab import facts
from telamon.lab.apiserver import answer
from telamon.lab.balancers import parse_up
from telamon.lab.cluster import accounts
from telamon.lab.pki import Authority
from telamon.lab.seed import VrrpVersion, haproxy_cfg, keepalived_conf, mended_haproxy_cfg

EXAMPLES = Path(__file__).parents[2] / "examples/kube-apiserver"

FIB_TRIE = """\
Main:
  +-- 0.0.0.0/0 3 0 5
     +-- 192.168.10.0/24 2 0 2
        |-- 192.168.10.0
           /24 link UNICAST
        |-- 192.168.10.80
           /32 host LOCAL
        |-- 192.168.10.99
           /32 host LOCAL
        |-- 192.168.10.255
           /32 link BROADCAST
"""

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid
   0: 00000000:20FB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0
   1: 0100007F:22B8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0
   2: 0100007F:22B8 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0
"""


def test_local_addresses_are_those_of_the_host_scope() -> None:
    assert facts.local_addresses(FIB_TRIE) == {"192.168.10.80", "192.168.10.99"}
    assert facts.local_addresses("") == frozenset()


def test_listening_sockets() -> None:
    assert facts.listening(TCP) == {("0.0.0.0", 8443), ("127.0.0.1", 8888)}


def test_servers_that_are_up() -> None:
    text = (
        "# pxname,svname,status,sid,type\n"
        "web,FRONTEND,OPEN,0,0\nweb,a,UP,1,2\nweb,b,DOWN,2,2\n"
        "web,c,UP 1/3,3,2\nweb,BACKEND,UP,0,1\n"
    )
    assert parse_up(text) == {"web/1", "web/3"}


def test_every_lab_file_is_the_guides_own() -> None:
    assert haproxy_cfg() == (EXAMPLES / "haproxy.cfg").read_text()
    for version in VrrpVersion:
        path = EXAMPLES / f"keepalived-v{version.value}.conf"
        assert keepalived_conf(version) == path.read_text()


@pytest.mark.peer
@pytest.mark.skipif(shutil.which("haproxy") is None, reason="haproxy is not installed")
def test_haproxy_takes_the_mended_file_and_not_the_original(tmp_path: Path) -> None:
    # Its user and its chroot may be missing on this machine.
    keep = ("user", "group", "chroot", "stats socket", "pidfile")
    for text, accepted in ((mended_haproxy_cfg(), True), (haproxy_cfg(), False)):
        lines = [line for line in text.splitlines() if not line.strip().startswith(keep)]
        path = tmp_path / "haproxy.cfg"
        path.write_text("\n".join(lines) + "\n")
        done = subprocess.run(["haproxy", "-c", "-f", str(path)], capture_output=True, check=False)
        assert (done.returncode == 0) is accepted, done.stderr.decode()


def test_the_haproxy_account_is_our_own() -> None:
    passwd, group = accounts("root:x:0:0::/:/bin/sh\nhaproxy:x:5:5::/:\n", "root:x:0:\n", 188)
    assert passwd.splitlines() == [
        "root:x:0:0::/:/bin/sh",
        "haproxy:x:188:188::/var/lib/haproxy:/usr/sbin/nologin",
    ]
    assert group.splitlines() == ["root:x:0:", "haproxy:x:188:"]


def test_the_api_server_tells_its_name() -> None:
    assert answer("node1", b"GET /readyz HTTP/1.1\r\n").startswith(b"HTTP/1.1 200 OK\r\n")
    assert b'"node": "node1"' in answer("node1", b"GET /readyz HTTP/1.1\r\n")
    for line in (b"GET /secrets HTTP/1.1\r\n", b"POST /readyz HTTP/1.1\r\n", b"\x16\x03\x01"):
        assert answer("node1", line).startswith(b"HTTP/1.1 404 ")


def test_clients_trust_the_authority_for_its_names_only(tmp_path: Path) -> None:
    authority = Authority()
    identity = authority.issue("node1", ["192.168.10.80"])
    (tmp_path / "pair.pem").write_text(identity.certificate + identity.key)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "pair.pem")
    client = ssl.create_default_context(cadata=authority.certificate)
    assert handshake(client, server, "192.168.10.80")
    assert handshake(client, server, "node1")
    assert not handshake(client, server, "192.168.10.81")
    stranger = ssl.create_default_context(cadata=Authority().certificate)
    assert not handshake(stranger, server, "192.168.10.80")


def handshake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> bool:
    """Does a handshake over memory succeed?"""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname=name)
    far = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(5):
        done = True
        for end in (near, far):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                done = False
            except ssl.SSLError:
                return False
        if done:
            return True
    return False
