"""The one way in: configuration files to a plan, with everything that is to be said about them.

files ─ lexer ─► words ─ syntax ─► tree ─ statements, reader ─► model ─ checks, lower ─► plan
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

from telamon.base.diagnostic import Report, Severity
from telamon.base.frozen import frozen
from telamon.haproxy.checks import check
from telamon.haproxy.environment import Environment
from telamon.haproxy.files import expand_paths, read_sources
from telamon.haproxy.lower import lower
from telamon.haproxy.reader import Reader
from telamon.haproxy.syntax import parse
from telamon.plan.proxy import ProxyPlan


@frozen
class Loaded:
    """`plan` is None exactly if `report.failed`."""

    plan: ProxyPlan | None
    report: Report


def load(
    paths: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    zero_warning: bool = False,
) -> Loaded:
    """Reads `paths` in order as one configuration (several `-f`; a directory is its `*.cfg`).

    `environment` None means this process's. `zero_warning`, or the keyword of that name, makes
    warnings errors (HAProxy's `-dW`). Never raises for a user's mistake.
    """
    report = Report()
    files = expand_paths(paths, report)
    sources, digest = read_sources(files, report)
    reader = Reader(Environment(os.environ if environment is None else environment, files), report)
    for source in sources:
        reader.read(parse(source))
    check(reader.model, report)
    if zero_warning or reader.model.process.zero_warning:
        report = _strict(report)
    plan = None if report.failed else lower(reader.model, digest)
    return Loaded(plan, report)


def _strict(report: Report) -> Report:
    """Warnings as errors."""
    note = "a warning that zero-warning mode (-dW, `zero-warning`) makes an error"
    return Report(
        [
            replace(d, severity=Severity.ERROR, notes=(*d.notes, note))
            if d.severity is Severity.WARNING
            else d
            for d in report
        ]
    )
