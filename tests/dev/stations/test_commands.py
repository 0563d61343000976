"""Simulated stations obey every command of their version, and answer and report as the official schemas want it."""

import importlib.resources
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from dev.stations.charger import Charger, charger
from dev.stations.commands import commands_of
from tests.dev.stations.csms import CREDENTIAL, Csms, Json, played

SOON = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
TOKEN = {"idToken": "35897499", "type": "ISO14443"}
V2 = pytest.mark.parametrize("version", ["2.0.1", "2.1"])
# Of OCPP 2.1, and for what this station has nothing: frequency, vehicles that give, batteries, streams, payments
NOT_BUILT = {
    "AFRRSignal", "AdjustPeriodicEventStream", "ClearDERControl", "GetDERControl", "GetPeriodicEventStream",
    "NotifyAllowedEnergyTransfer", "NotifyWebPaymentStarted", "RequestBatterySwap", "SetDERControl",
    "UpdateDynamicSchedule",
}  # fmt: skip
FROM_STATION = {
    "Authorize", "BatterySwap", "BootNotification", "ClearedChargingLimit", "ClosePeriodicEventStream",
    "DiagnosticsStatusNotification", "FirmwareStatusNotification", "Get15118EVCertificate",
    "GetCertificateChainStatus", "GetCertificateStatus", "Heartbeat", "LogStatusNotification", "MeterValues",
    "NotifyChargingLimit", "NotifyCustomerInformation", "NotifyDERAlarm", "NotifyDERStartStop",
    "NotifyDisplayMessages", "NotifyEVChargingNeeds", "NotifyEVChargingSchedule", "NotifyEvent",
    "NotifyMonitoringReport", "NotifyPeriodicEventStream", "NotifyPriorityCharging", "NotifyReport",
    "NotifySettlement", "OpenPeriodicEventStream", "PublishFirmwareStatusNotification",
    "PullDynamicScheduleUpdate", "ReportChargingProfiles", "ReportDERControl", "ReservationStatusUpdate",
    "SecurityEventNotification", "SignCertificate", "SignedFirmwareStatusNotification", "StartTransaction",
    "StatusNotification", "StopTransaction", "TransactionEvent", "VatNumberValidation",
}  # fmt: skip


@pytest.mark.parametrize(("version", "folder"), [("1.6", "v16"), ("2.0.1", "v201"), ("2.1", "v21")])
def test_every_command_of_the_schemas_is_obeyed(version: str, folder: str) -> None:
    schemas = importlib.resources.files("ocpp") / folder / "schemas"
    names = {one.name.removesuffix(".json").removesuffix("Request") for one in schemas.iterdir()}
    actions = {name for name in names if not name.endswith("Response")}
    assert actions - FROM_STATION - NOT_BUILT == set(commands_of(version))


def test_what_is_not_built_is_answered_too() -> None:
    async def story(csms: Csms) -> None:
        async with charger(csms.url, "CP-1", CREDENTIAL, "2.1"):
            said = {"signal": 3, "timestamp": SOON}
            assert await csms.tell("AFRRSignal", said) == {"error": "NotImplemented"}

    played(story)


