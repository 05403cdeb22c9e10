"""Writes the documents that are made from tables in the code.

python tools/generate_docs.py          writes them
python tools/generate_docs.py --check  exits 1 if one of them is not up to date
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from telamon.base.codes import CODES  # noqa: E402
from telamon.haproxy.actions import index as actions  # noqa: E402
from telamon.haproxy.actions.row import At  # noqa: E402
from telamon.haproxy.keywords import known  # noqa: E402
from telamon.haproxy.keywords.bind import BIND_OPTIONS  # noqa: E402
from telamon.haproxy.keywords.index import KEYWORDS  # noqa: E402
from telamon.haproxy.keywords.sections import NOT_YET, PLACES  # noqa: E402
from telamon.haproxy.keywords.server import SERVER_OPTIONS  # noqa: E402
from telamon.haproxy.samples import index as samples  # noqa: E402
from telamon.haproxy.samples import missing  # noqa: E402
from telamon.haproxy.samples.aliases import ALIASES  # noqa: E402
from telamon.haproxy.samples.fetches.not_yet import WHY as FETCHES_NOT_YET  # noqa: E402
from telamon.haproxy.samples.predefined import PREDEFINED  # noqa: E402

_MADE = (
    "<!-- Made by tools/generate_docs.py from tables in the code: change them, not this. -->\n\n"
)
_LANGUAGES = {
    "H": "haproxy.cfg",
    "K": "keepalived.conf",
    "P": "What only both files together show",
}


def diagnostics() -> str:
    """docs/diagnostics.md."""
    out = [
        _MADE,
        "# Diagnostics\n\n",
        "Every message of `telamon check`, and of `telamon run` at its start, bears a code. "
        "Codes are stable. An *error* keeps a file from loading; a *warning* does not, unless "
        "zero-warning mode asks for it; a *note* tells what is worth knowing.\n",
    ]
    for letter, title in _LANGUAGES.items():
        out.append(f"\n## {title}\n\n| code | meaning |\n|---|---|\n")
        for code, text in sorted(CODES.items()):
            if code.startswith(letter):
                out.append(f"| {code} | {text} |\n")
    return "".join(out)


def keywords() -> str:
    """docs/haproxy-keywords.md."""
    out = [
        _MADE,
        "# Keywords of haproxy.cfg\n\n",
        "## Carried out\n\n",
        "| keyword | " + " | ".join(PLACES) + " | what it does |\n",
        "|---|" + "---|" * len(PLACES) + "---|\n",
    ]
    for row in sorted(KEYWORDS, key=lambda row: row.name):
        marks = " | ".join("x" if row.places & place else "-" for place in PLACES.values())
        star = " (\\*)" if row.negatable else ""
        out.append(f"| {_code(f'{row.name} {row.grammar}')}{star} | {marks} | {row.doc} |\n")
    out.append("\n(\\*) may stand after `no`.\n")
    for title, options in (("bind", BIND_OPTIONS), ("server", SERVER_OPTIONS)):
        out.append(f"\n### Words of a `{title}` line\n\n| word | what it does |\n|---|---|\n")
        out.extend(
            f"| {_code(f'{option.name} {option.grammar}')} | {option.doc} |\n" for option in options
        )
    out.append("\n## Known to HAProxy, not yet to Telamon\n\nEach is refused by name.\n")
    for title, names in (
        ("Sections", NOT_YET),
        ("`global`", known.GLOBAL_NOT_YET),
        ("Proxies", known.PROXY_NOT_YET),
        ("`bind` lines", known.BIND_NOT_YET),
        ("`server` lines", known.SERVER_NOT_YET),
    ):
        out.append(f"\n{title}: {', '.join(f'`{name}`' for name in sorted(names))}.\n")
    out.append("\n## Gone from HAProxy\n\n| keyword | what to do |\n|---|---|\n")
    out.extend(f"| `{name}` | {text} |\n" for name, text in sorted(known.REMOVED.items()))
    return "".join(out)


def expressions() -> str:
    """docs/haproxy-expressions.md."""
    out = [
        _MADE,
        "# The rule language of haproxy.cfg\n\n",
        "Sample fetches, converters, log aliases, ACLs and the actions of rules. What is marked "
        "*no* is known by name and refused, until Telamon carries it out; nothing is skipped. "
        "Functions of your own, in Python, are `python.NAME`: see `python.md`. "
        "*Since* is HAProxy's version, where a word is younger than 2.6.\n",
        "\n## Sample fetches\n\nA fetch *needs* what it reads: in a rule where that is not there, "
        "it is refused.\n\n| fetch | type | needs | since | carried out | what it gives |\n",
        "|---|---|---|---|---|---|\n",
    ]
    for fetch in sorted(samples.FETCHES, key=lambda row: row.name):
        out.append(
            f"| {_code(fetch.shown)} | {fetch.output} | {fetch.needs.text} | {fetch.since} "
            f"| {_carried(fetch.name, missing.FETCHES)} | {fetch.doc} |\n"
        )
    out.append(
        "\nOld names: " + _renamed(samples.OLD_NAMES) + ".\n\nBy the rule, the request's or "
    )
    out.append("the response's: " + _names(samples.TWO_SIDED) + ".\n\nNot carried out")
    for why, names in FETCHES_NOT_YET.items():
        out.append(f"; {why}: {_names(names)}")
    out.append(".\n\n## Keywords of ACLs only\n\n| criterion | means |\n|---|---|\n")
    for name, criterion in sorted(samples.CRITERIA.items()):
        out.append(f"| {_code(name)} | {_code(f'{criterion.fetch} -m {criterion.match}')} |\n")
    out.append("\n## Predefined ACLs\n\n| name | means |\n|---|---|\n")
    out.extend(f"| `{name}` | {_code(text)} |\n" for name, text in PREDEFINED.items())
    out.append(
        "\n## Converters\n\n| converter | takes | gives | since | carried out | what it does "
    )
    out.append("|\n|---|---|---|---|---|---|\n")
    for converter in sorted(samples.CONVERTERS, key=lambda row: row.name):
        out.append(
            f"| {_code(converter.shown)} | {converter.input} | {converter.output} "
            f"| {converter.since} | {_carried(converter.name, missing.CONVERTERS)} "
            f"| {converter.doc} |\n"
        )
    out.append(
        f"\nNot carried out: {_names(samples.CONVERTERS_NOT_YET)}.\n\n## Actions\n\n| action | "
    )
    out.append(" | ".join(_SETS) + " | since | carried out | what it does |\n|---|")
    out.append("---|" * (len(_SETS) + 3) + "\n")
    for action in sorted(actions.ACTIONS, key=lambda row: row.name):
        marks = " | ".join("x" if action.at & at else "-" for at in _SETS.values())
        grammar = action.name + ("" if action.keyed else " ") + action.grammar
        out.append(
            f"| {_code(grammar)} | {marks} | {action.since} "
            f"| {_carried(action.name, missing.ACTIONS)} | {action.doc} |\n"
        )
    out.append("\nThe columns are the rule sets: " + ", ".join(
        f"{short} is `{actions.SET_NAMES[at]}`" for short, at in _SETS.items()
    ))  # fmt: skip
    out.append(f".\n\nNot carried out: {_names(actions.ACTIONS_NOT_YET)}.\n\n## Log aliases\n\n")
    out.append("| alias | mode | since | carried out | what it writes |\n|---|---|---|---|---|\n")
    for alias in ALIASES:
        out.append(
            f"| `%{alias.name}` | {'http' if alias.http else ''} | {alias.since} | yes "
            f"| {alias.doc} |\n"
        )
    return "".join(out)


_SETS = {
    "con": At.CONNECTION, "ses": At.SESSION, "cnt": At.CONTENT, "res": At.TCP_RESPONSE,
    "req": At.REQUEST, "rsp": At.RESPONSE, "aft": At.AFTER,
}  # fmt: skip


def _carried(name: str, absent: frozenset[str]) -> str:
    return "no" if name in absent else "yes"


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in sorted(names))


def _renamed(names: Mapping[str, str]) -> str:
    return ", ".join(f"`{old}` is `{new}`" for old, new in sorted(names.items()))


def _code(text: str) -> str:
    return "`" + text.strip().replace("|", "\\|") + "`"


DOCUMENTS = {
    "docs/diagnostics.md": diagnostics,
    "docs/haproxy-keywords.md": keywords,
    "docs/haproxy-expressions.md": expressions,
}


def main() -> int:
    stale = 0
    for name, make in DOCUMENTS.items():
        path, text = ROOT / name, make()
        if "--check" in sys.argv[1:]:
            if not path.exists() or path.read_text() != text:
                print(f"{name} is not up to date: run python tools/generate_docs.py")
                stale = 1
        else:
            path.write_text(text)
    return stale


if __name__ == "__main__":
    sys.exit(main())
