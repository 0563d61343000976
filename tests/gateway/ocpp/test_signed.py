"""What a meter signs, from OCPP 1.6 and 2.x to the closed charge: which key judges it, and what is billed."""

import base64
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from dev.stations.ocmf import SignedMeter
from stations.charging.corrections import Figures, session_correct
from stations.commands.noting import keys_note
from stations.metering.registering import key_add, key_confirm, key_withdraw
from stations.models import ChargingSession, MeterPublicKey, SetAside, SignedMeterValue, Site
from stations.places.events import Variable, variables_report
from tests.gateway.ocpp.v2.stories import CARD, NOW, register, story_make
from tests.gateway.ocpp.v16.station16 import Station16, charge

pytestmark = pytest.mark.django_db
METER = SignedMeter("1EVP0000000001")
BEGIN, END = "Transaction.Begin", "Transaction.End"


@pytest.fixture
def meter() -> SignedMeter:
    return replace(METER, pagination=0)


def registered(cp: Station16, meter: SignedMeter, serial: str = "") -> MeterPublicKey:
    return key_add(station=cp.station, connector=None, meter_serial=serial, text=meter.public_key.hex(), by=None)


def signed16(text: str, context: str) -> dict[str, str]:
    return {"value": text, "format": "SignedData", "context": context}


def whole(
    cp: Station16, meter: SignedMeter, *, stop: int = 8000, end: int = 8000, tag: str = "04A1"
) -> ChargingSession:
    """A charge from 1000 Wh to `stop`, of which the meter signs `end`."""
    number = cp.start(1000, tag=tag)["transactionId"]
    cp.values(number, "1000", signed16(meter.begin(1000, cp.now, tag), BEGIN))
    cp.wait(30)
    ended = signed16(meter.end(end, cp.now, tag), END)
    cp.stop(number, stop, transactionData=[{"timestamp": cp.time, "sampledValue": [ended]}])
    return charge(number)


def proof(session: ChargingSession) -> tuple[Any, ...]:
    return (session.status, session.signed_verdict, session.signed_reason, session.energy_wh)


def test_a_signed_charge_is_billed_from_what_was_signed(cp: Station16, meter: SignedMeter) -> None:
    key = registered(cp, meter, meter.serial)
    session = whole(cp, meter, stop=8001)  # a Wh more is rounding
    assert proof(session) == ("COMPLETED", "VERIFIED", "", 7000)
    assert (session.meter_start_wh, session.meter_stop_wh, session.flags) == (1000, 8000, [])
    assert session.meter_public_key == key.public_key == meter.public_key.hex()
    assert [one["context"] for one in session.signed_meter_values] == [BEGIN, END]
    assert all(one["text"].startswith("OCMF|") and one["encoding"] == "plain" for one in session.signed_meter_values)
    assert not SignedMeterValue.objects.exists()
    cp.stop(int(session.transaction_id), 8001)  # told again, by the station's own figures
    assert not SetAside.objects.exists() and ChargingSession.objects.count() == 1
    cp.wait(30)
    assert proof(whole(cp, meter))[1] == "VERIFIED"


def test_without_a_key_it_is_not_checked_and_billed_by_the_station(cp: Station16, meter: SignedMeter) -> None:
    assert proof(whole(cp, meter)) == ("COMPLETED", "NOT CHECKED", "no_key", 7000)


def test_what_fails_is_never_billed_from(cp: Station16, meter: SignedMeter) -> None:
    registered(cp, SignedMeter(meter.serial, secret=7))
    session = whole(cp, meter, end=8001)
    assert proof(session) == ("COMPLETED", "FAILED", "signature", 7000)
    assert session.flags == ["signed_failed"]
    Site.objects.update(signed_required=True)
    cp.wait(30)
    demanded = whole(cp, meter)
    assert proof(demanded) == ("INVALID", "FAILED", "signature", None)
    assert "signed_required" in demanded.flags and demanded.cost_minor is None


def test_a_site_that_demands_signatures_bills_nothing_unsigned(cp: Station16, meter: SignedMeter) -> None:
    Site.objects.update(signed_required=True)
    number = cp.start()["transactionId"]
    cp.wait(30)
    cp.stop(number, 8000)
    assert (proof(charge(number)), charge(number).flags) == (("INVALID", "", "", None), ["signed_required"])
    registered(cp, meter)
    cp.wait(30)
    assert proof(whole(cp, meter)) == ("COMPLETED", "VERIFIED", "", 7000)