async def remote(csms: Csms, cp: Charger, version: str) -> str:
    """Start by command, with the cable after it; returns the transaction."""
    if version == "1.6":
        answer = await csms.tell("RemoteStartTransaction", {"connectorId": 1, "idTag": "35897499"})
    else:
        answer = await csms.tell("RequestStartTransaction", {"idToken": TOKEN, "remoteStartId": 7})
    assert answer["status"] == "Accepted"
    await cp.quiet()
    await cp.plug()
    return cp.transaction()


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
def test_a_charge_is_started_limited_and_stopped_from_afar(version: str) -> None:
    async def story(csms: Csms) -> None:
        async with charger(csms.url, "CP-1", CREDENTIAL, version) as cp:
            transaction = await remote(csms, cp, version)
            await cp.meter(after_s=60)
            await csms.tell("SetChargingProfile", profile(version, 6.0))
            await cp.meter(after_s=60)
            assert power(csms, version) == 6 * 3 * 230
            composite = await csms.tell(
                "GetCompositeSchedule", {OUTLET[version]: 1, "duration": 600, "chargingRateUnit": "A"}
            )
            schedule = composite["chargingSchedule" if version == "1.6" else "schedule"]
            assert schedule["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 6.0}]
            await csms.tell("SetChargingProfile", profile(version, 0))
            await cp.quiet()
            await cp.meter(after_s=60)
            assert power(csms, version) == 0
            assert (await csms.tell("ClearChargingProfile", {}))["status"] == "Accepted"
            await cp.meter(after_s=60)
            assert power(csms, version) == 11_000
            action = "RemoteStopTransaction" if version == "1.6" else "RequestStopTransaction"
            number: Any = int(transaction) if version == "1.6" else transaction
            assert (await csms.tell(action, {"transactionId": number}))["status"] == "Accepted"
            await cp.quiet()
            assert cp.transaction() == ""
        if version == "1.6":
            assert csms.of("StopTransaction")[0]["reason"] == "Remote"
            assert "SuspendedEVSE" in [one["status"] for one in csms.of("StatusNotification")]
        else:
            assert csms.events()[0] == ("Started", "CablePluggedIn") and csms.events()[-1] == ("Ended", "RemoteStop")
            assert csms.of("TransactionEvent")[0]["transactionInfo"]["remoteStartId"] == 7

    played(story)


OUTLET = {"1.6": "connectorId", "2.0.1": "evseId", "2.1": "evseId"}


def profile(version: str, limit: float) -> Json:
    schedule: Json = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}]}
    said = {"stackLevel": 1, "chargingProfilePurpose": "TxDefaultProfile", "chargingProfileKind": "Relative"}
    if version == "1.6":
        return {"connectorId": 1, "csChargingProfiles": {**said, "chargingProfileId": 4, "chargingSchedule": schedule}}
    return {"evseId": 1, "chargingProfile": {**said, "id": 4, "chargingSchedule": [{**schedule, "id": 1}]}}


def power(csms: Csms, version: str) -> float:
    """The last power that it heard of."""
    if version == "1.6":
        values = csms.of("MeterValues")[-1]["meterValue"]
    else:
        values = [one for one in csms.of("TransactionEvent") if "meterValue" in one][-1]["meterValue"]
    samples = values[0]["sampledValue"]
    return float(next(one["value"] for one in samples if one["measurand"] == "Power.Active.Import"))


def test_1_6_configuration_availability_reservation_and_list() -> None:
    async def story(csms: Csms) -> None:
        async with charger(csms.url, "CP-1", CREDENTIAL, outlets=2) as cp:
            keys = await csms.tell("GetConfiguration", {"key": ["HeartbeatInterval", "authorizationkey", "Colour"]})
            assert keys["configurationKey"] == [
                {"key": "HeartbeatInterval", "readonly": False, "value": "600"},
                {"key": "AuthorizationKey", "readonly": False},
            ]
            assert keys["unknownKey"] == ["Colour"]
            assert len((await csms.tell("GetConfiguration", {}))["configurationKey"]) > 30
            changes = [("MeterValueSampleInterval", "60"), ("MeterValueSampleInterval", "often"), ("Colour", "red")]
            changes += [("NumberOfConnectors", "9"), ("SecurityProfile", "2")]
            got = [(await csms.tell("ChangeConfiguration", {"key": key, "value": to}))["status"] for key, to in changes]
            assert got == ["Accepted", "Rejected", "NotSupported", "Rejected", "RebootRequired"]
            await cp.start("35897499")
            off = {"connectorId": 0, "type": "Inoperative"}
            assert (await csms.tell("ChangeAvailability", off))["status"] == "Scheduled"
            await cp.stop()
            assert not await cp.present("35897499") and {one["status"] for one in statuses(csms)} == {"Unavailable"}
            await csms.tell("ChangeAvailability", off | {"type": "Operative"})
            wanted = {"connectorId": 2, "expiryDate": SOON, "idTag": "35897499", "reservationId": 5}
            assert (await csms.tell("ReserveNow", wanted))["status"] == "Accepted"
            assert await cp.start("another", 2) == "" and await cp.start("35897499", 2)
            assert csms.of("StartTransaction")[-1]["reservationId"] == 5
            assert (await csms.tell("CancelReservation", {"reservationId": 5}))["status"] == "Rejected"
            entry = {"idTag": "listed", "idTagInfo": {"status": "Accepted"}}
            told = {"listVersion": 3, "updateType": "Full", "localAuthorizationList": [entry]}
            assert (await csms.tell("SendLocalList", told))["status"] == "Accepted"
            assert (await csms.tell("SendLocalList", told | {"updateType": "Differential"}))[
                "status"
            ] == "VersionMismatch"
            assert await csms.tell("GetLocalListVersion", {}) == {"listVersion": 3}
            await cp.offline()
            assert await cp.start("listed", 1)
            await cp.online()

    played(story)


