"""Commands about what cannot be here yet, and those that are refused by name.

Things of which a file has none (stick tables, resolvers, certificates) are answered as HAProxy
answers for a file without: an empty list, and "no such" where one is named.
"""

from __future__ import annotations

from dataclasses import dataclass

from telamon.plan.process import StatsLevel
from telamon.runtime.commands.base import Command, Context
from telamon.runtime.ports import CommandError


@dataclass(frozen=True, slots=True)
class Nothing:
    """Answers for a kind of things of which there are none."""

    unnamed: str
    """What is said where none is named; an error if `must` is set."""
    named: str
    must: bool = False

    def __call__(self, context: Context, words: list[str]) -> str:
        if words:
            raise CommandError(self.named)
        if self.must:
            raise CommandError(self.unnamed)
        return self.unnamed


_TABLE = "No such table"
_CLEAR = (
    'Required arguments: <table> "data.<store_data_type>" <operator> <value> or <table> key <key>'
)
_SET = "Required arguments: <table> key <key> [data.<store_data_type> <value>]*"
_SOURCES = "Supported trace sources and states (.=stopped, w=waiting, R=running) :\n"
_ALL = "0"


def show_anonymous(context: Context, words: list[str]) -> str:
    return "Anonymized mode disabled\n"


def trace(context: Context, words: list[str]) -> str:
    """There is no source; all of them are easily stopped."""
    if words and words[0] != _ALL:
        raise CommandError("No such trace source")
    return "" if words else _SOURCES + " [.] 0          : not a source, stops all traces\n"


_ADMIN, _OPERATOR = StatsLevel.ADMIN, StatsLevel.OPERATOR
COMMANDS = (
    Command("show table", "[<table>]", "report stick tables (none)", Nothing("", _TABLE)),
    Command("clear table", "<table>", "remove entries (no table)",
            Nothing(_CLEAR, _TABLE, must=True), _ADMIN),
    Command("set table", "<table>", "change an entry (no table)",
            Nothing(_SET, _TABLE, must=True), _ADMIN),
    Command("show resolvers", "[id]", "report resolvers (none)",
            Nothing("", "Can't find that resolvers section")),
    Command("show peers", "[section]", "report peers (none)", Nothing("", "No such peers")),
    Command("show tls-keys", "[id|*]", "show TLS keys (none)",
            Nothing("# id (file)\n", "'show tls-keys' unable to locate referenced filename"),
            _ADMIN),
    Command("show ssl cert", "", "list certificates (none)",
            Nothing("", "Can't display the certificate: Not found"), _OPERATOR),
    Command("show ssl ca-file", "", "list CA files (none)",
            Nothing("", "Can't display the CA file : Not found!"), _OPERATOR),
    Command("show ssl crl-file", "", "list CRL files (none)",
            Nothing("", "Can't display the CRL file : Not found!"), _OPERATOR),
    Command("show ssl crt-list", "", "list certificate lists (none)",
            Nothing("", "didn't find the specified filename"), _OPERATOR),
    Command("show anon", "", "show the anonymised mode (off)", show_anonymous),
    Command("show trace", "[<source>]", "show traces (none)",
            Nothing(_SOURCES, "No such trace source"), _ADMIN),
    Command("trace", "[<source>|0]", "manage traces (there are no sources)", trace, _ADMIN),
)  # fmt: skip

NOT_YET = (
    "abort ssl", "add server", "add ssl", "commit ssl", "debug", "del server",
    "del ssl", "disable dynamic-cookie", "dump ssl", "dump stats-file",
    "enable dynamic-cookie", "httpclient",
    "mcli-debug-mode", "new ssl", "set anon", "set dynamic-cookie-key",
    "set ssl", "show dev", "show ech", "show quic", "show ssl", "update ssl", "wait",
)  # fmt: skip
