"""`-t` beside the real keepalived: the same exit status for the same file."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from telamon.cli.keepalived import main
from tests.interop.lan import Node, inside, lan

_INSTANCE = """
vrrp_instance V {
  interface em1
  virtual_router_id 51
  %s
  virtual_ipaddress {
    10.9.0.100/24
  }
}
"""
_GOOD = _INSTANCE % "priority 100"
_SCRIPT = """
vrrp_script chk {
  script /usr/bin/true
}
"""
_TRACKS = _INSTANCE % "track_script {\n chk\n }"
_SECURE = "global_defs {\n enable_script_security\n script_user root\n}\n"

CORPUS = {
    "good": _GOOD,
    "two families": _GOOD + _GOOD.replace("V {", "W {").replace("10.9.0.100/24", "fd00::1/64"),
    "state SLAVE is unknown": _INSTANCE % "state SLAVE",
    "unknown word outside": _GOOD + "frobnicate 3\n",
    "unknown word inside": _INSTANCE % "bogus 5",
    "no such interface": _GOOD.replace("em1", "nope0"),
    "loopback": _GOOD.replace("em1", "lo"),
    "no vrid": _GOOD.replace("virtual_router_id 51", ""),
    "vrid 0": _GOOD.replace("51", "0"),
    "vrid 256": _GOOD.replace("51", "256"),
    "priority 300": _INSTANCE % "priority 300",
    "priority word": _INSTANCE % "priority high",
    "two of one vrid": _GOOD + _GOOD.replace("V {", "W {").replace("0.100", "0.105"),
    "missing brace": _GOOD.rstrip().removesuffix("}"),
    "stray brace": _GOOD + "}\n",
    "long password": _INSTANCE % "authentication {\n auth_type PASS\n auth_pass toolongword\n }",
    "password": _INSTANCE % "authentication {\n auth_type PASS\n auth_pass secret\n }",
    "AH": _INSTANCE % "authentication {\n auth_type AH\n auth_pass secret\n }",
    "script without security": _SCRIPT + _TRACKS,
    "script without security and a wrong value": _SCRIPT
    + _INSTANCE % "priority 300\n track_script {\n chk\n }",
    "script without security and an unknown word": _SCRIPT + _TRACKS + "frobnicate 3\n",
    "script without security and no interface": _SCRIPT + _TRACKS.replace("em1", "nope0"),
    "script with security": _SECURE + _SCRIPT + _TRACKS,
    "script that nobody tracks": _SCRIPT + _GOOD,
    "notify without security": _INSTANCE % 'notify "/usr/bin/true"',
    "notify script that is not there": _INSTANCE % 'notify "/nowhere/notify.sh"',
    "a redirection as script": _SECURE
    + _SCRIPT.replace("/usr/bin/true", "</dev/tcp/127.0.0.1/9")
    + _TRACKS,
    "route without interface": _INSTANCE % "virtual_routes {\n 10.8.0.0/16 via 10.9.0.1\n }",
    "route that is not tracked": _INSTANCE
    % "virtual_routes {\n 10.8.0.0/16 via 10.9.0.1 no_track\n }",
    "an address twice": _INSTANCE % "virtual_ipaddress {\n 10.9.0.7\n 10.9.0.7\n }",
    "source that is not there": _INSTANCE % "track_src_ip",
    "unknown script": _SECURE + _INSTANCE % "track_script {\n nope\n }",
    "bad address": _GOOD.replace("10.9.0.100", "10.9.0.300"),
    "fraction in version 2": _INSTANCE % "advert_int 0.5",
    "fraction in version 3": _INSTANCE % "version 3\n advert_int 0.5",
    "group of nobody": "vrrp_sync_group G {\n group {\n NOPE\n }\n}\n" + _GOOD,
    "nopreempt and master": _INSTANCE % "state MASTER\n nopreempt",
    "empty": "",
    "comments": "# nothing\n! at all\n",
    "strict mode with a password": _INSTANCE
    % "strict_mode on\n authentication {\n auth_type PASS\n auth_pass secret\n }",
    "strict mode as MASTER": _INSTANCE % "strict_mode on\n state MASTER\n priority 150",
    "strict mode alone": "global_defs {\n vrrp_strict\n}\n" + _GOOD,
    "strict mode turned off": "global_defs {\n vrrp_strict\n}\n"
    + _INSTANCE % "strict_mode off\n state MASTER\n priority 150",
    "strict mode with a delay": _INSTANCE % "strict_mode on\n preempt_delay 4",
    "strict mode with four adverts": _INSTANCE % "strict_mode on\n down_timer_adverts 4",
    "strict mode that shall speak": _INSTANCE
    % "strict_mode on\n lower_prio_no_advert off\n higher_prio_send_advert on",
    "strict mode without a link-local address": _INSTANCE.replace("10.9.0.100/24", "fd00::1/64")
    % "strict_mode on",
    "script weight 254": _SECURE + _SCRIPT + _TRACKS.replace("chk\n }", "chk weight 254\n }"),
    "script weight 253": _SECURE + _SCRIPT + _TRACKS.replace("chk\n }", "chk weight 253\n }"),
    "script weight without a number": _SECURE
    + _SCRIPT
    + _TRACKS.replace("chk\n }", "chk weight\n }"),
    "interface weight 254": _INSTANCE % "track_interface {\n lo weight -254\n }",
    "interface weight 255": _INSTANCE % "track_interface {\n lo weight 255\n }",
    "tracked interface that is not there": _INSTANCE % "track_interface {\n nope0\n }",
    "address on an interface that is not there": _GOOD.replace("100/24", "100/24 dev nope0"),
    "route on an interface that is not there": _INSTANCE
    % "virtual_routes {\n 10.8.0.0/16 via 10.9.0.1 dev nope0\n }",
    "interfaces that may be missing": "global_defs {\n dynamic_interfaces\n}\n"
    + _INSTANCE % "track_interface {\n nope0\n }",
    "one address in two instances": _GOOD + _GOOD.replace("V {", "W {").replace("51", "52"),
    "an instance in two groups": "".join(
        f"vrrp_sync_group {name} {{\n group {{\n V\n W\n }}\n}}\n" for name in "GH"
    )
    + _GOOD
    + _GOOD.replace("V {", "W {").replace("51", "52").replace("0.100", "0.105"),
    "a word without its value": _INSTANCE % "advert_int",
    "a block that is not there": _INSTANCE % "track_script",
    "mail for nobody": "global_defs {\n notification_email\n}\n" + _GOOD,
    "interval 256": _INSTANCE % "advert_int 256",
    "interval 0": _INSTANCE % "advert_int 0",
    "interval 41 in version 3": _INSTANCE % "version 3\n advert_int 41",
    "version 4": _INSTANCE % "version 4",
    "preempt_delay 1001": _INSTANCE % "preempt_delay 1001",
    "down_timer_adverts 101": _INSTANCE % "down_timer_adverts 101",
    "script interval 0": _SECURE + _SCRIPT.replace("}", " interval 0\n}") + _TRACKS,
    "script rise 0": _SECURE + _SCRIPT.replace("}", " rise 0\n}") + _TRACKS,
    "user that is not there": _SECURE + _SCRIPT.replace("}", " user nobody-at-all\n}") + _TRACKS,
    "missing include": "include /nonexistent/x.conf\n" + _GOOD,
}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with lan(tmp_path_factory.mktemp("lan"), 1) as made:
        yield made.nodes[0]


@pytest.mark.peer
@pytest.mark.netns
@pytest.mark.parametrize("name", CORPUS)
def test_same_exit_status(
    name: str, node: Node, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    peer = shutil.which("keepalived", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if peer is None:
        pytest.skip("keepalived is not installed")
    file = tmp_path / "keepalived.conf"
    file.write_text(CORPUS[name])
    enter = ["ip", "netns", "exec", node.namespace]
    theirs = subprocess.run([*enter, peer, "-t", "-f", str(file)], capture_output=True, check=False)
    ours = inside(node.namespace, lambda: main(("-t", "-f", str(file))))
    said = capfd.readouterr()
    assert ours == theirs.returncode, f"we said {said.err!r}, they said {theirs.stderr!r}"


def test_a_missing_file_fails(capfd: pytest.CaptureFixture[str]) -> None:
    # The real one complains and exits with 0, which no deployment wants.
    assert main(("-t", "-f", "/nonexistent/keepalived.conf")) == 5
    assert "Config files missing '/nonexistent/keepalived.conf'." in capfd.readouterr().err


@pytest.mark.parametrize("flag", ["-t{}", "--config-test={}"])
def test_complaints_go_to_the_named_file(
    flag: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file, log = tmp_path / "keepalived.conf", tmp_path / "log"
    file.write_text(CORPUS["unknown word inside"])
    assert main((flag.format(log), "-f", str(file))) == 5
    assert "bogus" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600
    assert capfd.readouterr().err == ""
