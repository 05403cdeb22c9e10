"""The typed face of the Rust data plane.

`Engine` wraps the extension module `telamon._engine`: it translates and decides nothing.

Contract with the engine:

- It is made in the proxy process after privileges were dropped or before; `start()` spawns the
  data threads. They never take the GIL.
- The listening descriptors come from the supervisor; the engine owns its duplicates and closes
  them on `soft_stop()`.
- What Python must answer or know arrives as events: watch `event_fd()` for readability, then
  call `events()`.
"""

from __future__ import annotations

from telamon.engine.calls import ScriptCall, ScriptCallOver
from telamon.engine.engine import (
    Engine,
    IoEngine,
    ListenerDescriptor,
    ServerState,
    check_rules,
    known_words,
    probe_io,
)
from telamon.engine.events import EngineEvent, EngineMessage, PageRequest, ServerErrors
from telamon.engine.figures import (
    Counters,
    Descriptor,
    Holder,
    PoolState,
    ProxySnapshot,
    RingState,
    ServerSide,
    Session,
    Snapshot,
    ThreadState,
)
from telamon.engine.patterns import PatternEntry, PatternHit, Patterns, PatternSetState

__all__ = [
    "Counters",
    "Descriptor",
    "Engine",
    "EngineEvent",
    "EngineMessage",
    "Holder",
    "IoEngine",
    "ListenerDescriptor",
    "PageRequest",
    "PatternEntry",
    "PatternHit",
    "PatternSetState",
    "Patterns",
    "PoolState",
    "ProxySnapshot",
    "RingState",
    "ScriptCall",
    "ScriptCallOver",
    "ServerErrors",
    "ServerSide",
    "ServerState",
    "Session",
    "Snapshot",
    "ThreadState",
    "check_rules",
    "known_words",
    "probe_io",
]
