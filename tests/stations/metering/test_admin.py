"""Keys of meters in the admin: entered, compared, withdrawn; and what a charge's page says of signatures."""

import base64

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from accounts.models import Role, User
from dev.stations.ocmf import SignedMeter
from stations.models import ChargingSession, Connector, MeterPublicKey, Station
from tests.gateway.ocpp.v16.station16 import station16
from tests.people import log_in

pytestmark = pytest.mark.django_db
METER = SignedMeter("M1")
ADD = "admin:stations_meterpublickey_add"


def staff(role: str) -> Client:
    client = Client()
    log_in(client, User.objects.create_user(f"staff-{role.lower()}", is_staff=True, roles=[role]))
    return client


@pytest.fixture
def operator() -> Client:
    return staff(Role.OPERATOR)


@pytest.fixture
def station() -> Station:
    return station16().station


def text(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def step(key: MeterPublicKey, name: str) -> str:
    return reverse(f"admin:stations_meterpublickey_{name}", args=[key.pk])


def pem() -> str:
    body = base64.encodebytes(METER.public_key).decode()
    return f"-----BEGIN PUBLIC KEY-----\n{body}-----END PUBLIC KEY-----\n"


@pytest.mark.parametrize("key", [METER.public_key.hex(), base64.b64encode(METER.public_key).decode(), pem()])
def test_a_key_is_entered_in_any_form(operator: Client, station: Station, key: str) -> None:
    said = {"station": station.pk, "evse_id": "1", "meter_serial": " M1 ", "key": key}
    assert operator.post(reverse(ADD), said).status_code == 302
    row = MeterPublicKey.objects.get()
    assert (row.public_key, row.curve, row.meter_serial) == (METER.public_key.hex(), "secp256r1", "M1")
    assert (row.state, row.source, row.connector) == ("CONFIRMED", "ADMIN", Connector.objects.get())
    assert row.confirmed_by is not None and LogEntry.objects.filter(object_id=str(row.pk)).count() == 1
    again = operator.post(reverse(ADD), said)
    assert again.status_code == 200 and "registered for this meter already" in again.content.decode()


def test_what_is_no_key_is_refused_and_kept_on_the_form(operator: Client, station: Station) -> None:
    said = {"station": station.pk, "evse_id": "9", "meter_serial": "", "key": "04AB nonsense"}
    page = operator.post(reverse(ADD), said).content.decode()
    assert "04AB nonsense" in page and "This station has no such outlet." in page
    assert not MeterPublicKey.objects.exists()


def test_a_key_that_came_along_is_compared_and_confirmed(operator: Client, station: Station) -> None:
    row = MeterPublicKey.objects.create(
        station=station, public_key=METER.public_key.hex(), curve="secp256r1", source="SEEN"
    )
    assert row.fingerprint in text(operator, reverse("admin:stations_meterpublickey_change", args=[row.pk]))
    waiting = "until then its signed values are not checked"
    assert waiting in text(operator, reverse("admin:index"))
    assert row.fingerprint in text(operator, step(row, "confirm"))
    assert staff(Role.AUDITOR).post(step(row, "confirm")).status_code == 403
    assert operator.post(step(row, "confirm")).status_code == 302
    assert waiting not in text(operator, reverse("admin:index"))
    row.refresh_from_db()
    assert (row.state, getattr(row.confirmed_by, "username", "")) == ("CONFIRMED", "staff-operator")
    assert "only a key that waits" in operator.post(step(row, "confirm")).content.decode()
    assert operator.post(step(row, "withdraw")).status_code == 302
    row.refresh_from_db()
    assert row.state == "WITHDRAWN" and row.ended_at is not None
    logged = [one.change_message for one in LogEntry.objects.filter(object_id=str(row.pk)).order_by("pk")]
    assert len(logged) == 2 and all(row.fingerprint in words for words in logged)


def test_a_charges_page_says_what_its_signatures_are_worth(operator: Client, station: Station) -> None:
    cp = station16("CP-2")
    number = cp.start()["transactionId"]
    signed = {"value": "OCMF|<b>|{}", "format": "SignedData", "context": "Transaction.Begin"}
    cp.values(number, signed)
    session = ChargingSession.objects.get()
    address = reverse("admin:stations_chargingsession_change", args=[session.pk])
    page = text(operator, address)
    assert "judged when the charge ends" in page and "OCMF|&lt;b&gt;|{}" in page
    cp.wait(10)
    cp.stop(number, 2000)
    page = text(operator, address)
    assert "no public key is registered for this meter" in page and "OCMF|&lt;b&gt;|{}" in page
    listed = reverse("admin:stations_chargingsession_changelist")
    assert str(session.pk) in text(operator, f"{listed}?signed=NOT+CHECKED")
    for other in ("VERIFIED", "FAILED", "none"):
        assert str(session.pk) not in text(operator, f"{listed}?signed={other}")
