"""`telamon check`: what the files mean, what is wrong with them, and what they do to each other."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import click

from telamon.base.diagnostic import Diagnostic, Severity, render
from telamon.plan.director import DirectorPlan
from telamon.plan.proxy import ProxyPlan
from telamon.plan.router import RouterPlan


class Language(StrEnum):
    """Which program's file it is."""

    HAPROXY = "haproxy"
    KEEPALIVED = "keepalived"


@dataclass(slots=True)
class _Checked:
    """One configuration: its files, plans and diagnostics. `sound` False: it must not be used."""

    language: Language
    files: tuple[str, ...]
    diagnostics: list[Diagnostic] = field(default_factory=list)
    sound: bool = True
    proxy: ProxyPlan | None = None
    router: RouterPlan | None = None
    director: DirectorPlan | None = None

    @property
    def contents(self) -> str:
        """What the configuration holds, in a few words."""
        counts: list[tuple[int, str]] = []
        if self.proxy is not None:
            backends = [p.backend for p in self.proxy.proxies if p.backend]
            counts += [
                (len(self.proxy.proxies), "proxy"),
                (sum(len(backend.servers) for backend in backends), "server"),
            ]
        if self.router is not None:
            counts.append((len(self.router.instances), "VRRP instance"))
        if self.director is not None:
            counts.append((len(self.director.virtual_servers), "virtual server"))
        return ", ".join(_count(number, what) for number, what in counts)


