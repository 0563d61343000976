"""What charging needs, below one directory: PostgreSQL, Redis, two gateways, and simulated stations that charge.

No chain and no TPM: sessions are closed without them, and recorded later (`dev.trials.chaos.main` is about that).
"""

import json
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dev.common.files import replace
from dev.common.processes import Child, free_port
from dev.parts.postgres import Postgres
from dev.parts.redis import Redis
from dev.parts.tpm_service import ROOT
from dev.stack.master_key import ensure_recovery_key, write_unsealed_master_key
from dev.trials.portal_stack import outer_environment

SPEED = 20.0
BEFORE = timedelta(days=60)  # so long ago that the stations' fast clocks never reach the present
VERSIONS = ("1.6", "2.0.1", "2.1")
START_POINT = {"2.0.1": "EVConnected", "2.1": "Authorized"}
SAMPLE_S = {"1.6": "MeterValueSampleInterval", "2.x": "SampledDataCtrlr.TxUpdatedInterval"}
OUTLETS = 2


class Simulator(Child):
    """`python -m dev.stations`, whose clocks go on where they would be had it never been killed."""

    def __init__(self, directory: Path, gateways: list[str]) -> None:
        self.state, self.file = directory / "stations", directory / "stations.json"
        self._begun = datetime.now(UTC)
        self._command = [sys.executable, "-m", "dev.stations", "run", "--speed", f"{SPEED:g}"]
        self._command += ["--stations", str(self.file), "--state", str(self.state)]
        self._command += [word for url in gateways for word in ("--gateway", url)]
        super().__init__("stations", [], log=directory / "stations.log", cwd=ROOT, env=outer_environment())

    def start(self) -> None:
        now = datetime.now(UTC)
        clock = now - BEFORE + (now - self._begun) * (SPEED - 1)
        self.argv = [*self._command, "--clock", clock.isoformat()]
        super().start()

    def states(self) -> dict[str, dict[str, Any]]:
        """What each station keeps, by identity."""
        return {path.stem: json.loads(path.read_text()) for path in sorted(self.state.glob("[!.]*.json"))}


class ChargingStack:
    """With `durable` off PostgreSQL answers before it has written: what the check must find."""

    def __init__(self, directory: Path, *, stations: int, durable: bool = True) -> None:
        self.directory, self.count = directory, stations
        self.postgres = Postgres(directory / "postgres", durable=durable)
        self.redis = Redis(directory / "redis", free_port())
        ports = [free_port(), free_port()]
        self.gateways = [
            Child(
                f"gateway-{number}",
                [sys.executable, "manage.py", "gateway", "--port", str(port)],
                log=directory / f"gateway-{number}.log",
                cwd=ROOT,
            )
            for number, port in enumerate(ports, 1)
        ]
        self.simulator = Simulator(directory, [f"ws://127.0.0.1:{port}/ocpp" for port in ports])

    @property
    def parts(self) -> dict[str, Child]:
        """What is killed."""
        return {part.name: part for part in (*self.gateways, self.postgres, self.redis, self.simulator)}

    @contextmanager
    def running(self) -> Iterator[None]:
        """Database and Redis with tables and stations, this process a part of it; nothing runs afterwards."""
        try:
            self.postgres.start()
            self.redis.start()
            self._enter()
            yield
        finally:
            for part in reversed(self.parts.values()):
                part.stop()

    def _enter(self) -> None:
        import django
        from django.core.management import call_command

        public = ensure_recovery_key(self.directory / "recovery_key.pem")
        write_unsealed_master_key(self.directory / "master_keys", public)
        environment = {
            "EVPORTAL_ENV_FILE": os.devnull,
            "EVPORTAL_SECRET_KEY": secrets.token_hex(32),
            "EVPORTAL_DATABASE_URL": self.postgres.url,
            "EVPORTAL_REDIS_URL": self.redis.url,
            "EVPORTAL_LEDGER_MASTER_KEY_FILE": str(self.directory / "master_keys"),
            "EVPORTAL_LEDGER_RECOVERY_PUBLIC_KEY_FILE": str(public),
            "DJANGO_SETTINGS_MODULE": "evportal.settings",
        }
        for gateway in self.gateways:
            gateway.env = outer_environment() | environment
        for name in set(os.environ) - set(outer_environment()):
            del os.environ[name]
        os.environ |= environment
        django.setup()
        call_command("migrate", verbosity=0)
        self._make_stations()

    def _make_stations(self) -> None:
        from stations.models import Connector, Site, Station
        from stations.places.credentials import station_credential_set

        site = Site.objects.create(code="CHAOS", name="Yard", time_zone="UTC", unknown_cards=True)
        told = []
        for number in range(self.count):
            version = VERSIONS[number % len(VERSIONS)]
            station = Station.objects.create(site=site, identity=f"CH-{number + 1}")
            for evse in range(1, OUTLETS + 1):
                Connector.objects.create(station=station, evse_id=evse, connector_id=1, max_power_w=22_000)
            settings = {SAMPLE_S["1.6" if version == "1.6" else "2.x"]: "40"}
            if version in START_POINT:
                settings["TxCtrlr.TxStartPoint"] = START_POINT[version]
            one: dict[str, Any] = {"identity": station.identity, "version": version, "settings": settings}
            one |= {"credential": station_credential_set(station=station), "outlets": OUTLETS, "books": True}
            one |= {"charge_s": 120 + 7 * number, "pause_s": 10, "resumes": number % 2 == 1}
            one["tokens"] = [{"uid": f"04AA{number:02}{card:02}"} for card in range(OUTLETS)]
            told.append(one)
        replace(self.simulator.file, json.dumps(told))

    def calm(self) -> None:
        """No car comes any more, and each charge ends as after a power cut."""
        self.simulator.kill()
        told = json.loads(self.simulator.file.read_text())
        replace(self.simulator.file, json.dumps([one | {"tokens": [], "resumes": False} for one in told]))
        self.simulator.start()

    def left_to_say(self) -> int:
        """Messages and charges that have not ended: 0 when all that stations had to say was answered."""
        states = self.simulator.states().values()
        charging = (outlet["charge"] is not None for state in states for outlet in state["outlets"].values())
        return sum(len(state["queue"]) for state in states) + sum(charging)
