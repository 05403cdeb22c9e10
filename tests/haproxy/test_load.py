"""Files that are wrong in every way, several files, directories, zero-warning mode."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telamon.base.diagnostic import Severity, render
from telamon.haproxy.load import Loaded, load

SOUND = "listen a\n bind :80\n timeout client 1s\n"
TIMEOUTS = " timeout client 1s\n timeout server 1s\n timeout connect 1s\n"


def load_bytes(folder: Path, data: bytes) -> Loaded:
    path = folder / "h.cfg"
    path.write_bytes(data)
    loaded = load([str(path)], environment={})
    assert (loaded.plan is None) is loaded.report.failed
    render(loaded.report, colour=True)
    return loaded


def codes(loaded: Loaded) -> set[str]:
    return {d.code for d in loaded.report if d.severity is Severity.ERROR}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "H079"),
        (b"\n\n# nothing\n", "H079"),
        (b"global\n daemon\0\n", "H003"),
        (b"\x7fELF\x02\x01\0\0\0", "H003"),
        (b"global\n description caf\xe9\n", "H004"),
        (SOUND.encode()[:-1], "H005"),
        (b"nonsense\n", "H030"),
        (b"\xff\xfe\n", "H004"),
        (b'{"json": true}\n', "H030"),
        (b"peers p\n", "H031"),
    ],
)
def test_bad_files(tmp_path: Path, data: bytes, code: str) -> None:
    assert code in codes(load_bytes(tmp_path, data))


def test_bytes_that_are_not_utf8_are_fine_in_comments(tmp_path: Path) -> None:
    loaded = load_bytes(tmp_path, b"# caf\xe9\n" + SOUND.encode() + b" # \xff\n")
    assert loaded.plan is not None and not len(loaded.report)


def test_carriage_returns_end_lines(tmp_path: Path) -> None:
    assert load_bytes(tmp_path, SOUND.replace("\n", "\r\n").encode()).plan is not None


def test_a_missing_file_and_a_directory_that_cannot_be_listed(tmp_path: Path) -> None:
    loaded = load([str(tmp_path / "none.cfg"), "a\0b"], environment={})
    assert [d.code for d in loaded.report][:2] == ["H001", "H001"]


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    path = tmp_path / "huge.cfg"
    with path.open("wb") as file:
        file.truncate((64 << 20) + 1)
    assert "H006" in codes(load([str(path)], environment={}))


def test_a_directory_is_its_cfg_files_sorted(tmp_path: Path) -> None:
    (tmp_path / "20-web.cfg").write_text(SOUND)
    (tmp_path / "10-defaults.cfg").write_text("defaults\n maxconn 7\n")
    (tmp_path / "15-ignored.txt").write_text("nonsense\n")
    (tmp_path / ".hidden.cfg").write_text("nonsense\n")
    loaded = load([str(tmp_path)], environment={})
    assert loaded.plan is not None and loaded.plan.proxies[0].frontend is not None
    assert loaded.plan.proxies[0].frontend.maxconn == 7


def test_a_file_ends_its_section(tmp_path: Path) -> None:
    first, second = tmp_path / "a.cfg", tmp_path / "b.cfg"
    first.write_text(SOUND)
    second.write_text(" maxconn 3\n")
    assert codes(load([str(first), str(second)], environment={})) == {"H030"}


def test_a_block_ends_in_its_file(tmp_path: Path) -> None:
    first, second = tmp_path / "a.cfg", tmp_path / "b.cfg"
    first.write_text(SOUND + ".if 0\n")
    second.write_text(".endif\n")
    assert codes(load([str(first), str(second)], environment={})) == {"H022", "H021"}


def test_the_environment_of_the_caller_is_used_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "h.cfg"
    path.write_text('global\n setenv TELAMON_X 1\n node "$NODE"\n' + SOUND)
    loaded = load([str(path)], environment={"NODE": "seven"})
    assert loaded.plan is not None and loaded.plan.process.node == "seven"
    assert "TELAMON_X" not in os.environ


def test_zero_warning_makes_warnings_errors(tmp_path: Path) -> None:
    path = tmp_path / "h.cfg"
    path.write_text("listen a\n bind :80\n")
    assert load([str(path)], environment={}).plan is not None
    strict = load([str(path)], environment={}, zero_warning=True)
    assert strict.plan is None and codes(strict) == {"H077"}


def test_the_digest_names_the_content(tmp_path: Path) -> None:
    one, two = (load_bytes(tmp_path, SOUND.encode() + tail).plan for tail in (b"", b"#\n"))
    assert one is not None and two is not None and one.digest != two.digest


def test_proxies_without_servers_have_ids_like_haproxy(tmp_path: Path) -> None:
    text = (
        "listen a\n id 2\n bind :80\n"
        + TIMEOUTS
        + "".join(f" server s{n} 10.0.0.{n}:80{' id 9' if n == 2 else ''}\n" for n in (1, 2, 3))
    )
    plan = load_bytes(tmp_path, (text + "backend b\n").encode()).plan
    assert plan is not None and plan.proxies[0].backend is not None
    assert [proxy.id for proxy in plan.proxies] == [2, 3]
    assert [server.id for server in plan.proxies[0].backend.servers] == [1, 9, 3]


def test_ten_thousand_servers_load_quickly(tmp_path: Path) -> None:
    lines = "".join(
        f" server s{n} 10.0.{n >> 8}.{n & 255}:80 check inter 5s\n" for n in range(10_000)
    )
    begin = time.process_time()
    plan = load_bytes(tmp_path, ("listen a\n bind :80\n" + TIMEOUTS + lines).encode()).plan
    spent = time.process_time() - begin
    assert plan is not None and plan.proxies[0].backend is not None
    assert len(plan.proxies[0].backend.servers) == 10_000
    assert spent < 3.0, "about 0.7 s on the machine of its making"


def test_a_hundred_thousand_bad_lines_are_told(tmp_path: Path) -> None:
    loaded = load_bytes(tmp_path, b"global\n" + b" quiet x\n" * 100_000)
    assert loaded.report.count(Severity.ERROR) == 100_000


_WORDS = """
global defaults listen frontend backend from a b no option server bind :80 10.0.0.1:80 check inter
5s weight log stats socket uri auth mode tcp http .if .elif .else .endif 1 timeout client balance
"$X" default_backend id maxconn \\ default-server # tune. user root transparent
""".split()
_STATEMENTS = st.lists(
    st.lists(st.sampled_from(_WORDS), max_size=6).map(" ".join),
    max_size=12,
)


@pytest.fixture(autouse=True)
def _no_name_server() -> Iterator[None]:
    """Words taken for host names must not wait for a network."""
    with mock.patch("socket.getaddrinfo", side_effect=OSError("no network here")):
        yield


@given(_STATEMENTS)
def test_no_statement_breaks_it(tmp_path_factory: pytest.TempPathFactory, lines: list[str]) -> None:
    folder = tmp_path_factory.getbasetemp()
    load_bytes(folder, "".join(f"{line}\n" for line in lines).encode())


@given(st.binary(max_size=300))
def test_no_bytes_break_it(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    load_bytes(tmp_path_factory.getbasetemp(), data)
