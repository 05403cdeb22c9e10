"""haproxy.cfg for the stand-in: read, told in HAProxy's form, changed by the command line."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

from telamon.base.diagnostic import Diagnostic, Report, Severity, render
from telamon.base.span import Source
from telamon.daemon.plans import load_proxy
from telamon.daemon.standalone_haproxy_console import Console
from telamon.daemon.standalone_haproxy_options import Options
from telamon.haproxy.environment import Environment
from telamon.haproxy.reader import Reader
from telamon.haproxy.syntax import parse
from telamon.kernel.sockets import BindError
from telamon.plan.process import ProcessPlan, StatsSocket
from telamon.plan.proxy import Proxy, ProxyPlan

NO_LISTENER = 2
"""The exit status of -c where every line is sound but nothing would be served."""


_NOTHING_TO_DO = "H079"
"""The diagnostic of a file that listens nowhere."""


def check(options: Options) -> int:
    """-c: 0 if the files are sound. Says nothing then, unless -V asks for it."""
    console = Console(quiet=options.quiet)
    if not enter(options, console):
        return 1
    plan, report = read(options, console, check=True)
    errors = {d.code for d in report if d.severity is Severity.ERROR}
    if errors == {_NOTHING_TO_DO} or (plan is not None and not serves(plan)):
        _print(
            options, "Configuration file has no error but will not start (no listener) => exit(2)."
        )
        return NO_LISTENER
    if plan is None:
        return 1
    dump(options)
    if options.verbose:
        if report.count(Severity.WARNING):
            _print(options, "Warnings were found.")
        _print(options, "Configuration file is valid")
    return 0


def _print(options: Options, text: str) -> None:
    if not options.quiet:
        sys.stdout.write(f"{text}\n")


def enter(options: Options, console: Console) -> bool:
    """What comes before the files are read: -C, -L. False if it cannot be."""
    if options.directory is not None:
        try:
            os.chdir(options.directory)
        except OSError as error:
            console.alert(f"Could not change to directory {options.directory} : {error.strerror}")
            return False
    if options.local_peer is not None:
        # Manual 2.3: the name that a file may ask for.
        os.environ["HAPROXY_LOCALPEER"] = options.local_peer
    return True


def read(
    options: Options, console: Console, *, check: bool = False
) -> tuple[ProxyPlan | None, Report]:
    """The plan with the command line's changes, None if it is not sound; tells what is wrong.

    `check`: a file that listens nowhere is no mistake.
    """
    for path in options.files:
        if not os.access(path, os.R_OK):
            reason = "Permission denied" if Path(path).exists() else "No such file or directory"
            console.alert(f"config : Cannot open configuration file/directory {path} : {reason}")
            return None, Report()
    if options.dump_configuration is not None:
        from telamon.daemon.standalone_haproxy_dump import dump_configuration

        sys.stdout.write(dump_configuration(options.files, options.dump_configuration))
        sys.stdout.flush()
    loaded = load_proxy(list(options.files))
    idle = {d.code for d in loaded.report if d.severity is Severity.ERROR} == {_NOTHING_TO_DO}
    for diagnostic in loaded.report:
        # -c says it in its own words.
        if not (check and diagnostic.code == _NOTHING_TO_DO):
            tell(diagnostic, options, console)
    if loaded.plan is None and check and idle:
        return None, loaded.report
    if loaded.plan is None:
        files = dict.fromkeys(
            d.span.source.name
            for d in loaded.report
            if d.severity is Severity.ERROR and d.span is not None
        )
        for file in files:
            console.alert(f"config : Error(s) found in configuration file : {file}")
        console.alert("config : Fatal errors found in configuration.")
        return None, loaded.report
    if options.zero_warning and loaded.report.count(Severity.WARNING):
        console.alert("config : Some warnings were found and 'zero-warning' is set. Aborting.")
        return None, loaded.report
    return overridden(loaded.plan, options), loaded.report


def tell(diagnostic: Diagnostic, options: Options, console: Console) -> None:
    """One diagnostic: HAProxy's line, then the place with its caret and what to do."""
    span = diagnostic.span
    place = f"parsing [{span.source.name}:{span.line}] : " if span is not None else ""
    text = f"config : {place}{diagnostic.message} [{diagnostic.code}]"
    # The first line of the block says what we have just said.
    more = [line for line in render([diagnostic]).splitlines()[1:] if line]
    if diagnostic.severity is Severity.ERROR:
        console.alert(text, more)
    elif diagnostic.severity is Severity.WARNING:
        console.warning(text, more)
    elif options.diagnostics:
        console.diagnostic(text, more)


