"""The check runner against real sockets."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable

import pytest

from telamon.base.address import InetAddress, SocketAddress, UnixAddress
from telamon.checks.health import Health
from telamon.checks.outcome import Outcome, Result
from telamon.daemon.checker import Checker, Target
from telamon.plan.proxy import Check, Timeouts


def local(port: int) -> InetAddress:
    return InetAddress(ipaddress.ip_address("127.0.0.1"), port)


def gather(
    addresses: list[SocketAddress],
    enough: Callable[[list[list[Outcome]]], bool],
    *,
    check: Check | None = None,
    limit: int = 1000,
) -> list[list[Outcome]]:
    """Run checks of `addresses` until `enough`; each one's outcomes."""

    async def main() -> list[list[Outcome]]:
        outcomes: list[list[Outcome]] = [[] for _ in addresses]
        over = asyncio.Event()
        running = 0

        def collect(index: int, outcome: Outcome) -> None:
            outcomes[index].append(outcome)
            if enough(outcomes):
                over.set()

        targets = [
            Target(
                check=check or Check(interval=50),
                timeouts=Timeouts(),
                address=address,
                health=lambda: Health(2, 3, 4),
                report=lambda outcome, index=index: collect(index, outcome),  # type: ignore[misc]
            )
            for index, address in enumerate(addresses)
        ]
        checker = Checker(0, limit=limit)
        checker.start(targets)
        await asyncio.wait_for(over.wait(), 10)
        running = sum(target.running for target in targets)
        assert running <= limit
        checker.stop()
        # What was under way ends by itself, without a report.
        seen = [len(item) for item in outcomes]
        while any(target.running for target in targets):
            await asyncio.sleep(0.005)
        assert seen == [len(item) for item in outcomes]
        return outcomes

    return asyncio.run(main())


def test_listening_and_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        good, bad = server.getsockname()[1], mute.getsockname()[1]
        outcomes = gather(
            [local(good), local(bad), UnixAddress("/nonexistent/socket")],
            lambda all_of: min(map(len, all_of)) >= 3,
        )
    assert {item.result for item in outcomes[0]} == {Result.L4_OK}
    assert {item.result for item in outcomes[1]} == {Result.L4_CONNECTION_ERROR}
    assert {item.info for item in outcomes[1]} == {"Connection refused"}
    assert {item.info for item in outcomes[2]} == {"No such file or directory"}


def test_silence_is_a_timeout() -> None:
    """A listener whose accept queue is full answers no SYN."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        address = server.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        outcomes = gather(
            [local(address[1])],
            lambda all_of: any(o.result is Result.L4_TIMEOUT for o in all_of[0]),
            check=Check(interval=100),
        )
        for filler in fillers:
            filler.close()
    [late] = [item for item in outcomes[0] if item.result is Result.L4_TIMEOUT]
    assert late.duration is not None and late.duration >= 100


def test_many_servers_few_descriptors() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=512) as server:
        port = server.getsockname()[1]
        outcomes = gather([local(port)] * 300, lambda all_of: min(map(len, all_of)) >= 1, limit=8)
    assert all(item[0].result is Result.L4_OK for item in outcomes)


def test_errors_hasten_the_next_check() -> None:
    """It would come after an hour, and comes after `fastinter`; a later moment changes nothing."""

    async def main() -> int:
        done = asyncio.Event()
        count = 0

        def report(_: Outcome) -> None:
            nonlocal count
            count += 1
            done.set()

        check = Check(interval=3_600_000, fast_interval=20)
        target = Target(check, Timeouts(), UnixAddress("/nonexistent"), lambda: settled, report)
        settled = Health(2, 3, 4)
        checker = Checker(0)
        checker.start([target])
        for _ in range(3):
            await asyncio.wait_for(done.wait(), 10)
            done.clear()
            checker.hasten(target)
            checker.hasten(target)
        await asyncio.wait_for(done.wait(), 10)
        checker.stop()
        checker.hasten(target)
        return count

    assert asyncio.run(main()) == 4


@pytest.mark.parametrize("version", [1, 2])
def test_a_check_sends_its_header(version: int) -> None:
    """As HAProxy 2.6 does: version 1 has the check's own ends, version 2 says "local"."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        port = listener.getsockname()[1]
        check = Check(interval=1000, send_proxy=version)
        [[outcome, *_]] = gather([local(port)], lambda all_of: len(all_of[0]) >= 1, check=check)
        assert outcome.result is Result.L4_OK
        client, (host, number) = listener.accept()
        with client:
            client.settimeout(10)
            got = b"".join(iter(lambda: client.recv(100), b""))
    if version == 1:
        assert got == f"PROXY TCP4 {host} 127.0.0.1 {number} {port}\r\n".encode()
    else:
        assert got == b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"


def test_a_check_leaves_from_the_servers_source() -> None:
    """As HAProxy's do (manual 5.2, `source`)."""

    async def first_client(listener: socket.socket) -> str:
        target = Target(
            Check(interval=1000),
            Timeouts(),
            local(listener.getsockname()[1]),
            health=lambda: Health(2, 3, 4),
            report=lambda outcome: None,
            source=InetAddress(ipaddress.ip_address("127.0.0.7"), 0),
            source_interface="lo",
        )
        checker = Checker(0)
        checker.start([target])
        client, (host, _port) = await asyncio.get_running_loop().sock_accept(listener)
        client.close()
        checker.stop()
        return str(host)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        found = asyncio.run(asyncio.wait_for(first_client(listener), 10))
    assert found == "127.0.0.7"
