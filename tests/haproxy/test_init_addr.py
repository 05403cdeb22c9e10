"""`init-addr`: what is done where a server's name is not known at the start (manual 5.2)."""

from __future__ import annotations

from pathlib import Path

import pytest

from telamon.haproxy.load import load

LISTEN = (
    "listen a\n bind 127.0.0.1:80\n timeout client 1s\n timeout server 1s\n timeout connect 1s\n"
    " default-server {default}\n server s {address} {words}\n"
)
UNKNOWN = "nobody.invalid:8080"


@pytest.mark.parametrize(
    ("address", "words", "default", "found", "disabled"),
    [
        (UNKNOWN, "init-addr last,libc,none", "", "0.0.0.0:8080", True),
        (UNKNOWN, "init-addr none enabled", "", "0.0.0.0:8080", True),
        (UNKNOWN, "", "init-addr libc,192.0.2.1", "192.0.2.1:8080", False),
        (UNKNOWN, "init-addr 2001:db8::1", "init-addr none", "[2001:db8::1]:8080", False),
        ("192.0.2.9:80", "init-addr none", "", "192.0.2.9:80", False),
    ],
)
def test_where_it_is(
    tmp_path: Path, address: str, words: str, default: str, found: str, disabled: bool
) -> None:
    path = tmp_path / "h.cfg"
    path.write_text(LISTEN.format(address=address, words=words, default=default))
    plan = load([str(path)], environment={}).plan
    assert plan is not None
    backend = plan.proxies[0].backend
    assert backend is not None
    server = backend.servers[0]
    assert (str(server.address), server.disabled) == (found, disabled)


@pytest.mark.parametrize(
    ("words", "code"), [("", "H053"), ("init-addr last", "H053"), ("init-addr dns", "H043")]
)
def test_what_is_refused(tmp_path: Path, words: str, code: str) -> None:
    path = tmp_path / "h.cfg"
    path.write_text(LISTEN.format(address=UNKNOWN, words=words, default=""))
    assert code in [d.code for d in load([str(path)], environment={}).report]
