"""Stations that charge as fast as they are answered: `python -m bench.gateway.load --url URL --stations FILE …`.

One process, raw frames of OCPP 1.6, no library between: what is measured is the other side. All stations boot at
once, whatever the rate: that storm has figures of its own (`storm_…`). When the last is answered they charge without
end: StartTransaction, MeterValues with four samples, twenty to a charge, StopTransaction; the first charge of each is
shorter, by as much as it likes, so that they do not all start and stop at once ever after. With `--rate` all together
say so many messages a second, however long they wait for answers. Prints one line of JSON.
"""

import argparse
import asyncio
import base64
import json
import random
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

VALUES = 20
CONNECT_AT_ONCE = 50


@dataclass
class Count:
    """Seconds from each message to its answer, of answers within the time that is measured; how many came at all."""

    begun: float = 0.0
    ended: float = float("inf")
    answers: list[float] = field(default_factory=list)
    came: int = 0
    errors: int = 0
    stopping: bool = False

    def note(self, sent: float, frame: Any) -> None:
        """One answer has come."""
        now = time.perf_counter()
        self.came += 1
        self.errors += frame[0] != 3
        if self.begun and now <= self.ended:  # sent before or not: a slow side is owed the answers under way
            self.answers.append(now - sent)


class Pace:
    """When the next message may be said; without a rate at once."""

    def __init__(self, rate: float) -> None:
        self.step, self.next = (1 / rate if rate else 0.0), 0.0

    async def turn(self) -> None:
        """Wait for one's turn."""
        if not self.step:
            return
        now = time.perf_counter()
        self.next = max(self.next, now - 1) + self.step
        if self.next > now:
            await asyncio.sleep(self.next - now)


class Charger:
    """`url` has {} where the identity stands, or ends before it."""

    def __init__(self, url: str, identity: str, credential: str, count: Count, pace: Pace) -> None:
        self.url = (url if "{}" in url else f"{url}/{{}}").format(identity)
        self.identity, self.credential, self.count, self.pace = identity, credential, count, pace
        self.number, self.meter_wh = 0, 0

    async def connect(self) -> None:
        token = base64.b64encode(f"{self.identity}:{self.credential}".encode()).decode()
        self.socket: ClientConnection = await connect(
            self.url,
            subprotocols=[Subprotocol("ocpp1.6")],
            additional_headers={"Authorization": f"Basic {token}"},
            compression=None,
            ping_interval=None,
            open_timeout=120,
        )

    async def say(self, action: str, payload: dict[str, Any]) -> Any:
        await self.pace.turn()
        sent = time.perf_counter()
        frame = await self.ask(action, payload)
        self.count.note(sent, frame)
        return frame[2] if frame[0] == 3 else {}

    async def ask(self, action: str, payload: dict[str, Any]) -> Any:
        self.number += 1
        await self.socket.send(orjson.dumps([2, str(self.number), action, payload]).decode())
        return orjson.loads(await self.socket.recv())

    async def boot(self, count: Count) -> None:
        sent = time.perf_counter()
        count.note(sent, await self.ask("BootNotification", {"chargePointVendor": "bench", "chargePointModel": "load"}))

    async def run(self) -> None:
        values = random.randint(1, VALUES)
        while not self.count.stopping:
            start = {"connectorId": 1, "idTag": self.identity[-20:], "meterStart": self.meter_wh, "timestamp": _now()}
            begun = await self.say("StartTransaction", start)
            number = begun.get("transactionId", 0)
            for _ in range(values):
                if self.count.stopping:
                    break
                self.meter_wh += 1
                value = {"connectorId": 1, "transactionId": number, "meterValue": [self.sample()]}
                await self.say("MeterValues", value)
            stop = {"transactionId": number, "meterStop": self.meter_wh, "timestamp": _now(), "reason": "Local"}
            await self.say("StopTransaction", stop)
            values = VALUES
        await self.socket.close()

    def sample(self) -> dict[str, Any]:
        return {
            "timestamp": _now(),
            "sampledValue": [
                {"value": str(self.meter_wh), "measurand": "Energy.Active.Import.Register", "unit": "Wh"},
                {"value": "7360.0", "measurand": "Power.Active.Import", "unit": "W"},
                {"value": "32.0", "measurand": "Current.Import", "unit": "A", "phase": "L1"},
                {"value": "230.1", "measurand": "Voltage", "unit": "V", "phase": "L1-N"},
            ],
        }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


async def load(chosen: argparse.Namespace) -> dict[str, Any]:
    count, pace = Count(), Pace(chosen.rate)
    known = json.loads(chosen.stations.read_text())[chosen.skip : chosen.skip + chosen.count]
    chargers = [Charger(chosen.url, one["identity"], one["credential"], count, pace) for one in known]
    begun = time.perf_counter()
    for place in range(0, len(chargers), CONNECT_AT_ONCE):
        await asyncio.gather(*(charger.connect() for charger in chargers[place : place + CONNECT_AT_ONCE]))
    connected_s = time.perf_counter() - begun
    if chosen.idle:
        print(json.dumps({"connected_s": connected_s}), flush=True)
        await asyncio.sleep(chosen.seconds)
        await asyncio.gather(*(charger.socket.close() for charger in chargers))
        return {}
    boots = Count(begun=time.perf_counter())
    await asyncio.gather(*(charger.boot(boots) for charger in chargers))
    storm_s = time.perf_counter() - boots.begun
    running = [asyncio.create_task(charger.run()) for charger in chargers]
    await asyncio.sleep(chosen.warm_up)
    count.begun = time.perf_counter()
    count.ended = count.begun + chosen.seconds
    await asyncio.sleep(chosen.seconds)
    count.stopping = True
    await asyncio.gather(*running)
    if not count.answers:
        sys.exit(f"none of {count.came} answers came within the time that is measured")
    storm = {"connected_s": connected_s, "storm_s": storm_s, "storm_p99_ms": _shares(boots)["p99_ms"]}
    told = {"answers": count.came + boots.came, "errors": count.errors + boots.errors}
    return {"per_s": len(count.answers) / chosen.seconds, **_shares(count), **told, **storm}


SHARES = {"p50_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}


def _shares(count: Count) -> dict[str, float]:
    ordered = sorted(count.answers)
    at = {name: ordered[min(len(ordered) - 1, int(len(ordered) * share))] for name, share in SHARES.items()}
    return {name: round(value * 1000, 1) for name, value in at.items()}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.gateway.load", description="Stations that charge.")
    parser.add_argument("--url", required=True, help="with {} for the identity, or what stands before /IDENTITY")
    parser.add_argument("--stations", required=True, type=Path, help="JSON list of identity and credential")
    parser.add_argument("--skip", type=int, default=0, help="of the list")
    parser.add_argument("--count", type=int, default=200, help="stations (%(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--warm-up", type=float, default=8.0, help="seconds before (%(default)s)")
    parser.add_argument("--rate", type=float, default=0.0, help="messages a second of all; 0: as they are answered")
    parser.add_argument("--idle", action="store_true", help="connect, say nothing, stay for --seconds")
    if found := asyncio.run(load(parser.parse_args())):
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
