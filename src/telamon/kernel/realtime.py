"""Being on time: a real-time scheduling class and memory that is never paged out.

A router that wakes 30 ms late at an advert interval of 10 ms loses the VIP. Both need
privileges that containers often lack, so each is tried and the outcome told in one line.
"""

from __future__ import annotations

import gc
import os
import resource

from telamon.kernel import libc

_PRIORITY = 10
"""Low among the real-time classes: above all normal work, below the kernel's own threads (50)."""

_NICE = -20
_RUNAWAY_US = 10_000_000
"""After so much CPU time without a single wait the kernel takes the process down (SIGXCPU)
instead of letting a bug of ours lock up a core (setrlimit(2), RLIMIT_RTTIME)."""


def enter() -> str:
    """Do what is allowed; a sentence for the log."""
    return f"{_schedule()}; {_lock()}"


def _schedule() -> str:
    try:
        # Reset on fork: the scripts that we run must not inherit it.
        policy = os.SCHED_RR | os.SCHED_RESET_ON_FORK
        resource.setrlimit(resource.RLIMIT_RTTIME, (_RUNAWAY_US, _RUNAWAY_US))
        os.sched_setscheduler(0, policy, os.sched_param(_PRIORITY))
    except (OSError, ValueError) as error:
        return _be_nice(error)
    return f"real-time scheduling (round robin, priority {_PRIORITY})"


def _be_nice(error: Exception) -> str:
    try:
        os.setpriority(os.PRIO_PROCESS, 0, _NICE)
    except OSError:
        return f"normal scheduling, late adverts are possible under load (real-time: {error})"
    return f"scheduling at nice {_NICE} (real-time: {error})"


def _lock() -> str:
    # Garbage and COW: what exists now is settled and will not be walked, hence not copied, again.
    gc.collect()
    gc.freeze()
    try:
        # On fault: pages are pinned once touched; without it the whole address space would be
        # read in, most of which this role never uses.
        libc.lock_memory(libc.MCL_CURRENT | libc.MCL_FUTURE | libc.MCL_ONFAULT)
    except OSError as error:
        return f"memory not locked ({error.strerror or error})"
    return "memory locked"
