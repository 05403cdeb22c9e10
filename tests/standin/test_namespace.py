"""`net_namespace` in the file: the router lives in that namespace, wherever it was started."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.interop.lan import VIP, Lan, eventually
from tests.safety import whole
from tests.standin.conftest import start

pytestmark = pytest.mark.netns

CONFIG = """
net_namespace NAME
vrrp_instance VI_1 {
  interface em1
  virtual_router_id 51
  version 3
  priority 200
  advert_int 0.1
  virtual_ipaddress {
    VIP
  }
}
"""


def _config(name: str) -> str:
    return CONFIG.replace("NAME", name).replace("VIP", VIP)


@pytest.mark.parametrize("real", [False, True], ids=["ours", "real"])
def test_the_address_comes_up_in_the_other_namespace(
    real: bool, network: Lan, tmp_path: Path
) -> None:
    home, other, _ = network.nodes
    made = start(other, tmp_path / "run", _config(home.namespace), real=real)
    network.master(home)
    made.program.stop()
    assert not home.holds()


def test_a_reload_cannot_move_it(network: Lan, tmp_path: Path) -> None:
    home, other, _ = network.nodes
    made = start(other, tmp_path / "run", _config(home.namespace))
    network.master(home)
    made.config.write_text(_config(other.namespace))
    made.signal(signal.SIGHUP)
    made.says("net_namespace cannot change by a reload")
    assert network.holders() == [home]


def test_a_namespace_that_is_not_there(network: Lan, tmp_path: Path) -> None:
    made = start(network.nodes[0], tmp_path / "run", _config("nowhere"))
    made.says("net_namespace nowhere: No such file or directory")
    assert made.program.process.wait(10) == 1


def test_under_the_supervisor(network: Lan) -> None:
    home, other, _ = network.nodes
    running = whole.start_text(other, _config(home.namespace))
    network.master(home)
    eventually(lambda: running.status()["router"]["instances"], "the status")
