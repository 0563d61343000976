"""What a simulated station gets wrong does not make its charges wrong: each is right, or INVALID for a reason."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from dev.stations.by_hand import by_hand
from stations.models import ChargingSession, Station
from tests.gateway.ocpp.conftest import Make, Running, charger_row, gateway
from tests.waiting import until

__all__ = ["charger_row", "gateway"]

pytestmark = pytest.mark.django_db(transaction=True)
BOOTED_1970 = datetime(1970, 1, 1, 0, 2, tzinfo=UTC)
# What goes wrong while 300 Wh flow; the flags that the charge then has
WRONG: dict[str, tuple[Callable[[Any], None], set[str]]] = {
    "nothing": (lambda cp: None, set()),
    "zone": (lambda cp: cp.clock.wrong(zone=False), {"time_zone_assumed"}),
    "ahead": (lambda cp: cp.clock.wrong(hours=7), {"clock_wrong"}),
    "1970": (lambda cp: cp.clock.wrong(at=BOOTED_1970), {"clock_wrong"}),
    "kwh": (lambda cp: setattr(cp.faults, "kwh", True), set()),
    "phases": (lambda cp: setattr(cp.faults, "by_phase", True), set()),
    "places": (lambda cp: setattr(cp.faults, "locations", ("Inlet", "Outlet")), set()),
    "rollover": (lambda cp: setattr(cp.faults, "rollover_wh", 101_950), {"meter_backwards"}),
}


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
def test_each_charge_is_right_or_invalid(version: str, gateway: Running, charger_row: Make) -> None:
    station, credential = charger_row()
    found: dict[str, ChargingSession] = {}
    for name, (wrong, _) in WRONG.items():
        with by_hand(gateway.url, station.identity, credential, version) as cp:
            cp.state.outlets[1].meter_wh += 250 * len(found)
            wrong(cp)
            cp.start(f"card of {name}")
            for _ in range(3):
                cp.meter(after_s=60, wh=100)
            cp.stop()
        found[name] = ChargingSession.objects.get(id_token__uid=f"card of {name}")
    assert {name: set(one.flags) for name, one in found.items()} == {name: flags for name, (_, flags) in WRONG.items()}
    rolled = found.pop("rollover")
    assert (rolled.status, rolled.energy_wh) == ("INVALID", None)
    assert {(one.status, one.energy_wh) for one in found.values()} == {("COMPLETED", 300)}


def test_a_connection_that_is_half_open_is_given_up(
    transactional_db: None, charger_row: Make, settings: Settings
) -> None:
    settings.OCPP_PING_S = 1
    station, credential = charger_row()
    running = Running()
    try:
        with by_hand(running.url, station.identity, credential, "2.0.1") as cp:
            assert Station.objects.get().connection
            cp.half_open()
            until(lambda: not Station.objects.get().connection)
    finally:
        running.stop()


@pytest.mark.parametrize("version", ["1.6", "2.1"])
def test_garbage_is_answered_and_the_charge_goes_on(version: str, gateway: Running, charger_row: Make) -> None:
    station, credential = charger_row()
    with by_hand(gateway.url, station.identity, credential, version) as cp:
        cp.start("35897499")
        for frame in (
            "{",
            "[]",
            "null",
            '[2,"x"]',
            '[2,"y","Dance",{}]',
            '[2,"z","MeterValues",{"connectorId":"one"}]',
        ):
            assert cp.raw(frame)[0] == 4, frame
        cp.meter(after_s=60, wh=100)
        cp.stop()
    assert ChargingSession.objects.get().energy_wh == 100