def overridden(plan: ProxyPlan, options: Options) -> ProxyPlan:
    """The command line has the last word (management guide 3)."""
    changes: dict[str, object] = {}
    if not options.splice:
        changes["max_pipes"] = 0
    if options.maxconn is not None:
        changes["maxconn"] = options.maxconn
    if options.pid_file is not None:
        changes["pidfile"] = options.pid_file
    if options.daemon:
        changes["daemon"] = True
    if options.master:
        changes["master_worker"] = True
    if options.foreground:
        changes["daemon"] = False
    process: ProcessPlan = replace(plan.process, **changes)  # type: ignore[arg-type]
    proxies = plan.proxies
    if options.proxy_maxconn is not None:
        proxies = tuple(_limited(proxy, options.proxy_maxconn) for proxy in proxies)
    return replace(plan, process=process, proxies=proxies)


def _limited(proxy: Proxy, maxconn: int) -> Proxy:
    """-N: the limit of a frontend that has none of its own."""
    if proxy.frontend is None or proxy.frontend.maxconn is not None:
        return proxy
    return replace(proxy, frontend=replace(proxy.frontend, maxconn=maxconn))


def master_socket(text: str) -> StatsSocket:
    """-S's value: an address and, after commas, words of a bind line. Raises BindError.

    It is read as a `stats socket` line, so that there is one grammar.
    """
    address, *words = text.split(",")
    if "level" not in words:
        words += ["level", "admin"]
    source = Source("-S", f"global\n    stats socket {address} {' '.join(words)}\n")
    report = Report()
    reader = Reader(Environment(os.environ), report)
    reader.read(parse(source))
    if report.failed or not reader.model.process.stats_sockets:
        first = next((d.message for d in report if d.severity is Severity.ERROR), "no address")
        raise BindError(f"-S {text}: {first}")
    return reader.model.process.stats_sockets[0]


def serves(plan: ProxyPlan) -> bool:
    """Whether anything would be listened on."""
    return any(p.frontend is not None and p.frontend.listeners for p in plan.proxies)


def dump(options: Options) -> None:
    """-dK, -dL and -dA, after the files were read."""
    if options.dump_keywords is not None:
        from telamon.daemon.standalone_haproxy_keywords import dump_keywords

        sys.stdout.write(dump_keywords(options.dump_keywords))
    if options.dump_libraries:
        sys.stdout.write("".join(f"{path}\n" for path in libraries()))
    sys.stdout.flush()
    if options.archive is not None:
        _archive(options.archive, Console(quiet=options.quiet))


def _archive(path: str, console: Console) -> None:
    import tarfile

    try:
        with tarfile.open(path, "w") as archive:
            for library in libraries():
                archive.add(library)
    except OSError as error:
        console.alert(f"-dA: cannot write {path} : {error.strerror}")


def libraries() -> list[str]:
    """The program and the shared objects that it has loaded, as tar(1) wants them."""
    found: dict[str, None] = {str(Path(sys.executable).resolve()): None}
    for line in Path("/proc/self/maps").read_text().splitlines():
        path = line.split(maxsplit=5)[5:]
        if path and (".so." in path[0] or path[0].endswith(".so")):
            found[path[0]] = None
    return list(found)
