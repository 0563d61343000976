"""What the meter signed, on the charge's page, in its container, and its key among the published ones."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from stations.metering import containers
from stations.models import ChargingSession, Station
from stations.models.metering import MeterPublicKey
from tests.conftest import CloseSessions
from tests.people import log_in

pytestmark = pytest.mark.django_db
VECTOR: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors" / "meter" / "base64.json").read_text())
VERIFIED = {"signed_meter_values": VECTOR["values"], "signed_verdict": "VERIFIED", "meter_public_key": VECTOR["key"]}


@pytest.fixture
def anna(owner: User) -> Client:
    client = Client()
    log_in(client, owner)
    return client


def text(client: Client, address: str) -> str:
    return " ".join(client.get(address).content.decode().split())


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (VERIFIED, "Verified: the meter signed what was charged"),
        ({}, "Not signed: this charge has no signed meter values"),
        ({**VERIFIED, "signed_verdict": "FAILED", "signed_reason": "signature"}, "Why: the signature does not fit"),
        ({**VERIFIED, "signed_verdict": "NOT CHECKED", "meter_public_key": ""}, "Signed, but not checked here"),
    ],
)
def test_the_page_says_in_words_what_the_meter_signed(
    anna: Client, close_sessions: CloseSessions, columns: dict[str, object], said: str
) -> None:
    (session,) = close_sessions(1, **columns)
    page = text(anna, f"/sessions/{session.pk}")
    assert said in page
    registers = "1,000.000 kWh" in page and "1,011.250 kWh" in page and "1EVP0000000001" in page
    assert registers == (columns.get("meter_public_key") == VECTOR["key"])
    assert ("meter-values.xml" in page) == bool(columns)


def test_the_container_holds_every_text_as_it_came_and_the_key(
    anna: Client, close_sessions: CloseSessions, other_customer: User
) -> None:
    signed, bare = close_sessions(1, **VERIFIED) + close_sessions(1)
    answer = anna.get(f"/sessions/{signed.pk}/meter-values.xml")
    assert answer["Content-Type"] == "application/xml" and answer.content.startswith(b"<?xml")
    found = containers.read(answer.content)
    assert [one.value.element() for one in found] == VECTOR["values"]
    assert {(one.public_key, one.transaction_id) for one in found} == {(VECTOR["key"], signed.transaction_id)}
    assert anna.get(f"/sessions/{bare.pk}/meter-values.xml").status_code == 404
    ben = Client()
    log_in(ben, other_customer)
    assert ben.get(f"/sessions/{signed.pk}/meter-values.xml").status_code == 404


def test_keys_that_a_person_confirmed_are_published(close_sessions: CloseSessions) -> None:
    (session,) = close_sessions(1, **VERIFIED)
    station: Station = ChargingSession.objects.get(pk=session.pk).station
    usual: dict[str, Any] = {"station": station, "curve": "secp256r1", "source": "ADMIN"}
    MeterPublicKey.objects.create(**usual, public_key="3059", state="PENDING")
    key = MeterPublicKey.objects.create(
        **usual, public_key=VECTOR["key"], state="CONFIRMED", confirmed_at=timezone.now(), meter_serial="1EVP0000000001"
    )
    (told,) = Client().get("/meter-keys.json").json()["meter_keys"]
    assert (told["public_key"], told["station"], told["withdrawn"]) == (VECTOR["key"], station.identity, False)
    page = text(Client(), "/meter-keys")
    assert key.fingerprint in page and "1EVP0000000001" in page and "3059<" not in page
