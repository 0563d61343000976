"""Signed texts that belong to another charge prove nothing; and none are kept of a charge whose person was erased."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from dev.stations.ocmf import SignedMeter
from ledger.keys.erasure import customer_erase
from stations.charging.corrections import Figures, session_correct
from stations.metering.closing import proofs_of, values_with
from stations.metering.registering import key_add
from stations.models import ChargingSession, IdToken, SetAside, SignedMeterValue, SignedTextDigest
from stations.models.corrections import Correction
from tests.gateway.ocpp.v16.station16 import Station16, charge

pytestmark = pytest.mark.django_db
BEGIN, END = "Transaction.Begin", "Transaction.End"
Pair = tuple[str, str]


@pytest.fixture
def meter() -> SignedMeter:
    return replace(SignedMeter("1EVP0000000001"), pagination=0)


@pytest.fixture
def pair(cp: Station16, meter: SignedMeter) -> Pair:
    """Of a meter that counts each charge from 0, as its station does."""
    key_add(station=cp.station, connector=None, meter_serial="", text=meter.public_key.hex(), by=None)
    return meter.begin(0, cp.now, "04A1"), meter.end(7000, cp.now, "04A1")


def told(cp: Station16, pair: Pair, *, wh: int = 7000) -> ChargingSession:
    number = cp.start(0, tag="04A1")["transactionId"]
    signed = [{"value": pair[0], "format": "SignedData", "context": BEGIN}]
    signed += [{"value": pair[1], "format": "SignedData", "context": END}]
    cp.values(number, "0", signed[0])
    cp.wait(30)
    cp.stop(number, wh, transactionData=[{"timestamp": cp.time, "sampledValue": [signed[1]]}])
    return charge(number)


def proof(session: ChargingSession) -> tuple[Any, ...]:
    return (session.status, session.signed_verdict, session.signed_reason, session.energy_wh)


def test_one_pair_of_texts_counts_once(cp: Station16, pair: Pair) -> None:
    assert proof(told(cp, pair)) == ("COMPLETED", "VERIFIED", "", 7000)
    cp.wait(60)
    second = told(cp, pair)
    assert proof(second) == ("COMPLETED", "FAILED", "other_charge", 7000)
    assert second.flags == ["signed_failed"]
    cp.wait(60)
    assert proof(told(cp, pair))[1:3] == ("FAILED", "other_charge")
    assert SignedTextDigest.objects.values("session").distinct().count() == 1


def test_it_stays_so_when_the_texts_are_forgotten(cp: Station16, pair: Pair) -> None:
    told(cp, pair)
    ChargingSession.objects.update(signed_meter_values=[])
    cp.wait(60)
    assert proof(told(cp, pair))[1:3] == ("FAILED", "other_charge")


def test_a_correction_keeps_its_own(cp: Station16, pair: Pair) -> None:
    session = told(cp, pair)
    assert session.stopped_at is not None
    for _ in range(2):
        figures = Figures(7000, None, session.started_at, session.stopped_at)
        _, session = session_correct(session=session, reason="The same once more.", figures=figures, by=None)
        assert proof(session) == ("COMPLETED", "VERIFIED", "", 7000)
    assert Correction.objects.count() == 2


def test_of_two_that_end_at_once_one_has_them_and_as_many_questions_are_asked(cp: Station16, pair: Pair) -> None:
    first = told(cp, pair)
    SignedTextDigest.objects.all().delete()
    copies = [
        ChargingSession(station=cp.station, connector=first.connector, transaction_id=f"X{n}", id_token=first.id_token)
        for n in range(5)
    ]
    for copy in copies:
        copy.started_at = datetime.now(UTC)
    values = values_with(first)
    asked = []
    for sessions in (copies[:1], copies):
        with CaptureQueriesContext(connection) as questions:
            found = proofs_of(sessions, {one.pk: values for one in sessions})
        asked.append(len(questions))
        assert [found[one.pk].judgement.verdict for one in sessions] == ["VERIFIED", *["FAILED"] * (len(sessions) - 1)]
    assert asked[0] == asked[1]


def test_a_charge_whose_person_is_erased_keeps_nothing_that_was_signed(cp: Station16, meter: SignedMeter) -> None:
    person = User.objects.create_user("dora")
    number = cp.start(0, tag="04A1")["transactionId"]
    IdToken.objects.update(customer=person)
    ChargingSession.objects.update(customer=person)
    cp.values(number, "0", {"value": meter.begin(0, cp.now, "04A1"), "format": "SignedData", "context": BEGIN})
    assert SignedMeterValue.objects.count() == 1
    customer_erase(customer=person, although_charging=True)
    assert not SignedMeterValue.objects.exists()
    ended = {"value": meter.end(7000, cp.wait(30), "04A1"), "format": "SignedData", "context": END}
    cp.values(number, "6000", ended)
    cp.stop(number, 7000, transactionData=[{"timestamp": cp.time, "sampledValue": [ended]}])
    session = charge(number)
    assert proof(session) == ("COMPLETED", "", "", 7000)
    assert session.signed_meter_values == [] and session.id_token is None and session.customer is None
    assert not SignedMeterValue.objects.exists()


def test_how_much_is_kept_of_a_charge_is_counted_in_bytes(cp: Station16) -> None:
    number = cp.start(0)["transactionId"]
    for place in range(8):
        text = {"value": f"OCMF|{place}" + "€" * 10_000, "format": "SignedData", "context": "Sample.Periodic"}
        cp.values(number, text)
    assert SignedMeterValue.objects.count() == 4  # 30,006 bytes each, of 131,072
    assert SetAside.objects.filter(kind="VALUE").exists()
    cp.values(number, {"value": "OCMF|" + "€" * 21_845, "format": "SignedData", "context": END})
    assert SignedMeterValue.objects.count() == 4  # 65,540 bytes
    cp.values(number, {"value": "OCMF|" + "€" * 20_000, "format": "SignedData", "context": END})
    assert SignedMeterValue.objects.count() == 5
