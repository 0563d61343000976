"""What a test can let go wrong at a simulated station does go wrong so, and no other way."""

import asyncio
from datetime import UTC, datetime

import pytest

from dev.stations.charger import charger
from tests.dev.stations.csms import CREDENTIAL, Csms, Json, played

ENERGY = "Energy.Active.Import.Register"


def energies(payload: Json) -> list[tuple[str, str, str | None]]:
    """Value, unit, and phase or place of each energy in a MeterValues."""
    samples = payload["meterValue"][0]["sampledValue"]
    energy = [one for one in samples if one["measurand"] == ENERGY]
    return [(one["value"], one["unit"], one.get("phase", one.get("location"))) for one in energy]


def test_lost_answers_and_a_stop_that_never_leaves() -> None:
    async def story(csms: Csms) -> None:
        async with charger(csms.url, "CP-1", CREDENTIAL, timeout_s=0.2) as cp:
            await cp.plug()
            await cp.present("35897499")
            cp.faults.lost_answers["MeterValues"] = 1
            cp.station.charging.sample(1)
            while cp.state.queue:  # it says it again when it has waited long enough
                await cp.station.settled()
            assert [action for _, action, _ in csms.heard].count("MeterValues") == 2
            assert len(csms.of("MeterValues")) == 1, "with the same id"
            cp.faults.swallowed = {"StopTransaction"}
            await cp.stop()
            assert csms.of("StopTransaction") == [] and cp.transaction() == "" and cp.state.queue == []

    played(story)


def test_repeats_with_the_same_id_and_with_a_new_one() -> None:
    async def story(csms: Csms) -> None:
        async with charger(csms.url, "CP-1", CREDENTIAL) as cp:
            await cp.start("35897499")
            assert (await cp.repeat("StartTransaction"))["transactionId"] == 2
            await cp.repeat("StartTransaction", same_id=False)
            ids = [one for one, action, _ in csms.heard if action == "StartTransaction"]
            assert len(ids) == 3 and ids[0] == ids[1] != ids[2]

    played(story)


def test_what_was_held_back_comes_in_another_order() -> None:
    async def story(csms: Csms) -> None:
        async with charger(csms.url, "CP-1", CREDENTIAL, "2.0.1") as cp:
            cp.faults.held = True
            await cp.start("35897499")
            await cp.meter()
            await cp.stop()
            assert csms.events() == []
            await cp.release(backwards=True)
            assert [one["seqNo"] for one in csms.of("TransactionEvent")] == [2, 1, 0]

    played(story)


def test_a_wrong_clock() -> None:
    async def story(csms: Csms) -> None:
        async with charger(csms.url, "CP-1", CREDENTIAL) as cp:
            right = cp.clock.now()
            cp.clock.wrong(hours=-5)
            await cp.start("35897499")
            cp.clock.wrong(at=datetime(1970, 1, 1, tzinfo=UTC))
            await cp.meter(after_s=60)
            cp.clock.wrong(zone=False)
            await cp.stop()
        started = datetime.fromisoformat(csms.of("StartTransaction")[0]["timestamp"])
        assert round((right - started.timestamp()) / 3600, 2) == 5
        assert csms.of("MeterValues")[0]["meterValue"][0]["timestamp"] == "1970-01-01T00:01:00.000Z"
        assert not csms.of("StopTransaction")[0]["timestamp"].endswith("Z")

    played(story)


def test_meters_of_every_kind() -> None:
    async def story(csms: Csms) -> None:
        async with charger(csms.url, "CP-1", CREDENTIAL) as cp:
            await cp.start("35897499")
            cp.faults.kwh, cp.faults.by_phase = True, True
            await cp.meter(wh=234)
            cp.faults.kwh, cp.faults.by_phase, cp.faults.locations = False, False, ("Inlet", "Outlet")
            await cp.meter(wh=0)
            cp.faults.locations, cp.faults.rollover_wh = (), 100_300
            assert await cp.meter(wh=100) == 34, "the register begins again"
            cp.faults.rollover_wh = 0
            cp.state.outlets[1].meter_wh = 0
            assert await cp.meter(wh=5) == 5
        kwh, places, rolled, reset = [energies(one) for one in csms.of("MeterValues")]
        assert kwh == [("100.234", "kWh", None)] + [("33.411", "kWh", f"L{number}") for number in (1, 2, 3)]
        assert places == [("100234", "Wh", "Inlet"), ("100234", "Wh", "Outlet")]
        assert (rolled, reset) == ([("34", "Wh", None)], [("5", "Wh", None)])

    played(story)


def test_a_reboot_in_mid_charge() -> None:
    async def story(csms: Csms) -> None:
        async with charger(csms.url, "CP-1", CREDENTIAL, "2.1") as cp:
            await cp.start("35897499")
            await cp.meter(after_s=60)
            await cp.reboot()
            assert csms.events()[-1] == ("Ended", "AbnormalCondition") and cp.transaction() == ""
            assert await cp.start("35897499"), "and it goes on"

    played(story)


def test_garbage_and_a_connection_that_is_half_open() -> None:
    async def story(csms: Csms) -> None:
        async with charger(csms.url, "CP-1", CREDENTIAL, timeout_s=0.2) as cp:
            assert await cp.raw("{not json") == [4, "-1", "RpcFrameworkError", "no JSON", {}]
            assert (await cp.raw("[1]"))[0] == "closed", "this central system stumbles over it"
            await cp.station.online()
            heard = len(csms.heard)
            cp.half_open()
            with pytest.raises(TimeoutError):
                await cp.station.call("Heartbeat", {})
            await asyncio.sleep(0)
            assert len(csms.heard) == heard and csms.station is not None
            assert csms.station.close_code is None, "the other side still believes in it"

    played(story)
