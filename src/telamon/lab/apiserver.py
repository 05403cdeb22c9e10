"""A small TLS server that stands in for kube-apiserver. Runs inside a node.

    apiserver NAME ADDRESS PORT CERTIFICATE KEY

Every GET is answered with the server's name as JSON, one request a connection. Standard library
only: nodes start helpers without site-packages.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from pathlib import Path
from typing import Any

COMM = "apiserver"
_LINE_LIMIT = 16 << 10
_PATIENCE = 10.0


def answer(name: str, request_line: bytes) -> bytes:
    """The whole response to a request line."""
    words = request_line.split()
    known = len(words) == 3 and words[0] == b"GET" and words[1] in (b"/readyz", b"/livez", b"/")
    status = "200 OK" if known else "404 Not Found"
    body = json.dumps({"status": "ok" if known else "not found", "node": name}) + "\n"
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return (head + body).encode()


async def _serve(name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        async with asyncio.timeout(_PATIENCE):
            line = await reader.readline()
            while (await reader.readline()).strip():
                pass
            if line:
                writer.write(answer(name, line))
                await writer.drain()
    except (OSError, TimeoutError, ValueError, ssl.SSLError):
        pass
    finally:
        writer.close()


def _quiet(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Health checks connect and leave: a broken handshake is an ordinary day here."""
    error = context.get("exception")
    if not isinstance(error, OSError | None):
        print(context.get("message"), error, file=sys.stderr)


async def _run(name: str, address: str, port: int, certificate: str, key: str) -> None:
    asyncio.get_running_loop().set_exception_handler(_quiet)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = await asyncio.start_server(
        lambda reader, writer: _serve(name, reader, writer),
        address,
        port,
        ssl=context,
        limit=_LINE_LIMIT,
        backlog=512,
    )
    async with server:
        await server.serve_forever()


def main() -> int:
    name, address, port, certificate, key = sys.argv[1:]
    Path("/proc/self/comm").write_text(COMM)
    asyncio.run(_run(name, address, int(port), certificate, key))
    return 0
