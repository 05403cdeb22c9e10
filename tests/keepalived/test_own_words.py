"""Telamon's own trackers in keepalived.conf, and what both files together show of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from telamon.base.diagnostic import Severity
from telamon.daemon.plans import Files, follow_proxy, load, tracked_backends
from telamon.keepalived.load import check_failed
from telamon.plan.router import TrackBackend, TrackProxy
from tests.keepalived.test_traps import run, with_code


@pytest.mark.parametrize(
    ("text", "proxy"),
    [
        ("track_proxy", TrackProxy()),
        ("track_proxy { weight -20 }", TrackProxy(-20)),
        ("track_proxy { weight 20 reverse }", TrackProxy(20, True)),
        ("track_proxy { off }", TrackProxy(off=True)),
        ("", None),
    ],
)
def test_track_proxy(tmp_path: Path, text: str, proxy: TrackProxy | None) -> None:
    loaded = run(tmp_path, text)
    assert loaded.router is not None
    assert loaded.router.instances[0].proxy == proxy
    warnings = with_code(loaded, "K041")
    assert [w.severity for w in warnings] == ([Severity.WARNING] if text else [])
    assert all("unknown keyword" in w.help for w in warnings)
    assert not check_failed(loaded.report)


def test_track_backend(tmp_path: Path) -> None:
    text = "track_backend web\ntrack_backend api {\nmin 2\nweight -30 reverse\n}"
    loaded = run(tmp_path, text)
    assert loaded.router is not None
    assert loaded.router.instances[0].track_backends == (
        TrackBackend("web"), TrackBackend("api", 2, -30, True)
    )  # fmt: skip
    assert len(with_code(loaded, "K041")) == 1, "one line a word"


@pytest.mark.parametrize("text", ["track_backend", "track_proxy {\nwait 3\n}"])
def test_bad_forms(tmp_path: Path, text: str) -> None:
    assert check_failed(run(tmp_path, text).report)


def test_in_a_group(tmp_path: Path) -> None:
    group = "vrrp_sync_group G {\ngroup { V }\ntrack_backend web { min 3 }\ntrack_proxy { off }\n}"
    loaded = run(tmp_path, "", extra=group)
    assert loaded.router is not None
    assert loaded.router.groups[0].track_backends == (TrackBackend("web", 3),)
    assert loaded.router.groups[0].proxy == TrackProxy(off=True)
    assert not follow_proxy(loaded.router).instances[0].track_proxy


@pytest.mark.parametrize(
    ("entry", "follows"),
    [
        (None, True),
        (TrackProxy(), True),
        (TrackProxy(-20), False),
        (TrackProxy(off=True), False),
    ],
)
def test_who_follows_the_proxy(tmp_path: Path, entry: TrackProxy | None, follows: bool) -> None:
    plan = run(tmp_path, "").router
    assert plan is not None
    plan = replace(plan, instances=(replace(plan.instances[0], proxy=entry),))
    assert follow_proxy(plan).instances[0].track_proxy is follows


def test_nopreempt_and_the_weight_of_any_tracker(tmp_path: Path) -> None:
    for text in ("track_proxy { weight -20 }", "track_backend web { weight -20 }"):
        (warning,) = with_code(run(tmp_path, f"nopreempt\n{text}"), "K030")
        assert text.split()[0] in warning.help


def test_check_offers_them_in_place_of_a_script(tmp_path: Path) -> None:
    script = 'vrrp_script s {\nscript "killall -0 haproxy"\n}'
    (note,) = with_code(run(tmp_path, "track_script { s }", extra=script), "K034")
    assert "track_proxy" in note.help and "track_backend" in note.help


HAPROXY = """
defaults
    mode tcp
    timeout connect 1s
    timeout client 1s
    timeout server 1s
listen web
    bind 10.0.0.9:80
    server one 127.0.0.1:1
    server two 127.0.0.1:2
"""


def both(directory: Path, words: str, *, proxy: bool = True) -> tuple[list[str], list[str]]:
    """Codes of the diagnostics that begin with P, and the tracked backends."""
    run(directory, words)
    (directory / "h.cfg").write_text(HAPROXY)
    names = (directory / "h.cfg",) if proxy else ()
    plans, report = load(Files(names, directory / "k.conf"))
    router = plans.router if plans is not None else None
    return [d.code for d in report if d.code.startswith("P00")], sorted(tracked_backends(router))


@pytest.mark.parametrize(
    ("words", "codes", "tracked"),
    [
        ("track_backend web { min 2 }", [], ["web"]),
        ("track_backend wep", ["P007"], []),
        ("track_backend web { min 3 }", ["P007"], []),
        ("track_proxy", [], []),
    ],
)
def test_both_files(tmp_path: Path, words: str, codes: list[str], tracked: list[str]) -> None:
    assert both(tmp_path, words) == (codes, tracked)


@pytest.mark.parametrize("words", ["track_backend web", "track_proxy"])
def test_a_router_without_a_proxy_beside_it(tmp_path: Path, words: str) -> None:
    assert both(tmp_path, words, proxy=False)[0] == ["P008"]


def test_mail_without_a_server_is_told(tmp_path: Path) -> None:
    (warning,) = with_code(run(tmp_path, "smtp_alert"), "K040")
    assert "no smtp_server" in warning.message
    extra = "global_defs {\nsmtp_server 10.0.0.1\n}"
    (warning,) = with_code(run(tmp_path, "smtp_alert", extra=extra), "K040")
    assert "no notification_email" in warning.message
    extra = "global_defs {\nsmtp_server mx 2525\nnotification_email { a@x.org }\n}"
    loaded = run(tmp_path, "smtp_alert", extra=extra)
    assert loaded.router is not None and loaded.router.mail is not None
    assert (loaded.router.mail.port, loaded.router.mail.receivers) == (2525, ("a@x.org",))
    assert not with_code(run(tmp_path, ""), "K040")
