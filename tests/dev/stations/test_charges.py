"""Simulated stations tell whole charges in three versions, as the official schemas want them, and lose nothing."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from dev.stations.charger import charger
from dev.stations.device.state import State
from tests.dev.stations.csms import CREDENTIAL, Csms, played

ENERGY = "Energy.Active.Import.Register"


def test_1_6_tells_start_meter_and_stop_with_the_same_register() -> None:
    async def story(csms: Csms) -> None:
        async with charger(csms.url, "CP-1", CREDENTIAL, outlets=2) as cp:
            assert await cp.start("35897499", outlet=2) == "1"
            assert await cp.start("another", outlet=1) == "2", "two connectors at once"
            for _ in range(3):
                await cp.meter(2, after_s=60)
            await cp.stop(2)
        statuses = [(one["connectorId"], one["status"]) for one in csms.of("StatusNotification")]
        assert statuses[:3] == [(0, "Available"), (1, "Available"), (2, "Available")]
        assert [status for number, status in statuses if number == 2] == [
            "Available", "Preparing", "Charging", "Finishing", "Available"
        ]  # fmt: skip
        start, (stop,) = csms.of("StartTransaction")[0], csms.of("StopTransaction")
        assert (start["connectorId"], start["idTag"], stop["transactionId"]) == (2, "35897499", 1)
        values = [one for one in csms.of("MeterValues") if one["transactionId"] == 1]
        energy = [
            int(sample["value"])
            for one in values
            for sample in one["meterValue"][0]["sampledValue"]
            if sample["measurand"] == ENERGY
        ]
        assert start["meterStart"] < energy[0] < energy[1] < energy[2] == stop["meterStop"]
        sampled = {(one["measurand"], one.get("phase")) for one in values[0]["meterValue"][0]["sampledValue"]}
        assert {("Current.Import", "L3"), ("Voltage", "L1-N"), ("Power.Active.Import", None)} <= sampled
        assert [one["sampledValue"][0]["context"] for one in stop["transactionData"]] == [
            "Transaction.Begin", "Transaction.End"
        ]  # fmt: skip

    played(story)


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
def test_2_x_tells_the_cable_first_or_the_card_first(version: str) -> None:
    async def story(csms: Csms) -> None:
        csms.answers["TransactionEvent"] = lambda said: {"totalCost": 1.25} if said["eventType"] == "Ended" else {}
        told: Any = {"settings": {"TxCtrlr.TxStartPoint": "EVConnected"}}
        async with charger(csms.url, "CP-1", CREDENTIAL, version, current="DC", power_w=50_000, **told) as cp:
            transaction = await cp.start("35897499")
            await cp.meter(after_s=60)
            await cp.stop()
            assert cp.station.costs == {transaction: 1.25}
        assert csms.events() == [
            ("Started", "CablePluggedIn"), ("Updated", "Authorized"), ("Updated", "ChargingStateChanged"),
            ("Updated", "MeterValuePeriodic"), ("Ended", "StopAuthorized"),
        ]  # fmt: skip
        events = csms.of("TransactionEvent")
        assert [one["seqNo"] for one in events] == [0, 1, 2, 3, 4]
        assert {one["transactionInfo"]["transactionId"] for one in events} == {transaction}
        assert "idToken" not in events[0] and events[1]["idToken"]["idToken"] == "35897499"
        assert {one["measurand"] for one in events[3]["meterValue"][0]["sampledValue"]} >= {ENERGY, "SoC"}
        csms.heard.clear()
        told = {"settings": {"TxCtrlr.TxStartPoint": "Authorized", "TxCtrlr.TxStopPoint": "EVConnected"}}
        async with charger(csms.url, "CP-2", CREDENTIAL, version, **told) as cp:
            await cp.start("35897499", cable_first=False)
            await cp.stop()
        assert csms.events() == [
            ("Started", "Authorized"), ("Updated", "CablePluggedIn"), ("Updated", "ChargingStateChanged"),
            ("Updated", "StopAuthorized"), ("Ended", "EVCommunicationLost"),
        ]  # fmt: skip
        assert csms.of("TransactionEvent")[-1]["transactionInfo"]["stoppedReason"] == "Local"

    played(story)


def test_who_is_refused_does_not_charge_and_an_unknown_station_does_not_connect() -> None:
    async def story(csms: Csms) -> None:
        csms.answers["Authorize"] = {"idTagInfo": {"status": "Blocked"}}
        async with charger(csms.url, "CP-1", CREDENTIAL) as cp:
            assert await cp.start("stolen") == "" and csms.of("StartTransaction") == []
            csms.answers.pop("Authorize")
            refused = {"transactionId": 5, "idTagInfo": {"status": "Invalid"}}
            csms.answers["StartTransaction"] = refused
            await cp.present("35897499")
            await cp.station.settled()
            assert csms.of("StopTransaction")[0]["reason"] == "DeAuthorized"
        with pytest.raises(InvalidStatus):
            async with charger(csms.url, "CP-1", "a wrong one"):
                pass

    played(story)


def test_a_station_that_must_wait_says_nothing_else() -> None:
    async def story(csms: Csms) -> None:
        now = datetime.now(UTC).isoformat()
        tries = iter(["Pending", "Rejected", "Accepted"])
        csms.answers["BootNotification"] = lambda _: {"status": next(tries), "currentTime": now, "interval": 0}
        async with charger(csms.url, "CP-1", CREDENTIAL, "2.0.1"):
            pass
        assert [action for _, action, _ in csms.heard][:4] == ["BootNotification"] * 3 + ["StatusNotification"]

    played(story)


def test_what_happens_offline_is_said_in_order_with_the_same_ids() -> None:
    async def story(csms: Csms) -> None:
        async with charger(csms.url, "CP-1", CREDENTIAL) as cp:
            await cp.start("35897499")
            await cp.stop()  # the card is known from now on
            await cp.offline()
            assert await cp.start("a stranger") == ""
            await cp.start("35897499")
            await cp.meter()
            await cp.stop()
            waiting = [one.id for one in cp.state.queue]
            assert len(waiting) == 3
            await cp.online()
            said = [(one, action, payload) for one, action, payload in csms.heard if one in waiting]
            assert [one for one, _, _ in said] == waiting
            assert [payload.get("transactionId") for _, _, payload in said] == [None, 2, 2]

    played(story)


@pytest.mark.parametrize("version", ["1.6", "2.1"])
def test_a_kill_in_mid_charge_loses_nothing(version: str, tmp_path: Path) -> None:
    path = tmp_path / "state.json"

    async def story(csms: Csms) -> None:
        async with charger(csms.url, "CP-1", CREDENTIAL, version, state=path, timeout_s=0.3) as cp:
            transaction = await cp.start("35897499")
            shown = await cp.meter(after_s=60)
            csms.mute = 1  # it hears the next one, and is killed before it answers
            cp.station.charging.sample(1)
            await cp.station.settled()
            unanswered = cp.state.queue[0].id
            await cp.kill()
        kept = State.found(path, outlets=1, credential=CREDENTIAL, firmware="")
        assert kept.outlets[1].charge and kept.queue[0].id == unanswered
        async with charger(csms.url, "CP-1", CREDENTIAL, version, state=path) as cp:
            assert cp.state.outlets[1].charge is None and cp.state.queue == []
        assert [one for one, _, _ in csms.heard].count(unanswered) >= 2, "the same message, with the same id"
        if version == "1.6":
            (stop,) = csms.of("StopTransaction")
            assert (str(stop["transactionId"]), stop["meterStop"], stop["reason"]) == (transaction, shown, "PowerLoss")
        else:
            end = csms.of("TransactionEvent")[-1]
            assert (end["eventType"], end["transactionInfo"]["stoppedReason"]) == ("Ended", "PowerLoss")
            assert end["meterValue"][0]["sampledValue"][0]["value"] == shown
            numbers = [one["seqNo"] for one in csms.of("TransactionEvent")]
            assert numbers == list(range(len(numbers)))

    played(story)
