"""The admin: all can be looked at, what stations and chain said cannot be written, and a few things can be done."""

import re
from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import User
from ledger.alerts import alert_raise
from ledger.models import Alert, LedgerEntry
from stations.models import ChargingSession, Connector, IdToken, MeterValue, Station
from stations.places.credentials import station_authenticate
from tests.conftest import LedgerAccount
from tests.people import log_in
from tests.portal.conftest import MakeSession
from tests.portal.history.test_history import move, text

pytestmark = pytest.mark.django_db
OURS = ("accounts", "stations", "ledger")
READ_ONLY = ("stations.chargingsession", "stations.metervalue", "ledger.ledgerentry", "ledger.chaintransaction")
MODELS = [model for model in admin.site._registry if model._meta.app_label in OURS]


def address(model: str, page: str, *args: object) -> str:
    return reverse(f"admin:{model.replace('.', '_')}_{page}", args=args)


def act(client: Client, model: str, action: str, *rows: object) -> str:
    """Choose rows in a list and do the action; returns the page with its messages."""
    form = {"action": action, "_selected_action": [str(getattr(row, "pk", row)) for row in rows]}
    response = client.post(address(model, "changelist"), form, follow=True)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


# --- looking


def test_every_model_is_registered() -> None:
    names = {model._meta.label_lower for model in MODELS}
    assert names == {
        *(
            "accounts.user",
            "accounts.accesslogentry",
            "accounts.erasure",
            "stations.linkcode",
            *("stations.customergroup", "stations.priceagreement"),
            *("accounts.signin", "accounts.apiclient", "accounts.apitoken"),
            "stations.setaside",
            "stations.site",
            "stations.station",
            "stations.connector",
            "stations.idtoken",
        ),
        *(
            "stations.stationauthority",
            "stations.stationcertificate",
            "stations.certificaterequest",
            "stations.installedroot",
            *("stations.command", "stations.reservation", "stations.locallist"),
            *("stations.sitelimit", "stations.limitedoutlet"),
            *("stations.vehicle", "stations.flatrate", "stations.yearchoice"),
            *("stations.statementrecipient", "stations.statementdelivery"),
        ),
        *(
            "stations.chargingsession",
            *("stations.meterpublickey", "stations.metervalue"),
            "stations.importrun",
            "stations.importmapping",
            "stations.tariff",
            "stations.ocpipartner",
            *("stations.ocppmessage", "stations.stationrefusal", "stations.stationevent", "stations.stationvariable"),
        ),
        *("ledger.ledgerentry", "ledger.chaintransaction", "ledger.datakey", "ledger.alert", "ledger.auditrun"),
        *(
            "ledger.signingkey",
            "ledger.keyrotation",
            "ledger.statementmail",
            "ledger.webhook",
            "ledger.webhookdelivery",
        ),
    }


@pytest.mark.parametrize("model", [model._meta.label_lower for model in MODELS])
def test_every_list_and_every_row_can_be_looked_at(
    staff_browser: Client, everything: ChargingSession, model: str
) -> None:
    page = text(staff_browser, address(model, "changelist") + "?q=zzz")
    assert "0 results" in page or "changelist-form" in page or "ev-search" in page  # one that counts nothing
    page = text(staff_browser, address(model, "changelist"))
    rows = re.findall(r'href="(/admin/\w+/\w+/[^/"]+/change/)', page)
    assert rows
    text(staff_browser, rows[0])


def test_no_row_shows_a_secret(staff_browser: Client, everything: ChargingSession) -> None:
    entry = LedgerEntry.objects.select_related("data_key").get(session=everything)
    pages = text(staff_browser, address("ledger.datakey", "change", entry.data_key_id))
    pages += text(staff_browser, address("ledger.ledgerentry", "change", entry.pk))
    for secret in (entry.salt, entry.data_key.wrapped):
        assert bytes(secret or b"").hex() not in pages
        assert str(bytes(secret or b""))[2:12] not in pages
    assert bytes(entry.data_key.key_id).hex() in pages