@pytest.mark.parametrize("told", [{"stop": 9000}, {"end": 8500}, {"end": 7990}])
def test_a_contradiction_is_for_an_operator(cp: Station16, meter: SignedMeter, told: dict[str, int]) -> None:
    registered(cp, meter)
    session = whole(cp, meter, stop=told.get("stop", 8001), end=told.get("end", 8001))
    assert proof(session) == ("INVALID", "FAILED", "record_differs", None)
    assert session.flags[0] == "signed_contradicts"
    proven = told.get("end", 8001) - 1000
    for energy_wh, verdict in ((proven, "VERIFIED"), (500, "")):
        figures = Figures(energy_wh, None, session.started_at, session.stopped_at)  # type: ignore[arg-type]
        _, session = session_correct(session=session, reason="The meter is right.", figures=figures, by=None)
        assert (session.energy_wh, session.signed_verdict) == (energy_wh, verdict)


def test_another_card_another_meter_another_charge(cp: Station16, meter: SignedMeter) -> None:
    registered(cp, meter, "1EVP0000000002")
    assert proof(whole(cp, meter))[1:3] == ("FAILED", "other_meter")
    cp.wait(30)
    registered(cp, meter, meter.serial)
    number = cp.start(1000, tag="04A1")["transactionId"]
    cp.values(number, signed16(meter.begin(1000, cp.now, "04FF"), BEGIN))
    cp.values(number, signed16(meter.end(1100, cp.wait(20), "04FF"), END))
    cp.stop(number, 1100)
    assert proof(charge(number))[1:3] == ("FAILED", "other_token")


def test_keys_wait_for_a_person_and_replace_each_other(cp: Station16, meter: SignedMeter) -> None:
    wrapped = base64.b64encode(f"oca:base16:asn1:{meter.public_key.hex()}".encode()).decode()
    given = {"signedMeterData": base64.b64encode(meter.begin(1000, cp.now, "04A1").encode()).decode()}
    given |= {"encodingMethod": "OCMF", "signingMethod": "", "publicKey": wrapped}
    number = cp.start(1000)["transactionId"]
    for _ in range(2):
        cp.values(number, signed16(json.dumps(given), BEGIN))
    seen = MeterPublicKey.objects.get()
    assert (seen.state, seen.source, seen.public_key) == ("PENDING", "SEEN", meter.public_key.hex())
    assert (seen.meter_serial, seen.curve) == (meter.serial, "secp256r1")
    assert SignedMeterValue.objects.get().text.startswith("OCMF|"), "out of the base64 of OCA's note"
    cp.values(number, signed16(meter.end(2000, cp.wait(20), "04A1"), END))
    cp.stop(number, 2000)
    assert proof(charge(number))[1:3] == ("NOT CHECKED", "no_key"), "what comes along proves nothing"
    key_confirm(key=seen, by=None)
    cp.wait(5)
    assert proof(whole(cp, meter))[1] == "VERIFIED"
    other = replace(meter, secret=99, pagination=0)
    new = key_add(
        station=cp.station, connector=seen.connector, meter_serial=meter.serial, text=other.public_key.hex(), by=None
    )
    seen.refresh_from_db()
    assert (seen.state, seen.replaced_by, seen.ended_at) == ("WITHDRAWN", new, new.confirmed_at)
    key_withdraw(key=new)
    cp.wait(5)
    assert proof(whole(cp, other))[1:3] == ("NOT CHECKED", "no_key")


def test_energy_is_not_lost_over_what_cannot_be_kept(cp: Station16) -> None:
    number = cp.start(1000)["transactionId"]
    for text in ("", "OCMF|\0", "x" * 70_000):
        cp.values(number, "2000", signed16(text, BEGIN))
    cp.wait(30)
    cp.stop(number, 3000)
    assert proof(charge(number)) == ("COMPLETED", "", "", 2000)
    assert SetAside.objects.get(subject="signed value").count == 3


def test_a_text_after_the_end_is_kept_for_an_operator(cp: Station16, meter: SignedMeter) -> None:
    registered(cp, meter)
    session = whole(cp, meter)
    again, more = session.signed_meter_values[1]["text"], meter.end(9000, cp.now, "04A1")
    cp.values(int(session.transaction_id), signed16(again, END))
    assert not SetAside.objects.exists()
    cp.values(int(session.transaction_id), signed16(more, END))
    row = SetAside.objects.get()
    assert (row.kind, more[:100] in json.loads(row.example)["signed"]) == ("LATE", True)


