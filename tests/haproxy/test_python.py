"""`telamon-python` and `python.*` in haproxy.cfg: what is taken, what is refused, and where."""

from __future__ import annotations

from pathlib import Path

import pytest

from telamon.base.diagnostic import Diagnostic, render
from telamon.haproxy.load import Loaded, load
from telamon.plan.rules import Call, Expression, Rule
from telamon.script import describe
from telamon.script.registry import Signature

SCRIPT = """\
from telamon.script import *
import ipaddress

@fetch("tier")
def tier(txn: Transaction, header: str, other: str = "x") -> str: ...

@fetch("count")
def count(txn: Transaction) -> int: ...

@fetch("many")
def many(txn: Transaction, *names: str) -> bool: ...

@converter("half")
def half(value: int) -> int: ...

@converter("where")
def where(value: ipaddress.IPv4Address, *rest: str) -> str: ...

@action("tag", at=["http-request", "tcp-request"])
def tag(txn: Transaction, name: str, value: str = "") -> None: ...

@action("must", required=True)
def must(txn: Transaction) -> None: ...

@service("page")
def page(request: Request) -> Reply: ...
"""

HEAD = """\
global
    telamon-python rules.py
    telamon-python-timeout 250ms
defaults
    mode http
    timeout client 1s
    timeout connect 1s
    timeout server 1s
"""


@pytest.fixture(scope="module")
def signatures(tmp_path_factory: pytest.TempPathFactory) -> list[Signature]:
    file = tmp_path_factory.mktemp("scripts") / "rules.py"
    file.write_text(SCRIPT)
    return describe.describe(str(file))


@pytest.fixture(autouse=True)
def described_once(monkeypatch: pytest.MonkeyPatch, signatures: list[Signature]) -> None:
    """One process tells of the script that nearly all tests have."""
    really = describe.describe

    def once(path: str) -> list[Signature]:
        file = Path(path)
        same = file.exists() and file.read_text() == SCRIPT
        return signatures if same else really(path)

    monkeypatch.setattr(describe, "describe", once)


def loaded(folder: Path, text: str, *, head: str = HEAD, script: str = SCRIPT) -> Loaded:
    (folder / "rules.py").write_text(script)
    file = folder / "haproxy.cfg"
    file.write_text(head + text)
    return load([str(file)])


def frontend(folder: Path, lines: str, **more: str) -> Loaded:
    text = f"frontend f\n    bind 127.0.0.1:8080\n    default_backend b\n{lines}\nbackend b\n"
    return loaded(folder, text, **more)


def only_error(found: Loaded) -> Diagnostic:
    [error] = [one for one in found.report if one.severity.label == "error"]
    return error


def rules_of(found: Loaded) -> tuple[Rule, ...]:
    assert found.plan is not None, render(list(found.report))
    return found.plan.proxies[0].rules.http_request


def test_files_and_time_limit_are_in_the_plan(tmp_path: Path) -> None:
    plan = frontend(tmp_path, "").plan
    assert plan is not None
    assert plan.process.python_files == (str(tmp_path / "rules.py"),)
    assert plan.process.python_timeout == 250


def test_calls_stand_in_expressions(tmp_path: Path) -> None:
    [rule] = rules_of(
        frontend(tmp_path, "    http-request set-var(txn.a) python.tier(host,),python.half,add(1)")
    )
    assert rule.expression == Expression(
        Call("python.tier", ("host", "")), (Call("python.half"), Call("add", (1,)))
    )


@pytest.mark.parametrize(
    "line",
    [
        "http-request set-header x %[python.many]%[python.many(a,b,c)]",
        "http-request deny if { python.count gt 3 }",
        "http-request deny if { python.many }",
        "http-request deny if { src,python.where(a) -m beg x }",
        "http-request return content-type text/plain lf-string %[python.count]",
        "http-request set-var(txn.x) src python.where",
        "use_backend b if { python.tier(a) gold }",
        "use_backend %[python.tier(a)]",
        "redirect location /%[python.count]",
        "http-response set-header x %[python.count]",
        "tcp-request content reject if { python.many }",
        "tcp-request content python.tag a",
        "http-request python.tag a b if { python.many }",
        "http-request python.must unless { path /x }",
        "http-request use-service python.page",
    ],
)
def test_places_that_can_wait(tmp_path: Path, line: str) -> None:
    found = frontend(tmp_path, f"    {line}")
    assert found.plan is not None, render(list(found.report))


def test_actions_and_services_are_rules(tmp_path: Path) -> None:
    tag, must, page = rules_of(
        frontend(
            tmp_path,
            "    http-request python.tag a %[src]\n    http-request python.must\n"
            "    http-request use-service python.page if { path /p }",
        )
    )
    assert (tag.action, tag.arguments, len(tag.formats)) == ("python", ("tag", None), 2)
    assert (must.action, must.arguments) == ("python", ("must", "required"))
    assert (page.action, page.arguments) == ("use-service", ("page",))
    assert page.condition is not None


