"""`stats ...`: the page (manual 4.2) and the socket (management guide 9.3)."""

from __future__ import annotations

from collections.abc import Callable

from telamon.haproxy.keywords.bind import read_bind
from telamon.haproxy.keywords.row import Arguments, Context, Keyword
from telamon.haproxy.keywords.sections import Place
from telamon.haproxy.model import StatsDraft
from telamon.plan.process import StatsLevel, StatsSocket
from telamon.plan.proxy import AdminRule, StatsUser


def page(args: Arguments, context: Context) -> StatsDraft:
    """The section's page; the first `stats` word of a section makes it."""
    settings = context.settings
    if settings.stats is None:
        settings.stats = StatsDraft(args.keyword)
    return settings.stats


def _enable(args: Arguments, context: Context) -> None:
    args.end()
    page(args, context)


def _flag(field: str) -> Callable[[Arguments, Context], None]:
    def carry(args: Arguments, context: Context) -> None:
        args.end()
        setattr(page(args, context), field, True)

    return carry


def _uri(args: Arguments, context: Context) -> None:
    uri = args.word("a prefix of URIs").text
    args.end()
    page(args, context).uri = uri


def _realm(args: Arguments, context: Context) -> None:
    realm = args.word("a realm").text
    args.end()
    page(args, context).realm = realm


def _refresh(args: Arguments, context: Context) -> None:
    value = args.time(unit="s")
    args.end()
    page(args, context).refresh = value


def _auth(args: Arguments, context: Context) -> None:
    word = args.word("user:password")
    args.end()
    name, colon, password = word.text.partition(":")
    if not colon or not name:
        raise args.refuse("H042", "'stats auth' needs user:password", word.span)
    users = page(args, context).users
    if all(user.name != name for user in users):
        users.append(StatsUser(name, password))


def _scope(args: Arguments, context: Context) -> None:
    word = args.word("a proxy's name, or '.'")
    args.end()
    page(args, context).scopes.append(word.text)


def _show_node(args: Arguments, context: Context) -> None:
    word = args.optional()
    args.end()
    stats = page(args, context)
    stats.show_node, stats.node_of_host = (word.text if word else None), word is None


def _show_desc(args: Arguments, context: Context) -> None:
    words = args.rest()
    stats = page(args, context)
    stats.show_description = " ".join(word.text for word in words) or None
    stats.description_of_global = not words


# (if or unless, the predefined ACL) -> when the form is shown (manual 7.4)
_ADMIN = {
    ("if", "TRUE"): AdminRule.ALWAYS,
    ("if", "FALSE"): AdminRule.NEVER,
    ("if", "LOCALHOST"): AdminRule.LOCALHOST,
    ("unless", "TRUE"): AdminRule.NEVER,
    ("unless", "FALSE"): AdminRule.ALWAYS,
}
_STRENGTH = (AdminRule.NEVER, AdminRule.LOCALHOST, AdminRule.ALWAYS)


def _admin(args: Arguments, context: Context) -> None:
    polarity = args.choice("'if' or 'unless'", {"if": "if", "unless": "unless"})
    word = args.word("a condition")
    rule = _ADMIN.get((polarity, word.text))
    if rule is None or args.left:
        raise args.not_yet(args.peek() or word, "stats admin with conditions of your own")
    stats = page(args, context)
    stats.admin = max(stats.admin, rule, key=_STRENGTH.index)


def _socket(args: Arguments, context: Context) -> None:
    bind = read_bind(args, context, stats=True)
    context.model.process.stats_sockets.extend(
        StatsSocket(address, StatsLevel(bind.level), bind.mode, bind.uid, bind.gid, bind.expose_fd)
        for address in bind.addresses
    )


def _timeout(args: Arguments, context: Context) -> None:
    word = args.peek()
    value = args.time()
    args.end()
    if value == 0:
        raise args.refuse("H042", "'stats timeout' cannot be 0", word.span if word else None)
    context.model.process.stats_timeout = value


def _maxconn(args: Arguments, context: Context) -> None:
    value = args.integer("a number", 1, 2**31 - 1)
    args.end()
    context.model.process.stats_maxconn = value


_PAGE = Place.ANY_PROXY
KEYWORDS = (
    Keyword("stats admin", Place.PROXY, "if|unless <cond>", "When servers may be changed.", _admin),
    Keyword("stats auth", _PAGE, "<user>:<password>", "Who may see the page.", _auth),
    Keyword("stats enable", _PAGE, "", "Serve the page.", _enable),
    Keyword("stats hide-version", _PAGE, "", "Leave the version out.", _flag("hide_version")),
    Keyword("stats realm", _PAGE, "<realm>", "The realm of `stats auth`.", _realm),
    Keyword("stats refresh", _PAGE, "<delay>", "Reload the page; bare numbers: seconds.", _refresh),
    Keyword("stats scope", _PAGE, "{ <name> | . }", "Proxies that are shown.", _scope),
    Keyword("stats show-desc", _PAGE, "[<text>]", "Show a description.", _show_desc),
    Keyword("stats show-legends", _PAGE, "", "Show more details.", _flag("show_legends")),
    Keyword("stats show-modules", _PAGE, "", "Show modules' figures.", _flag("show_modules")),
    Keyword("stats show-node", _PAGE, "[<name>]", "Show the node's name.", _show_node),
    Keyword("stats uri", _PAGE, "<prefix>", "The page's URI.", _uri),
    Keyword("stats maxconn", Place.GLOBAL, "<conns>", "Most users of stats sockets.", _maxconn),
    Keyword("stats socket", Place.GLOBAL, "<address> [param*]", "Takes commands.", _socket),
    Keyword("stats timeout", Place.GLOBAL, "<time>", "An idle stats socket user.", _timeout),
)
