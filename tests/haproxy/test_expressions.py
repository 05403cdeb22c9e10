"""The small languages of rules: what a word becomes, and where a mistake is said to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from telamon.base.diagnostic import Severity
from telamon.haproxy.load import Loaded, load
from telamon.plan.rules import Call, Expression, Match, Piece, RuleSets

_HEAD = (
    "defaults\n timeout client 1s\n timeout server 1s\n timeout connect 1s\n"
    "listen a\n mode http\n bind 127.0.0.1:8443\n server s 127.0.0.1:1\n"
)


def _load(tmp_path: Path, *statements: str) -> Loaded:
    path = tmp_path / "h.cfg"
    path.write_text(_HEAD + "".join(f" {statement}\n" for statement in statements))
    return load([str(path)], environment={})


def _rules(tmp_path: Path, *statements: str) -> RuleSets:
    loaded = _load(tmp_path, *statements)
    assert loaded.plan is not None, [d.message for d in loaded.report]
    return loaded.plan.proxies[0].rules


def _expression(fetch: Call, *converters: Call) -> Expression:
    return Expression(fetch, converters)


_EXPRESSIONS = {
    "src": _expression(Call("src")),
    "hdr(host),lower": _expression(Call("req.hdr", ("host",)), Call("lower")),
    "hdr(host,-1)": _expression(Call("req.hdr", ("host", -1))),
    "path lower length": _expression(Call("path"), Call("lower"), Call("length")),
    "path, lower": _expression(Call("path"), Call("lower")),
    "'str(\"a,b\")'": _expression(Call("str", ("a,b",))),
    "\"str('a)b')\"": _expression(Call("str", ("a)b",))),
    r"""'path,regsub("^/v([0-9])/","/\1/",g)'""": _expression(
        Call("path"), Call("regsub", ("^/v([0-9])/", r"/\1/", "g"))
    ),
    "date(5,ms)": _expression(Call("date", (5, "ms"))),
    "date": _expression(Call("date")),
    "bool(true)": _expression(Call("bool", (1,))),
    "src,ipmask(24,64)": _expression(
        Call("src"), Call("ipmask", ("255.255.255.0", "ffff:ffff:ffff:ffff::"))
    ),
    "str(4),add(txn.x)": _expression(Call("str", ("4",)), Call("add", ("txn.x",))),
    "var(txn.a,none)": _expression(Call("var", ("txn.a", "none"))),
    "nbsrv": _expression(Call("nbsrv", (1,))),
    "srv_is_up(a/s)": _expression(Call("srv_is_up", (1, 1))),
    "urlp(q)": _expression(Call("url_param", ("q",))),
}


@pytest.mark.parametrize("text", _EXPRESSIONS)
def test_an_expression_becomes(text: str, tmp_path: Path) -> None:
    [rule] = _rules(tmp_path, f"http-request set-var(txn.v) {text}").http_request
    assert rule.expression == _EXPRESSIONS[text]


def test_two_sided_names_follow_the_rule(tmp_path: Path) -> None:
    rules = _rules(
        tmp_path,
        "http-request set-var(txn.a) hdr(x)",
        "http-response set-var(txn.a) hdr(x)",
    )
    names = [rule.expression.fetch.name for rule in (*rules.http_request, *rules.http_response)
             if rule.expression is not None]  # fmt: skip
    assert names == ["req.hdr", "res.hdr"]


_FORMATS: dict[str, tuple[Piece, ...]] = {
    "a%%b": (Piece(text="a%b"),),
    "%ci:%cp": (Piece(alias="ci"), Piece(text=":"), Piece(alias="cp")),
    "%{+Q}r": (Piece(alias="r", quote=True),),
    "%{+Q,+X}o%ci%{-Q}cp": (
        Piece(alias="ci", quote=True, hexadecimal=True),
        Piece(alias="cp", hexadecimal=True),
    ),
    "%(client)ci": (Piece(alias="ci", name="client"),),
    "%[src]x": (Piece(expression=Expression(Call("src"))), Piece(text="x")),
    "%[str(])]": (Piece(expression=Expression(Call("str", ("]",)))),),
    "%ci_": (Piece(alias="ci"), Piece(text="_")),
}


@pytest.mark.parametrize("text", _FORMATS)
def test_a_format_becomes(text: str, tmp_path: Path) -> None:
    [rule] = _rules(tmp_path, f"http-request set-header x {text}").http_request
    assert rule.formats[0].pieces == _FORMATS[text]


def test_blanks_are_merged_in_log_formats_only(tmp_path: Path) -> None:
    loaded = _load(tmp_path, 'log-format "a   %ci"', 'http-request set-header x "a   b"')
    assert loaded.plan is not None
    [proxy] = loaded.plan.proxies
    assert proxy.log_line is not None and proxy.log_line.pieces[0].text == "a "
    assert proxy.rules.http_request[0].formats[0].pieces[0].text == "a   b"


_TESTS = {
    "dst_port gt 3 lt 9": (Match.INT, ("4:", ":8")),
    "dst_port 80 443 1024:": (Match.INT, ("80", "443", "1024:")),
    "src 10.1.2.3/8 ::1": (Match.IP, ("10.0.0.0/8", "::1")),
    "path_beg /a /b": (Match.BEG, ("/a", "/b")),
    "path_beg,length 3": (Match.INT, ("3",)),
    "path -m len le 9": (Match.LEN, (":9",)),
    "path -- -x": (Match.STR, ("-x",)),
    "req.cook(a) -m found": (Match.FOUND, ()),
    "str(AB) -m bin 4142": (Match.BIN, ("4142",)),
}


@pytest.mark.parametrize("text", _TESTS)
def test_an_acl_becomes(text: str, tmp_path: Path) -> None:
    match, patterns = _TESTS[text]
    [acl] = _rules(tmp_path, f"acl a {text}").acls
    [test] = acl.tests
    assert (test.match, test.patterns) == (match, patterns)


def test_files_of_patterns_are_read_and_shared(tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.write_text("# comment\n/a\n\n  /b \n")
    values = tmp_path / "values"
    values.write_text("10.0.0.0/8 inside\n# no\n::/0\tevery where\n")
    loaded = _load(
        tmp_path,
        f"acl a path -f {words} -i -f {words} /c",
        f"http-request set-map({values}) %[src] x if a",
        f"http-request set-var(txn.a) src,map_ip({values},none)",
    )
    assert loaded.plan is not None, [d.message for d in loaded.report]
    plain, mapped = loaded.plan.pattern_sets
    assert [(line.key, line.number) for line in plain.lines] == [("/a", 2), ("/b", 4)]
    assert [(line.key, line.value) for line in mapped.lines] == [
        ("10.0.0.0/8", "inside"),
        ("::/0", "every where"),
    ]
    rules = loaded.plan.proxies[0].rules
    tests = [(test.ignore_case, test.patterns, test.sets) for test in rules.acls[0].tests]
    assert sorted(tests) == [(False, (), (0,)), (True, ("/c",), (0,))]
    assert rules.http_request[0].arguments == (mapped.id,)


_PLACES = {
    "http-request set-header x a%[src,foo]": 35,
    "http-request set-header x %foo": 28,
    "http-request set-header x %[date(1,foo)]": 37,
    "http-request set-var(txn.a) src,add(zz)": 38,
    "acl a dst_port 1 x": 19,
    "http-request deny if { path -m foo }": 33,
}


@pytest.mark.parametrize("statement", _PLACES)
def test_a_mistake_is_said_where_it_is(statement: str, tmp_path: Path) -> None:
    report = _load(tmp_path, statement).report
    [error] = [d for d in report if d.severity is Severity.ERROR]
    assert error.span is not None
    assert error.span.column == _PLACES[statement]


def test_rules_of_named_defaults_are_inherited_with_their_acls(tmp_path: Path) -> None:
    path = tmp_path / "h.cfg"
    path.write_text(
        "defaults d\n mode http\n timeout client 1s\n timeout server 1s\n timeout connect 1s\n"
        " acl x path /x\n http-request deny if x\n"
        "frontend f from d\n bind 127.0.0.1:1\n acl x path /y\n http-request allow if x\n"
    )
    loaded = load([str(path)], environment={})
    assert loaded.plan is not None, [d.message for d in loaded.report]
    rules = loaded.plan.proxies[0].rules
    found = [
        (rule.action, rules.acls[rule.condition.any[0].terms[0].acl].tests[0].patterns)
        for rule in rules.http_request
        if rule.condition is not None
    ]
    assert found == [("deny", ("/x",)), ("allow", ("/y",))]
