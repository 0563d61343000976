"""Identifiers that OCPP compares in any letters: the same card, station and charge, whoever writes them and how."""

from typing import Any

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import Role, User
from ledger import record
from stations.models import ChargingSession, Connector, IdToken, Station
from stations.support.pages import customers_found
from tests.people import browser_of, log_in, person
from tests.stations.conftest import StationClient, at

pytestmark = pytest.mark.django_db
CARD = "04FFEE11223344"


def test_a_card_in_other_letters_is_the_drivers_card(owner: StationClient, customer: User) -> None:
    IdToken.objects.create(uid=CARD, customer=customer)
    answers = [owner.start(id_token={"uid": uid}) for uid in (CARD.lower(), CARD, CARD.title())]
    assert [answer.status_code for answer in answers] == [201, 200, 200]
    session = ChargingSession.objects.get()
    assert session.customer == customer and IdToken.objects.get().uid == CARD  # as it was first written
    owner.stop()
    session.refresh_from_db()
    assert record.record_of(session)["id_token"] == {"uid": CARD, "type": "ISO14443"}


@pytest.mark.parametrize("uid", ["NL-TNM-C00122045-K", "nltnmc00122045", "NL*TNM*012204*5"])
def test_a_contract_in_any_form_is_one(owner: StationClient, customer: User, uid: str) -> None:
    IdToken.objects.create(uid="NLTNMC00122045K", type="eMAID", customer=customer)
    assert owner.start(id_token={"uid": uid, "type": "eMAID"}).status_code == 201
    assert ChargingSession.objects.get().customer == customer


def test_station_and_transaction_in_other_letters(owner: StationClient) -> None:
    small = StationClient(Station(identity=owner.station.identity.lower()), owner.credential)
    assert owner.start("tx-a").status_code == 201
    assert small.start("TX-A").status_code == 200
    assert small.post("/Tx-a/meter-values", {"values": [{"sampled_at": at(-5), "value": 2000}]}).json()["accepted"] == 1
    assert small.stop("TX-A").json()["transaction_id"] == "tx-a"
    assert small.get("/tX-A").json()["status"] == "COMPLETED"
    assert ChargingSession.objects.count() == 1


@pytest.mark.parametrize(
    ("model", "values"),
    [(IdToken, {"uid": "04ab"}), (Station, {"identity": "cs-owner"})],
    ids=["card", "station"],
)
def test_the_database_takes_no_double(owner: StationClient, model: Any, values: dict[str, Any]) -> None:
    IdToken.objects.create(uid="04AB")
    if model is Station:
        values = values | {"site": owner.station.site}
    with pytest.raises(IntegrityError), transaction.atomic():
        model.objects.create(**values)
    with pytest.raises(IntegrityError), transaction.atomic():
        model.objects.bulk_create([model(**values)])


def test_every_look_up_goes_by_it(owner: StationClient, customer: User) -> None:
    token = IdToken.objects.create(uid=CARD, contract_id="NL-TNM-C00122045-K", customer=customer)
    owner.start(id_token={"uid": CARD}), owner.stop()
    small = CARD.lower()
    assert list(customers_found(small)) == [customer]
    assert list(IdToken.objects.written(small)) == [token]
    call_command("link_token", small, customer.username, "--type", "ISO14443")
    reader = Client()
    log_in(reader, customer)
    assert small not in (page := reader.get(f"/?token={small}&station=cs-OWNER").content.decode()) or CARD in page
    assert "No session fits" not in page and "Expected one of the choices" not in page
    staff = browser_of(person("olga", Role.OPERATOR))
    for term in (small, "nltnmc00122045", "NL*TNM*012204"):
        assert CARD in staff.get(f"/admin/stations/idtoken/?q={term}").content.decode(), term


def test_the_admin_says_that_there_is_one(owner: StationClient) -> None:
    IdToken.objects.create(uid="04AB")
    staff = browser_of(person("olga", Role.OPERATOR))
    page = staff.post("/admin/stations/idtoken/add/", {"uid": "04ab", "type": "ISO14443", "contract_id": ""})
    assert "There is this token already, written 04AB." in page.content.decode()
    body = {"uid": "04AC", "type": "ISO14443", "contract_id": "NL-TNM-C00122045-X"}
    page = staff.post("/admin/stations/idtoken/add/", body, follow=True)
    assert "check digit would be K" in page.content.decode()
    assert IdToken.objects.count() == 2


def test_an_evse_id_in_small_letters_is_taken(owner: StationClient) -> None:
    connector = Connector.objects.get(station=owner.station)
    for written in ("deabce1234*1", "DE*ABC*E1234*1", "+49*123*456*1"):
        connector.emi3_id = written
        connector.full_clean()


def test_finding_a_card_is_one_query(owner: StationClient) -> None:
    IdToken.objects.create(uid=CARD)
    with CaptureQueriesContext(
        connection,
    ) as asked:
        assert IdToken.objects.written(CARD.lower()).first() is not None
    assert len(asked) == 1


def test_a_records_other_writing_passes_and_nothing_else(owner: StationClient) -> None:
    owner.start(id_token={"uid": CARD}), owner.stop()
    session = ChargingSession.objects.select_related("station", "connector", "id_token").get()
    session.written = {"id_token": CARD.lower(), "station": "cs-owner", "transaction_id": "t1"}
    written = record.record_of(session)
    assert (written["id_token"]["uid"], written["station"], written["transaction_id"]) == (
        CARD.lower(),
        "cs-owner",
        "t1",
    )
    session.written = {"id_token": "04AA", "station": "CS-OTHER", "transaction_id": 7}
    forged = record.record_of(session)
    assert (forged["id_token"]["uid"], forged["station"], forged["transaction_id"]) == (CARD, "CS-OWNER", "T1")
