"""A day of a 1.6 station: boot, status, card, start, values, stop; and who may charge."""

from datetime import timedelta
from typing import Any

import pytest

from accounts.models import Role, User
from gateway.ocpp.handling import V16, Call
from gateway.ocpp.v16.handlers import HANDLERS
from stations.models import (
    ChargingSession,
    Connector,
    IdToken,
    MeterValue,
    SetAside,
    SignedMeterValue,
    Site,
    Station,
    StationEvent,
)
from tests.gateway.ocpp.v16.station16 import NOW, Station16, charge, station16
from tests.people import browser_of, person

pytestmark = pytest.mark.django_db


def test_a_charge_from_start_to_stop(cp: Station16) -> None:
    assert cp.call("Authorize", idTag="04A1") == {"idTagInfo": {"status": "Accepted"}}
    begun = cp.start()
    assert begun["idTagInfo"] == {"status": "Accepted"}
    number = begun["transactionId"]
    cp.wait(20)
    cp.values(number, "4000", {"value": "11.0", "measurand": "Power.Active.Import", "unit": "kW"})
    cp.wait(10)
    assert cp.stop(number, 6000, idTag="04A1") == {"idTagInfo": {"status": "Accepted"}}
    session = charge(number)
    assert (session.status, session.energy_wh, session.stop_reason, session.flags) == ("COMPLETED", 5000, "Local", [])
    assert (session.started_at, session.stopped_at) == (NOW, NOW + timedelta(minutes=30))
    assert (session.source, session.connector.evse_id, session.connector.connector_id) == ("OCPP", 1, 1)
    assert session.id_token is not None and (session.id_token.uid, session.id_token.entered) == ("04A1", False)
    assert [value.value for value in session.meter_values.all()] == [4000, 11]


def test_numbers_rise_also_after_a_backup(cp: Station16) -> None:
    first = cp.start()["transactionId"]
    assert first == int((NOW - NOW.replace(year=2024, month=1, day=1, hour=0)).total_seconds())
    cp.wait(0.01)
    second = cp.start(2000, connector=2)["transactionId"]
    assert second == first + 1
    Station.objects.update(last_transaction=0)
    cp.wait(60)
    assert cp.start(3000, connector=3)["transactionId"] > second


def test_boot_tells_what_it_is(cp: Station16) -> None:
    said = {"chargePointSerialNumber": "S1", "firmwareVersion": "1.2", "iccid": "89490"}
    answer = cp.boot(**said)
    assert answer == {"status": "Accepted", "currentTime": "2026-11-30T12:00:00Z", "interval": 300}
    cp.wait(0.2)
    assert cp.boot(**said)["status"] == "Accepted"
    station = Station.objects.get()
    assert (station.vendor, station.model, station.serial_number) == ("Acme", "One", "S1")
    assert (station.firmware_version, station.ocpp_version, station.booted_at) == ("1.2", "1.6", cp.now)
    assert StationEvent.objects.get().data["iccid"] == "89490"  # once
    assert cp.call("Heartbeat") == {"currentTime": "2026-11-30T12:00:12Z"}


def test_a_station_that_is_switched_off_is_rejected(cp: Station16) -> None:
    Station.objects.update(enabled=False)
    assert cp.boot()["status"] == "Rejected"
    assert Station.objects.get().booted_at is None and not StationEvent.objects.exists()


def test_a_vendors_message_is_noted_and_not_understood(cp: Station16) -> None:
    for _ in range(2):
        answer = cp.call("DataTransfer", message_id="x1", vendorId="com.acme", messageId="m", data="\0{" + "9" * 9000)
        assert answer == {"status": "UnknownVendorId"}
    event = StationEvent.objects.get()
    assert (event.kind, event.words) == ("DATA", "com.acme m")
    assert event.data == {"vendor": "com.acme", "name": "m", "characters": 9002, "message_id": "x1"}


# --- Who may charge


