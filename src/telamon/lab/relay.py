"""Forwards a port of the host into the lab. Runs inside the client's node.

    relay FD HOST PORT

FD is a listening socket that was made on the host: a socket belongs to the network in which it was
made, whoever accepts on it, while new ones belong to the lab. Standard library only.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys

_CHUNK = 64 << 10


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


async def _relay(
    host: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    try:
        far_reader, far_writer = await asyncio.open_connection(host, port)
    except OSError:
        writer.close()
        return
    try:
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
    finally:
        writer.close()
        far_writer.close()


async def _run(fd: int, host: str, port: int) -> None:
    listener = socket.socket(fileno=fd)
    listener.setblocking(False)
    server = await asyncio.start_server(
        lambda reader, writer: _relay(host, port, reader, writer), sock=listener
    )
    async with server:
        await server.serve_forever()


def main() -> int:
    fd, host, port = sys.argv[1:]
    asyncio.run(_run(int(fd), host, int(port)))
    return 0
