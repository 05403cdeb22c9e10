"""A reload touches what changed and nothing else."""

from __future__ import annotations

import dataclasses
import ipaddress

from telamon.plan.diff import diff_router
from telamon.plan.router import InstancePlan, RouterPlan, ScriptPlan, VirtualAddress


def vip(text: str, line: str = "k:1") -> VirtualAddress:
    return VirtualAddress(ipaddress.ip_interface(text), source_line=line)


A = InstancePlan("A", "em1", 1, addresses=(vip("10.0.0.1/24"),), source_line="k:1")
B = InstancePlan("B", "em1", 2, addresses=(vip("10.0.0.2/24"),), source_line="k:9")


def plan(*instances: InstancePlan, digest: str = "") -> RouterPlan:
    return RouterPlan("r", instances, digest=digest)


def test_the_same_plan_on_other_lines_is_no_change() -> None:
    moved = dataclasses.replace(A, source_line="k:77", addresses=(vip("10.0.0.1/24", "k:80"),))
    assert diff_router(plan(A, digest="x"), plan(moved, digest="y")).is_empty


def test_added_and_removed() -> None:
    diff = diff_router(plan(A), plan(B))
    assert (diff.added, diff.removed, diff.changed) == ((B,), (A,), ())
    assert [str(address) for address in diff.lost_addresses] == ["10.0.0.1/24"]


def test_a_renamed_instance_keeps_its_address() -> None:
    diff = diff_router(plan(A, B), plan(dataclasses.replace(A, name="C"), B))
    assert diff.renamed == (("A", "C"),)
    assert not diff.added and not diff.removed and not diff.lost_addresses


def test_changed_fields_are_named() -> None:
    other = dataclasses.replace(A, priority=90, addresses=(vip("10.0.0.1/24"), vip("10.0.0.3/24")))
    (change,) = diff_router(plan(A, B), plan(other, B)).changed
    assert change.fields == ("priority", "addresses")
    assert not change.replaces
    assert [str(a) for a in change.added_addresses] == ["10.0.0.3/24"]
    assert change.removed_addresses == ()


def test_another_vrid_replaces_the_instance() -> None:
    (change,) = diff_router(plan(A), plan(dataclasses.replace(A, vrid=9))).changed
    assert change.replaces


def test_an_address_that_moves_to_another_instance_is_not_lost() -> None:
    both = dataclasses.replace(B, addresses=(*B.addresses, *A.addresses))
    assert diff_router(plan(A, B), plan(both)).lost_addresses == ()


def test_other_things_are_told() -> None:
    new = dataclasses.replace(plan(A), scripts=(ScriptPlan("s", ("true",)),), startup_delay=3.0)
    diff = diff_router(plan(A), new)
    assert diff.scripts_changed and diff.others_changed == ("startup_delay",)
    assert not diff.is_empty
