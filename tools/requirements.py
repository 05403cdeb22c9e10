"""Print the requirements of the package and of its tests, as pyproject.toml names them."""

from __future__ import annotations

import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text("utf-8"))["project"]
groups = [project["dependencies"], *project["optional-dependencies"].values()]
print("\n".join(sorted({requirement for group in groups for requirement in group})))
