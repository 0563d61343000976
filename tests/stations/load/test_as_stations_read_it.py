"""What the simulated stations of dev/ make of the messages as they go out: an implementation of its own.

Each command is composed as the gateway sends it, kept as OCPP has it, and read at each minute of the next
hour, as if nothing were ever sent again: all outlets together stay within the limit, and none has more than is counted.
"""

from datetime import datetime, timedelta
from typing import Any

import pytest

from dev.stations.device import limits
from dev.stations.device.limits import Situation
from dev.stations.device.state import Charge, Json
from dev.stations.device.told import Told
from gateway.ocpp.server.versions import COMPOSING
from stations.load import rows
from stations.load.sharing import PHASES
from stations.models import ChargingSession, Command, LimitedOutlet, SiteLimit
from tests.stations.load.conftest import Yard

pytestmark = pytest.mark.django_db
VOLT = 230
MESSAGE = {"1.6": ("connectorId", "csChargingProfiles"), "2.0.1": ("evseId", "chargingProfile")}


class Reading:
    """The profiles of all stations, as each has kept them."""

    def __init__(self, yard: Yard) -> None:
        self.yard = yard
        self.kept: dict[str, list[Json]] = {}
        self.read = 0

    def follow(self) -> None:
        """Take what was said since."""
        for command in Command.objects.filter(pk__gt=self.read).select_related("station").order_by("pk"):
            self.read = command.pk
            version = command.station.ocpp_version
            action, payload = COMPOSING[version].COMPOSERS[command.kind](command)
            assert action == "SetChargingProfile"
            place, member = MESSAGE[version]
            kept = self.kept.setdefault(command.station.identity, [])
            number = limits.number_of(payload[member])
            kept[:] = [one for one in kept if limits.number_of(one["profile"]) != number]
            kept.append({"outlet": payload[place], "profile": payload[member]})

    def amperes(self, outlet: LimitedOutlet, session: ChargingSession | None, moment: datetime) -> float:
        """The most that it gives then, to the car that is there or to another one."""
        charges: list[Charge | None] = [None]
        if session is not None:
            number = session.transaction_id
            charges.append(Charge(number, outlet.evse_id, session.started_at.timestamp(), 0, number=int(number)))
        told = Told(outlet.station.identity, "", power_w=32 * 3 * VOLT)
        kept = self.kept.get(outlet.station.identity, [])
        asked = (Situation(told, outlet.evse_id, charge) for charge in charges)
        return max(limits.limit_w(kept, one, moment.timestamp()) for one in asked) / (3 * VOLT)

    def check(self) -> None:
        self.follow()
        outlets = list(LimitedOutlet.objects.select_related("station"))
        counted = {row.pk: rows.outlet_of(row, 32, {one.layer: one for one in row.told.all()}) for row in outlets}
        active = ChargingSession.objects.filter(status="ACTIVE").select_related("connector")
        charging = {(one.station_id, one.connector.evse_id): one for one in active}
        amount = SiteLimit.objects.values_list("amperes", flat=True).get()
        for minute in range(60):
            moment = self.yard.now + timedelta(minutes=minute)
            given = {row.pk: self.amperes(row, charging.get((row.station_id, row.evse_id)), moment) for row in outlets}
            assert sum(given.values()) <= amount, (moment, given)
            for pk, amperes in given.items():
                assert amperes <= max(counted[pk].most(moment, phase) for phase in PHASES)


@pytest.mark.parametrize("versions", [("1.6", "2.0.1"), ("2.0.1", "1.6")])
def test_the_limit_holds_as_stations_read_it(versions: tuple[str, str]) -> None:
    yard = Yard(40)
    stations = [yard.station(f"CP-{version}", outlets=2, version=version) for version in versions]
    reading = Reading(yard)
    yard.look()
    reading.check()
    sessions: list[Any] = []
    for station, evse_id in ((stations[0], 1), (stations[1], 2), (stations[0], 2)):
        sessions.append(yard.start(station, evse_id))
        yard.look()
        reading.check()
        yard.wait(minutes=7)
        yard.look()
        reading.check()
    assert sorted(filter(None, yard.shares)) == [13, 13, 13]
    yard.stop(sessions.pop(0))
    yard.look()
    reading.check()
    assert sorted(filter(None, yard.shares)) == [20, 20]
    yard.wait(minutes=90)
    reading.check()  # long after the last message: everybody is back at the fallback
