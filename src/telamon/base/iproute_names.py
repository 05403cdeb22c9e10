"""The names that iproute2 gives to numbers: routing tables and routing protocols.

iproute2's own few are built in; an administrator adds to them in `/etc/iproute2/rt_tables` and
`rt_protos` (lines `NUMBER NAME`, `#` begins a comment).
"""

from __future__ import annotations

from pathlib import Path

_FOLDERS = (Path("/usr/share/iproute2"), Path("/usr/lib/iproute2"), Path("/etc/iproute2"))

_TABLES = {"default": 253, "main": 254, "local": 255}
_PROTOCOLS = {
    "redirect": 1, "kernel": 2, "boot": 3, "static": 4, "gated": 8, "ra": 9, "mrt": 10,
    "zebra": 11, "bird": 12, "dnrouted": 13, "xorp": 14, "ntk": 15, "dhcp": 16, "keepalived": 18,
    "babel": 42, "bgp": 186, "isis": 187, "ospf": 188, "rip": 189, "eigrp": 192,
}  # fmt: skip


def table_number(word: str) -> int | None:
    """A routing table as users write it: a name, or 1 to 4294967295. None if it is neither."""
    return _number(word, _TABLES, "rt_tables", 0xFFFFFFFF)


def protocol_number(word: str) -> int | None:
    """A routing protocol: a name, or 0 to 255. None if it is neither."""
    return _number(word, _PROTOCOLS, "rt_protos", 255)


def _number(word: str, known: dict[str, int], file: str, most: int) -> int | None:
    try:
        number = int(word, 0)
    except ValueError:
        return known[word] if word in known else _from_files(word, file)
    return number if 0 <= number <= most else None


def _from_files(word: str, file: str) -> int | None:
    found = None
    for folder in _FOLDERS:
        try:
            text = (folder / file).read_text(errors="replace")
        except OSError:
            continue
        for line in text.splitlines():
            words = line.partition("#")[0].split()
            if len(words) == 2 and words[1] == word:
                try:
                    found = int(words[0], 0)
                except ValueError:
                    continue
    return found
