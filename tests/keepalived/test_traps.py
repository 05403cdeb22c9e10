"""Each trap is told with its reason and the mended lines, and only where it is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from telamon.base.diagnostic import Diagnostic, Severity
from telamon.keepalived.load import Loaded, load
from telamon.keepalived.users import ScriptFile, examine
from tests.keepalived.goldens import present


def run(directory: Path, instance: str, *, extra: str = "", examiner: object = present) -> Loaded:
    path = directory / "k.conf"
    path.write_text(
        f"{extra}\nvrrp_instance V {{\ninterface em1\nvirtual_router_id 7\n"
        f"virtual_ipaddress {{ 10.0.0.9 }}\n{instance}\n}}\n"
    )
    return load(str(path), config_id="x", environment={}, examine_script=examiner)  # type: ignore[arg-type]


def with_code(loaded: Loaded, code: str) -> list[Diagnostic]:
    return [d for d in loaded.report if d.code == code]


SCRIPT = 'vrrp_script s {{\nscript "pidof haproxy"\ninterval 1\nfall 2\nweight {}\n}}'


@pytest.mark.parametrize(
    ("weight", "words", "trapped"),
    [
        ("-5", "nopreempt", True),
        ("5", "nopreempt", True),
        ("0", "nopreempt", False),
        ("-5", "", False),
    ],
)
def test_nopreempt_with_a_weight(tmp_path: Path, weight: str, words: str, trapped: bool) -> None:
    loaded = run(tmp_path, f"{words}\ntrack_script {{ s }}", extra=SCRIPT.format(weight))
    found = with_code(loaded, "K030")
    assert bool(found) is trapped
    if trapped:
        (trap,) = found
        assert trap.severity is Severity.WARNING
        assert "weight 0" in trap.help and "nopreempt" in trap.help
        assert any("proxy's death" in note for note in trap.notes)
        assert trap.span is not None and trap.span.source.line(trap.span.line) == "nopreempt"


def test_the_weight_of_the_entry_counts(tmp_path: Path) -> None:
    loaded = run(tmp_path, "nopreempt\ntrack_script { s weight 0 }", extra=SCRIPT.format(-5))
    assert not with_code(loaded, "K030")


def test_a_weight_tells_which_priorities_it_reaches(tmp_path: Path) -> None:
    loaded = run(tmp_path, "priority 101\ntrack_script { s }", extra=SCRIPT.format(-2))
    (note,) = with_code(loaded, "K033")
    assert "100 to 101" in note.message


def test_a_probe_of_the_proxy_is_superfluous(tmp_path: Path) -> None:
    loaded = run(tmp_path, "track_script { s }", extra=SCRIPT.format(0))
    (note,) = with_code(loaded, "K034")
    assert note.severity is Severity.NOTE
    assert loaded.router is not None and loaded.router.scripts, "it runs all the same"


@pytest.mark.parametrize(
    ("words", "warned"),
    [("priority 255", True), ("state MASTER", True), ("state MASTER\npriority 150", False),
     ("priority 254", False)],
)  # fmt: skip
def test_owner_by_accident(tmp_path: Path, words: str, warned: bool) -> None:
    loaded = run(tmp_path, words)
    assert bool(with_code(loaded, "K031")) is warned
    assert loaded.router is not None
    assert (loaded.router.instances[0].priority == 255) is warned


def test_a_slow_script(tmp_path: Path) -> None:
    script = "vrrp_script s {\nscript /bin/true\ninterval 3\nfall 10\n}"
    (note,) = with_code(run(tmp_path, "track_script { s }", extra=script), "K037")
    assert "30 s" in note.message


def test_the_number_that_everybody_has(tmp_path: Path) -> None:
    auth = "authentication {\nauth_type PASS\nauth_pass %s\n}"
    assert with_code(run(tmp_path, "virtual_router_id 51\n" + auth % "1111"), "K035")
    assert not with_code(run(tmp_path, "virtual_router_id 51\n" + auth % "k9Qz_x"), "K035")
    assert not with_code(run(tmp_path, "virtual_router_id 52\n" + auth % "1111"), "K035")


def test_more_addresses_than_an_advert_holds(tmp_path: Path) -> None:
    many = (
        "virtual_ipaddress {\n"
        + "\n".join(f"10.1.{n // 200}.{n % 200}" for n in range(300))
        + "\n}"
    )
    loaded = run(tmp_path, many)
    assert loaded.router is not None
    instance = loaded.router.instances[0]
    assert (len(instance.addresses), len(instance.excluded_addresses)) == (255, 46)
    assert with_code(loaded, "K022")


def test_one_address_in_two_instances(tmp_path: Path) -> None:
    other = (
        "vrrp_instance W {\ninterface em1\nvirtual_router_id 8\nvirtual_ipaddress { 10.0.0.9 }\n}"
    )
    (warning,) = with_code(run(tmp_path, "", extra=other), "K042")
    assert "'W'" in warning.message and "'V'" in warning.message


def test_a_script_that_is_not_there_is_left_out_aloud(tmp_path: Path) -> None:
    script = f"vrrp_script s {{\nscript {tmp_path}/none.sh\n}}"
    loaded = run(tmp_path, "track_script { s }", extra=script, examiner=examine)
    assert with_code(loaded, "K024")
    assert loaded.router is not None
    assert loaded.router.scripts == () and loaded.router.instances[0].track_scripts == ()


def test_a_script_that_others_can_change_is_not_run_as_root(tmp_path: Path) -> None:
    def unsafe(command: str) -> ScriptFile:
        return ScriptFile(command, "", "/opt/scripts")

    script = "vrrp_script s {\nscript /opt/scripts/x\n}\nglobal_defs {\nscript_user root\n%s\n}"
    lax = run(tmp_path, "track_script { s }", extra=script % "", examiner=unsafe)
    assert with_code(lax, "K036") and lax.router is not None and lax.router.scripts
    strict = run(
        tmp_path, "track_script { s }", extra=script % "enable_script_security", examiner=unsafe
    )
    (warning,) = with_code(strict, "K024")
    assert "/opt/scripts" in warning.message
    assert strict.router is not None and strict.router.scripts == ()


def test_examine_names_the_component_that_is_unsafe(tmp_path: Path) -> None:
    script = tmp_path / "x.sh"
    script.write_text("#!/bin/sh\n")
    assert "chmod +x" in examine(str(script)).problem
    script.chmod(0o777)
    assert examine(str(script)).writable_by
    assert examine("surely-no-such-command").problem
    assert examine("sh").path is not None


def test_a_user_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    script = "vrrp_script s {\nscript /bin/true\nuser no-such-user-here\n}"
    loaded = run(tmp_path, "track_script { s }", extra=script)
    (error,) = with_code(loaded, "K023")
    assert error.severity is Severity.ERROR and "no-such-user-here" in error.message