@pytest.mark.parametrize(
    ("card", "status"),
    [
        ({}, "Accepted"),
        ({"blocked": True}, "Blocked"),
        ({"expires_at": NOW - timedelta(days=1)}, "Expired"),
        ({"entered": False}, "Invalid"),
    ],
    ids=["known", "blocked", "expired", "unknown"],
)
def test_the_card_decides(cp: Station16, card: dict[str, Any], status: str) -> None:
    Site.objects.update(unknown_cards=False)
    IdToken.objects.create(uid="04A1", **card)
    info = cp.call("Authorize", idTag="04a1")["idTagInfo"]
    assert info["status"] == status
    begun = cp.start()
    assert begun["idTagInfo"] == info
    session = charge(begun["transactionId"])
    assert session.flags == ([] if status == "Accepted" else ["not_authorized"])
    cp.wait(30), cp.stop(begun["transactionId"], 3000)
    session.refresh_from_db()
    assert (session.status, session.energy_wh) == ("COMPLETED", 2000)  # the energy has flowed
    assert session.flags == ([] if status == "Accepted" else ["not_authorized"])


def test_expiry_and_group_are_told(cp: Station16) -> None:
    until = NOW + timedelta(days=9)
    IdToken.objects.create(uid="04A1", group="FLEET", expires_at=until)
    info = cp.call("Authorize", idTag="04A1")["idTagInfo"]
    assert info == {"status": "Accepted", "parentIdTag": "FLEET", "expiryDate": "2026-12-09T12:00:00Z"}
    IdToken.objects.update(group="A" * 21)
    assert "parentIdTag" not in cp.call("Authorize", idTag="04A1")["idTagInfo"]


def test_an_unknown_card_is_no_better_known_for_having_been_shown(cp: Station16) -> None:
    Site.objects.update(unknown_cards=False)
    for _ in range(2):
        assert cp.call("Authorize", idTag="04A1")["idTagInfo"]["status"] == "Invalid"
        assert cp.start()["idTagInfo"]["status"] == "Invalid"
    IdToken.objects.update(customer=User.objects.create_user("anna"))
    assert cp.call("Authorize", idTag="04A1")["idTagInfo"]["status"] == "Accepted"


def test_a_card_of_another_type_is_found_by_its_number(cp: Station16) -> None:
    Site.objects.update(unknown_cards=False)
    contract = IdToken.objects.create(uid="DE-8AC-C12E46L89", type="eMAID")
    assert cp.call("Authorize", idTag="DE8ACC12E46L89")["idTagInfo"]["status"] == "Accepted"
    assert charge(cp.start(tag="de8acc12e46l89")["transactionId"]).id_token == contract
    IdToken.objects.create(uid="DE8ACC12E46L89", blocked=True)
    assert cp.call("Authorize", idTag="DE8ACC12E46L89")["idTagInfo"]["status"] == "Blocked"


def test_one_charge_at_a_time_at_two_stations(cp: Station16) -> None:
    other = station16("CP-2")
    IdToken.objects.create(uid="04A1")
    first = cp.start()["transactionId"]
    assert other.start()["idTagInfo"]["status"] == "Accepted"  # a fleet's card
    IdToken.objects.update(single=True)
    assert other.start(5000)["idTagInfo"]["status"] == "ConcurrentTx"
    assert cp.start(2000, connector=2)["idTagInfo"]["status"] == "ConcurrentTx"
    assert other.call("Authorize", idTag="04A1")["idTagInfo"]["status"] == "Accepted"  # as it may end one
    assert cp.start()["transactionId"] == first


