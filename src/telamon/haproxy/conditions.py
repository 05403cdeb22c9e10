"""Conditions of `.if` and `.elif` (manual 2.4).

    expression := term  { '||' term }
    term       := factor { '&&' factor }
    factor     := { '!' } ( integer | '(' expression ')' | predicate '(' arguments ')' )

The whole expression is read before any of it counts, so that a mistake in a branch that is not
taken is told too, as HAProxy does. The empty condition is false.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from telamon.base.frozen import frozen
from telamon.base.version import HAPROXY_LEVEL
from telamon.haproxy.environment import Environment

FEATURES = frozenset(
    "ACCEPT4 CRYPT_H EPOLL GETADDRINFO LIBCRYPT LINUX_SPLICE LINUX_TPROXY NETFILTER PCRE2 POLL"
    " PRCTL TFO THREAD TPROXY".split()
)
"""Build features that hold for Telamon too: a file that asks for one finds its words carried out
(`PCRE2`: expressions as written for it; `LINUX_TPROXY`: `source ... usesrc`; `LIBCRYPT`: hashed
passwords of user lists). What we do not carry out is absent."""

ENABLED = frozenset({"EPOLL", "POLL", "REUSEPORT", "GETADDRINFO", "SPLICE"})


class ConditionError(ValueError):
    """`str()` says what is wrong; `at` is the offset in the condition's text."""

    def __init__(self, message: str, at: int) -> None:
        super().__init__(message)
        self.at = at


@frozen
class Predicate:
    """`arity` arguments, and what they decide."""

    arity: int
    decide: Callable[[Environment, list[str]], bool]


def _version(text: str) -> tuple[int, int, int, int, int]:
    """A version as numbers that compare; a release is newer than its `-dev` builds."""
    match = re.match(r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-dev(\d*))?(?:-(\d+))?", text)
    if match is None:
        return (0, 0, 0, 0, 0)
    major, minor, patch, dev, build = match.groups()
    development = 1 << 16 if dev is None else int(dev or 0)
    return (int(major), int(minor or 0), int(patch or 0), development, int(build or 0))


def _no_library(_: Environment, __: list[str]) -> bool:
    """No TLS library is linked in, so none is of any version."""
    return False


PREDICATES: dict[str, Predicate] = {
    "defined": Predicate(1, lambda env, args: env.get(args[0]) is not None),
    "feature": Predicate(1, lambda _, args: args[0] in FEATURES),
    "enabled": Predicate(1, lambda _, args: args[0].upper() in ENABLED),
    "streq": Predicate(2, lambda _, args: args[0] == args[1]),
    "strneq": Predicate(2, lambda _, args: args[0] != args[1]),
    "strstr": Predicate(2, lambda _, args: args[1] in args[0]),
    "version_atleast": Predicate(1, lambda _, a: _version(HAPROXY_LEVEL) >= _version(a[0])),
    "version_before": Predicate(1, lambda _, a: _version(HAPROXY_LEVEL) < _version(a[0])),
    "openssl_version_atleast": Predicate(1, _no_library),
    "openssl_version_before": Predicate(1, _no_library),
    "ssllib_name_startswith": Predicate(1, _no_library),
    "awslc_api_atleast": Predicate(1, _no_library),
    "awslc_api_before": Predicate(1, _no_library),
}


def evaluate(text: str, environment: Environment) -> bool:
    """The truth of a condition's text; ConditionError if it is not one."""
    if not text.strip(" "):
        return False
    reader = _Reader(text, environment)
    value = reader.expression()
    reader.skip()
    if reader.at < len(text):
        raise ConditionError(f"'{text[reader.at :]}' is left over after the condition", reader.at)
    return value


_INTEGER = re.compile(r"[+-]?\d+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class _Reader:
    """Recursive descent over the text; `at` is the next character."""

    def __init__(self, text: str, environment: Environment) -> None:
        self._text = text
        self._environment = environment
        self.at = 0

    def skip(self) -> None:
        while self.at < len(self._text) and self._text[self.at] in " \t":
            self.at += 1

    def _take(self, token: str) -> bool:
        self.skip()
        if not self._text.startswith(token, self.at):
            return False
        self.at += len(token)
        return True

    def expression(self) -> bool:
        value = self._term()
        while self._take("||"):
            value = self._term() or value
        return value

    def _term(self) -> bool:
        value = self._factor()
        while self._take("&&"):
            value = self._factor() and value
        return value

    def _factor(self) -> bool:
        if self._take("!"):
            return not self._factor()
        opening = self.at
        if self._take("("):
            value = self.expression()
            if not self._take(")"):
                raise ConditionError("this parenthesis is never closed", opening)
            return value
        if (integer := _INTEGER.match(self._text, self.at)) is not None:
            self.at = integer.end()
            return int(integer[0]) != 0
        return self._predicate()

    def _predicate(self) -> bool:
        name = _NAME.match(self._text, self.at)
        if name is None:
            raise ConditionError("a condition is missing here", self.at)
        predicate = PREDICATES.get(name[0])
        if predicate is None:
            raise ConditionError(
                f"'{name[0]}' is not a predicate; known: {', '.join(sorted(PREDICATES))}", self.at
            )
        self.at = name.end()
        if self._text[self.at : self.at + 1] != "(":
            raise ConditionError(f"'{name[0]}' needs its arguments in parentheses", self.at)
        arguments = self._arguments(name[0])
        if len(arguments) != predicate.arity:
            raise ConditionError(
                f"'{name[0]}' takes {predicate.arity} argument(s), not {len(arguments)}",
                name.start(),
            )
        return predicate.decide(self._environment, arguments)

    def _arguments(self, name: str) -> list[str]:
        """The second level of quoting (manual 2.2): quotes and backslashes protect `,` and `)`."""
        opening = self.at
        self.at += 1
        arguments, quote = [""], ""
        while self.at < len(self._text):
            char = self._text[self.at]
            self.at += 1
            if char == quote:
                quote = ""
            elif quote == "'":
                arguments[-1] += char
            elif char == "\\" and self.at < len(self._text):
                arguments[-1] += self._text[self.at]
                self.at += 1
            elif quote:
                arguments[-1] += char
            elif char in "\"'":
                quote = char
            elif char == ")":
                return arguments
            elif char == ",":
                arguments.append("")
            else:
                arguments[-1] += char
        raise ConditionError(f"the parenthesis of '{name}' is never closed", opening)
