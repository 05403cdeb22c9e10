"""Regular expressions as the file's reader sees them: only what is plainly wrong.

The engine compiles them, in a language close to PCRE; here a slip is told with its place.
"""

from __future__ import annotations

import re

_CLASS = re.compile(r"\[\^?\]?(?:\[:[a-z^]+:\]|\\.|[^\]\\])*\]", re.DOTALL)


def regex_mistake(pattern: str) -> str:
    """What is plainly wrong with an expression; the engine's compiler tells the rest."""
    depth, at = 0, 0
    while at < len(pattern):
        char = pattern[at]
        if char == "\\":
            if at + 1 == len(pattern):
                return "it ends in a backslash"
            at += 1
        elif char == "[":
            match = _CLASS.match(pattern, at)
            if match is None:
                return "a '[' is never closed"
            at = match.end() - 1
        elif char == "(":
            depth += 1
        elif (
            char in "*+?"
            and (not at or pattern[at - 1] in "(|")
            and pattern[at - 1 : at + 1] != "(?"
        ):
            return f"nothing stands before the '{char}' that could be repeated"
        elif char == ")":
            depth -= 1
            if depth < 0:
                return "a ')' closes nothing"
        at += 1
    return "a '(' is never closed" if depth else ""
