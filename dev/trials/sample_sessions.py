"""Charging sessions for chaos and bench, made by the services that stations use. Import it once Django is set up."""

import itertools
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from django.db import transaction

from stations.cards.services import TokenRef
from stations.charging.sessions import location_of, session_close, session_start
from stations.models import ChargingSession, Connector, IdToken, Site, Station
from stations.signals import sessions_closed

STARTED_AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
DURATION = timedelta(minutes=45)


class Sessions:
    """A site with stations and drivers' tokens; each call closes new sessions. Not for two threads at once."""

    def __init__(self, rng: random.Random, *, stations: int = 10, tokens: int = 50) -> None:
        site = Site.objects.create(code="S1", name="Harbour office", country="DEU", time_zone="Europe/Berlin")
        self.stations = [Station.objects.create(site=site, identity=f"CH-{number}") for number in range(stations)]
        self.connectors = [Connector.objects.create(station=station) for station in self.stations]
        self.tokens = [f"04{number:012X}" for number in range(tokens)]
        self._rng = rng
        self._numbers = itertools.count(1)

    def close_one(self) -> ChargingSession:
        """Start and stop one session as a station does it, one in ten without a token."""
        token = TokenRef(uid=self._rng.choice(self.tokens)) if self._rng.random() > 0.1 else None
        energy_wh = self._rng.randrange(1, 60_000)
        session, _ = session_start(
            station=self._rng.choice(self.stations),
            transaction_id=f"T{next(self._numbers)}",
            started_at=STARTED_AT,
            meter_start_wh=1000,
            token=token,
        )
        return session_close(session=session, stopped_at=STARTED_AT + DURATION, meter_stop_wh=1000 + energy_wh)[0]

    def close_few(self, count: int) -> None:
        """Close `count` sessions in one database transaction."""
        with transaction.atomic():
            for _ in range(count):
                self.close_one()

    def close_many(self, count: int, *, batch: int = 1000) -> Iterator[int]:
        """Close `count` sessions as an import does it, in bulk; yields how many each transaction closed."""
        tokens = [IdToken.objects.get_or_create(uid=uid, type=IdToken.Type.ISO14443)[0] for uid in self.tokens]
        for start in range(0, count, batch):
            sessions = [self._built(tokens) for _ in range(min(batch, count - start))]
            with transaction.atomic():
                ChargingSession.objects.bulk_create(sessions)
                sessions_closed.send(sender=ChargingSession, sessions=sessions)
            yield len(sessions)

    def _built(self, tokens: list[IdToken]) -> ChargingSession:
        number = next(self._numbers)
        connector = self.connectors[number % len(self.connectors)]
        started_at, energy_wh = STARTED_AT + timedelta(minutes=number), self._rng.randrange(1, 60_000)
        return ChargingSession(
            station=connector.station,
            connector=connector,
            transaction_id=f"T{number}",
            id_token=self._rng.choice(tokens),
            location=location_of(connector.station.site),
            status=ChargingSession.Status.COMPLETED,
            started_at=started_at,
            stopped_at=started_at + DURATION,
            meter_start_wh=1000,
            meter_stop_wh=1000 + energy_wh,
            energy_wh=energy_wh,
            cost_minor=energy_wh // 30,
            currency="EUR",
            stop_reason="EVDisconnected",
            source=ChargingSession.Source.STATION,
        )
