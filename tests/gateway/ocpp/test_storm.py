"""A thousand reconnects as fast as they go: others are served meanwhile, and nothing is left of them."""

import asyncio
import gc
import threading

import psutil
import pytest

from stations.models import Station
from tests.gateway.ocpp.client import Charger, basic
from tests.gateway.ocpp.conftest import Make, Plug, Running
from tests.waiting import until

pytestmark = pytest.mark.django_db(transaction=True)
PARTS, RECONNECTS, STATIONS, AT_ONCE = 4, 250, 5, 50
GROWTH_MAX_MIB = 12  # a connection that is never let go takes 60 KiB and more: 750 of them some 45 MiB


def handshake(identity: str, credential: str) -> bytes:
    head = ["Host: gateway", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
    head += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Protocol: ocpp1.6"]
    head += [f"{name}: {value}" for name, value in basic(identity, credential.encode()).items()]
    return "\r\n".join([f"GET /ocpp/{identity} HTTP/1.1", *head, "", ""]).encode()


async def storm(port: int, hellos: list[bytes]) -> None:
    """Each comes, and every other loses its network at once; the rest are replaced by the next of their identity."""
    room = asyncio.Semaphore(AT_ONCE)
    left = []

    async def one(number: int) -> None:
        async with room:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(hellos[number % len(hellos)])
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 101 "), answer
            if number % 2:
                writer.transport.abort()
            else:
                left.append(writer)

    await asyncio.gather(*(one(number) for number in range(RECONNECTS)))
    for writer in left:
        writer.transport.abort()


class Served(threading.Thread):
    """A station that goes on all the while; `answers`: how many it got."""

    def __init__(self, charger: Charger) -> None:
        super().__init__(daemon=True)
        self.charger, self.answers, self.over = charger, 0, False

    def run(self) -> None:
        while not self.over:
            assert self.charger.call("Heartbeat")["currentTime"]
            self.answers += 1


def memory_mib() -> float:
    gc.collect()
    return float(psutil.Process().memory_info().rss) / 2**20


def test_a_thousand_reconnects(gateway: Running, charger_row: Make, plug: Plug) -> None:
    server = gateway.gateway
    server.messages_per_s = 1_000_000
    hellos = [handshake(row.identity, word) for row, word in (charger_row(f"ST-{n}") for n in range(STATIONS))]
    served = Served(plug(identity="CP-served"))
    served.start()
    used = []
    for _ in range(PARTS):
        before = served.answers
        asyncio.run(storm(server.port, hellos))
        assert served.answers > before, "nobody else was served meanwhile"
        until(lambda: len(server.links) == 1)
        used.append(memory_mib())
    served.over = True
    served.join(60)
    assert not served.is_alive()
    # The first part fills what is kept anyway: caches, pools of threads and connections.
    assert used[-1] - used[0] < GROWTH_MAX_MIB, used
    gone = Station.objects.filter(identity__startswith="ST-")
    until(lambda: not gone.exclude(connection="").exists())
    assert Station.objects.exclude(connection="").get().identity == "CP-served"
