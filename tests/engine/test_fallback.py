"""Where io_uring is forbidden the engine falls back to epoll, says so, and serves."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

from telamon.engine import probe_io

# A process of its own: a seccomp filter can never be taken off again. The program is classic BPF
# (seccomp(2)): load the system call's number, answer EPERM to io_uring_setup, allow the rest.
_PROGRAM = textwrap.dedent(
    """
    import ctypes, struct, sys
    libc = ctypes.CDLL(None, use_errno=True)
    def statement(code, true, false, value):
        return struct.pack("HBBI", code, true, false, value)
    filter = b"".join([
        statement(0x20, 0, 0, 0),             # number of the call
        statement(0x15, 0, 1, 425),           # io_uring_setup
        statement(0x06, 0, 0, 0x00050000 | 1),  # SECCOMP_RET_ERRNO, EPERM
        statement(0x06, 0, 0, 0x7FFF0000),    # SECCOMP_RET_ALLOW
    ])
    kept = ctypes.create_string_buffer(filter, len(filter))
    program = struct.pack("HxxxxxxP", 4, ctypes.addressof(kept))
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, program, 0, 0):
        sys.exit(77)
    from telamon.engine import Engine, IoEngine, ListenerDescriptor
    from tests.engine.rig import TestServer, echo, plan, receive, running, server
    with TestServer(echo) as backend:
        the_plan = plan((server(backend.address),))
        with running(the_plan, IoEngine.AUTO) as rig, rig.connect() as client:
            client.sendall(b"served")
            assert receive(client, 6) == b"served"
            print(rig.engine.io.value, "|", rig.engine.io_reason)
        try:
            with running(the_plan, IoEngine.URING):
                print("started all the same")
        except OSError as error:
            print("refused |", error)
    """
)


def test_a_forbidden_ring_means_epoll_and_a_reason() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        capture_output=True,
        text=True,
        timeout=60,
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
    )
    if done.returncode == 77:
        pytest.skip("seccomp filters are not possible here")
    assert done.returncode == 0, done.stderr
    automatic, asked = done.stdout.splitlines()
    assert automatic.startswith("epoll | epoll: io_uring cannot be had: io_uring_setup: ")
    assert "Operation not permitted" in automatic
    assert asked.startswith("refused | ")
    assert "io_uring_setup" in asked


def test_the_probe_says_why() -> None:
    works, reason = probe_io()
    assert reason.startswith("io_uring works here" if works else "io_uring cannot be had: ")
