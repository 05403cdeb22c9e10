"""The stand-in's words on stderr, in HAProxy's form.

    [NOTICE]   (4711) : haproxy version is 3.5.0-telamon0.1.0
    [NOTICE]   (4711) : path to executable is /usr/bin/telamon
    [ALERT]    (4711) : config : parsing [x.cfg:2] : 'bogus' is not a keyword of 'global'
       | what follows a line explains it, as HAProxy's longer messages do

The two notices stand before the first warning or alert. In quiet mode nothing is said.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from telamon.base.version import HAPROXY_VERSION

_KEPT = 1000


class Console:
    """`said` keeps the lines of the last start or reload, for `show startup-logs`.

    `introduced`: the two notices were said, or shall not be.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.said: list[str] = []
        self.introduced = False

    def notice(self, text: str, more: Iterable[str] = ()) -> None:
        self._say("NOTICE", text, more)

    def warning(self, text: str, more: Iterable[str] = ()) -> None:
        self._introduce()
        self._say("WARNING", text, more)

    def alert(self, text: str, more: Iterable[str] = ()) -> None:
        self._introduce()
        self._say("ALERT", text, more)

    def diagnostic(self, text: str, more: Iterable[str] = ()) -> None:
        """What diagnostic mode (-dD) shows."""
        self._say("DIAG", text, more)

    def _introduce(self) -> None:
        if self.introduced:
            return
        self.introduced = True
        self._say("NOTICE", f"haproxy version is {HAPROXY_VERSION}", ())
        self._say("NOTICE", f"path to executable is {Path(sys.argv[0]).resolve()}", ())

    def _say(self, label: str, text: str, more: Iterable[str]) -> None:
        lines = [f"{f'[{label}]':<10} ({os.getpid()}) : {text}"]
        lines += [f"   | {line}".rstrip() for line in more]
        if len(self.said) < _KEPT:
            self.said += lines
        if self.quiet:
            return
        data = "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")
        # A terminal that is gone is no reason to fail.
        try:
            sys.stderr.flush()
            os.write(2, data)
        except OSError:
            self.quiet = True


class ConsoleHandler(logging.Handler):
    """Telamon's own log lines among them: the engine's, the control loop's."""

    def __init__(self, console: Console, level: int) -> None:
        super().__init__(level)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        text = record.getMessage()
        more: list[str] = []
        if record.exc_info:
            more = logging.Formatter().formatException(record.exc_info).splitlines()
        if record.levelno >= logging.ERROR:
            self._console.alert(text, more)
        elif record.levelno >= logging.WARNING:
            self._console.warning(text, more)
        else:
            self._console.notice(text, more)


def log_to(console: Console, *, verbose: bool) -> None:
    """Telamon's log goes to the console: from warnings on, with `verbose` all of it."""
    root = logging.getLogger("telamon")
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(ConsoleHandler(console, logging.INFO if verbose else logging.WARNING))
    root.setLevel(logging.INFO)
    root.propagate = False
