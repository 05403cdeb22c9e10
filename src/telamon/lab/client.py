"""The load of the lab: HTTPS requests at a steady pace. Runs inside the client's node.

    client HOST PORT INTERVAL_MS TIMEOUT_MS CA

A request starts every INTERVAL_MS whatever became of the ones before (an open loop: a client that
waits for answers would stop asking just when it matters), each on a new connection with the
server's certificate verified. For each one line is written when it ends:

    STARTED ENDED OUTCOME

Times are seconds of the monotonic clock, which all processes of a machine share; the outcome is
`=NAME` of the server that answered, or `!REASON`. Standard library only.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
import time

_MOST_AT_ONCE = 800


async def _request(host: str, port: int, context: ssl.SSLContext) -> str:
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        head = f"GET /readyz HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode())
        answer = await reader.read()
    finally:
        # Nothing more is to be said, so there is no need for a farewell that might block.
        writer.transport.abort()
    first, _, rest = answer.partition(b"\r\n")
    if first.split()[1:2] != [b"200"]:
        return "!answer " + first.decode(errors="replace")
    return "=" + str(json.loads(rest.partition(b"\r\n\r\n")[2])["node"])


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "!timeout"
    if isinstance(error, ssl.SSLCertVerificationError):
        return "!certificate"
    return "!" + (getattr(error, "strerror", None) or type(error).__name__)


async def _one(host: str, port: int, context: ssl.SSLContext, timeout: float) -> None:
    started = time.monotonic()
    try:
        async with asyncio.timeout(timeout):
            outcome = await _request(host, port, context)
    except (OSError, TimeoutError, ValueError, EOFError) as error:
        outcome = _reason(error)
    os.write(1, f"{started:.6f} {time.monotonic():.6f} {outcome}\n".encode())


async def _pace(host: str, port: int, interval: float, timeout: float, ca: str) -> None:
    context = ssl.create_default_context(cafile=ca)
    running: set[asyncio.Task[None]] = set()
    due = time.monotonic()
    while True:
        if len(running) < _MOST_AT_ONCE:
            task = asyncio.create_task(_one(host, port, context, timeout))
            running.add(task)
            task.add_done_callback(running.discard)
        due += interval
        late = time.monotonic() - due
        if late > interval:
            # The machine stood still: asking everything that was missed at once would be a flood.
            due += late
        await asyncio.sleep(max(0.0, due - time.monotonic()))


def main() -> int:
    host, port, interval_ms, timeout_ms, ca = sys.argv[1:]
    pace = _pace(host, int(port), float(interval_ms) / 1000, float(timeout_ms) / 1000, ca)
    try:
        asyncio.run(pace)
    except BrokenPipeError:
        return 0
    return 0
