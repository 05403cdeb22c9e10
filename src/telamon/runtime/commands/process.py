"""Small commands that scripts and testers send: `show libs`, `echo`, the modes for experts."""

from __future__ import annotations

from pathlib import Path

from telamon.plan.process import StatsLevel
from telamon.runtime.commands.base import Command, Context


def show_libs(context: Context, words: list[str]) -> str:
    """Where the program and its shared objects lie in memory, each with its size."""
    try:
        lines = Path("/proc/self/maps").read_text().splitlines()
    except OSError:
        return ""  # within a chroot
    found: dict[str, tuple[int, int]] = {}
    for line in lines:
        place, *_, path = line.split(maxsplit=5)
        if path.startswith("/"):
            low, high = (int(end, 16) for end in place.split("-"))
            first, last = found.get(path, (low, high))
            found[path] = (min(low, first), max(high, last))
    return "".join(
        f"0x{low:012x}-0x{high - 1:012x} (0x{high - low:07x}) {path}\n"
        for path, (low, high) in found.items()
    )


def echo(context: Context, words: list[str]) -> str:
    return " ".join(words) + "\n"


def show_cache(context: Context, words: list[str]) -> str:
    return ""


def set_mode(name: str, context: Context, words: list[str]) -> str:
    """Commands for experts are none of ours; tools switch the mode on before they ask."""
    if not words:
        return f"{name} is {'ON' if name in context.modes else 'OFF'}\n"
    if words[0] == "on":
        context.modes.add(name)
    else:
        context.modes.discard(name)
    return ""


COMMANDS = (
    Command("show libs", "", "show the loaded libraries", show_libs, StatsLevel.OPERATOR),
    Command("show cache", "", "report caches (none)", show_cache),
    Command("echo", "<text>", "print the text back", echo),
    Command("expert-mode", "[on|off]", "this session's mode for experts",
            lambda c, w: set_mode("expert-mode", c, w), StatsLevel.ADMIN),
    Command("experimental-mode", "[on|off]", "this session's experimental mode",
            lambda c, w: set_mode("experimental-mode", c, w), StatsLevel.ADMIN),
)  # fmt: skip
