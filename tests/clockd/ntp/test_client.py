"""The real socket: hostile servers, many addresses, denials, the kernel's sending times.

`CLOCKD_FUZZ_PACKETS=1000000 pytest -s tests/clockd/ntp/test_client.py` for a long run.
"""

import asyncio
import os
import random
import socket
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

import pytest

from clockd.host import RealClock, ReceiveTimes
from clockd.keeper import Keeper
from clockd.ntp.client import Client, Server
from clockd.ntp.exchange import Exchange, Reason, Rejected
from clockd.ntp.packet import Packet, encode, to_ntp
from clockd.server import LocalTruth, answer
from model.track import Oscillator

PACKETS = int(os.environ.get("CLOCKD_FUZZ_PACKETS", "8000"))
SECOND = 1_000_000_000
HOST = RealClock()
TRUTH = LocalTruth(HOST, 1000)
Replies = Callable[[bytes], list[bytes]]


@dataclass
class Answering(asyncio.DatagramProtocol):
    """Answers each request with what a function says."""

    replies: Replies
    sent: int = 0
    port: int = 0
    transport: asyncio.DatagramTransport | None = field(default=None)

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self.transport is not None
        for reply in self.replies(data):
            self.transport.sendto(reply, addr)
            self.sent += 1


class Servers:
    """Servers that end with a test."""

    def __init__(self) -> None:
        self.open: list[asyncio.DatagramTransport] = []

    async def __call__(self, replies: Replies, host: str = "127.0.0.1") -> Answering:
        transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: Answering(replies), local_addr=(host, 0)
        )
        self.open.append(transport)
        return protocol


def run(scenario: Callable[[Servers], Coroutine[None, None, None]]) -> None:
    async def whole() -> None:
        servers = Servers()
        try:
            await scenario(servers)
        finally:
            for transport in servers.open:
                transport.close()

    asyncio.run(whole())


def honest(request: bytes) -> list[bytes]:
    reply = answer(request, TRUTH, None)
    return [reply] if reply else []


def kiss(code: bytes) -> Replies:
    def reply(request: bytes) -> list[bytes]:
        number = int.from_bytes(code, "big")
        return [encode(Packet(3, 4, 4, 0, 6, -20, 0, 0, number, 0, request[40:48], 0, 0))]

    return reply


def asking(server: Server) -> Client:
    return Client(server, HOST, ReceiveTimes(HOST), 50_000)


def hostile(chance: random.Random, replayed: list[bytes]) -> Replies:
    """Noise of every kind, each time something else, and now and then a plausible lie."""

    def replies(request: bytes) -> list[bytes]:
        nonce = request[40:48]
        true = honest(request)[0]
        replayed.append(true)
        out: list[bytes] = []
        for _ in range(200):
            kind = chance.randrange(8)
            data = bytearray(true)
            if kind == 0:
                data = bytearray(chance.randbytes(chance.randint(0, 1500)))
            elif kind == 1:
                data = data[: chance.randint(0, 47)]
            elif kind == 2:
                data += chance.randbytes(chance.randint(1, 900))
            elif kind == 3:
                data[24:32] = chance.randbytes(8)
            elif kind == 4:
                data = bytearray(chance.choice(replayed[-20:-1] or [bytes(48)]))
            elif kind == 5:
                data[0] = chance.randrange(256) & 0xF8 | chance.choice([0, 1, 2, 3, 5, 6, 7])
            elif kind == 6:
                data = bytearray(request)
            else:
                data[24:32] = bytes(8)
            out.append(bytes(data))
        last = bytearray(chance.randbytes(48))
        last[24:32] = nonce
        lie = bytearray(true)
        lie[chance.randrange(16, 48)] ^= 1 << chance.randrange(8)
        lie[24:32] = nonce
        shifted = bytearray(true)
        moved = to_ntp(HOST.realtime_ns() + chance.choice([-1, 1]) * chance.choice([10**5, 10**7, 10**10]))
        shifted[32:40] = shifted[40:48] = moved.to_bytes(8, "big")
        return [*out, bytes(chance.choice([last, lie, shifted]))]

    return replies