def statuses(csms: Csms) -> list[Json]:
    """The last status of each outlet."""
    return list({one.get("connectorId", one.get("evseId")): one for one in csms.of("StatusNotification")}.values())


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
def test_a_reservation_ends_and_an_outlet_breaks(version: str) -> None:
    async def story(csms: Csms) -> None:
        async with charger(csms.url, "CP-1", CREDENTIAL, version) as cp:
            if version == "1.6":
                wanted: Json = {"connectorId": 1, "idTag": "35897499", "reservationId": 5, "expiryDate": SOON}
            else:
                wanted = {"evseId": 1, "idToken": TOKEN, "id": 5, "expiryDateTime": SOON}
            assert (await csms.tell("ReserveNow", wanted))["status"] == "Accepted"
            assert (await csms.tell("ReserveNow", wanted))["status"] == "Accepted", "the same one again"
            await cp.quiet()
            word = "status" if version == "1.6" else "connectorStatus"
            assert statuses(csms)[-1][word] == "Reserved"
            cp.clock.advance(7200)
            await cp.expire()
            assert statuses(csms)[-1][word] == "Available" and cp.state.reservations == []
            await cp.start("35897499")
            await cp.fault(1)
            assert statuses(csms)[-1][word] == "Faulted" and cp.transaction() == ""
            assert await cp.start("35897499") == ""
            await cp.fault(1, "")
            assert statuses(csms)[-1][word] != "Faulted"
        if version != "1.6":
            assert csms.of("ReservationStatusUpdate")[0]["reservationUpdateStatus"] == "Expired"
            assert [one["eventData"][0]["actualValue"] for one in csms.of("NotifyEvent")] == ["true", "false"]

    played(story)


@V2
def test_2_x_variables_are_read_set_and_reported_in_parts(version: str) -> None:
    async def story(csms: Csms) -> None:
        async with charger(csms.url, "CP-1", CREDENTIAL, version) as cp:
            interval = {"component": {"name": "OCPPCommCtrlr"}, "variable": {"name": "HeartbeatInterval"}}
            secret = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
            unknown = {"component": {"name": "Fountain"}, "variable": {"name": "Height"}}
            got = await csms.tell("GetVariables", {"getVariableData": [interval, secret, unknown]})
            results = [(one["attributeStatus"], one.get("attributeValue")) for one in got["getVariableResult"]]
            assert results == [("Accepted", "600"), ("Rejected", None), ("UnknownComponent", None)]
            told = [{**interval, "attributeValue": value} for value in ("60", "often")]
            got = await csms.tell("SetVariables", {"setVariableData": told})
            assert [one["attributeStatus"] for one in got["setVariableResult"]] == ["Accepted", "Rejected"]
            for number, base in enumerate(["FullInventory", "ConfigurationInventory", "SummaryInventory"]):
                await csms.tell("GetBaseReport", {"requestId": number, "reportBase": base})
            await csms.tell("GetReport", {"requestId": 3, "componentVariable": [{"component": {"name": "TxCtrlr"}}]})
            await cp.quiet()
            parts = csms.of("NotifyReport")
            assert [one["seqNo"] for one in parts if one["requestId"] == 0] == [0, 1, 2]
            assert [one["tbc"] for one in parts if one["requestId"] == 0] == [True, True, False]
            rows = Counter(dict.fromkeys(range(4), 0))
            for one in parts:
                rows[one["requestId"]] += len(one["reportData"])
            assert rows[0] > rows[1] > rows[3] == 5 and rows[2] == 2, "of the last one only what was asked for"
            monitor = {**interval, "value": 100, "type": "UpperThreshold", "severity": 5}
            got = await csms.tell("SetVariableMonitoring", {"setMonitoringData": [monitor]})
            number = got["setMonitoringResult"][0]["id"]
            await csms.tell("GetMonitoringReport", {"requestId": 9})
            await cp.quiet()
            assert csms.of("NotifyMonitoringReport")[0]["monitor"][0]["variableMonitoring"][0]["id"] == number
            got = await csms.tell("ClearVariableMonitoring", {"id": [number, 77]})
            assert [one["status"] for one in got["clearMonitoringResult"]] == ["Accepted", "NotFound"]

    played(story)


