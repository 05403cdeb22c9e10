"""The Python half of `make fuzz`: `fuzz.py [SECONDS [SEED]]`.

Mutated haproxy.cfg files: no input may end in an exception, the lexer's pieces must join to the
line again, what the engine's compiler of rules refuses must have a place, and what it takes an
engine must be made of.
"""

from __future__ import annotations

import faulthandler
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from telamon import _engine
from telamon.engine import Engine, IoEngine
from telamon.haproxy.lexer import split
from telamon.haproxy.load import load
from telamon.haproxy.samples.index import CONVERTER, FETCH
from telamon.plan.codec import to_json

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 30.0
"""Seconds for one input; then all stacks are printed."""

HEAD = """global
defaults
    mode http
    timeout client 1s
    timeout server 1s
    timeout connect 1s
listen web
    bind 127.0.0.1:8080
"""
RULES = (
    "    http-request set-var(txn.a) {expression}",
    "    http-request deny if {{ {expression} -m sub x }}",
    '    http-request set-header X "%[{expression}]"',
    "    acl a {expression} -m found",
    "    http-response set-header X %[{expression}] if {{ status 200 }}",
    "    use_backend %[{expression}]",
)
ODD = (
    "'", '"', "\\", "#", "${X}", "$", "%[", "]", "(", ")", ",", "{", "}", "!", "-m", "-i", "-f",
    "\x00", "\xff", "\t", "or", "||", "0", "-1", "99999999999999999999", "1s", "*", "if", "unless",
    "%", "/",
)  # fmt: skip


def corpus() -> list[str]:
    """Whole files that tests know, without their expected answers."""
    texts = [path.read_text() for path in (ROOT / "tests/haproxy/golden").glob("*.txt")]
    return [re.split(r"(?m)^-{20,}$", text)[0] for text in texts]


class Mutator:
    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.texts = corpus()
        names = [*FETCH, *CONVERTER]
        self.words = [*names, *ODD, *(word for text in self.texts for word in text.split())]

    def line(self) -> str:
        return "".join(
            self.random.choice([self.random.choice(ODD), self.random.choice(self.words), " ", "x"])
            for _ in range(self.random.randrange(12))
        )

    def file(self) -> str:
        """Some lines of a file changed by words."""
        lines = self.random.choice(self.texts).splitlines()
        for _ in range(self.random.randint(1, 4)):
            at = self.random.randrange(len(lines) + 1)
            match self.random.randrange(4):
                case 0 if at < len(lines):
                    words = re.split(r"(\s+)", lines[at])
                    words[self.random.randrange(len(words))] = self.random.choice(self.words)
                    lines[at] = "".join(words)
                case 1 if at < len(lines):
                    del lines[at]
                case 2:
                    lines.insert(
                        at, self.random.choice(self.random.choice(self.texts).splitlines())
                    )
                case _:
                    lines.insert(at, "    " + self.line())
        return "\n".join(lines) + "\n"

    def arguments(self) -> str:
        count = self.random.choice([0, 0, 1, 1, 2, 3])
        if not count:
            return self.random.choice(["", "", "", "()"])
        odd = ["1", "x", "txn.a", "-1", "0", "", "a b", "%[src]", "10.0.0.0", "s", "utf8", ODD[0]]
        return "(" + ",".join(self.random.choice(odd) for _ in range(count)) + ")"

    def expression(self) -> str:
        parts = [self.random.choice(list(FETCH)) + self.arguments()]
        for _ in range(self.random.randrange(4)):
            parts.append(self.random.choice(list(CONVERTER)) + self.arguments())
        text = ",".join(parts)
        if self.random.random() < 0.15:
            at = self.random.randrange(len(text) + 1)
            text = text[:at] + self.random.choice(ODD) + text[at:]
        return text

    def rules(self) -> str:
        count = self.random.randint(1, 3)
        rules = [
            self.random.choice(RULES).format(expression=self.expression()) for _ in range(count)
        ]
        return HEAD + "\n".join(rules) + "\n"


def lexer(mutator: Mutator, folder: Path) -> str:
    line = mutator.line()
    joined = "".join(piece.text for piece in split(line))
    assert joined == line, f"{joined!r} of {line!r}"
    return line


def through(text: str, folder: Path) -> None:
    """The front end, and behind it the engine's compiler."""
    path = folder / "haproxy.cfg"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    loaded = load([str(path)], environment={})
    if loaded.plan is not None:
        refused = _engine.check_rules(to_json(loaded.plan))
        for line in refused:
            assert re.match(r"[^\n]+:\d+: ", line), f"no place: {line}"
        if not refused:
            Engine(loaded.plan, [], io=IoEngine.EPOLL)


def files(mutator: Mutator, folder: Path) -> str:
    text = mutator.file()
    through(text, folder)
    return text


def expressions(mutator: Mutator, folder: Path) -> str:
    text = mutator.rules()
    through(text, folder)
    return text


TARGETS: tuple[Callable[[Mutator, Path], str], ...] = (lexer, files, expressions)


def run(target: Callable[[Mutator, Path], str], seconds: float, seed: int, folder: Path) -> bool:
    mutator = Mutator(seed)
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        state = mutator.random.getstate()
        faulthandler.dump_traceback_later(PATIENCE, exit=True)
        try:
            target(mutator, folder)
        except BaseException as error:  # a panic of the engine is no Exception
            if isinstance(error, KeyboardInterrupt):
                raise
            mutator.random.setstate(state)
            print(f"{target.__name__}: seed {seed}, input {count}: {error!r}", file=sys.stderr)
            file = folder / "haproxy.cfg"
            print(file.read_text(errors="replace") if file.exists() else "", file=sys.stderr)
            return False
        count += 1
    faulthandler.cancel_dump_traceback_later()
    print(f"{target.__name__}: {count} inputs, no fault")
    return True


def main() -> int:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 60.0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.randrange(1 << 31)
    print(f"seed {seed}")
    with tempfile.TemporaryDirectory() as name:
        share = seconds / len(TARGETS)
        return 0 if all(run(target, share, seed, Path(name)) for target in TARGETS) else 1


if __name__ == "__main__":
    sys.exit(main())
