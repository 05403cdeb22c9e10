"""keepalived.conf, from a path to plans: the one way in.

text ─ lexer ─ syntax ─ expand (include, @id, $VAR, ~SEQ) ─ tree ─ reading (rows) ─ model
     ─ lower ─ RouterPlan, DirectorPlan ─ traps
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from telamon.base.diagnostic import Report, Severity
from telamon.base.span import Span
from telamon.keepalived import codes
from telamon.keepalived.expand import Expander, load_document
from telamon.keepalived.keywords import table
from telamon.keepalived.keywords.row import Block
from telamon.keepalived.lower_director import lower_director
from telamon.keepalived.lower_router import lower_router
from telamon.keepalived.model import Configuration, GlobalDefs
from telamon.keepalived.reading import Reading
from telamon.keepalived.syntax import Document, Statement, Word
from telamon.keepalived.traps import find_traps
from telamon.keepalived.tree import build
from telamon.keepalived.users import ScriptFile, examine
from telamon.plan.director import DirectorPlan
from telamon.plan.router import RouterPlan


@dataclass(frozen=True, slots=True)
class Loaded:
    """The outcome. Both plans are None if and only if `report.failed`."""

    router: RouterPlan | None
    director: DirectorPlan | None
    report: Report


def load(
    path: str,
    *,
    config_id: str | None = None,
    environment: Mapping[str, str] | None = None,
    examine_script: Callable[[str], ScriptFile] = examine,
) -> Loaded:
    """Read `path` and all that it includes. Never raises for what stands in a file.

    `config_id` is keepalived(8)'s `-i` (None: the host's name up to the first dot);
    `environment` serves `${_ENV NAME}` (None: the process's own). `examine_script` looks at a
    script's file on this machine.
    """
    report = Report()
    document = load_document(path, report)
    if document is None:
        return Loaded(None, None, report)
    configuration, documents = _read(document, report, config_id, environment)
    if report.failed:
        return Loaded(None, None, report)
    digest = hashlib.sha256("\0".join(str(item) for item in documents).encode()).hexdigest()
    router = lower_router(configuration, report, digest, examine_script)
    director = lower_director(configuration, report, digest)
    find_traps(configuration, router, report)
    if report.failed:
        return Loaded(None, None, report)
    return Loaded(router, director, report)


def check_failed(report: Report) -> bool:
    """True if `telamon check` must exit non-zero, though `run` may go on.

    Keepalived runs with unknown keywords and bad values, and its own `-t` refuses them.
    """
    return report.failed or any(
        d.code in codes.CHECK_FAILS for d in report if d.severity is Severity.WARNING
    )


def _read(
    document: Document,
    report: Report,
    config_id: str | None,
    environment: Mapping[str, str] | None,
) -> tuple[Configuration, list[Document]]:
    expander = Expander(
        report,
        config_id,
        dict(os.environ) if environment is None else environment,
    )
    statements = build(expander.run(document), report)
    start = Span(document.source, 1, 1, 2)
    configuration = Configuration(GlobalDefs(Statement((Word("", start, ""),))))
    Reading(report, configuration, table()).block(Block.TOP, statements, configuration)
    if not statements and not report.failed:
        report.warning(
            codes.NOTHING, f"'{document.source.name}' configures nothing", None,
            help="a router needs a vrrp_instance block",
        )  # fmt: skip
    return configuration, expander.documents
