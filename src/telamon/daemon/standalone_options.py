"""What keepalived(8)'s command line says, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CONFIG = "/etc/keepalived/keepalived.conf"


@dataclass(frozen=True, slots=True)
class Options:
    """`facility` is syslog's number. `notes`: what was asked for and has no meaning here."""

    file: str = CONFIG
    config_id: str | None = None
    all_includes: bool = False
    vrrp: bool = True
    foreground: bool = False
    respawn: bool = True
    console: bool = False
    facility: int = 3
    syslog: bool = True
    log_file: str | None = None
    dump: bool = False
    keep_addresses: bool = False
    report_addresses: bool = False
    pid_file: str | None = None
    vrrp_pid_file: str | None = None
    namespace: str | None = None
    umask: int | None = None
    core_dump: bool = False
    core_pattern: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def pid_path(self) -> Path:
        """The parent's pid file: where Debian's keepalived 2.2.7 has it."""
        return Path(self.pid_file) if self.pid_file else self._run_dir / "keepalived.pid"

    @property
    def vrrp_pid_path(self) -> Path:
        return Path(self.vrrp_pid_file) if self.vrrp_pid_file else self._run_dir / "vrrp.pid"

    @property
    def _run_dir(self) -> Path:
        if self.namespace is None:
            return Path("/run")
        # keepalived(8), "NAMESPACES": as seen from outside.
        return Path(f"/run/keepalived/keepalived_{self.namespace}")
