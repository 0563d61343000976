"""Which limit is in force at a moment, of several charging profiles, and what a day and a charge look like."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from dev.stations.device import limits, meter
from dev.stations.device.clock import Clock
from dev.stations.device.limits import Situation
from dev.stations.device.state import Charge, Outlet
from dev.stations.device.told import Token, Told
from dev.stations.station import Station
from dev.stations.world import day
from tests.dev.stations.csms import CREDENTIAL, Csms, Json, played

NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
AT = NOON.timestamp()
TOLD = Told("CP-1", CREDENTIAL, power_w=22_000)


def kept(outlet: int, purpose: str, periods: list[tuple[int, float]], **more: Any) -> Json:
    schedule = {"chargingRateUnit": more.pop("unit", "W")}
    schedule |= {name: more.pop(name) for name in ("duration", "startSchedule") if name in more}
    schedule["chargingSchedulePeriod"] = [{"startPeriod": start, "limit": limit} for start, limit in periods]
    profile = {"id": 1, "stackLevel": 0, "chargingProfileKind": "Absolute", "chargingProfilePurpose": purpose}
    return {"outlet": outlet, "profile": {**profile, **more, "chargingSchedule": [schedule]}}


def limit(profiles: list[Json], moment: float = AT, **asked: Any) -> float:
    return limits.limit_w(profiles, Situation(TOLD, 1, **asked), moment)


def test_the_lowest_of_what_rules() -> None:
    charge = Charge("T", 1, AT - 100, 0)
    default = kept(0, "TxDefaultProfile", [(0, 9_000.0)])
    station = kept(0, "ChargingStationMaxProfile", [(0, 12_000.0)])
    own = kept(1, "TxProfile", [(0, 20_000.0)], transactionId="T")
    assert limit([]) == 22_000 and limit([default]) == 9_000
    assert limit([default, own], charge=charge) == 20_000, "a charge's own goes before the default"
    assert limit([default, own, station], charge=charge) == 12_000
    assert limit([default, own, station], charge=charge, sharing=2) == 6_000, "the station's is shared"
    assert limit([own], charge=Charge("other", 1, AT, 0)) == 22_000
    higher = kept(0, "TxDefaultProfile", [(0, 4_000.0)], stackLevel=3, validTo=NOON.isoformat())
    assert limit([default, higher], AT - 1) == 4_000 and limit([default, higher]) == 9_000
    assert limit([kept(1, "TxDefaultProfile", [(0, 16.0)], unit="A")]) == 16 * 3 * 230
    assert limit([kept(2, "TxDefaultProfile", [(0, 1.0)])]) == 22_000, "another outlet's"


def test_schedules_by_the_clock_the_day_and_the_charge() -> None:
    times = {"startSchedule": (NOON - timedelta(hours=1)).isoformat(), "duration": 7200}
    absolute = kept(1, "TxDefaultProfile", [(0, 5_000.0), (3600, 7_000.0)], **times)
    assert [limit([absolute], AT + hour * 3600) for hour in (-2, -0.5, 0.5, 2)] == [22_000, 5_000, 7_000, 22_000]
    daily = kept(
        1, "TxDefaultProfile", [(0, 5_000.0)], chargingProfileKind="Recurring", recurrencyKind="Daily", **times
    )
    assert limit([daily], AT + 10 * 86_400) == 5_000 and limit([daily], AT + 10 * 86_400 + 7200) == 22_000
    relative = kept(1, "TxDefaultProfile", [(0, 3_000.0), (600, 8_000.0)], chargingProfileKind="Relative")
    charge = Charge("T", 1, AT, 0)
    assert [limit([relative], AT + second, charge=charge) for second in (0, 599, 600)] == [3_000, 3_000, 8_000]
    periods = limits.composite([absolute], Situation(TOLD, 1, charge), AT - 5400, 9001, "W")
    assert [(one["startPeriod"], one["limit"]) for one in periods] == [
        (0, 22_000), (1800, 5_000), (5400, 7_000), (9000, 22_000)
    ]  # fmt: skip
    daily_periods = limits.composite([daily], Situation(TOLD, 1), AT + 86_400 * 3, 86_400, "A")
    assert [(one["startPeriod"], one["limit"]) for one in daily_periods] == [(0, 7.2), (3600, 31.9), (82_800, 7.2)]


def test_the_power_rises_stays_and_falls_and_the_meter_counts_it() -> None:
    outlet = Outlet(charge=Charge("T", 1, AT, 0, flows=True, flowed_since=AT, metered=AT))
    assert outlet.charge
    curve = [meter.power_at(TOLD, outlet.charge, AT + second) for second in range(0, 721, 10)]
    assert curve[0] == 0 and max(curve) == 22_000 and 0 < curve[-1] < 10_000
    meter.count(TOLD, outlet, AT + 720, lambda _: 22_000.0)
    assert 3_000 < outlet.meter_wh < 22_000 * 720 / 3600
    before = outlet.meter_wh
    meter.count(TOLD, outlet, AT + 1080, lambda _: 1_000.0)
    assert round(outlet.meter_wh - before) == 100, "never more than the limit"
    fast = Told("CP-1", CREDENTIAL, current="DC", power_w=50_000, battery_wh=20_000)
    outlet.charge.soc, outlet.charge.flowed_since, outlet.charge.metered = 50.0, AT, AT
    meter.count(fast, outlet, AT + 600, lambda _: 50_000.0)
    slower = meter.power_at(fast, outlet.charge, AT + 600)
    assert outlet.charge.soc > 75 and slower < 30_000
    meter.count(fast, outlet, AT + 7200, lambda _: 50_000.0)
    assert outlet.charge.soc == 100 and meter.power_at(fast, outlet.charge, AT + 7200) == 0


def test_a_day_goes_by(tmp_path: Path) -> None:
    """Minutes in a second or two: charges begin and end by themselves, and with the day."""

    async def story(csms: Csms) -> None:
        start = datetime.now(UTC) - timedelta(hours=2)
        cards, slow = (Token("A"), Token("B")), {"MeterValueSampleInterval": "60"}
        told = Told("CP-1", CREDENTIAL, outlets=2, tokens=cards, charge_s=240, pause_s=60, settings=slow)
        waits = Told("CP-2", CREDENTIAL, "2.0.1")
        made = [
            Station(one, csms.url, state=tmp_path / one.identity, clock=Clock(start, speed=300))
            for one in (told, waits)
        ]
        running = asyncio.create_task(day(made))
        while len(csms.of("StopTransaction")) < 4 or not any(one.charge for one in made[0].state.outlets.values()):
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.wait([running])
        starts, stops = csms.of("StartTransaction"), csms.of("StopTransaction")
        assert {one["idTag"] for one in starts} == {"A", "B"} and {one["connectorId"] for one in starts} == {1, 2}
        assert len(starts) == len(stops) and {one["reason"] for one in stops} == {"Local", "Other"}
        assert csms.of("TransactionEvent") == [], "whoever has no cards waits for a command"
        assert all(station.state.queue == [] for station in made)

    played(story)
