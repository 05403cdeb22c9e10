"""Files as people write them, lived through by both programs: the same addresses, routes, scripts.

Each is started alone on a node, becomes master (or does not), and is stopped.
"""

from __future__ import annotations

import contextlib
import io
import re
import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.interop.lan import Node, eventually, inside, lan
from tests.standin.conftest import start

pytestmark = [pytest.mark.netns, pytest.mark.peer]

_HEAD = """
! Configuration File for keepalived
global_defs {
    router_id LVS_DEVEL
    enable_script_security
    script_user root
    vrrp_garp_master_refresh 60
}
"""

FILES = {
    # The high availability guide of kubeadm, its script at its side.
    "kubeadm": _HEAD + """
vrrp_script check_apiserver {
  script "FOLDER/check_apiserver.sh"
  interval 1
  weight -2
  fall 2
  rise 2
}

vrrp_instance VI_1 {
    state MASTER
    interface em1
    virtual_router_id 51
    priority 101
    authentication {
        auth_type PASS
        auth_pass 42
    }
    virtual_ipaddress {
        10.77.0.100
    }
    track_script {
        check_apiserver
    }
    notify "NOTIFY"
}
""",
    # A cloud without multicast; the process that is looked for is not there.
    "unicast": _HEAD + """
vrrp_script chk_haproxy {
  script "/usr/bin/pidof haproxy-that-is-not-there"
  interval 2
  weight 2
}
vrrp_instance haproxy-vip {
  interface em1
  state BACKUP
  priority 200
  virtual_router_id 51
  nopreempt
  advert_int 1
  unicast_src_ip 10.77.0.1
  unicast_peer {
    10.77.0.2
  }
  virtual_ipaddress {
    10.77.0.100/24 dev em1 label em1:vip
  }
  track_script {
    chk_haproxy
  }
  notify_master "NOTIFY master"
  notify_backup "NOTIFY backup"
  notify_fault "NOTIFY fault"
  notify_stop "NOTIFY stop"
}
""",
    "sync group": _HEAD + """
vrrp_sync_group G1 {
  group {
    outside
    inside
  }
  notify "NOTIFY"
  notify_master "NOTIFY group"
}
vrrp_instance outside {
  interface em1
  state MASTER
  virtual_router_id 51
  priority 150
  advert_int 1
  virtual_ipaddress {
    10.77.0.100/24
  }
  notify "NOTIFY"
}
vrrp_instance inside {
  interface em1
  state MASTER
  virtual_router_id 52
  priority 150
  advert_int 1
  virtual_ipaddress {
    10.77.0.101/24
    10.77.0.102/24
  }
  virtual_routes {
    192.168.77.0/24 via 10.77.0.2 dev em1
  }
}
""",
    "VMAC with IPv6": _HEAD + """
vrrp_instance v6 {
  interface em1
  state BACKUP
  virtual_router_id 61
  priority 150
  use_vmac
  version 3
  advert_int 1
  virtual_ipaddress {
    fe80::100
    fd00:77::100/64
  }
  notify "NOTIFY"
}
""",
    "director": _HEAD.replace("router_id", """notification_email {
        root@localhost.localdomain
        ops@example.org
    }
    notification_email_from keepalived@example.org
    smtp_server 127.0.0.1 2525
    smtp_connect_timeout 5
    router_id""") + """
vrrp_instance VI_1 {
    state MASTER
    interface em1
    virtual_router_id 51
    priority 100
    advert_int 1
    smtp_alert
    authentication {
        auth_type PASS
        auth_pass 1111
    }
    virtual_ipaddress {
        10.77.0.100
    }
    notify "NOTIFY"
}
""",
}  # fmt: skip


@dataclass
class Life:
    """What was there while it was master, what it told, and what it left."""

    addresses: list[str]
    routes: str
    told: list[str]
    mails: list[str]
    left: list[str]


@pytest.mark.parametrize("name", FILES)
def test_both_live_alike(name: str, tmp_path: Path) -> None:
    theirs, ours = (_live(FILES[name], tmp_path / who, who == "real") for who in ("real", "ours"))
    assert ours == theirs
    assert ours.told


def _live(text: str, folder: Path, real: bool) -> Life:
    folder.mkdir()
    out = folder / "out"
    notify = _script(folder / "notify.sh", f'echo "$@" >> {out}')
    _script(folder / "check_apiserver.sh", "exit 1")
    config = text.replace("NOTIFY", notify).replace("FOLDER", str(folder))
    alert = "smtp_alert" in text
    with lan(folder, 1) as network:
        node = network.nodes[0]
        with _post_office(node) as mails:
            made = start(node, folder / "run", config, real=real)
            made.says("Entering MASTER STATE", times=config.count("vrrp_instance"))
            eventually(lambda: _tells(out, "MASTER") or _tells(out, "master"), "the notify script")
            eventually(lambda: len(mails) >= 2 * alert, "the mails")
            held, routes = _addresses(node), node.ip("route")
            made.program.stop()
            eventually(lambda: _tells(out, "STOP") or _tells(out, "stop"), "the last script")
        # Scripts of groups and of instances are not ordered among each other.
        told = sorted(out.read_text().splitlines())
        return Life(held, routes, told, list(mails), _addresses(node))


def _script(path: Path, line: str) -> str:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)
    return str(path)


def _tells(out: Path, word: str) -> bool:
    return out.exists() and word in out.read_text()


def _addresses(node: Node) -> list[str]:
    """Interface, address and how it is put on, without numbers that differ from life to life."""
    lines = (re.sub(r"^\d+: |\\.*|@\S+", "", line) for line in node.ip("-o", "addr").splitlines())
    return sorted(" ".join(line.split()) for line in lines)


_VARIES = re.compile(r"^(Date|X-Mailer|Message-ID): .*$", re.MULTILINE)


@contextmanager
def _post_office(node: Node) -> Iterator[list[str]]:
    """A mail server on the node's port 2525: the mails that came in."""
    server = inside(node.namespace, lambda: socket.create_server(("127.0.0.1", 2525)))
    mails: list[str] = []

    def serve() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            # A sender that goes without QUIT is no matter: what it said is kept.
            with client, contextlib.suppress(OSError), client.makefile("rwb") as file:
                _receive(file, mails)

    worker = threading.Thread(target=serve, daemon=True)
    worker.start()
    yield mails
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    worker.join()


def _receive(file: io.BufferedRWPair, mails: list[str]) -> None:
    def say(text: str) -> None:
        file.write(f"{text}\r\n".encode())
        file.flush()

    say("220 here")
    for line in file:
        if line.startswith(b"DATA"):
            say("354 go on")
            mails.append(_VARIES.sub("", _body(file)))
        if line.startswith(b"QUIT"):
            say("221 bye")
            return
        say("250 well")


def _body(lines: Iterable[bytes]) -> str:
    body = b""
    for line in lines:
        if line == b".\r\n":
            break
        body += line
    return body.decode().replace("\r\n", "\n")