@V2
def test_2_x_messages_customers_profiles_logs_and_networks(version: str) -> None:
    async def story(csms: Csms) -> None:
        async with charger(csms.url, "CP-1", CREDENTIAL, version) as cp:
            await cp.start("35897499")
            message = {"id": 1, "priority": "InFront", "message": {"format": "UTF8", "content": "Grüße"}}
            assert (await csms.tell("SetDisplayMessage", {"message": message}))["status"] == "Accepted"
            assert (await csms.tell("GetDisplayMessages", {"requestId": 2}))["status"] == "Accepted"
            await cp.quiet()
            assert csms.of("NotifyDisplayMessages")[0]["messageInfo"] == [message]
            assert (await csms.tell("ClearDisplayMessage", {"id": 1}))["status"] == "Accepted"
            asked = {"requestId": 3, "report": True, "clear": True, "idToken": TOKEN}
            assert (await csms.tell("CustomerInformation", asked))["status"] == "Accepted"
            await csms.tell("SetChargingProfile", profile(version, 10.0))
            await csms.tell("GetChargingProfiles", {"requestId": 4, "chargingProfile": {}})
            log = {"logType": "SecurityLog", "requestId": 5, "log": {"remoteLocation": "https://logs.example/"}}
            assert (await csms.tell("GetLog", log))["filename"].startswith("CP-1-")
            await cp.quiet()
            assert csms.of("NotifyCustomerInformation")[0]["data"] == "35897499: cache=Accepted"
            assert csms.of("ReportChargingProfiles")[0]["chargingProfile"][0]["id"] == 4
            assert [one["status"] for one in csms.of("LogStatusNotification")] == ["Uploading", "Uploaded"]
            network = {"ocppTransport": "JSON", "ocppCsmsUrl": csms.url, "messageTimeout": 30, "securityProfile": 1}
            network |= {"ocppInterface": "Wired0", "ocppVersion": "OCPP20"}
            told = {"configurationSlot": 1, "connectionData": network}
            assert (await csms.tell("SetNetworkProfile", told))["status"] == "Accepted"
            running = {"transactionId": cp.transaction()}
            assert await csms.tell("CostUpdated", {"totalCost": 2.5, **running}) == {}
            assert cp.station.costs[cp.transaction()] == 2.5
            state = await csms.tell("GetTransactionStatus", running)
            assert state == {"ongoingIndicator": True, "messagesInQueue": False}
            unlock = await csms.tell("UnlockConnector", {"evseId": 1, "connectorId": 1})
            assert unlock["status"] == "OngoingAuthorizedTransaction"

    played(story)


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
def test_a_reset_ends_charges_and_boots_and_a_new_credential_is_used_then(version: str) -> None:
    async def story(csms: Csms) -> None:
        async with charger(csms.url, "CP-1", CREDENTIAL, version) as cp:
            await cp.start("35897499")
            if version == "1.6":
                await csms.tell("ChangeConfiguration", {"key": "AuthorizationKey", "value": "another one"})
                await csms.tell("Reset", {"type": "Hard"})
            else:
                secret = {"component": {"name": "SecurityCtrlr"}, "variable": {"name": "BasicAuthPassword"}}
                await csms.tell("SetVariables", {"setVariableData": [{**secret, "attributeValue": "another one"}]})
                await csms.tell("Reset", {"type": "Immediate"})
            csms.credential = "another one"
            await cp.quiet()
            await cp.station.online()
            assert csms.connections == 2
            if version == "1.6":
                assert csms.of("StopTransaction")[0]["reason"] == "HardReset"
            else:
                assert [one["reason"] for one in csms.of("BootNotification")] == ["PowerUp", "RemoteReset"]
                assert csms.of("TransactionEvent")[-1]["transactionInfo"]["stoppedReason"] == "ImmediateReset"

    played(story)


