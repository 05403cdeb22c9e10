"""The index of the stats socket's commands: it only lists the families."""

from __future__ import annotations

from telamon.runtime.commands import (
    agents,
    descriptors,
    events,
    foreign,
    frontends,
    patterns,
    process,
    rates,
    servers,
    session,
    sessions,
    show,
    threads,
    variables,
)
from telamon.runtime.commands.base import Command

COMMANDS: tuple[Command, ...] = tuple(
    sorted(
        (
            *show.COMMANDS,
            *agents.COMMANDS,
            *descriptors.COMMANDS,
            *events.COMMANDS,
            *patterns.COMMANDS,
            *process.COMMANDS,
            *servers.COMMANDS,
            *frontends.COMMANDS,
            *rates.COMMANDS,
            *session.COMMANDS,
            *sessions.COMMANDS,
            *threads.COMMANDS,
            *variables.COMMANDS,
            *foreign.COMMANDS,
        ),
        key=lambda command: command.words,
    )
)
BY_WORDS: dict[tuple[str, ...], Command] = {tuple(c.words.split()): c for c in COMMANDS}
LONGEST = max(len(words) for words in BY_WORDS)
NOT_YET: frozenset[tuple[str, ...]] = frozenset(tuple(w.split()) for w in foreign.NOT_YET)
