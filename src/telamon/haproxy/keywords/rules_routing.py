"""`acl`, and rules that choose: backends, servers, persistence, health of the frontend."""

from __future__ import annotations

from telamon.haproxy.acls import declare, read_tests
from telamon.haproxy.formats import read_format
from telamon.haproxy.keywords.row import Arguments, Context, Keyword
from telamon.haproxy.keywords.sections import NAME_CHARACTERS, Place
from telamon.haproxy.rule_conditions import read_condition
from telamon.haproxy.rule_model import Persist, Switch
from telamon.haproxy.rules import note_kind, place, refuse_in_anonymous_defaults
from telamon.haproxy.samples.stages import Stage
from telamon.haproxy.scope import REQUEST, Scope
from telamon.plan.rules import Condition


def _acl(args: Arguments, context: Context) -> None:
    refuse_in_anonymous_defaults(args, context)
    name = args.word("an ACL's name")
    bad = next((char for char in name.text if char not in NAME_CHARACTERS), None)
    if bad is not None or not name.text:
        raise args.refuse(
            "H032",
            f"character {bad!r} is not possible in an ACL's name" if bad else "an empty name",
            name.span,
            help="names have letters, digits, '-', '_', '.' and ':'",
        )  # fmt: skip
    if name.text == "or":
        raise args.refuse(
            "H032", "an ACL cannot be named 'or': in a condition it stands between alternatives",
            name.span,
        )  # fmt: skip
    words = [args.word("a criterion"), *args.rest()]
    if not words[0].text:
        raise args.refuse("H040", f"'{args.keyword}' needs a criterion", words[0].span)
    scope = Scope(context, (), "'acl'", name, waits=True)
    # A name whose test is wrong is known all the same: conditions would be blamed for it.
    declare(name.text, scope, [])
    declare(name.text, scope, read_tests(words, scope))


def _use_backend(args: Arguments, context: Context) -> None:
    stages = (Stage.USE_BACKEND, *REQUEST[:1])
    scope = Scope(context, stages, "'use_backend'", args.keyword, waits=True)
    context.settings.rules.backends.append(_switch(args, scope, "a backend's name"))
    note_kind(context, "use_backend", args.keyword)


def _use_server(args: Arguments, context: Context) -> None:
    scope = Scope(context, (Stage.USE_SERVER,), "'use-server'", args.keyword, waits=True)
    context.settings.rules.servers.append(_switch(args, scope, "a server's name", required=True))
    note_kind(context, "use-server", args.keyword)


def _switch(args: Arguments, scope: Scope, what: str, *, required: bool = False) -> Switch:
    name = args.word(what)
    format = read_format(name, scope) if "%" in name.text else None
    condition = read_condition(args, scope, required=required)
    return Switch(name, format, condition, place(args.keyword.span))


def _persist(args: Arguments, context: Context) -> None:
    condition = _condition(args, context, f"'{args.keyword}'")
    force = args.keyword.text == "force-persist"
    context.settings.rules.persists.append(Persist(force, condition))


def _monitor(args: Arguments, context: Context) -> None:
    args.choice("what the monitor can do", {"fail": True})
    condition = _condition(args, context, "'monitor fail'")
    context.settings.rules.monitor_fail.append(condition)
    note_kind(context, "monitor fail", args.keyword)


def _condition(args: Arguments, context: Context, rule: str) -> Condition:
    condition = read_condition(args, Scope(context, REQUEST, rule, args.keyword), required=True)
    assert condition is not None
    return condition


_IF = "{if|unless} <condition>"
KEYWORDS = (
    Keyword("acl", Place.ANY_PROXY, "<name> <criterion> [<flag> ...] [<pattern> ...]",
            "A test that conditions name.", _acl),
    Keyword("force-persist", Place.BACK, _IF, "Go to the cookie's server though it is down.",
            _persist),
    Keyword("ignore-persist", Place.BACK, _IF, "Do not follow the cookie.", _persist),
    Keyword("monitor", Place.FRONT, f"fail {_IF}", "When `monitor-uri` answers 503.", _monitor),
    Keyword("use_backend", Place.FRONT, f"<backend> [{_IF}]",
            "Where requests go; the name may be a log format.", _use_backend),
    Keyword("use-server", Place.BACK, f"<server> {_IF}",
            "Which server takes a request; the name may be a log format.", _use_server),
)  # fmt: skip
