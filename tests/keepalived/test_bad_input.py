"""Whatever a file holds: no exception, and a message with a place."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telamon.base.diagnostic import render
from telamon.keepalived import files
from telamon.keepalived.keywords import ROWS
from telamon.keepalived.load import Loaded, check_failed, load
from tests.keepalived.goldens import HERE, cases, present


def load_text(directory: Path, text: str | bytes) -> Loaded:
    path = directory / "keepalived.conf"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    loaded = load(str(path), config_id="x", environment={}, examine_script=present)
    assert (loaded.router is None) is loaded.report.failed
    assert (loaded.director is None) is loaded.report.failed
    render(loaded.report, colour=True)
    return loaded


def codes(loaded: Loaded) -> set[str]:
    return {d.code for d in loaded.report}


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    loaded = load(str(tmp_path / "none.conf"))
    assert loaded.report.failed
    assert "no such file" in render(loaded.report)


def test_a_directory(tmp_path: Path) -> None:
    assert "directory" in render(load(str(tmp_path)).report)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path: Path) -> None:
    path = tmp_path / "secret.conf"
    path.write_text("")
    path.chmod(0)
    assert "permission denied" in render(load(str(path)).report)


def test_an_empty_file_runs_and_says_so(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, "")
    assert loaded.router is not None and loaded.router.instances == ()
    assert codes(loaded) == {"K027"} and not check_failed(loaded.report)


def test_binary(tmp_path: Path) -> None:
    loaded = load_text(tmp_path, b"\x7fELF\x02\x01\x00\x00\xff\xfe" * 100)
    assert "not text" in render(loaded.report)


def test_latin1_comments_are_read(tmp_path: Path) -> None:
    assert not load_text(tmp_path, b"# f\xfcr uns\nglobal_defs { router_id A }\n").report.failed


def test_a_device_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_BYTES", 1 << 16)
    assert "larger than" in render(load("/dev/zero").report)


def test_deep_nesting(tmp_path: Path) -> None:
    assert load_text(tmp_path, "a { " * 5000 + "} " * 5000).report.failed


def test_only_braces(tmp_path: Path) -> None:
    assert "K004" in codes(load_text(tmp_path, "{\n{\n"))
    assert "K005" in codes(load_text(tmp_path, "}\n}\n"))


def test_a_very_long_line(tmp_path: Path) -> None:
    assert check_failed(load_text(tmp_path, "x" * 1_000_000).report)


def test_windows_line_ends(tmp_path: Path) -> None:
    text = (HERE / "braces-on-own-lines.conf").read_text().replace("\n", "\r\n")
    loaded = load_text(tmp_path, text)
    assert loaded.router is not None and loaded.router.instances[0].interface == "em1"


@pytest.mark.parametrize("name", cases())
def test_truncated_anywhere(tmp_path: Path, name: str) -> None:
    text = (HERE / f"{name}.conf").read_text()
    for end in range(0, len(text), 23):
        load_text(tmp_path, text[:end])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.blocks[0].name}-{row.name}")
def test_each_keyword_without_arguments_and_with_odd_ones(tmp_path: Path, row: object) -> None:
    from telamon.keepalived.keywords.row import Keyword

    assert isinstance(row, Keyword)
    outer = {
        "TOP": "{}", "GLOBAL": "global_defs {{\n{}\n}}", "SCRIPT": "vrrp_script s {{\n{}\n}}",
        "FILE": "track_file f {{\n{}\n}}", "PROCESS": "vrrp_track_process p {{\n{}\n}}",
        "BFD": "bfd_instance b {{\n{}\n}}", "INSTANCE": "vrrp_instance i {{\n{}\n}}",
        "AUTHENTICATION": "vrrp_instance i {{\nauthentication {{\n{}\n}}\n}}",
        "HMAC": "vrrp_instance i {{\nauth_hmac {{\n{}\n}}\n}}",
        "GROUP": "vrrp_sync_group g {{\n{}\n}}", "TRACK_GROUP": "track_group t {{\n{}\n}}",
        "GARP_GROUP": "garp_group {{\n{}\n}}",
        "VIRTUAL_SERVER": "virtual_server 10.0.0.1 80 {{\n{}\n}}",
        "REAL_SERVER": "virtual_server 10.0.0.1 80 {{\nreal_server 10.0.0.2 80 {{\n{}\n}}\n}}",
        "CHECKER": "virtual_server 10.0.0.1 80 {{\nreal_server 10.0.0.2 80 {{\nTCP_CHECK {{\n{}"
        "\n}}\n}}\n}}",
        "URL": "virtual_server 10.0.0.1 80 {{\nreal_server 10.0.0.2 80 {{\nHTTP_GET {{\nurl {{\n{}"
        "\n}}\n}}\n}}\n}}",
        "TRACK_PROXY": "vrrp_instance I {{\ninterface e\nvirtual_router_id 5\ntrack_proxy {{\n{}"
            "\n}}\n}}",
            "TRACK_BACKEND": "vrrp_instance I {{\ninterface e\nvirtual_router_id 5\n"
            "track_backend b {{\n{}\n}}\n}}",
            "SSL": "SSL {{\n{}\n}}",
    }  # fmt: skip
    for block in row.blocks:
        for arguments in ("", "-1", "x y z", "1 { }", "{ a b { c } }", '"" ""', "999999999999999"):
            loaded = load_text(tmp_path, outer[block.name].format(f"{row.name} {arguments}"))
            messages = [d.message for d in loaded.report if d.code == "K011"]
            assert not any(f"'{row.name}'" in message for message in messages), messages


WORDS = sorted(
    {row.name for row in ROWS} | {"{", "}", "\n", "1", "em1", "10.0.0.1", '"', "$A=", "@x"}
)


@given(words=st.lists(st.sampled_from(WORDS), max_size=40))
def test_any_soup_of_words(tmp_path_factory: pytest.TempPathFactory, words: list[str]) -> None:
    load_text(tmp_path_factory.getbasetemp(), " ".join(words))
