"""A measuring client: asks an address of the lab every few milliseconds and keeps the record."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from types import TracebackType
from typing import Self

from telamon.lab import samples
from telamon.lab.net import Node, helper
from telamon.lab.samples import Count, Sample, Seconds

_END_LIMIT = 5.0


class Probe:
    """Requests from `node` to `https://host:port/readyz`, one each `interval` seconds.

    A context manager. `ca` is a file of the node. A request that is not answered within
    `timeout` seconds counts as lost.
    """

    def __init__(
        self, node: Node, host: str, port: int, ca: str, *, interval: Seconds, timeout: Seconds
    ) -> None:
        self.interval = interval
        self.timeout = timeout
        self._samples: list[Sample] = []
        words = (host, str(port), f"{interval * 1000:g}", f"{timeout * 1000:g}", ca)
        self._process = node.popen(helper("telamon.lab.client", *words), stdout=subprocess.PIPE)
        self._reader = threading.Thread(target=self._read, name="probe", daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with contextlib.suppress(samples.SampleError):
                # Appending and copying a list are atomic, so no lock is needed.
                self._samples.append(samples.parse(line.decode(errors="replace")))

    def samples(self) -> list[Sample]:
        """All requests that have ended so far, in the order of their ends."""
        return self._samples.copy()

    def recent(self, since: Seconds) -> list[Sample]:
        """The requests that ended after `since`, latest first."""
        found: list[Sample] = []
        for sample in reversed(self.samples()):
            if sample.ended < since:
                break
            found.append(sample)
        return found

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def gap(self, since: Seconds, until: Seconds | None = None) -> Seconds:
        """See `samples.largest_gap`."""
        return samples.largest_gap(self.samples(), since, until or time.monotonic())

    def count(self, since: Seconds, until: Seconds) -> Count:
        """See `samples.count`. Requests of the last `timeout` seconds may not have ended yet."""
        return samples.count(self.samples(), since, until)

    def close(self) -> None:
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_LIMIT)
        self._reader.join(_END_LIMIT)
        if self._process.stdout is not None:
            self._process.stdout.close()
