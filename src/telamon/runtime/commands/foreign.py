"""Commands that HAProxy knows and this program does not carry out yet: refused by name.

Tables of things that cannot exist here yet (stick tables, resolvers) are shown empty, as
HAProxy shows them when a file has none.
"""

from __future__ import annotations

from telamon.runtime.commands.base import Command, Context


def empty_table(context: Context, words: list[str]) -> str:
    return ""


COMMANDS = (
    Command("show table", "", "report stick tables (none)", empty_table),
    Command("show resolvers", "", "report resolvers (none)", empty_table),
    Command("show peers", "", "report peers (none)", empty_table),
)

NOT_YET = (
    "abort ssl", "add server", "add ssl", "clear table", "commit ssl", "debug", "del server",
    "del ssl", "disable agent", "disable dynamic-cookie", "dump ssl", "enable agent",
    "enable dynamic-cookie", "httpclient",
    "mcli-debug-mode", "new ssl", "set anon", "set dynamic-cookie-key", "set profiling",
    "set severity-output", "set ssl", "set table", "set var", "show activity",
    "show anon", "show dev", "show ech", "show fd", "show pools",
    "show profiling", "show quic", "show ssl", "show startup-logs", "show tasks",
    "show threads", "show tls-keys", "show trace", "shutdown frontend",
    "trace", "update ssl", "wait",
)  # fmt: skip