@click.command()
@click.argument("files", nargs=-1, metavar="[FILES]...")
@click.option("-f", "haproxy", multiple=True, metavar="FILE", help="A haproxy.cfg, or a directory.")
@click.option("-k", "keepalived", multiple=True, metavar="FILE", help="A keepalived.conf.")
@click.option("-W", "--zero-warning", is_flag=True, help="Warnings are errors (HAProxy's -dW).")
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of text.")
@click.option("-q", "--quiet", is_flag=True, help="No notes and no summary.")
def command(
    files: tuple[str, ...],
    haproxy: tuple[str, ...],
    keepalived: tuple[str, ...],
    zero_warning: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Check configuration files, each for itself and all together.

    Which language a file is in is told from its text and name; -f and -k say it. Several
    haproxy.cfg files are one configuration, as with HAProxy. Exit status: 0 sound, 1 not.
    """
    proxies, routers = list(haproxy), list(keepalived)
    for file in files:
        (proxies if detect(file) is Language.HAPROXY else routers).append(file)
    if not proxies and not routers:
        raise click.UsageError("give at least one file")
    configurations = [_check_haproxy(proxies, zero_warning)] if proxies else []
    configurations += [_check_keepalived(path) for path in routers]
    together = _conflicts(configurations)
    if zero_warning:
        together = _strict(together, configurations)
    sound = all(c.sound for c in configurations) and not _errors(together)
    if as_json:
        click.echo(json.dumps(_document(configurations, together, sound), indent=2))
    else:
        _print(configurations, together, quiet)
    sys.exit(0 if sound else 1)


_KEEPALIVED_BLOCK = re.compile(
    r"^[ \t]*(global_defs|vrrp_\w+|virtual_server\w*|static_\w+|bfd_instance|net_namespace|"
    r"include|garp_group|track_group|linkbeat_interfaces|real_server)\b|^@\S|^[ \t]*\$\w+[ \t]*=",
    re.MULTILINE,
)
_HAPROXY_SECTION = re.compile(
    r"^[ \t]*(global|defaults|frontend|backend|listen|peers|resolvers|userlist|mailers|cache|ring"
    r")\b",
    re.MULTILINE,
)


def detect(path: str) -> Language:
    """The language of a file, by its first telling line, else by its name."""
    target = Path(path)
    if target.is_dir():
        return Language.HAPROXY
    try:
        with target.open("rb") as file:
            text = file.read(1 << 20).decode("utf-8", "replace")
    except (OSError, ValueError):
        text = ""
    keepalived, haproxy = _KEEPALIVED_BLOCK.search(text), _HAPROXY_SECTION.search(text)
    if keepalived and haproxy:
        return Language.KEEPALIVED if keepalived.start() < haproxy.start() else Language.HAPROXY
    if keepalived or haproxy:
        return Language.KEEPALIVED if keepalived else Language.HAPROXY
    named = "keepalived" in target.name or (target.suffix == ".conf" and "hap" not in target.name)
    return Language.KEEPALIVED if named else Language.HAPROXY


def _check_haproxy(paths: Sequence[str], zero_warning: bool) -> _Checked:
    from telamon.daemon.plans import load_proxy

    loaded = load_proxy(paths, zero_warning=zero_warning)
    return _Checked(
        Language.HAPROXY,
        tuple(paths),
        list(loaded.report),
        sound=not loaded.report.failed,
        proxy=loaded.plan,
    )


def _check_keepalived(path: str) -> _Checked:
    from telamon.keepalived.load import check_failed, load

    loaded = load(path)
    return _Checked(
        Language.KEEPALIVED,
        (path,),
        list(loaded.report),
        sound=not check_failed(loaded.report),
        router=loaded.router,
        director=loaded.director,
    )


def _conflicts(configurations: Sequence[_Checked]) -> list[Diagnostic]:
    """What the plans do to each other; several routers' files are each held to the proxy's."""
    from telamon.plan.conflicts import find_conflicts

    proxy = next((c.proxy for c in configurations if c.proxy is not None), None)
    found: list[Diagnostic] = []
    routers = [c for c in configurations if c.language is Language.KEEPALIVED]
    for router in routers:
        found += find_conflicts(proxy, router.router, router.director)
    if not routers and proxy is not None:
        found += find_conflicts(proxy, None, None)
    return list(dict.fromkeys(found))


def _strict(together: list[Diagnostic], configurations: list[_Checked]) -> list[Diagnostic]:
    """Zero-warning mode for what `load` did not make strict already."""
    for configuration in configurations:
        configuration.diagnostics = [_hardened(d) for d in configuration.diagnostics]
        configuration.sound = configuration.sound and not _errors(configuration.diagnostics)
    return [_hardened(diagnostic) for diagnostic in together]


def _hardened(diagnostic: Diagnostic) -> Diagnostic:
    if diagnostic.severity is not Severity.WARNING:
        return diagnostic
    return replace(diagnostic, severity=Severity.ERROR)


def _errors(diagnostics: Sequence[Diagnostic]) -> bool:
    return any(diagnostic.severity is Severity.ERROR for diagnostic in diagnostics)


def _print(configurations: Sequence[_Checked], together: list[Diagnostic], quiet: bool) -> None:
    colour = sys.stdout.isatty()
    lowest = Severity.WARNING if quiet else Severity.NOTE
    shown = [d for c in configurations for d in c.diagnostics] + together
    text = render([d for d in shown if d.severity >= lowest], colour=colour)
    click.echo(text.encode("utf-8", "replace").decode(), nl=False, color=colour)
    if quiet:
        return
    for configuration in configurations:
        for file in configuration.files:
            click.echo(_summary(file, configuration, colour), color=colour)
    if len(configurations) > 1 and together:
        click.echo(f"together: {_tally(together)}", color=colour)


def _summary(file: str, configuration: _Checked, colour: bool) -> str:
    """One line about one file. Diagnostics without a place count for the first file."""
    own = [d for d in configuration.diagnostics if _belongs(d, file, configuration.files)]
    verdict = "ok" if configuration.sound else "not sound"
    if colour:
        verdict = click.style(verdict, fg="green" if configuration.sound else "red", bold=True)
    contents = f", {configuration.contents}" if configuration.contents else ""
    return f"{file} ({configuration.language}{contents}): {verdict}, {_tally(own)}"


def _belongs(diagnostic: Diagnostic, file: str, files: tuple[str, ...]) -> bool:
    if diagnostic.span is None:
        return file == files[0]
    name = diagnostic.span.source.name
    if name == file or name.startswith(file.rstrip("/") + "/"):
        return True
    return file == files[0] and name not in files


def _tally(diagnostics: Sequence[Diagnostic]) -> str:
    counts = [
        (sum(1 for d in diagnostics if d.severity is severity), severity.label)
        for severity in reversed(Severity)
    ]
    return ", ".join(_count(number, what) for number, what in counts if number) or "nothing to say"


def _count(number: int, what: str) -> str:
    plural = "proxies" if what == "proxy" else f"{what}s"
    return f"{number} {what if number == 1 else plural}"


def _document(
    configurations: Sequence[_Checked], together: list[Diagnostic], sound: bool
) -> dict[str, Any]:
    """The JSON form. Lines and columns count from 1; `end` is exclusive."""
    return {
        "ok": sound,
        "configurations": [
            {
                "language": configuration.language,
                "files": list(configuration.files),
                "ok": configuration.sound,
                "contents": configuration.contents,
                "diagnostics": [_diagnostic(d) for d in configuration.diagnostics],
            }
            for configuration in configurations
        ],
        "together": [_diagnostic(d) for d in together],
    }


def _diagnostic(diagnostic: Diagnostic) -> dict[str, Any]:
    span = diagnostic.span
    place = (
        {"file": span.source.name, "line": span.line, "column": span.column, "end": span.end}
        if span
        else None
    )
    return {
        "severity": diagnostic.severity.label,
        "code": diagnostic.code,
        "message": diagnostic.message,
        "place": place,
        "label": diagnostic.label,
        "help": diagnostic.help,
        "notes": list(diagnostic.notes),
    }
