"""Functions of the user's own: how they register, what they see, and what their faults become."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest

from telamon.script.calls import Failure, Outcome, call
from telamon.script.describe import describe
from telamon.script.registry import Kind, Registered, Registry, ScriptError, Signature, load
from telamon.script.reply import Reply
from telamon.script.transaction import Request, Transaction
from telamon.script.values import Value, cast

HEAD = "from telamon.script import *\n"


def loaded(tmp_path: Path, text: str) -> Registry:
    file = tmp_path / "rules.py"
    file.write_text(HEAD + text)
    return load([str(file)])


def only(registry: Registry) -> Registered:
    [one] = registry.functions.values()
    return one


def transaction(**more: object) -> Transaction:
    headers = [("Host", "a.example"), ("X-Plan", "1"), ("x-plan", "2")]
    return Transaction(Request("GET", "/p?q=1", "1.1", headers), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("signature", "counts", "output"),
    [
        ("(txn) -> str", (0, 0), "str"),
        ("(txn, a, b=1) -> int", (1, 2), "sint"),
        ("(txn, *rest) -> bool", (0, None), "bool"),
        ("(txn) -> str | None", (0, 0), "str"),
        ("(txn) -> bytes", (0, 0), "bin"),
        ("(txn)", (0, 0), "str"),
    ],
)
def test_a_fetch_tells_its_arguments_and_type(
    tmp_path: Path, signature: str, counts: tuple[int, int | None], output: str
) -> None:
    one = only(loaded(tmp_path, f"@fetch('f')\ndef f{signature}: ...\n"))
    sign = one.signature
    most = None if sign.more else len(sign.required) + len(sign.optional)
    assert ((len(sign.required), most), sign.output, sign.kind) == (counts, output, Kind.FETCH)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("@fetch('a b')\ndef f(txn): ...", "a name has letters"),
        ("@fetch('f')\ndef f(txn): ...\n@fetch('f')\ndef g(txn): ...", "registered twice"),
        ("@fetch('f')\ndef f(): ...", "at least 1 argument"),
        ("@fetch('f')\ndef f(txn) -> list[int]: ...", "no type of a sample"),
        ("@action('f', at='http-reqest')\ndef f(txn): ...", "no rules are named http-reqest"),
        ("\nraise KeyError('x')", "line 3: KeyError"),
        ("def f(:", "line 2: SyntaxError"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_place(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(ScriptError, match=r"rules\.py") as caught:
        loaded(tmp_path, text)
    assert said in str(caught.value)


def test_what_a_file_has_is_found_out_elsewhere(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "rules.py"
    file.write_text(
        HEAD + "import threading, os\nprint('hello')\n"
        "threading.Thread(target=threading.Event().wait).start()\n"
        "@converter('c')\ndef c(value: int, a, b=1, *rest) -> bool: ...\n"
        "@action('a', at=['http-request', 'http-response'], required=True)\ndef a(txn): ...\n"
    )
    c, a = describe(str(file))
    assert c == Signature(Kind.CONVERTER, "c", "bool", "sint", ("a",), ("b",), more=True, line=5)
    assert (a.at, a.must_succeed) == (("http-request", "http-response"), True)
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import os\nos._exit(3)", "ended Python, status 3"),
        ("x = 1\ny = x / 0", "line 3: ZeroDivisionError"),
        ("import no_such_module_anywhere", "line 2: ModuleNotFoundError"),
    ],
)
def test_a_file_that_fails_elsewhere_is_told_with_its_line(
    tmp_path: Path, text: str, said: str
) -> None:
    file = tmp_path / "rules.py"
    file.write_text(HEAD + text)
    with pytest.raises(ScriptError, match=said):
        describe(str(file))


def test_modules_beside_a_file_can_be_imported(tmp_path: Path) -> None:
    (tmp_path / "beside_the_rules.py").write_text("NAME = 'x'\n")
    file = tmp_path / "rules.py"
    file.write_text(HEAD + "import beside_the_rules as b\n@fetch(b.NAME)\ndef f(txn): ...\n")
    assert describe(str(file))[0].name == "x"


@pytest.mark.parametrize(
    ("value", "wanted", "found"),
    [
        (7, "str", "7"),
        (True, "str", "1"),
        ("12ab", "sint", 12),
        ("ab", "sint", None),
        (b"\x01\xff", "str", "01FF"),
        ("192.0.2.1", "ipv4", ipaddress.IPv4Address("192.0.2.1")),
        ("here", "ipv4", None),
        (5, "any", 5),
        (5, "bool", True),
    ],
)
def test_a_value_becomes_what_a_function_wants(
    value: Value, wanted: str, found: Value | None
) -> None:
    assert cast(value, wanted) == found


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match="No such file"):
        load([str(tmp_path / "none.py")])


def test_decorated_functions_stay_plain_outside_of_a_configuration() -> None:
    from telamon.script import fetch

    @fetch("anything")
    def one(txn: Transaction) -> int:
        return 7

    assert one(transaction()) == 7


def test_each_kind_gives_its_outcome(tmp_path: Path) -> None:
    registry = loaded(
        tmp_path,
        "@fetch('plan')\n"
        "def plan(txn, name='x-plan') -> str: return txn.request.header(name)\n"
        "@converter('twice')\n"
        "def twice(value, times=2) -> str: return value * int(times)\n"
        "@action('tag')\n"
        "def tag(txn):\n"
        "    txn.set_var('txn.a', 1)\n"
        "    txn.set_header('X-A', str(txn.get_var('txn.a')))\n"
        "@service('page')\n"
        "def page(request): return f'at {request.path}'\n",
    )
    plan, twice, tag, page = registry.functions.values()
    assert call(plan, transaction(), []) == Outcome("2")
    assert call(plan, transaction(), ["host"]) == Outcome("a.example")
    assert call(twice, transaction(), ["3"], "ab") == Outcome("ababab")
    edits = (("set-var", ("txn.a", 1)), ("set-header", ("X-A", "1")))
    assert call(tag, transaction(), []) == Outcome(edits=edits)
    assert call(page, transaction(), []) == Outcome(message=Reply(200, "at /p").message())


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return 1 // 0", "ZeroDivisionError"),
        ("return [1]", "a sample cannot be of type list"),
        ("raise SystemExit(1)", "SystemExit"),
        ("txn.set_header('X', 'a\\r\\nb')", "line break"),
    ],
)
def test_a_fault_becomes_a_failure_with_the_scripts_own_lines(
    tmp_path: Path, body: str, said: str
) -> None:
    one = only(loaded(tmp_path, f"@fetch('f')\ndef f(txn): {body}\n"))
    outcome = call(one, transaction(), [])
    assert isinstance(outcome, Failure)
    assert said in outcome.reason
    assert "calls.py" not in outcome.traceback


def test_a_variable_unset_in_the_call_is_gone() -> None:
    txn = transaction(variables={"txn.a": 5})
    assert txn.get_var("txn.a") == 5
    txn.unset_var("txn.a")
    assert txn.get_var("txn.a") is None


@pytest.mark.parametrize(
    ("status", "headers"),
    [(99, ()), (600, ()), (200, [("X\n", "a")]), (200, [("Content-Length", "3")])],
)
def test_a_reply_that_could_break_the_connection_is_refused(
    status: int, headers: list[tuple[str, str]]
) -> None:
    with pytest.raises(ValueError, match=r"status|header|itself"):
        Reply(status, headers=headers)


def test_a_reply_is_a_whole_response() -> None:
    reply = Reply(201, "é", "text/plain", [("X-A", "b")])
    assert reply.message() == (
        b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\ncontent-type: text/plain\r\n"
        b"x-a: b\r\n\r\n\xc3\xa9"
    )


def test_addresses_are_samples(tmp_path: Path) -> None:
    text = (
        "import ipaddress\n@fetch('f')\n"
        "def f(txn) -> ipaddress.IPv4Address: return ipaddress.IPv4Address('192.0.2.1')\n"
    )
    one = only(loaded(tmp_path, text))
    assert one.signature.output == "ipv4"
    assert call(one, transaction(), []) == Outcome(ipaddress.IPv4Address("192.0.2.1"))
