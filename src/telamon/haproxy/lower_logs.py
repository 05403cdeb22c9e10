"""From the model to the plan: where logs go, profiles and rings."""

from __future__ import annotations

from dataclasses import replace

from telamon.haproxy.lower_rules import RuleLowering
from telamon.haproxy.model import LogDraft, Model, RingDraft
from telamon.plan.process import LogHeader, LogProfile, LogRule, LogTarget, Ring, RingServer

_OWN_TIMEOUT = 1000
"""What bounds a connection that a `log` line makes; HAProxy's, which no word changes."""


class LogTargets:
    """Each `log` line's target, made once however many sections share the line."""

    def __init__(self, model: Model) -> None:
        self._rings = [_ring(draft) for draft in model.rings.values()]
        self._numbers = {name: number for number, name in enumerate(model.rings)}
        self._profiles = {name: number for number, name in enumerate(model.profiles)}
        self._streams: dict[LogDraft, int] = {}
        has_host = model.process.log_send_hostname is not None
        self._header = LogHeader.RFC3164 if has_host else LogHeader.LOCAL

    def rings(self) -> tuple[Ring, ...]:
        """Those of sections, then those of `log` lines, as `LogTarget.ring` counts them."""
        return tuple(self._rings)

    def of(self, draft: LogDraft) -> LogTarget:
        target = replace(draft.target, header=draft.header or self._header)
        if draft.profile is not None:
            target = replace(target, profile=self._profiles[draft.profile.text])
        if draft.ring is not None:
            return replace(target, ring=self._numbers[draft.ring.text])
        if draft.stream:
            return replace(target, address=None, ring=self._stream(draft, target))
        return target

    def _stream(self, draft: LogDraft, target: LogTarget) -> int:
        if draft not in self._streams:
            assert target.address is not None
            place = draft.word.span
            self._rings.append(
                Ring(
                    name=f"ring#{len(self._streams) + 1}",
                    description=f"made by the log line of {place.source.name}:{place.line}",
                    max_length=target.length,
                    header=target.header,
                    servers=(RingServer("log", target.address),),
                    connect_timeout=_OWN_TIMEOUT,
                    server_timeout=_OWN_TIMEOUT,
                )
            )
            self._streams[draft] = len(self._rings) - 1
        return self._streams[draft]


def log_profiles(model: Model, rules: RuleLowering) -> tuple[LogProfile, ...]:
    """Those of sections, as `LogTarget.profile` counts them."""
    return tuple(
        LogProfile(draft.name.text, draft.tag, tuple(_profile_rule(r, rules) for r in draft.rules))
        for draft in model.profiles.values()
    )


def _profile_rule(rule: LogRule, rules: RuleLowering) -> LogRule:
    line, structured = rules.optional(rule.line), rules.optional(rule.structured)
    return replace(rule, line=line, structured=structured)


def _ring(draft: RingDraft) -> Ring:
    return Ring(
        name=draft.name.text,
        description=draft.description or draft.name.text,
        size=draft.size,
        max_length=min(draft.max_length, draft.size),
        header=draft.header,
        servers=tuple(draft.servers),
        connect_timeout=draft.timeouts.get("connect") or None,
        server_timeout=draft.timeouts.get("server") or None,
    )