@pytest.mark.timeout(300 + PACKETS // 500)
def test_a_hostile_server_neither_stops_nor_moves_the_time() -> None:
    async def siege(serving: Servers) -> None:
        chance = random.Random(5)
        evil = await serving(hostile(chance, []))
        servers = [evil, await serving(honest), await serving(honest)]
        clients = [asking(Server("127.0.0.1", each.port)) for each in servers]
        keeper = Keeper([each.name for each in clients], Oscillator(50_000, 10_000), (1, 1), 0, 0)
        while evil.sent < PACKETS:
            answers = await asyncio.gather(*(each.ask(0.2) for each in clients))
            for each, said in zip(clients, answers, strict=True):
                keeper.take(each.name, said)
            keeper.believe(HOST.raw_ns())
            before, raw, after = HOST.realtime_ns(), HOST.raw_ns(), HOST.realtime_ns()
            known = keeper.offset(raw)
            assert known is not None
            assert known.earliest_ns + raw - 1000 <= after
            assert before <= known.latest_ns + raw + 1000
        told = {reason: count for each in clients[:1] for reason, count in each.rejected.items()}
        print(f"{evil.sent} packets from the hostile server: {told}; the bound is {known}")
        assert {"length", "origin", "mode"} <= set(told)
        assert known.latest_ns - known.earliest_ns < SECOND // 100
        for each in clients:
            each.close()

    run(siege)


def test_the_next_address_is_asked_when_one_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ask(serving: Servers) -> None:
        far = await serving(honest, "127.0.0.3")
        names = {"pool.test": ["::1", "127.0.0.2", "127.0.0.3"]}
        asked = 0

        async def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
            nonlocal asked
            asked += 1
            family = {True: socket.AF_INET6, False: socket.AF_INET}
            return [(family[":" in each], socket.SOCK_DGRAM, 17, "", (each, port)) for each in names[host]]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
        client = asking(Server("pool.test", far.port))
        said = [await client.ask(0.2) for _ in range(4)]
        assert [isinstance(each, Exchange) for each in said] == [False, False, True, True]
        assert far.transport is not None
        far.transport.close()
        assert await client.ask(0.2) is None
        assert asked == 1
        assert await client.ask(0.2) is None
        assert asked == 2  # all addresses had their turn: the name is resolved again
        client.close()

    run(ask)


def test_ipv6_is_asked_like_any_other() -> None:
    async def ask(serving: Servers) -> None:
        server = await serving(honest, "::1")
        client = asking(Server("::1", server.port))
        said = await client.ask(1)
        assert isinstance(said, Exchange)
        assert said.address[0] == "::1"
        client.close()

    run(ask)


def test_who_is_denied_by_every_address_stops_asking() -> None:
    async def ask(serving: Servers) -> None:
        server = await serving(kiss(b"DENY"))
        client = asking(Server("127.0.0.1", server.port))
        assert await client.ask(1) is None
        assert await client.ask(1) == Rejected(Reason.KISS_DENY)
        assert server.sent == 1
        client.close()
        limited = asking(Server("127.0.0.1", (await serving(kiss(b"RATE"))).port))
        assert await limited.ask(1) == Rejected(Reason.KISS_RATE)
        limited.close()

    run(ask)


def test_the_kernel_says_when_a_request_left() -> None:
    async def ask(serving: Servers) -> None:
        server = await serving(honest)
        client = asking(Server("127.0.0.1", server.port))
        early: list[int] = []
        for _ in range(5):
            before = HOST.raw_ns()
            said = await client.ask(1)
            assert isinstance(said, Exchange)
            assert before <= said.sent_raw_ns < said.received_raw_ns
            early.append(said.received_raw_ns - said.sent_raw_ns)
        print(f"a round trip on loopback by kernel times: {min(early)} ns")
        client.close()

    run(ask)
