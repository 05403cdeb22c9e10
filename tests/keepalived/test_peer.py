"""What `keepalived -t` refuses, `check` refuses; what it takes, `check` takes.

Each file is judged in a network namespace of its own with a link named em1. `MORE_LENIENT`
lists the cases where Telamon differs on purpose.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from telamon.keepalived.load import check_failed, load
from tests.keepalived.goldens import HERE, SEEDS, cases, present

pytestmark = [pytest.mark.peer, pytest.mark.netns]

MORE_LENIENT = {
    "kubeadm-style": "its script is not on this machine",
    "kolla-style": "its script is not on this machine",
    "cloud-unicast": "its script is insecure where root is not root",
    "generated": "2.2.7 has no ${_ENV NAME}",
    "one-line-blocks": "tracking the own interface is superfluous, not wrong",
    "keepalived-v2": "tracking the own interface is superfluous, not wrong",
    "keepalived-v3": "tracking the own interface is superfluous, not wrong",
}
_NAMESPACE = (
    "ip link add em1 type veth peer name em1p && ip link set em1 up && ip link set em1p up && "
    'exec keepalived -t -l -i left -f "$0"'
)


def _peer(path: Path) -> tuple[int, str]:
    done = subprocess.run(
        ["unshare", "--map-root-user", "--net", "sh", "-c", _NAMESPACE, path.name],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=path.parent,
        env={"VIP": "10.9.7.99", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module", autouse=True)
def _needs_peer() -> None:
    if shutil.which("keepalived") is None:
        pytest.skip("keepalived is not installed")
    probe = subprocess.run(["unshare", "--map-root-user", "--net", "true"], capture_output=True)
    if probe.returncode:
        pytest.skip("network namespaces cannot be made here")


FILES = [HERE / f"{name}.conf" for name in cases()] + sorted(SEEDS.glob("keepalived-*.conf"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_accepts_what_keepalived_accepts(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = _peer(path)
    monkeypatch.chdir(path.parent)
    loaded = load(
        path.name, config_id="left", environment={"VIP": "10.9.7.99"}, examine_script=present
    )
    ours = check_failed(loaded.report)
    if path.stem in MORE_LENIENT:
        assert code != 0 and not ours, said
    else:
        assert ours == (code != 0), f"keepalived ended with {code}:\n{said}"