@pytest.mark.parametrize(
    ("line", "code", "said", "help"),
    [
        ("http-request set-var(txn.a) python.tire(x)", "H100", "fetch 'tire'", "'python.tier'?"),
        ("http-request set-var(txn.a) python.page", "H100", "fetch 'page'", "it is a service"),
        ("http-request set-var(txn.a) src,python.tag", "H100", "converter 'tag'", "an action"),
        ("http-request set-var(txn.a) python.tier", "H040", "needs 'header'", "python.tier(header"),
        ("http-request set-var(txn.a) python.count(1)", "H041", "takes no argument", ""),
        ("http-request set-var(txn.a) bin(00),python.half", "H102", "an integer", ""),
        ("http-request python.tga", "H100", "action 'tga'", "'python.tag'?"),
        ("http-request python.tag if { src 1.1.1.1 }", "H040", "needs its argument 'name'", ""),
        ("http-request python.tag a b c", "H041", "at most 2", ""),
        ("http-response python.tag a", "H111", "http-request and tcp-request", "-response']`"),
        ("http-after-response python.tag a", "H111", "cannot wait", ""),
        ("http-request use-service python.pag", "H100", "service 'pag'", "'python.page'?"),
        ("http-request use-service lua.x", "H034", "lua.x", "Python"),
        ("http-request use-service prometheus-exporter", "H034", "prometheus-exporter", ""),
        ("http-request lua.x", "H034", "lua.x", "Python"),
        ("http-request set-header a %[lua.x(1)]", "H034", "lua.x", "Python"),
        ("http-request set-header a %[src,lua.x]", "H034", "lua.x", "Python"),
        ("http-error status 404 content-type a/b lf-string %[python.count]", "H111", "wait", ""),
        ("monitor fail if { python.many }", "H111", "python.many", "set-var"),
        ("http-after-response set-header a %[python.count]", "H111", "cannot wait", "set-var"),
        ("http-after-response del-header a if { python.many }", "H111", "python.many", "set-var"),
        ("tcp-request connection reject if { python.many }", "H111", "python.many", "set-var"),
        ("log-format %[python.count]", "H111", "cannot wait", "set-var"),
        ("unique-id-format %[python.count]", "H111", "cannot wait", "set-var"),
        (
            "acl a path /\n    tcp-request session reject if a\n    acl a python.many",
            "H111", "the ACL 'a' calls", "set-var",
        ),
        (
            "acl a python.many\n    http-after-response del-header a if { acl(a) }",
            "H111", "the ACL 'a' calls", "set-var",
        ),
        ("telamon-python x.py", "H036", "not possible", "global"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_with_its_place(
    tmp_path: Path, line: str, code: str, said: str, help: str
) -> None:
    found = frontend(tmp_path, f"    {line}")
    error = only_error(found)
    assert (error.code, found.plan) == (code, None)
    assert said in error.message
    assert help in error.help
    assert error.span is not None


def test_choices_of_mode_tcp_cannot_wait(tmp_path: Path) -> None:
    text = """defaults
    mode tcp
    timeout client 1s
    timeout connect 1s
    timeout server 1s
frontend f
    bind 127.0.0.1:8080
    tcp-request content set-var(txn.a) python.count
    use_backend b if { python.many }
backend b
    use-server s if { python.many }
    server s 127.0.0.1:1
"""
    found = loaded(tmp_path, text)
    messages = [one.message for one in found.report if one.severity.label == "error"]
    assert len(messages) == 2
    assert all("'python.many', and" in message for message in messages)


def test_a_fault_in_the_script_is_told_at_its_line(tmp_path: Path) -> None:
    found = frontend(tmp_path, "", script="from telamon.script import *\n\nx = 1 / 0\n")
    error = only_error(found)
    assert error.code == "H110"
    assert error.message == "ZeroDivisionError: division by zero"
    assert str(error.span) == f"{tmp_path / 'rules.py'}:3:1"
    assert f"{tmp_path / 'haproxy.cfg'}:2:" in error.help


@pytest.mark.parametrize(
    ("head", "said"),
    [
        ("global\n    telamon-python none.py\n", "'none.py': cannot be read: No such"),
        ("global\n    telamon-python rules.py\n    telamon-python rules.py\n", "registered by a"),
        ("global\n    telamon-python-timeout 0\n", "cannot be 0"),
        ("global\n    telamon-python\n", "needs the path"),
        ("global\n    lua-load x.lua\n", "'lua-load' is known to HAProxy"),
    ],
)
def test_global_words_are_checked(tmp_path: Path, head: str, said: str) -> None:
    found = frontend(tmp_path, "", head=head)
    assert any(said in one.message for one in found.report if one.severity.label == "error")


def test_a_file_that_everybody_can_change_is_told(tmp_path: Path) -> None:
    (tmp_path / "rules.py").touch()
    (tmp_path / "rules.py").chmod(0o666)
    found = frontend(tmp_path, "")
    assert found.plan is not None
    assert "H112" in [one.code for one in found.report]


def test_without_a_file_the_way_to_one_is_told(tmp_path: Path) -> None:
    head = HEAD.replace("    telamon-python rules.py\n", "")
    found = frontend(tmp_path, "    http-request set-var(txn.a) python.x", head=head)
    assert "telamon-python" in only_error(found).help


def test_a_file_that_never_ends_loading_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(describe, "PATIENCE", 0.5)
    found = frontend(tmp_path, "", script="import threading\nthreading.Event().wait()\n")
    assert "did not load within" in only_error(found).message
