"""`telamon check`."""

from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner

from telamon.cli.check import Language, command, detect
from tests.haproxy.goldens import known_machine

EXAMPLES = Path(__file__).parents[2] / "examples" / "kube-apiserver"
BOTH = [str(EXAMPLES / "haproxy.cfg"), str(EXAMPLES / "keepalived-v3.conf")]


def test_explains_the_traps_of_the_example() -> None:
    with known_machine():
        result = CliRunner().invoke(command, BOTH)
    assert result.exit_code == 0, result.output
    for code in ("H070", "H080", "K030", "P001"):
        assert f"[{code}]" in result.output
    assert "haproxy.cfg (haproxy, 2 proxies, 3 servers): ok, 2 warnings" in result.output


def test_json_and_zero_warning() -> None:
    with known_machine():
        result = CliRunner().invoke(command, ["--json", "-W", *BOTH])
    assert result.exit_code == 1
    document = json.loads(result.output)
    assert document["ok"] is False
    first = document["configurations"][0]["diagnostics"][0]
    assert (first["code"], first["severity"], first["place"]["line"]) == ("H070", "error", 35)


def test_a_mistake_ends_with_status_1(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("listen a\n bind :80\n servr s 1.2.3.4:80\n")
    result = CliRunner().invoke(command, [str(path)])
    assert result.exit_code == 1 and "did you mean 'server'?" in result.output


def test_languages_are_told_from_text_then_name(tmp_path: Path) -> None:
    def file(name: str, text: str) -> str:
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)

    assert detect(file("a.conf", "# x\nglobal\n daemon\n")) is Language.HAPROXY
    assert detect(file("b.cfg", "vrrp_instance A {\n}\n")) is Language.KEEPALIVED
    assert detect(file("keepalived.conf", "")) is Language.KEEPALIVED
    assert detect(str(tmp_path / "none.cfg")) is Language.HAPROXY
    assert detect(str(tmp_path)) is Language.HAPROXY