@pytest.mark.parametrize(
    "model", [*READ_ONLY, "ledger.datakey", "ledger.alert", "ledger.signingkey", "ledger.keyrotation"]
)
def test_what_was_reported_and_recorded_cannot_be_written(
    staff_browser: Client, everything: ChargingSession, model: str
) -> None:
    row = next(found for found in MODELS if found._meta.label_lower == model)._default_manager.first()
    assert row is not None
    assert staff_browser.post(address(model, "add"), {}).status_code == 403
    assert staff_browser.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert staff_browser.post(address(model, "change", row.pk), {"energy_wh": 1}).status_code == 403
    assert "delete_selected" not in text(staff_browser, address(model, "changelist"))


def test_names_that_are_part_of_records_stay(staff_browser: Client, everything: ChargingSession) -> None:
    station = everything.station
    form = {"identity": "CP-OTHER", "site": station.site_id, "vendor": "Acme", "security_profile": 1}
    form |= {f"connectors-{name}": 0 for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
    assert staff_browser.post(address("stations.station", "change", station.pk), form).status_code == 302
    station.refresh_from_db()
    assert (station.identity, station.vendor) == ("CP-HARBOUR-1", "Acme")
    assert staff_browser.post(address("stations.station", "delete", station.pk), {"post": "yes"}).status_code == 403


@pytest.mark.parametrize("term", ["session", "digest", "id", "transaction"])
def test_an_entry_is_found_by_each_of_its_ids(
    staff_browser: Client, everything: ChargingSession, make_session: MakeSession, term: str
) -> None:
    make_session()
    entry = LedgerEntry.objects.get(session=everything)
    assert entry.transaction is not None
    terms = {
        "session": str(everything.pk),
        "digest": bytes(entry.digest).hex(),
        "id": str(entry.pk),
        "transaction": entry.transaction.transaction_id,
    }
    page = text(staff_browser, f"{address('ledger.ledgerentry', 'changelist')}?q={terms[term]}")
    assert "1 result" in page
    assert address("ledger.ledgerentry", "change", entry.pk) in page


@pytest.mark.parametrize("query", ["q=%00", "q=" + "9" * 40, "q=" + "f" * 64, "state=%00", "state=zzz", "p=zzz"])
def test_hostile_searches_find_nothing_and_break_nothing(
    staff_browser: Client, everything: ChargingSession, query: str
) -> None:
    for model in ("ledger.ledgerentry", "stations.chargingsession"):
        response = staff_browser.get(f"{address(model, 'changelist')}?{query}", follow=True)
        assert response.status_code == 200


def test_the_home_shows_first_what_needs_a_person(staff_browser: Client, everything: ChargingSession) -> None:
    page = text(staff_browser, "/admin/")
    assert "ram evledger" in page
    assert "Buy RAM or prune old rows" in page
    assert "No session waits" in page
    entry = LedgerEntry.objects.get(session=everything)
    LedgerEntry.objects.filter(pk=entry.pk).update(transaction=None, opened_at=timezone.now() - timedelta(minutes=7))
    assert "1 session waits to be recorded, the oldest for 7 min." in text(staff_browser, "/admin/")


# --- doing


def test_send_again_takes_a_conflict_up_anew(staff_browser: Client, make_session: MakeSession) -> None:
    session = make_session("CONFLICT")
    LedgerEntry.objects.filter(session=session).update(conflict="ledger id 1: expected digest …")
    recorded = LedgerEntry.objects.get(session=make_session())
    entry = LedgerEntry.objects.get(session=session)
    page = act(staff_browser, "ledger.ledgerentry", "send_again", entry, recorded)
    assert "1 entry is put back to work" in page
    assert f"Entry {recorded.pk} is recorded in block 1234567; there is nothing to send" in page
    entry.refresh_from_db()
    assert entry.state == "READY"


def test_check_again_names_what_differs(
    staff_browser: Client, make_session: MakeSession, ledger_account: LedgerAccount
) -> None:
    session = make_session(None)
    changed = make_session(None)
    move(changed, energy_wh=1)
    entries = [LedgerEntry.objects.get(session=one) for one in (session, changed)]
    page = act(staff_browser, "ledger.ledgerentry", "check_again", *entries)
    assert "1 entry checked: nothing differs." in page
    assert f"Entry {entries[1].pk}: changed since it was recorded: energy_wh" in page
    assert Alert.objects.filter(code="mismatch", closed_at__isnull=True).count() == 1


def test_check_again_says_that_the_chain_did_not_answer(staff_browser: Client, everything: ChargingSession) -> None:
    MeterValue.objects.all().delete()
    page = act(staff_browser, "ledger.ledgerentry", "check_again", LedgerEntry.objects.get(session=everything))
    assert "the chain did not answer" in page
    assert LedgerEntry.objects.get(session=everything).checked_at is None


def test_who_may_only_look_can_do_nothing(client: Client, everything: ChargingSession) -> None:
    auditor = User.objects.create_user("axel", is_staff=True)
    auditor.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    log_in(client, auditor)
    page = text(client, address("ledger.ledgerentry", "changelist"))
    assert "send_again" not in page
    act(client, "ledger.alert", "close", *Alert.objects.all())
    assert Alert.objects.filter(closed_at__isnull=True).exists()
    assert client.get(address("stations.station", "credential", everything.station_id)).status_code == 403


def test_alerts_are_closed_and_open_ones_come_first(staff_browser: Client) -> None:
    alert_raise("ram", "one", "RAM")
    alert_raise("cpu", "two", "CPU")
    page = act(staff_browser, "ledger.alert", "close", Alert.objects.get(code="cpu"))
    assert "1 alert closed" in page
    assert page.index("ram one") < page.index("cpu two")
    assert Alert.objects.get(code="cpu").closed_at is not None


def test_a_credential_is_asked_for_once_and_shown_once(staff_browser: Client, connector: Connector) -> None:
    page = address("stations.station", "credential", connector.station_id)
    assert "Set a new credential for CP-HARBOUR-1?" in text(staff_browser, page)
    assert Station.objects.get(pk=connector.station_id).credential_hash == ""
    response = staff_browser.post(page)
    assert "no-store" in response["Cache-Control"]
    (credential,) = re.findall(r"<code>([\w-]{40})</code>", response.content.decode())
    assert station_authenticate(identity="CP-HARBOUR-1", credential=credential) == connector.station
    assert credential not in text(staff_browser, page)
    assert credential not in text(staff_browser, address("stations.station", "change", connector.station_id))


def test_a_card_goes_to_a_new_customer_without_the_sessions_of_the_former(
    staff_browser: Client, everything: ChargingSession, id_token: IdToken, owner: User, other_customer: User
) -> None:
    form = {"contract_id": "", "customer": other_customer.pk}
    answer = staff_browser.post(address("stations.idtoken", "change", id_token.pk), form, follow=True).content.decode()
    assert "0 sessions charged with it belong to ben now" in answer
    everything.refresh_from_db()
    id_token.refresh_from_db()
    assert (everything.customer, id_token.customer) == (owner, other_customer)


def test_a_card_linked_by_mistake_takes_its_sessions_to_its_right_customer(
    staff_browser: Client, everything: ChargingSession, id_token: IdToken, other_customer: User
) -> None:
    page = address("stations.idtoken", "change", id_token.pk)
    form = {"contract_id": "DE-8AA-1", "customer": other_customer.pk, "mistaken": "on"}
    answer = staff_browser.post(page, form, follow=True).content.decode()
    assert "1 session left its former customer" in answer
    assert "1 session charged with it belongs to ben now" in answer
    everything.refresh_from_db()
    id_token.refresh_from_db()
    assert everything.customer == id_token.customer == other_customer
    assert id_token.contract_id == "DE-8AA-1"
    staff_browser.post(page, {"contract_id": "DE-8AA-1", "customer": "", "mistaken": "on"})
    everything.refresh_from_db()
    assert everything.customer is None


def test_a_new_card_has_its_customer_at_once(staff_browser: Client, owner: User) -> None:
    form = {"uid": "04FF", "type": "ISO14443", "contract_id": "", "customer": owner.pk}
    assert staff_browser.post(address("stations.idtoken", "add"), form).status_code == 302
    assert IdToken.objects.get(uid="04FF").customer == owner


def test_nobody_is_deleted_by_hand(staff_browser: Client, owner: User) -> None:
    page = address("accounts.user", "delete", owner.pk)
    assert staff_browser.post(page, {"post": "yes"}).status_code == 403


def test_long_lists_are_not_counted_to_the_end(
    staff_browser: Client, everything: ChargingSession, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("common.admin_paging.COUNTED_MAX", 1)
    for number in range(3):
        MeterValue.objects.create(
            session=everything, sampled_at=everything.started_at + timedelta(minutes=number + 1), value=number
        )
    assert "1 meter value" in text(staff_browser, address("stations.metervalue", "changelist"))
