"""Small messages, bulk, and the change between them: what a staying receive must not lose."""

from __future__ import annotations

import os
import random
import socket
import threading

from telamon.engine import IoEngine
from tests.engine.rig import TestServer, echo, plan, receive, receive_all, running, server, until


def test_small_messages_and_bulk_take_turns(io: IoEngine) -> None:
    """A side changes between many small messages and large ones; nothing is lost or reordered."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    with TestServer(echo) as backend, running(plan((server(backend.address),)), io) as rig:
        with rig.connect() as client:
            for _ in range(30):
                for _ in range(chance.randrange(12)):
                    data = os.urandom(chance.randrange(1, 3000))
                    client.sendall(data)
                    assert receive(client, len(data)) == data
                data = os.urandom(chance.randrange(300_000))
                sender = threading.Thread(target=client.sendall, args=(data,))
                sender.start()
                assert receive(client, len(data)) == data
                sender.join()
        rig.idle()


def test_small_messages_to_a_reader_that_stops(io: IoEngine) -> None:
    """The sender is held when the reader is, and all arrives in order when it reads on."""
    go = threading.Event()
    got: list[bytes] = []

    def serve(client: socket.socket) -> None:
        for _ in range(10):
            client.sendall(receive(client, 4))
        go.wait(20)
        got.append(receive_all(client))
        client.shutdown(socket.SHUT_WR)

    with TestServer(serve) as backend, running(plan((server(backend.address),)), io) as rig:
        with rig.connect() as client:
            for count in range(10):
                data = count.to_bytes(4, "big")
                client.sendall(data)
                assert receive(client, 4) == data
            client.setblocking(False)
            held, still = 0, 0
            while still < 20:
                try:
                    held += client.send(os.urandom(700))
                    still = 0
                except BlockingIOError:
                    still += 1
                    threading.Event().wait(0.01)
            assert rig.frontend("bin") < held + 40
            go.set()
            client.setblocking(True)
            client.shutdown(socket.SHUT_WR)
            assert receive_all(client) == b""
            assert len(got[0]) == held
        rig.idle()


def test_a_client_that_resets_in_the_middle_of_small_messages(io: IoEngine) -> None:
    with TestServer(echo) as backend, running(plan((server(backend.address),)), io) as rig:
        for _ in range(50):
            client = rig.connect()
            for _ in range(8):
                client.sendall(b"ping")
                assert receive(client, 4) == b"ping"
            client.sendall(b"last")
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
        rig.idle()
        until(lambda: rig.server("scur") == 0)
