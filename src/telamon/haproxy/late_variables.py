"""Variables of the process that are set while it runs (management guide 9.3, `set var`).

The expression is read as a `set-var` line of `global` is: there is one grammar.
"""

from __future__ import annotations

from telamon.base.diagnostic import Report, Severity
from telamon.base.span import Source
from telamon.haproxy.environment import Environment
from telamon.haproxy.lower_rules import Numbers, RuleLowering
from telamon.haproxy.reader import Reader
from telamon.haproxy.syntax import parse
from telamon.plan.rules import Rule


def read_variable(name: str, value: str, *, is_format: bool) -> Rule:
    """The rule that sets it. ValueError says what is wrong with the name or the value."""
    keyword = "set-var-fmt" if is_format else "set-var"
    line = f"{keyword} {_quoted(name)} {_quoted(value)}"
    report = Report()
    reader = Reader(Environment({}), report)
    reader.read(parse(Source("the stats socket", f"global\n {line}\n")))
    wrong = next((d for d in report if d.severity is Severity.ERROR), None)
    if wrong is not None:
        raise ValueError(f"{wrong.message} ({wrong.help})" if wrong.help else wrong.message)
    if reader.model.pattern_files:
        raise ValueError("a file can be looked up here only by rules of the configuration")
    (rule,) = reader.model.variables
    # What names a proxy or a server is not to be had here, as in `global`.
    return RuleLowering(Numbers({}, {}, {}), 0).rule(rule)


def _quoted(word: str) -> str:
    """As one word of a line, whatever is in it (manual 2.2)."""
    return "'" + word.replace("'", "'\\''") + "'"
