"""Fill README.md's samples with what the program really prints, and make its picture.

Runs the demo and `telamon check` on the example files, and takes a picture of the stats page of a
lab with Chromium. The benchmark's table is taken from docs/performance.md, where
`bench/run.py --write docs/performance.md` puts it. Needs what the lab needs.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
PERFORMANCE = ROOT / "docs" / "performance.md"
PICTURE = ROOT / "docs" / "stats-page.png"
EXAMPLES = "examples/kube-apiserver"


def telamon(*arguments: str, check: bool = True) -> str:
    """What a command prints on standard output."""
    done = subprocess.run(
        [sys.executable, "-m", "telamon", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if check and done.returncode != 0:
        sys.exit(f"telamon {' '.join(arguments)}:\n{done.stdout}{done.stderr}")
    return done.stdout


def fill(text: str, name: str, body: str) -> str:
    """`text` with what stands between the markers of `name` replaced."""
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(text):
        sys.exit(f"README.md has no place for '{name}'")
    return pattern.sub(lambda match: f"{match[1]}\n{body.strip()}\n\n{match[2]}", text)


def block(command: str, output: str) -> str:
    return f"```console\n$ {command}\n{output.strip()}\n```"


def check_sample() -> str:
    files = [f"{EXAMPLES}/haproxy.cfg", f"{EXAMPLES}/keepalived-v3.conf"]
    output = telamon("check", *files)
    return block(f"telamon check {' '.join(files)}", output)


def demo_sample() -> str:
    return block("make demo", telamon("lab", "demo"))


def bench_table() -> str:
    found = re.search(
        r"<!-- bench:begin[^>]*-->\n(.*?)<!-- bench:end", PERFORMANCE.read_text("utf-8"), re.DOTALL
    )
    if found is None:
        sys.exit("docs/performance.md has no table: run bench/run.py --write docs/performance.md")
    return found[1]


def picture() -> None:
    """The stats page of a node of the lab, after some requests."""
    sys.path.insert(0, str(ROOT))
    from tests.support import browser

    lab = telamon("lab", "up")
    try:
        url = re.search(r"http://\S+", lab)
        assert url is not None
        for _ in range(30):
            telamon(
                *"lab exec client -- curl -sk https://192.168.10.99:8443/readyz".split(),
                check=False,
            )
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "page.png"
            browser.screenshot(url[0], target, width=1500, height=560)
            PICTURE.write_bytes(target.read_bytes())
    finally:
        telamon("lab", "down")


def main() -> None:
    text = README.read_text("utf-8")
    text = fill(text, "check", check_sample())
    text = fill(text, "bench", bench_table())
    text = fill(text, "demo", demo_sample())
    README.write_text(text, "utf-8")
    picture()


if __name__ == "__main__":
    main()