def test_an_operator_makes_a_card_known_and_blocks_it(cp: Station16) -> None:
    Site.objects.update(unknown_cards=False)
    cp.start()
    card = IdToken.objects.get()
    olga, page = browser_of(person("olga", Role.OPERATOR)), f"/admin/stations/idtoken/{card.pk}/change/"
    assert 'name="entered"' in olga.get(page).content.decode()
    form = {"contract_id": "", "customer": "", "group": "FLEET", "expires_at_0": "", "expires_at_1": ""}
    for ticked, status in (({"entered": "on"}, "Accepted"), ({"entered": "on", "blocked": "on"}, "Blocked")):
        assert olga.post(page, form | ticked).status_code == 302
        info = cp.call("Authorize", idTag="04A1")["idTagInfo"]
        assert info == {"status": status, "parentIdTag": "FLEET"}


def test_what_the_operator_changes_counts_at_once(cp: Station16) -> None:
    """The row that comes with a call is as old as its connection."""
    stale = Station.objects.select_related("site").get(pk=cp.station.pk)
    Site.objects.update(unknown_cards=False)
    for action, said in (
        ("Authorize", {"idTag": "04A1"}),
        ("StartTransaction", {"connectorId": 1, "idTag": "04A1", "meterStart": 1, "timestamp": cp.time}),
    ):
        answer = HANDLERS[action](Call(stale, V16, action, said, "m", NOW))
        assert answer.payload["idTagInfo"]["status"] == "Invalid"


@pytest.mark.parametrize("tag", ["", "  ", "\0"])
def test_no_card_at_all(cp: Station16, tag: str) -> None:
    session = charge(cp.start(tag=tag)["transactionId"])
    assert (session.id_token, session.flags) == (None, [])


# --- How outlets are


def test_an_outlet_tells_how_it_is(cp: Station16) -> None:
    cp.status("Charging")
    assert Connector.objects.get().status == "OCCUPIED"
    late = cp.time
    cp.wait(5), cp.status("Finishing")
    cp.status("Faulted", error="GroundFailure", timestamp=late)  # an older report comes late
    connector = Connector.objects.get()
    assert (connector.ocpp_status, connector.status_at, connector.error_code) == ("Finishing", cp.now, "NoError")
    for status, expected in (("Reserved", "RESERVED"), ("Unavailable", "UNAVAILABLE"), ("Available", "AVAILABLE")):
        cp.status(status)
        connector.refresh_from_db()
        assert (connector.status, connector.ocpp_status) == (expected, status)


def test_a_fault_is_an_event_once(cp: Station16) -> None:
    fault: dict[str, Any] = {"error": "GroundFailure", "info": "RCD", "vendorErrorCode": "E7"}
    cp.status("Faulted", **fault), cp.status("Faulted", **fault)
    event = StationEvent.objects.get()
    assert (event.kind, event.severity) == ("STATUS", "CRITICAL")
    assert event.words == "CP-1/1/1: Faulted, GroundFailure, RCD · E7"
    assert Connector.objects.get().status_info == "RCD · E7"
    cp.wait(1), cp.status("Available"), cp.wait(1), cp.status("Faulted", **fault)
    cp.status("Charging", error="HighTemperature"), cp.status("Faulted", 0, error="InternalError")
    assert StationEvent.objects.count() == 4 and Connector.objects.count() == 1


def test_an_outlet_that_nobody_knew_is_added(cp: Station16) -> None:
    cp.status("Available", 2)
    assert sorted(Connector.objects.values_list("evse_id", "connector_id")) == [(1, 1), (2, 1)]
    assert charge(cp.start(connector=3)["transactionId"]).connector.evse_id == 3


def test_a_status_without_time_or_with_a_wrong_one(cp: Station16) -> None:
    cp.clock = timedelta(hours=3)
    cp.status("Charging")
    cp.clock = timedelta(0)
    cp.wait(1), cp.call("StatusNotification", connectorId=1, status="Available", errorCode="NoError")
    assert Connector.objects.get().status == "AVAILABLE"


# --- What is not measured at the outlet, or by no number


def power(value: str, **more: str) -> dict[str, str]:
    return {"value": value, "measurand": "Power.Active.Import", "unit": "W"} | more


