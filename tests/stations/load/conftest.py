"""A site with a limit, its stations, and what the gateway does with commands, in the database alone."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from stations.load.services import site_share
from stations.models import ChargingSession, Command, Connector, LimitedOutlet, MeterValue, Site, SiteLimit, Station

State = Command.State


class Yard:
    """`now` is the time of the story; `look` has the site looked at until nothing more is to be said."""

    def __init__(self, amperes: int, **limit: Any) -> None:
        self.site = Site.objects.create(code="YARD", name="Yard", time_zone="Europe/Berlin")
        self.limit = SiteLimit.objects.create(site=self.site, amperes=amperes, enabled=True, **limit)
        self.now = timezone.now()
        self.numbers = iter(range(1, 1000))

    def station(self, identity: str, *, outlets: int = 1, version: str = "1.6", **connector: Any) -> Station:
        fields = {"ocpp_version": version, "connection": "0123456789ab-1"}
        station = Station.objects.create(site=self.site, identity=identity, **fields)
        for evse in range(1, outlets + 1):
            Connector.objects.create(station=station, evse_id=evse, **({"max_amperage": 32} | connector))
        return station

    def start(self, station: Station, evse_id: int = 1) -> ChargingSession:
        return ChargingSession.objects.create(
            station=station,
            connector=station.connectors.get(evse_id=evse_id),
            transaction_id=str(next(self.numbers)),
            started_at=self.now,
            meter_start_wh=0,
            source=ChargingSession.Source.OCPP,
        )

    def stop(self, session: ChargingSession, *flags: str) -> None:
        session.status, session.stopped_at, session.flags = "INVALID", self.now, list(flags)
        session.save()

    def draws(self, session: ChargingSession, **amperes: float) -> None:
        for phase, value in amperes.items():
            at = {"session": session, "sampled_at": self.now, "phase": phase}
            MeterValue.objects.create(measurand="Current.Import", value=value, unit="A", **at)

    def wait(self, **time: int) -> None:
        self.now += timedelta(**time)

    def look(self, answer: Callable[[Command], str] = lambda command: State.ACCEPTED.value) -> list[dict[str, Any]]:
        """All that stations were told, in order."""
        told: list[dict[str, Any]] = []
        for _ in range(10):
            site_share(site_id=self.site.pk, now=self.now)
            waiting = list(Command.objects.filter(state=State.WAITING).order_by("pk"))
            if not waiting:
                return told
            for command in waiting:
                told.append({"station": command.station.identity, **command.params})
                self.answer(command, answer(command))
        raise AssertionError("it does not come to an end")

    def answer(self, command: Command, state: str) -> None:
        command.state, command.sent_at, command.answered_at = state, self.now, self.now
        command.save()

    @property
    def shares(self) -> list[int | None]:
        rows = LimitedOutlet.objects.filter(station__site=self.site).order_by("pk")
        return list(rows.values_list("share_a", flat=True))

    @property
    def reasons(self) -> list[str]:
        return list(LimitedOutlet.objects.order_by("pk").values_list("reason", flat=True))

    def accepted(self, layer: str) -> list[int | None]:
        rows = LimitedOutlet.objects.order_by("pk")
        return [row.told.filter(layer=layer).values_list("amperes", flat=True).first() for row in rows]


def amperes(told: list[dict[str, Any]]) -> list[tuple[str, str, float]]:
    """(station, purpose and stack level, limit)"""
    return [
        (
            one["station"],
            f"{one['profile']['purpose']}/{one['profile']['stack_level']}",
            one["profile"]["periods"][0]["limit"],
        )
        for one in told
    ]


def until(one: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(one["profile"]["valid_to"])


@pytest.fixture
def yard(db: None) -> Callable[..., Yard]:
    return Yard
