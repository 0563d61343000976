"""Signed meter values over the station's REST: with the values, with the stop, told again, told late."""

from datetime import datetime

import pytest

from dev.stations.ocmf import SignedMeter
from stations.metering.registering import key_add
from stations.models import ChargingSession, MeterPublicKey, SetAside, SignedMeterValue, Station
from tests.stations.conftest import StationClient, at

pytestmark = pytest.mark.django_db


def test_a_signed_charge_over_rest(owner: StationClient) -> None:
    meter = SignedMeter("M1")
    key_add(station=Station.objects.get(), connector=None, meter_serial="", text=meter.public_key.hex(), by=None)
    session = owner.start()
    uid = ChargingSession.objects.get().id_token
    begin = meter.begin(1000, datetime.fromisoformat(at(-40)), uid.uid if uid else "")
    end = meter.end(8780, datetime.fromisoformat(at(-1)), uid.uid if uid else "")
    told = {"text": begin, "context": "Transaction.Begin", "public_key": SignedMeter("M1", secret=5).public_key.hex()}
    broken = [{"text": ""}, told]
    answer = owner.post("/T1/meter-values", {"signed_meter_values": broken}).json()
    assert (answer["accepted"], answer["repeated"], answer["set_aside"][0]["index"]) == (1, 0, 0)
    assert owner.post("/T1/meter-values", {"signed_meter_values": [told]}).json() == {"accepted": 0, "repeated": 1}
    assert MeterPublicKey.objects.get(state="PENDING").source == "SEEN"
    for wrong in ({}, {"signed_meter_values": [{"texts": "x"}]}, {"signed_meter_values": "x"}):
        assert owner.post("/T1/meter-values", wrong).status_code == 400
    stop = {"stopped_at": at(0), "meter_stop_wh": 8780, "signed_meter_values": [{"text": end}]}
    for _ in range(2):
        assert owner.post("/T1/stop", stop).status_code == 200
    closed = ChargingSession.objects.get()
    assert (closed.status, closed.signed_verdict, closed.energy_wh) == ("COMPLETED", "VERIFIED", 7780), session
    assert not SignedMeterValue.objects.exists() and not SetAside.objects.filter(kind="LATE").exists()
    late = owner.post("/T1/meter-values", {"signed_meter_values": [{"text": "OCMF|late|"}]})
    assert (late.status_code, late.json()["code"]) == (409, "session_closed")
    assert "OCMF|late|" in SetAside.objects.get(kind="LATE").example