@V2
def test_a_reset_on_idle_waits_for_the_charge(version: str) -> None:
    async def story(csms: Csms) -> None:
        async with charger(csms.url, "CP-1", CREDENTIAL, version) as cp:
            await cp.start("35897499")
            assert (await csms.tell("Reset", {"type": "OnIdle"}))["status"] == "Scheduled"
            await cp.stop()
            await cp.quiet()
            await cp.station.online()
            assert [one["reason"] for one in csms.of("BootNotification")] == ["PowerUp", "ScheduledReset"]
            assert csms.of("TransactionEvent")[-1]["transactionInfo"]["stoppedReason"] == "Local"

    played(story)


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
def test_firmware_is_installed_step_by_step_and_can_fail(version: str) -> None:
    async def story(csms: Csms) -> None:
        firmware = {"location": "https://firmware.example/2.0.0", "retrieveDateTime": SOON, "signature": "c2ln"}
        firmware |= {"signingCertificate": "-----BEGIN CERTIFICATE-----"}
        told = {"requestId": 1, "firmware": firmware}
        action = "SignedUpdateFirmware" if version == "1.6" else "UpdateFirmware"
        notified = "SignedFirmwareStatusNotification" if version == "1.6" else "FirmwareStatusNotification"
        async with charger(csms.url, "CP-1", CREDENTIAL, version) as cp:
            cp.faults.firmware = "InvalidSignature"
            assert (await csms.tell(action, told))["status"] == "Accepted"
            await cp.quiet()
            cp.faults.firmware = ""
            await csms.tell(action, told)
            await cp.quiet()
            steps = [one["status"] for one in csms.of(notified)]
            assert steps[:3] == ["Downloading", "Downloaded", "InvalidSignature"]
            assert steps[3:] == ["Downloading", "Downloaded", "SignatureVerified", "Installing", "Installed"]
            boot = csms.of("BootNotification")[-1]
            assert "2.0.0" in json.dumps(boot) and [one["type"] for one in csms.of("SecurityEventNotification")] == [
                "FirmwareUpdated"
            ]
            if version == "1.6":
                plain = {"location": "ftp://firmware.example/3.0.0", "retrieveDate": SOON}
                assert await csms.tell("UpdateFirmware", plain) == {}
                assert (await csms.tell("GetDiagnostics", {"location": "ftp://logs.example/"}))["fileName"]
                await cp.quiet()
                assert csms.of("FirmwareStatusNotification")[-1] == {"status": "Installed"}
                assert [one["status"] for one in csms.of("DiagnosticsStatusNotification")] == ["Uploading", "Uploaded"]

    played(story)


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
def test_what_is_triggered_is_said(version: str) -> None:
    wanted = ["BootNotification", "Heartbeat", "StatusNotification", "MeterValues", "FirmwareStatusNotification"]

    async def story(csms: Csms) -> None:
        async with charger(csms.url, "CP-1", CREDENTIAL, version) as cp:
            for one in wanted:
                before = len(csms.heard)
                assert (await csms.tell("TriggerMessage", {"requestedMessage": one}))["status"] == "Accepted"
                await cp.quiet()
                assert one in [action for _, action, _ in csms.heard[before:]]
            if version != "1.6":
                event = {"requestedMessage": "TransactionEvent"}
                assert (await csms.tell("TriggerMessage", event))["status"] == "Rejected", "nothing charges"
                await cp.start("35897499")
                assert (await csms.tell("TriggerMessage", event))["status"] == "Accepted"
                await cp.quiet()
                assert csms.events()[-1] == ("Updated", "Trigger")
            data = {"vendorId": "org.evportal.simulator", "data": "SIGNED|ä"}
            assert await csms.tell("DataTransfer", data) == {"status": "Accepted", "data": "SIGNED|ä"}
            assert (await csms.tell("DataTransfer", {"vendorId": "somebody"}))["status"] == "UnknownVendorId"
            assert (await csms.tell("ClearCache", {}))["status"] == "Accepted" and cp.state.cache == {}

    played(story)


def test_2_1_keeps_tariffs() -> None:
    async def story(csms: Csms) -> None:
        async with charger(csms.url, "CP-1", CREDENTIAL, "2.1"):
            assert (await csms.tell("GetTariffs", {"evseId": 0}))["status"] == "NoTariff"
            told = {"evseId": 0, "tariff": {"tariffId": "T", "currency": "EUR"}}
            assert (await csms.tell("SetDefaultTariff", told))["status"] == "Accepted"
            found = await csms.tell("GetTariffs", {"evseId": 0})
            assert found["tariffAssignments"] == [{"tariffId": "T", "tariffKind": "DefaultTariff", "evseIds": [0]}]
            got = await csms.tell("ClearTariffs", {"tariffIds": ["T", "U"]})
            assert [one["status"] for one in got["clearTariffsResult"]] == ["Accepted", "NoTariff"]
            change = {"transactionId": "x", "tariff": told["tariff"]}
            assert (await csms.tell("ChangeTransactionTariff", change))["status"] == "TxNotFound"

    played(story)
