"""The framing of log lines, byte by byte as Debian's HAProxy 2.6 sends them."""

from __future__ import annotations

import ipaddress
import os
import time

import pytest

from telamon.base.address import InetAddress
from telamon.daemon.proxy_log import Sender, frame
from telamon.plan.process import Facility, Level, LogHeader, LogTarget

ADDRESS = InetAddress(ipaddress.ip_address("127.0.0.1"), 514)
NOW = 1795486900.443236


@pytest.fixture(autouse=True)
def in_utc(monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setitem(os.environ, "TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        (LogHeader.RFC3164, "<153>Nov 24 02:21:40 myhost mytag[10881]: text\n"),
        (
            LogHeader.RFC5424,
            "<153>1 2026-11-24T02:21:40.443236+00:00 myhost mytag 10881 - - text\n",
        ),
        (LogHeader.RAW, "text\n"),
        (LogHeader.SHORT, "<1>text\n"),
        (LogHeader.TIMED, "<1>2026-11-24T02:21:40.443236+00:00 text\n"),
        (LogHeader.ISO, "2026-11-24T02:21:40.443236+00:00 text\n"),
        (LogHeader.LOCAL, "<153>Nov 24 02:21:40 mytag[10881]: text\n"),
        (LogHeader.PRIORITY, "<153>text\n"),
    ],
)
def test_headers(header: LogHeader, wanted: str) -> None:
    target = LogTarget(ADDRESS, Facility.LOCAL3, header=header)
    sender = Sender("mytag", 10881, "myhost")
    assert frame(target, sender, Level.ALERT, NOW, "text").decode() == wanted


def test_no_host_name_unless_asked() -> None:
    target = LogTarget(ADDRESS, Facility.LOCAL3)
    line = frame(target, Sender("haproxy", 7, None), Level.NOTICE, NOW, "text")
    assert line == b"<157>Nov 24 02:21:40 haproxy[7]: text\n"


def test_a_long_line_is_cut() -> None:
    target = LogTarget(ADDRESS, Facility.LOCAL3, length=80)
    line = frame(target, Sender("haproxy", 7, None), Level.NOTICE, NOW, "x" * 500)
    assert len(line) == 80
    assert line.endswith(b"x\n")