def test_the_end_that_a_station_tells_late_is_proven_by_its_texts(cp: Station16, meter: SignedMeter) -> None:
    registered(cp, meter)
    number = cp.start(1000)["transactionId"]
    cp.values(number, "1000", signed16(meter.begin(1000, cp.now, "04A1"), BEGIN))
    cp.wait(30)
    cp.values(number, "6000")
    ended = meter.end(8000, cp.wait(10), "04A1")
    at = cp.time
    cp.wait(10), cp.start(8000, tag="04B2")
    assert proof(charge(number))[1:] == ("FAILED", "no_end", 5000)
    cp.stop(number, 8000, timestamp=at, transactionData=[{"timestamp": at, "sampledValue": [signed16(ended, END)]}])
    replaced = ChargingSession.objects.get(source="OPERATOR", credit=False)
    assert proof(replaced) == ("COMPLETED", "VERIFIED", "", 7000)
    assert len(replaced.signed_meter_values) == 2


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
def test_the_same_of_2x(version: str, meter: SignedMeter) -> None:
    story = story_make(version)
    key_add(station=story.station, connector=None, meter_serial="", text=meter.public_key.hex(), by=None)

    def signed(text: str, **changes: str) -> dict[str, Any]:
        data = {"signedMeterData": base64.b64encode(text.encode()).decode(), "encodingMethod": "OCMF"}
        return {"signedMeterValue": data | {"signingMethod": "", "publicKey": ""} | changes}

    begun, ended = NOW - timedelta(minutes=30), NOW - timedelta(minutes=5)
    first = register(1000, -30, BEGIN, **signed(meter.begin(1000, begun, CARD["idToken"])))
    where: dict[str, Any] = {"evse": {"id": 1, "connectorId": 1}, "meterValue": [first]}
    story.event("Started", -30, trigger="Authorized", idToken=CARD, **where)
    for _ in range(2):
        story.event("Updated", -20, meterValue=[register(4000, -20)])
    last = register(8000, -5, END, **signed(meter.end(8000, ended, CARD["idToken"])))
    story.event("Ended", -5, info={"stoppedReason": "Local"}, meterValue=[last])
    assert proof(story.charge()) == ("COMPLETED", "VERIFIED", "", 7000)
    story.event("Ended", -5, info={"stoppedReason": "Local"}, meterValue=[last])
    assert not SetAside.objects.exists()


def test_a_signed_value_that_breaks_the_schema_costs_nothing() -> None:
    story = story_make("2.0.1")
    for number, broken in enumerate(({"signedMeterData": "x" * 3000}, {}, {"signedMeterData": 1}, {"more": {}})):
        told, where = f"TX-{number}", {"id": 1, "connectorId": 1}
        first = register(1000, -30, BEGIN, signedMeterValue=broken)
        story.event("Started", -30, number=told, trigger="Authorized", idToken=CARD, evse=where, meterValue=[first])
        story.event("Ended", -5, number=told, meterValue=[register(3000, -5, END)])
        assert (story.charge(told).status, story.charge(told).energy_wh) == ("COMPLETED", 2000)
    assert len(story.charge("TX-0").signed_meter_values) == 1
    assert SetAside.objects.get(subject="signed value").count == 3


def test_keys_among_a_stations_variables_wait_too(cp: Station16, meter: SignedMeter) -> None:
    of_all, der = replace(meter, secret=5).public_key, meter.public_key
    keys_note(cp.station, [{"key": "MeterPublicKey1", "value": der.hex()}, {"key": "MeterPublicKey", "value": "?"}])
    fiscal: dict[str, Any] = {
        "component": "FiscalMetering",
        "variable": "PublicKey",
        "value": base64.b64encode(of_all).decode(),
    }
    for _ in range(2):
        variables_report(cp.station, [Variable(**fiscal), Variable(**fiscal | {"variable": "SerialNumber"})])
    rows = MeterPublicKey.objects.values_list("public_key", "connector__evse_id", "state", "source")
    assert set(rows) == {(der.hex(), 1, "PENDING", "STATION"), (of_all.hex(), None, "PENDING", "STATION")}