def test_what_is_not_understood_costs_nothing(cp: Station16) -> None:
    number = cp.start()["transactionId"]
    signed = {"value": "OCMF|{}|{}", "format": "SignedData"}
    cp.values(number, " 2000 ", signed, {"value": "x"}, {"value": "21", "measurand": "Temperature", "location": "Body"})
    assert [value.value for value in MeterValue.objects.all()] == [2000]
    assert SetAside.objects.filter(kind="VALUE").count() == 2
    assert SignedMeterValue.objects.get().text == signed["value"]
    cp.wait(30), cp.stop(number, 3000, transactionData=[{"timestamp": cp.time, "sampledValue": [signed]}])
    ended = charge(number)
    assert (ended.energy_wh, ended.signed_verdict, len(ended.signed_meter_values)) == (2000, "NOT CHECKED", 1)
    assert not SignedMeterValue.objects.exists()


def test_the_outlets_value_counts_and_the_inlets_where_there_is_no_other(cp: Station16) -> None:
    number = cp.start()["transactionId"]
    cp.wait(10)
    cp.values(number, {"value": "9000000", "location": "Inlet"}, {"value": "2000", "location": "Outlet"}, power("1"))
    cp.wait(10)
    cp.values(number, {"value": "3", "unit": "kWh", "location": "Inlet"}, power("2", location="Inlet"))
    cp.wait(10)
    cp.values(number, {"value": "9000000", "location": "Inlet"}, {"value": "1", "location": "Cable"})
    assert [int(value.value) for value in MeterValue.objects.all()] == [2000, 1, 3000, 2]
    cp.wait(1), cp.stop(number, 4000)
    assert charge(number).energy_wh == 3000
    assert {row.subject for row in SetAside.objects.all()} == {"location 'Inlet'", "location 'Cable'"}


def test_phases_make_a_power_chart_and_no_total(cp: Station16) -> None:
    from stations.charging.power import curve_of

    number = cp.start()["transactionId"]
    for minute in range(3):
        cp.wait(1)
        phases = [power(str(3000 + minute), phase=phase) for phase in ("L1", "L2", "L3")]
        energy = [{"value": str(400 + minute), "phase": phase} for phase in ("L1", "L2", "L3")]
        cp.values(number, *phases, *energy)
    session = charge(number)
    curve = curve_of(session, session.meter_values.all())
    assert curve is not None and [point.power_w for point in curve.points] == [9000, 9003, 9006]
    cp.stop(number, 1500)
    session.refresh_from_db()
    assert (session.status, session.energy_wh) == ("COMPLETED", 500)


def test_values_of_the_stop_belong_to_the_charge(cp: Station16) -> None:
    number = cp.start()["transactionId"]
    data = [{"timestamp": cp.time, "sampledValue": [{"value": "1000", "context": "Transaction.Begin"}]}]
    cp.wait(20)
    data += [
        {"timestamp": cp.time, "sampledValue": [{"value": "2.5", "unit": "kWh"}]},
        {"timestamp": cp.time, "sampledValue": []},
    ]
    for _ in range(2):
        cp.stop(number, 2500, transactionData=data)
    session = charge(number)
    assert (session.energy_wh, session.meter_values.count(), session.status) == (1500, 2, "COMPLETED")
    assert session.meter_values_sha256 and not SetAside.objects.exists()


def test_meters_report_while_nobody_charges(cp: Station16) -> None:
    cp.values(None, "1000"), cp.values(None, "9000", connector=0), cp.values(0, "1")
    assert not MeterValue.objects.exists() and not SetAside.objects.exists()
    number = cp.start()["transactionId"]
    cp.wait(5)
    for said in (None, 0, -1):
        cp.values(said, "1500")
    cp.values(None, "77", connector=0)
    assert [value.session for value in MeterValue.objects.all()] == [charge(number)]
    assert ChargingSession.objects.count() == 1
