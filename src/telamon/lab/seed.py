"""The guide's files, as they are kept in `examples/kube-apiserver` of the checkout or the wheel."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path

import telamon
from telamon.lab.net import LabError


class VrrpVersion(IntEnum):
    """Which of the guide's two keepalived files to run."""

    V2 = 2
    V3 = 3


def _folder() -> Path:
    package = Path(telamon.__file__).resolve().parent
    places = (package.parents[1] / "examples/kube-apiserver", package / "examples/kube-apiserver")
    for place in places:
        if (place / "haproxy.cfg").is_file():
            return place
    raise LabError(f"the lab's configuration files are missing: no {places[0]}")


def haproxy_cfg() -> str:
    return (_folder() / "haproxy.cfg").read_text()


def keepalived_conf(version: VrrpVersion) -> str:
    return (_folder() / f"keepalived-v{version.value}.conf").read_text()


def mended_haproxy_cfg() -> str:
    """The guide's file so that today's HAProxy takes it: unique server names, no `transparent`."""
    lines: list[str] = []
    count = 0
    for line in haproxy_cfg().splitlines():
        if line.split() == ["transparent"]:
            continue
        if line.split()[:1] == ["server"]:
            count += 1
            line = line.replace("kube-master-1", f"kube-master-{count}")
        lines.append(line)
    return "\n".join(lines) + "\n"
