"""The layers of ARCHITECTURE.md, held by a test: imports point up the table, never down.

A failure names the module and the import. Packages of one row must not import each other.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import telamon

ROOT = Path(telamon.__file__).parent

# Lowest first, as in ARCHITECTURE.md. The extension module stands with `engine`.
ROWS: tuple[frozenset[str], ...] = (
    frozenset({"base"}),
    frozenset({"plan", "script"}),
    frozenset({"haproxy", "keepalived", "vrrp", "director", "checks"}),
    frozenset({"_engine"}),  # the extension module: the same row as its face in the document
    frozenset({"kernel", "engine"}),
    frozenset({"runtime"}),
    frozenset({"daemon"}),
    frozenset({"host", "lab"}),
    frozenset({"cli"}),
    frozenset({"__main__"}),
)
ROW_OF = {package: row for row, packages in enumerate(ROWS) for package in packages}
EVERYWHERE = frozenset({"testing"})
"""May import all, and is imported by none but tests."""


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def package_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(line, package) for each package of ours that the module names, also late and for types."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = [node.module]
            if node.module == "telamon":
                names = [f"telamon.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            if name.startswith("telamon.") and name != "telamon.__version__":
                yield node.lineno, name.split(".")[1]


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_to_lower_rows(path: Path) -> None:
    here = package_of(path)
    if here in EVERYWHERE or here == "__init__":
        return
    for line, target in imports(path):
        assert target not in EVERYWHERE, f"{path.name}:{line} imports telamon.{target}"
        allowed = target == here or ROW_OF[target] < ROW_OF[here]
        assert allowed, f"{path.name}:{line}: {here} may not import {target}"


def test_every_package_has_its_row() -> None:
    packages = {p.name for p in ROOT.iterdir() if p.is_dir() and (p / "__init__.py").exists()}
    assert packages - EVERYWHERE <= set(ROW_OF)


def test_the_table_in_the_document_is_this_one() -> None:
    document = (ROOT.parents[1] / "ARCHITECTURE.md").read_text("utf-8")
    listed = [packages for packages in ROWS if packages.isdisjoint({"_engine", "__main__"})]
    for row, packages in enumerate(listed, start=1):
        for package in packages:
            assert any(
                line.startswith(f"| {row} |") and f"`{package}/`" in line
                for line in document.splitlines()
            ), f"ARCHITECTURE.md does not have {package} in row {row}"
