"""The dump's section of `vrrp_script`s, line by line as Keepalived 2.2.7."""

from __future__ import annotations

from collections.abc import Iterator

from telamon.runtime import keepalived_text as text
from telamon.vrrp.detail import RouterDetail


def script_lines(detail: RouterDetail) -> Iterator[str]:
    groups = {group.name: group for group in detail.plan.groups}
    for script in detail.plan.scripts:
        well = detail.known.scripts.get(script.name)
        yield f" VRRP Script = {script.name}"
        yield f"   Command = {text.words(script.command)}"
        yield f"   Interval = {script.interval:g} sec"
        # There a script without a timeout of its own has 0, and the interval is meant.
        yield f"   Timeout = {0 if script.timeout == script.interval else script.timeout:g} sec"
        yield f"   Weight = {script.weight}{text.reverse(script.reverse)}"
        yield f"   Rise = {script.rise}"
        yield f"   Fall = {script.fall}"
        yield f"   Result = {detail.known.levels.get(script.name, 0)}"
        yield "   Insecure = no"
        yield f"   Init state = {'failed' if script.init_fail and well is None else 'unknown'}"
        yield f"   Status = {'INIT' if well is None else 'GOOD' if well else 'BAD'}"
        yield f"   Script uid:gid = {script.uid or 0}:{script.gid or 0}"
        yield "   VRRP instances :"
        yield "   Tracking instances :"
        own = [(i, entry) for i in detail.instances for entry in i.plan.track_scripts]
        grouped = [
            (i, entry)
            for i in detail.instances
            if i.group in groups
            for entry in groups[i.group].track_scripts
        ]
        for instance, entry in (*own, *grouped):
            if entry.script == script.name:
                weight = f"{entry.weight}{text.reverse(entry.reverse)}"
                yield f"     {instance.plan.name}, weight {weight}"
        yield "   State = idle"
