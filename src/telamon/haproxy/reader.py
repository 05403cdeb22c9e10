"""From statements to the model: each statement finds its row, and the row carries it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from telamon.base.diagnostic import Report, nearest
from telamon.base.span import Span
from telamon.haproxy.environment import Environment
from telamon.haproxy.http_model import ErrorsDraft
from telamon.haproxy.keywords import index
from telamon.haproxy.keywords.known import INSTEAD, REMOVED, not_yet
from telamon.haproxy.keywords.row import Arguments, Context, Refused
from telamon.haproxy.keywords.sections import NAME_CHARACTERS, NOT_YET, PLACES, SECTIONS, Place
from telamon.haproxy.lexer import Word
from telamon.haproxy.model import (
    DefaultsDraft,
    Model,
    ProfileDraft,
    ProxyDraft,
    ProxySettings,
    RingDraft,
    UserListDraft,
)
from telamon.haproxy.statements import statements
from telamon.haproxy.syntax import Document

_NEVER_IGNORED = frozenset({"server", "default-server", "retry-on", "declare"})
"""Words whose loss would change what a proxy is for: an error in the wrong section."""

_FOREIGN_WORDS = frozenset({"no", "default"})


class Reader:
    """Reads documents one after the other into one model. `watch` sees each statement's words."""

    def __init__(
        self,
        environment: Environment,
        report: Report,
        watch: Callable[[list[Word]], None] = lambda words: None,
    ) -> None:
        self._watch = watch
        self.model = Model()
        self._report = report
        self._context = Context(self.model, report, environment)
        self._anonymous: ProxySettings | None = None
        self._skipped = False
        self._inside = False

    def read(self, document: Document) -> None:
        """A file ends the section that was open (manual 2.1, rule 7)."""
        self._inside = False
        self._context.environment.section = ""
        for _, words in statements(document, self._context.environment, self._report):
            self._watch(words)
            if words[0].text in SECTIONS:
                self._open(words)
            elif not self._inside:
                self._out_of_section(words[0])
            elif not self._skipped:
                self._statement(words)

    def _out_of_section(self, word: Word) -> None:
        near = nearest(word.text, SECTIONS)
        self._report.error(
            "H030", f"unknown keyword '{word}' outside of a section", word.span,
            help=f"did you mean '{near}'?" if near else "a file begins with a section, as `global`",
        )  # fmt: skip

    # Sections

    def _open(self, words: list[Word]) -> None:
        keyword, *arguments = words
        self._inside, self._skipped = True, True
        self._context.environment.section = arguments[0].text if arguments else keyword.text
        place = PLACES.get(keyword.text)
        if place is None:
            self._report.error(
                "H031", f"section '{keyword}' is known to HAProxy, not yet to Telamon",
                keyword.span, label=NOT_YET[keyword.text],
                help="its lines were not looked at",
            )  # fmt: skip
            return
        self._context.place, self._context.section = place, keyword.text
        self._context.errors = self._context.ring = self._context.profile = None
        self._context.users = None
        if place is Place.GLOBAL:
            self._no_more(arguments, keyword)
            self._context.settings = ProxySettings()
            self._skipped = False
        elif place is Place.DEFAULTS:
            self._open_defaults(keyword, arguments)
        elif place is Place.ERRORS:
            self._open_errors(keyword, arguments)
        elif place is Place.RING:
            self._open_ring(keyword, arguments)
        elif place is Place.PROFILE:
            self._open_profile(keyword, arguments)
        elif place is Place.USERS:
            self._open_users(keyword, arguments)
        else:
            self._open_proxy(place, keyword, arguments)

    def _no_more(self, arguments: list[Word], keyword: Word) -> None:
        if arguments:
            self._report.error("H041", f"'{keyword}' takes no further argument", arguments[0].span)

    def _inherit(self, keyword: Word, arguments: list[Word]) -> ProxySettings:
        """The settings that a section begins with: those of `from`, or of the last defaults."""
        if not arguments:
            return self._anonymous.copy() if self._anonymous else ProxySettings()
        word, *rest = arguments
        if word.text != "from":
            self._report.error(
                "H041", f"'{word}' cannot follow the name of a '{keyword}' section", word.span,
                help="addresses stand on `bind` lines of their own" if ":" in word.text else "",
            )  # fmt: skip
            return ProxySettings()
        if not rest:
            self._report.error("H040", "'from' needs the name of a defaults section", word.span)
            return ProxySettings()
        self._no_more(rest[1:], keyword)
        parent = self.model.defaults.get(rest[0].text)
        if parent is None:
            near = nearest(rest[0].text, self.model.defaults)
            self._report.error(
                "H073", f"no defaults section '{rest[0]}' stands above", rest[0].span,
                help=f"did you mean '{near}'?" if near else "",
            )  # fmt: skip
            return ProxySettings()
        return parent.settings.copy()

    def _open_defaults(self, keyword: Word, arguments: list[Word]) -> None:
        name = None
        if arguments and arguments[0].text != "from":
            name, *arguments = arguments
            self._check_name(name)
        # Defaults do not build on the ones before them, unless `from` says so.
        settings = self._inherit(keyword, arguments) if arguments else ProxySettings()
        if name is not None:
            if (twin := self.model.defaults.get(name.text)) is not None and twin.name:
                self._report.warning(
                    "H071", f"a second defaults section '{name}'", name.span,
                    help=f"the first stands at {twin.name.span}; this one is used from here on",
                )  # fmt: skip
            self.model.defaults[name.text] = DefaultsDraft(name, settings)
        self._anonymous = settings
        self._context.settings, self._context.proxy = settings, None
        self._skipped = False

    def _open_proxy(self, place: Place, keyword: Word, arguments: list[Word]) -> None:
        if not arguments:
            self._report.error(
                "H032", f"'{keyword}' needs a name", keyword.span, help=f"as in `{keyword} web`"
            )
            # Its lines are still worth a look; the draft belongs to no model.
            proxy = ProxyDraft(place, keyword, keyword.span, self._inherit(keyword, []))
        else:
            name = arguments[0]
            self._check_name(name)
            settings = self._inherit(keyword, arguments[1:])
            proxy = ProxyDraft(place, name, keyword.span.to(name.span), settings)
            self.model.proxies.append(proxy)
        self._context.proxy, self._context.settings = proxy, proxy.settings
        self._skipped = False

    def _open_errors(self, keyword: Word, arguments: list[Word]) -> None:
        name = self._section_name(keyword, arguments)
        if name is None:
            return
        if (twin := self.model.errors.get(name.text)) is not None:
            self._report.error(
                "H071", f"a second http-errors section '{name}'", name.span,
                help=f"the first stands at {twin.name.span}; choose another name",
            )  # fmt: skip
            return
        draft = ErrorsDraft(name)
        self.model.errors[name.text] = draft
        self._context.errors = draft
        self._context.settings, self._context.proxy = ProxySettings(), None
        self._skipped = False

    def _open_ring(self, keyword: Word, arguments: list[Word]) -> None:
        name = self._section_name(keyword, arguments)
        if name is None:
            return
        if (twin := self.model.rings.get(name.text)) is not None:
            self._report.error(
                "H071", f"a second ring '{name}'", name.span,
                help=f"the first stands at {twin.name.span}; choose another name",
            )  # fmt: skip
            return
        draft = RingDraft(name)
        self.model.rings[name.text] = draft
        self._context.ring = draft
        self._context.settings, self._context.proxy = ProxySettings(), None
        self._skipped = False

    def _open_profile(self, keyword: Word, arguments: list[Word]) -> None:
        name = self._section_name(keyword, arguments)
        if name is None:
            return
        if (twin := self.model.profiles.get(name.text)) is not None:
            self._report.error(
                "H071", f"a second log-profile '{name}'", name.span,
                help=f"the first stands at {twin.name.span}; choose another name",
            )  # fmt: skip
            return
        draft = ProfileDraft(name)
        self.model.profiles[name.text] = draft
        self._context.profile = draft
        self._context.settings, self._context.proxy = ProxySettings(), None
        self._skipped = False

    def _open_users(self, keyword: Word, arguments: list[Word]) -> None:
        name = self._section_name(keyword, arguments)
        if name is None:
            return
        if (twin := self.model.userlists.get(name.text)) is not None:
            self._report.error(
                "H071", f"a second userlist '{name}'", name.span,
                help=f"the first stands at {twin.name.span}; choose another name",
            )  # fmt: skip
            return
        draft = UserListDraft(name)
        self.model.userlists[name.text] = draft
        self._context.users = draft
        self._context.settings, self._context.proxy = ProxySettings(), None
        self._skipped = False

    def _section_name(self, keyword: Word, arguments: list[Word]) -> Word | None:
        """The name of a section that is no proxy; its lines are skipped without one."""
        if not arguments:
            self._report.error(
                "H032", f"'{keyword}' needs a name", keyword.span, help=f"as in `{keyword} common`"
            )
            return None
        self._check_name(arguments[0])
        self._no_more(arguments[1:], keyword)
        return arguments[0]

    def _check_name(self, name: Word) -> None:
        bad = next((char for char in name.text if char not in NAME_CHARACTERS), None)
        if bad is not None or not name.text:
            self._report.error(
                "H032", f"character {bad!r} is not possible in a name" if bad else "an empty name",
                name.span, help="names have letters, digits, '-', '_', '.' and ':'",
            )  # fmt: skip

    # Statements

    def _statement(self, words: list[Word]) -> None:
        prefix = words[0] if words[0].text in _FOREIGN_WORDS and len(words) > 1 else None
        if prefix is not None:
            words = words[1:]
        keyword, rest = _keyword(words)
        place = self._context.place
        row = index.find(keyword.text, place)
        if row is None or keyword.text in REMOVED:
            self._unknown(keyword, place)
            return
        context = self._context
        if not row.places & place:
            if not self._misplaced(keyword, index.places(row.name)):
                return
            context = _scratch(context)
        if prefix is not None and not row.negatable:
            self._report.error(
                "H039", f"'{prefix}' cannot stand before '{keyword}'", prefix.span.to(keyword.span)
            )
            return
        args = Arguments(keyword, rest, self._report, negated=prefix is not None)
        try:
            row.carry(args, context)
        except Refused:
            return

    def _unknown(self, keyword: Word, place: Place) -> None:
        if keyword.text in REMOVED:
            self._report.error(
                "H035", f"'{keyword}' is gone from HAProxy", keyword.span,
                help=REMOVED[keyword.text],
            )  # fmt: skip
            return
        first = keyword.text.split(" ")[0]
        for name in (keyword.text, first):
            if name in not_yet(place):
                self._report.error(
                    "H034", f"'{name}' is known to HAProxy, not yet to Telamon", keyword.span,
                    help=INSTEAD.get(
                        name,
                        "remove it, or keep this file on HAProxy until Telamon carries it out",
                    ),
                )  # fmt: skip
                return
        other = Place.GLOBAL if place is not Place.GLOBAL else Place.LISTEN
        if keyword.text in not_yet(other):
            self._misplaced(keyword, other)
            return
        near = nearest(keyword.text, index.names(place))
        self._report.error(
            "H033", f"unknown keyword '{keyword}' in '{self._context.section}' section",
            keyword.span, help=f"did you mean '{near}'?" if near else "",
        )  # fmt: skip

    def _misplaced(self, keyword: Word, places: Place) -> bool:
        """HAProxy ignores, with a warning, what is meant for the other side of a proxy. True: the
        arguments are read all the same, for their mistakes."""
        place = self._context.place
        legal = [name for name, legal in PLACES.items() if legal & places]
        help = f"it belongs into: {', '.join(legal)}"
        if place & Place.PROXY and places & Place.PROXY and keyword.text not in _NEVER_IGNORED:
            self._report.warning(
                "H036", f"'{keyword}' is ignored in a '{self._context.section}' section",
                keyword.span, help=help,
            )  # fmt: skip
            return True
        self._report.error(
            "H036", f"'{keyword}' is not possible in a '{self._context.section}' section",
            keyword.span, help=help,
        )  # fmt: skip
        return False


def _scratch(context: Context) -> Context:
    """A place for what is read and then ignored."""
    settings = context.settings.copy()
    proxy = replace(context.named_proxy, binds=[], servers=[], settings=settings)
    return replace(context, settings=settings, proxy=proxy)


def _keyword(words: list[Word]) -> tuple[Word, list[Word]]:
    """The words that name the statement, as one, and the rest."""
    first = words[0]
    if first.text in index.PREFIXES and len(words) > 1:
        second = words[1]
        span = Span(first.span.source, first.span.line, first.span.column, second.span.end)
        return Word(f"{first.text} {second.text}", span), words[2:]
    return first, words[1:]
