from __future__ import annotations

import pytest

from telamon.engine import IoEngine, probe_io


@pytest.fixture(params=[IoEngine.URING, IoEngine.EPOLL], ids=["uring", "epoll"])
def io(request: pytest.FixtureRequest) -> IoEngine:
    """Both I/O engines; io_uring is skipped, with the kernel's reason, where it cannot be had."""
    if request.param is IoEngine.URING:
        works, reason = probe_io()
        if not works:
            pytest.skip(reason)
    engine: IoEngine = request.param
    return engine
