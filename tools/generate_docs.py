"""Writes the documents that are made from tables in the code.

python tools/generate_docs.py          writes docs/diagnostics.md and docs/haproxy-keywords.md
python tools/generate_docs.py --check  exits 1 if one of them is not up to date
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from telamon.base.codes import CODES  # noqa: E402
from telamon.haproxy.keywords import known  # noqa: E402
from telamon.haproxy.keywords.bind import BIND_OPTIONS  # noqa: E402
from telamon.haproxy.keywords.index import KEYWORDS  # noqa: E402
from telamon.haproxy.keywords.sections import NOT_YET, PLACES  # noqa: E402
from telamon.haproxy.keywords.server import SERVER_OPTIONS  # noqa: E402

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


def _code(text: str) -> str:
    return "`" + text.strip().replace("|", "\\|") + "`"


DOCUMENTS = {"docs/diagnostics.md": diagnostics, "docs/haproxy-keywords.md": keywords}


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
