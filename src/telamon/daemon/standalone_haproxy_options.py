"""What haproxy(1)'s command line says, as a value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """`old`: the processes to take over from, `hard` kills them instead of letting them finish.

    `notes`: what was asked for and has no meaning here. `words`: the command line itself.
    """

    files: tuple[str, ...] = ()
    directory: str | None = None
    daemon: bool = False
    foreground: bool = False
    debug: bool = False
    quiet: bool = False
    verbose: bool = False
    diagnostics: bool = False
    zero_warning: bool = False
    master: bool = False
    systemd: bool = False
    master_socket: str | None = None
    pid_file: str | None = None
    local_peer: str | None = None
    maxconn: int | None = None
    proxy_maxconn: int | None = None
    memory: int | None = None
    """MB; None for no limit."""
    old: tuple[int, ...] = ()
    hard: bool = False
    take_from: str | None = None
    reuse_port: bool = True
    epoll: bool = True
    splice: bool = True
    dump_libraries: bool = False
    dump_keywords: str | None = None
    dump_configuration: str | None = None
    """The key of the hashes, empty for none; None: no dump."""
    archive: str | None = None
    """Where the program's files go as a tar archive."""
    notes: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
