"""Simulated charging stations, which report over the REST API for stations while the demo runs.

    python -m dev.parts.station --portal URL --stations var/secrets/live_stations.json --state var/live

Each charges a car, waits, and charges the next one. A message that is not answered is said again, as it was. What a
station must not forget (its meter, the charge that runs) is in its state file: one that is killed ends that charge when
it comes back, with what its meter showed last. Ended in good order, it ends the charge at once.
"""

import argparse
import json
import signal
import threading
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2

from dev.common.files import replace

SAMPLE_EVERY_S = 10.0
AGAIN_AFTER_S = 5.0
TIMEOUT_S = 10.0
RAMP_S = 20.0


@dataclass(frozen=True)
class Simulated:
    """What is told of a station (dev/stack/live.py): seconds of a charge and of a pause, most power in W."""

    identity: str
    credential: str
    token: dict[str, str] | None
    charge_s: float
    pause_s: float
    power_w: int


@dataclass
class State:
    """What a station keeps: its meter in Wh; number and start of the charge that runs, "" where none does."""

    meter_wh: int = 0
    charge: str = ""
    started: float = 0.0
    meter_start_wh: int = 0
    last: float = 0.0  # when the meter was read last
    path: Path = field(default=Path(), repr=False)

    def keep(self) -> None:
        """Written before the message that says so is sent."""
        replace(self.path, json.dumps({name: value for name, value in asdict(self).items() if name != "path"}))

    @classmethod
    def found(cls, path: Path) -> "State":
        return cls(**(json.loads(path.read_text()) if path.exists() else {}), path=path)


def power_at(second: float, charge_s: float, power_w: int) -> int:
    """Power in W so long after the start: it rises, stays, and falls in the last third as the battery fills."""
    rising = min(1.0, second / RAMP_S)
    filling = max(0.0, second - charge_s * 2 / 3) / (charge_s / 3)
    return round(power_w * rising * max(0.0, 1 - 0.7 * filling))


def energy_until(second: float, charge_s: float, power_w: int) -> int:
    """Whole Wh that have flown until then."""
    return sum(power_at(one, charge_s, power_w) for one in range(int(second))) // 3600


class Station:
    """One station at work, in a thread of its own."""

    def __init__(self, told: Simulated, state: State, portal: str, ended: threading.Event) -> None:
        self.told, self.state, self.ended = told, state, ended
        auth = (told.identity, told.credential)
        self.http = httpx2.Client(base_url=f"{portal}/api/v1/station/", auth=auth, timeout=TIMEOUT_S)

    def run(self, first_pause_s: float = 0.0) -> None:
        """Until `ended`."""
        if self.state.charge:  # it was killed while it charged
            self._stop("PowerLoss")
        pause = first_pause_s
        while not self.ended.wait(pause):
            self._charge()
            pause = self.told.pause_s

    def _charge(self) -> None:
        told, state, now = self.told, self.state, time.time()
        state.charge, state.started, state.last = f"{int(now)}", now, now
        state.meter_start_wh = state.meter_wh
        state.keep()
        start = {"transaction_id": state.charge, "started_at": _iso(now), "meter_start_wh": state.meter_start_wh}
        self._say("sessions", start | {"id_token": told.token})
        while not self.ended.wait(SAMPLE_EVERY_S) and time.time() - now < told.charge_s:
            self._sample()
        self._stop("Remote" if self.ended.is_set() else "EVDisconnected")

    def _sample(self) -> None:
        told, state = self.told, self.state
        state.last = time.time()
        second = state.last - state.started
        state.meter_wh = state.meter_start_wh + energy_until(second, told.charge_s, told.power_w)
        state.keep()
        at = _iso(state.last)
        power = power_at(second, told.charge_s, told.power_w)
        values: list[dict[str, Any]] = [
            {"sampled_at": at, "value": state.meter_wh},
            {"sampled_at": at, "value": power, "measurand": "Power.Active.Import", "unit": "W"},
        ]
        self._say(f"sessions/{state.charge}/meter-values", {"values": values})

    def _stop(self, reason: str) -> None:
        state = self.state
        stop = {"stopped_at": _iso(state.last), "meter_stop_wh": state.meter_wh, "stop_reason": reason}
        if self._say(f"sessions/{state.charge}/stop", stop):
            state.charge = ""
            state.keep()

    def _say(self, address: str, message: dict[str, Any]) -> bool:
        """Say it until it is answered; False where the portal wants none of it, or nobody answers and we end."""
        while True:
            try:
                answer = self.http.post(address, json=message)
                if answer.status_code < httpx2.codes.INTERNAL_SERVER_ERROR and answer.status_code != 429:
                    print(f"{self.told.identity} {address}: {answer.status_code} {answer.text[:200]}", flush=True)
                    return True  # refused for good, too: saying it again would change nothing
            except httpx2.HTTPError as error:
                print(f"{self.told.identity} {address}: {error!r}", flush=True)
            if self.ended.wait(AGAIN_AFTER_S):
                return False


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m dev.parts.station", description="Simulated charging stations.")
    parser.add_argument("--portal", required=True, metavar="URL")
    parser.add_argument("--stations", required=True, type=Path, metavar="FILE")
    parser.add_argument("--state", required=True, type=Path, metavar="DIRECTORY")
    chosen = parser.parse_args(arguments)
    chosen.state.mkdir(parents=True, exist_ok=True)
    ended = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: ended.set())
    threads = []
    for place, told in enumerate(json.loads(chosen.stations.read_text())):
        state = State.found(chosen.state / f"{told['identity']}.json")
        station = Station(Simulated(**told), state, chosen.portal, ended)
        threads.append(threading.Thread(target=station.run, args=(place * 5.0,)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main()
