"""The guide's files. There is one copy, in `examples/kube-apiserver` of the repository; links here
lead to it, and in a wheel they are the files themselves."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path

from telamon.lab.net import LabError

_FOLDER = Path(__file__).parent / "examples"


class VrrpVersion(IntEnum):
    """Which of the guide's two keepalived files to run."""

    V2 = 2
    V3 = 3


def _read(name: str) -> str:
    path = _FOLDER / name
    try:
        return path.read_text()
    except OSError as error:
        raise LabError(f"cannot read {path}: {error.strerror}") from error


def haproxy_cfg() -> str:
    """The guide's haproxy.cfg, unchanged. Raises LabError."""
    return _read("haproxy.cfg")


def keepalived_conf(version: VrrpVersion) -> str:
    """One of the guide's keepalived.conf files, unchanged. Raises LabError."""
    return _read(f"keepalived-v{version.value}.conf")


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
