"""Whom scripts run as, and whether the script's file can be run and trusted."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Identity:
    """A user and a group by number."""

    uid: int
    gid: int


def find_identity(user: str, group: str | None) -> Identity | str:
    """The numbers behind the names, or a message that says which name is unknown."""
    try:
        entry = pwd.getpwuid(int(user)) if user.isdigit() else pwd.getpwnam(user)
    except (KeyError, OverflowError):
        return f"there is no user '{user}'"
    if group is None:
        return Identity(entry.pw_uid, entry.pw_gid)
    try:
        gid = int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    except KeyError:
        return f"there is no group '{group}'"
    return Identity(entry.pw_uid, gid)


def default_identity() -> Identity | None:
    """The user keepalived_script if there is one; None means as the router itself."""
    found = find_identity("keepalived_script", None)
    return found if isinstance(found, Identity) else None


@dataclass(frozen=True, slots=True)
class ScriptFile:
    """What was found out about a command. `problem` is empty if it can be run."""

    path: str | None
    problem: str = ""
    writable_by: str = ""
    """The first component of the path that somebody else than root can change."""


def examine(command: str) -> ScriptFile:
    """Find the command as execvp(3) would and look at its path's owners and modes."""
    path = command if "/" in command else shutil.which(command)
    if path is None:
        return ScriptFile(None, f"'{command}' is not in PATH")
    try:
        status = Path(path).stat()
    except OSError as error:
        return ScriptFile(None, f"'{path}': {os.strerror(error.errno or 0).lower()}")
    if stat.S_ISDIR(status.st_mode):
        return ScriptFile(None, f"'{path}' is a directory")
    if not status.st_mode & 0o111:
        return ScriptFile(path, f"'{path}' is not executable (chmod +x)")
    return ScriptFile(path, "", _unsafe_component(path))


def _unsafe_component(path: str) -> str:
    real = Path(path).resolve()
    for component in (*reversed(real.parents), real):
        try:
            status = component.stat()
        except OSError:
            return ""
        sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
        others = status.st_mode & stat.S_IWOTH or (status.st_mode & stat.S_IWGRP and status.st_gid)
        if status.st_uid != 0 or (others and not sticky):
            return str(component)
    return ""
