"""The whole way: stations of OCPP 1.6 and 2.0.1 at a real gateway share a limit by the profiles that they are sent."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from dev.common.processes import wait_until
from stations.load.cars import SETTLED_AFTER
from stations.load.services import site_share
from stations.models import Command, LimitedOutlet, OutletLimit, Site, SiteLimit, Station
from tests.gateway.ocpp.conftest import Make, Running, charger_row, gateway
from tests.stations.load.points import Point

__all__ = ["charger_row", "gateway"]
pytestmark = pytest.mark.django_db(transaction=True)


def limited(amperes: int) -> Site:
    site = Site.objects.get()
    SiteLimit.objects.create(site=site, amperes=amperes, enabled=True)
    return site


def shared(site: Site, done: Callable[[], bool], *, later: timedelta = timedelta()) -> None:
    """Looked at as the worker does, until it is so."""

    def look() -> bool:
        site_share(site_id=site.pk, now=timezone.now() + later)
        return done()

    assert wait_until(look, timeout_s=60), (shares(), list(Command.objects.values("kind", "state", "words")))


def shares() -> list[int | None]:
    return list(LimitedOutlet.objects.order_by("station__identity").values_list("share_a", flat=True))


def accepted(layer: str) -> list[int | None]:
    rows = OutletLimit.objects.filter(layer=layer).order_by("outlet__station__identity")
    return list(rows.values_list("amperes", flat=True))


def connected(running: Running, row: tuple[Station, str], version: str) -> Any:
    station, credential = row
    return Point(running.url, station.identity, credential, version)


@pytest.mark.parametrize(("first", "second"), [("1.6", "2.0.1"), ("2.0.1", "1.6")])
def test_two_stations_share_a_limit(gateway: Running, charger_row: Make, first: str, second: str) -> None:
    rows = [charger_row(f"CP-{number}") for number in (1, 2)]
    site = limited(40)
    with connected(gateway, rows[0], first) as one, connected(gateway, rows[1], second) as two:
        shared(site, lambda: accepted("FALLBACK") == [20, 20])
        assert one.kept.told[-1] == ("TxDefaultProfile", 0, 20, None) == two.kept.told[-1]
        assert max(told[2] for told in one.kept.told + two.kept.told) == 20  # the first that hears gets less at first
        one.start()
        shared(site, lambda: accepted("CHARGE") == [32])
        assert two.kept.told[-1][:3] == ("TxDefaultProfile", 1, 0)  # before the other had more
        (purpose, level, limit, until) = one.kept.told[-1]
        assert (purpose, level, limit) == ("TxProfile", 1, 32) and until is not None
        assert timedelta(0) < datetime.fromisoformat(until) - timezone.now() <= timedelta(minutes=10)
        two.start()
        shared(site, lambda: accepted("CHARGE") == [20, 20])
        assert one.kept.told[-1][2] == 20 and two.kept.told[-1][:3] == ("TxProfile", 1, 20)
        at = timezone.now()
        OutletLimit.objects.update(accepted_at=at - SETTLED_AFTER - timedelta(seconds=5))
        one.draws(10)
        shared(site, lambda: accepted("CHARGE") == [12, 28])
        one.stop()
        shared(site, lambda: shares() in ([0, 32], [20, 32], [8, 32]) and accepted("CHARGE")[-1] == 32)
    assert wait_until(lambda: not Station.objects.exclude(connection="").exists(), timeout_s=20)
    site_share(site_id=site.pk)
    assert set(LimitedOutlet.objects.values_list("reason", flat=True)) == {"AWAY"}


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
def test_a_station_that_rejects_is_told_of(gateway: Running, charger_row: Make, version: str) -> None:
    row = charger_row("CP-1")
    site = limited(20)
    with connected(gateway, row, version) as point:
        point.kept.status = "Rejected"
        shared(site, lambda: OutletLimit.objects.filter(refused_at__isnull=False).exists())
        outlet = LimitedOutlet.objects.get()
        assert (outlet.share_a, outlet.most_a, outlet.reason) == (32, 32, "REFUSES")
        point.kept.status = "Accepted"
        shared(site, lambda: accepted("FALLBACK") == [20], later=timedelta(minutes=6))
