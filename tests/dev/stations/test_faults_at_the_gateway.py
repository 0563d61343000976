"""What a simulated station gets wrong does not make its charges wrong: each is right, or INVALID for a reason."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from dev.stations.by_hand import by_hand
from stations.models import ChargingSession
from tests.gateway.ocpp.conftest import Make, Running, charger_row, gateway

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
