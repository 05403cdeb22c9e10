"""Notify scripts and FIFOs: what Telamon tells, and that keepalived tells the same."""

from __future__ import annotations

import os
import select
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from telamon.plan.router import CommandPlan, FifoPlan, NotifyPlan, RouterPlan
from tests.interop.lan import Lan, Node, eventually, lan
from tests.interop.setups import Setup
from tests.safety.forged import GROUP, packet, raw_socket, v3

pytestmark = pytest.mark.netns


def tell(path: Path) -> str:
    """A script that appends its arguments as a line to `path`."""
    script = path.with_suffix(".sh")
    script.write_text(f'#!/bin/sh\necho "$@" >> {path}\n')
    script.chmod(0o755)
    return str(script)


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def has_run(path: Path, times: int) -> None:
    eventually(lambda: len(lines(path)) == times, f"run {times} of the script")


def noted(plan: RouterPlan, notify: NotifyPlan, fifos: tuple[FifoPlan, ...] = ()) -> RouterPlan:
    (instance,) = plan.instances
    return replace(plan, instances=(replace(instance, notify=notify),), fifos=fifos)


def life(made: Lan, node: Node, out: Path, own: Path) -> tuple[list[str], list[str]]:
    """Master, then the cable pulled and plugged, then stopped: what was told."""
    made.master(node)
    eventually(lambda: len(lines(out)) == 2, "the first two")
    node.cable(plugged=False)
    eventually(lambda: len(lines(out)) == 3, "the fault")
    node.cable(plugged=True)
    made.master(node)
    eventually(lambda: len(lines(out)) == 5, "the return")
    node.programs[-1].stop()
    eventually(lambda: len(lines(out)) == 6, "the end")
    return lines(out), lines(own)


@pytest.mark.peer
@pytest.mark.skipif(shutil.which("keepalived") is None, reason="keepalived is not installed")
def test_scripts_hear_what_keepalived_s_hear(tmp_path: Path) -> None:
    told = []
    for name in ("theirs", "ours"):
        out, own = tmp_path / f"{name}-any", tmp_path / f"{name}-master"
        with lan(tmp_path, 1) as made:
            (node,) = made.nodes
            if name == "theirs":
                extra = f"notify {tell(out)}\nnotify_master {tell(own)}\nvirtual_ipaddress"
                node.keepalived(Setup(200).keepalived().replace("virtual_ipaddress", extra))
            else:
                notify = NotifyPlan(any=CommandPlan((tell(out),)), master=CommandPlan((tell(own),)))
                node.telamon(noted(Setup(200).plan(), notify))
            told.append(life(made, node, out, own))
    theirs, ours = told
    assert ours == theirs
    assert ours[0][:3] == [
        "INSTANCE VI_1 BACKUP 200", "INSTANCE VI_1 MASTER 200", "INSTANCE VI_1 FAULT 200",
    ]  # fmt: skip


@pytest.mark.peer
@pytest.mark.skipif(shutil.which("keepalived") is None, reason="keepalived is not installed")
def test_a_weaker_master_is_told_of_as_keepalived_does(tmp_path: Path) -> None:
    """Three adverts of priority 50 and a farewell, at a master of 200."""
    told = []
    for name in ("theirs", "ours"):
        own, fifo = tmp_path / f"{name}-weaker", tmp_path / f"{name}-fifo"
        os.mkfifo(fifo)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        with lan(tmp_path, 2) as made:
            node, peer = made.nodes
            if name == "theirs":
                extra = f"notify_master_rx_lower_pri {tell(own)}\nvirtual_ipaddress"
                head = f"global_defs {{\nscript_user root\nnotify_fifo {fifo}\n}}\n"
                text = Setup(200).keepalived().replace("virtual_ipaddress", extra)
                node.keepalived(head + text)
            else:
                notify = NotifyPlan(lower_priority_heard=CommandPlan((tell(own),)))
                node.telamon(noted(Setup(200).plan(), notify, (FifoPlan(str(fifo)),)))
            made.master(node)
            with raw_socket(peer) as sock:
                for count in (1, 2, 3):
                    sock.sendto(packet(peer.address, v3(peer.address, 50)), (str(GROUP), 0))
                    # The script has run: so the next advert comes more than 0.1 s later, too.
                    has_run(own, count)
                    select.select([], [], [], 0.11)
                sock.sendto(packet(peer.address, v3(peer.address, 0)), (str(GROUP), 0))
            node.programs[-1].stop()
        told.append((lines(own), os.read(reader, 65536).decode().splitlines()))
        os.close(reader)
    theirs, ours = told
    assert ours[0] == theirs[0] == [""] * 3, "without arguments"
    weaker = 'INSTANCE "VI_1" MASTER_RX_LOWER_PRI 200'
    assert [line for line in ours[1] if "STOP" not in line] == [
        'INSTANCE "VI_1" BACKUP 200', 'INSTANCE "VI_1" MASTER 200', *[weaker] * 3,
    ]  # fmt: skip
    assert ours[1] == theirs[1]


def test_a_fifo_tells_and_never_blocks(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    with lan(tmp_path, 1) as made:
        (node,) = made.nodes
        program = node.telamon(noted(Setup(200).plan(), NotifyPlan(), (FifoPlan(str(fifo)),)))
        made.master(node)
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        try:
            assert os.read(reader, 1000).decode().splitlines() == [
                'INSTANCE "VI_1" BACKUP 200', 'INSTANCE "VI_1" MASTER 200',
            ]  # fmt: skip
            # Nobody reads: fill it, and change the state once more.
            writer = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
            with os.fdopen(writer, "wb", buffering=0) as pipe:
                while pipe.write(b"x" * 4096):
                    pass
            node.cable(plugged=False)
            eventually(lambda: "nobody reads it" in program.text(), "the message")
            node.cable(plugged=True)
            made.master(node)
        finally:
            os.close(reader)
        program.stop()
    assert not fifo.exists(), "what it made it takes away"
