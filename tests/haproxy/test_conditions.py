"""Conditions of `.if`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telamon.haproxy.conditions import ConditionError, evaluate
from telamon.haproxy.environment import Environment

ENVIRONMENT = Environment({"A": "1"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", False),
        ("0", False),
        ("-1", True),
        ("1 && 0 || 1 && 1", True),
        ("0 || !(0)", True),
        ("((1)||0) && (0 || !(0))", True),
        ("!!1", True),
        ("defined(A)", True),
        ("defined(B)", False),
        ("streq(a,a)", True),
        ("streq(a , a)", False),
        ('streq("a,b)",a\\,b\\))', True),
        ("strneq(a,b)", True),
        ("strstr(abc,bc)", True),
        ("strstr(bc,abc)", False),
        ("version_atleast(2.4-dev19)", True),
        ("version_atleast(99)", False),
        ("version_before(2.0.5)", False),
        ("version_before(99.1)", True),
        ("version_atleast(abc)", True),
        ("feature(OPENSSL)", False),
        ("feature(EPOLL)", True),
        ("feature(TFO) && feature(TPROXY)", True),
        ("enabled(poll)", True),
        ("openssl_version_atleast(1.1.1)", False),
        ("awslc_api_atleast(1)", False),
    ],
)
def test_truth(text: str, expected: bool) -> None:
    assert evaluate(text, ENVIRONMENT) is expected


@pytest.mark.parametrize(
    "text",
    ["foo(1)", "defined(A", "1 &&", "1 2", "abc", "streq(a)", "(1", "!", "1)", "streq(a,b,c)",
     "1 || foo(1)", "0 && foo(1)", "defined(A) x", "&& 1", "defined A"],
)  # fmt: skip
def test_mistakes_are_told_even_where_they_do_not_count(text: str) -> None:
    with pytest.raises(ConditionError):
        evaluate(text, ENVIRONMENT)


@given(st.recursive(st.sampled_from(["0", "1"]), lambda inner: st.one_of(
    inner.map(lambda a: f"!({a})"),
    st.tuples(inner, inner).map(lambda p: f"({p[0]} && {p[1]})"),
    st.tuples(inner, inner).map(lambda p: f"({p[0]}||{p[1]})"),
)))  # fmt: skip
def test_agrees_with_python(text: str) -> None:
    python = text.replace("!", " not ").replace("&&", " and ").replace("||", " or ")
    assert evaluate(text, ENVIRONMENT) is bool(eval(python))


@given(st.text(alphabet="01()!&| ,adefinst\"'\\", max_size=30))
def test_no_text_breaks_it(text: str) -> None:
    try:
        evaluate(text, ENVIRONMENT)
    except ConditionError as error:
        assert 0 <= error.at <= len(text)
