"""-dC, -dA, -dt of `telamon haproxy`; and that the feature list tells the truth."""

from __future__ import annotations

import re
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from telamon.cli.haproxy_main import main
from telamon.cli.haproxy_version import build
from telamon.daemon.standalone_haproxy_dump import dump_configuration
from telamon.haproxy.conditions import FEATURES
from telamon.haproxy.load import load
from telamon.plan.codec import to_json

TEXT = """# a comment
global
  setenv WHERE secret.example.com   # another
  presetenv PORT 8080
defaults
    mode http
    timeout client 5s
frontend mine
    bind "127.0.0.1:${PORT}"
    acl here hdr(host) -i "$WHERE" other.example.com
    .if defined(NOTHING)
    bogus
    .endif
    http-request deny if here { path "/a b" }
    default_backend yours
backend yours
    server one 10.1.2.3:80 check
"""


def written(folder: Path, text: str = TEXT) -> str:
    path = folder / "h.cfg"
    path.write_text(text)
    return str(path)


def test_the_configuration_is_dumped_without_what_does_not_count(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path)
    assert main(["-dC", "-c", "-f", path]) == 0
    dumped = capfd.readouterr().out
    assert "#" not in dumped
    assert "bogus" not in dumped
    assert "frontend mine\n\tbind 127.0.0.1:8080\n" in dumped
    assert "\tacl here hdr(host) -i secret.example.com other.example.com\n" in dumped
    assert "{ path '/a b' }" in dumped


def meaning(path: str) -> str:
    """The plan without the places of its lines, and without the files' digest."""
    plan = load([path]).plan
    assert plan is not None
    text = to_json(replace(plan, digest=""), indent=0)
    return re.sub(r"(h\.cfg):\d+", r"\1", text)


def test_what_is_dumped_means_the_same(tmp_path: Path) -> None:
    path = written(tmp_path)
    before, dumped = meaning(path), dump_configuration([path], "")
    written(tmp_path, dumped)
    assert meaning(path) == before
    assert dump_configuration([path], "") == dumped


def test_with_a_key_nothing_is_given_away(tmp_path: Path) -> None:
    path = written(tmp_path)
    one, same, other = (dump_configuration([path], key) for key in ("1234", "1234", "99"))
    assert one == same != other
    for secret in ("mine", "yours", "secret", "example", "10.1.2.3", "127.0.0.1", "here", "/a b"):
        assert secret not in one
    assert "\tsetenv [...]\n" in one
    assert "\ttimeout client 5s\n" in one
    name = one.split("backend ")[-1].split("\n")[0]
    assert f"\tdefault_backend {name}\n" in one


def test_the_program_is_archived(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    archive = tmp_path / "libs.tar"
    assert main([f"-dA{archive}", "-c", "-f", written(tmp_path)]) == 0
    with tarfile.open(archive) as found:
        assert any("libc.so" in name for name in found.getnames())
    assert main([f"-dA{tmp_path}/no/libs.tar", "-c", "-f", written(tmp_path)]) == 0
    assert "-dA: cannot write" in capfd.readouterr().err


FRONT = """defaults
    mode http
    timeout client 5s
    timeout server 5s
    timeout connect 5s
frontend f
    bind 127.0.0.1:8080 {bind}
    {line}
    http-request return status 200
backend b
    {back}
    server s 127.0.0.1:80 {server}
"""

CARRIED_OUT = [
    ("LIBCRYPT", "server", "\nuserlist u\n    user a password abnqrLigH.z/s"),
    ("LINUX_SPLICE", "line", "option splice-auto"),
    ("LINUX_TPROXY", "back", "source 0.0.0.0 usesrc clientip"),
    ("NETFILTER", "line", "http-request set-mark 7"),
    ("PCRE2", "line", "acl a path_reg ^/(?!x)(a)\\\\1"),
    ("TFO", "bind", "tfo"),
    ("TPROXY", "bind", "transparent"),
]
REFUSED = [
    ("OPENSSL", "bind", "ssl crt /x.pem"),
    ("NS", "bind", "namespace x"),
    ("SLZ", "line", "compression algo gzip"),
    ("LUA", "line", "http-request lua.f"),
    ("PROMEX", "line", "http-request use-service prometheus-exporter"),
]


def loads(folder: Path, place: str, words: str) -> bool:
    parts = {"bind": "", "line": "", "back": "", "server": "", place: words}
    return load([written(folder, FRONT.format(**parts))]).plan is not None


@pytest.mark.parametrize(("feature", "place", "words"), CARRIED_OUT)
def test_a_feature_that_is_listed_is_carried_out(
    tmp_path: Path, feature: str, place: str, words: str
) -> None:
    assert feature in FEATURES
    assert f"+{feature}" in build().split()
    assert loads(tmp_path, place, words)


@pytest.mark.parametrize(("feature", "place", "words"), REFUSED)
def test_a_feature_that_is_refused_is_not_listed(
    tmp_path: Path, feature: str, place: str, words: str
) -> None:
    assert feature not in FEATURES
    assert f"-{feature}" in build().split()
    assert not loads(tmp_path, place, words)
