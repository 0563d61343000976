"""The change log: from what to what, by whom; no secret in it; and nobody rewrites it, the administrator neither."""

import json

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db import models
from django.test import Client, RequestFactory
from django.urls import reverse

from accounts.models import User
from common.admin_log import Logged
from common.change_log import change_lines, values_of
from ledger.models import Alert, LedgerEntry
from stations.models import ChargingSession, Connector, IdToken, Station
from tests.evportal.admin.test_admin import act, address
from tests.portal.conftest import MakeSession
from tests.portal.history.test_history import text

pytestmark = pytest.mark.django_db


def lines() -> list[str]:
    return [line.text for entry in LogEntry.objects.order_by("pk") for line in change_lines(entry)]


def called(model: type[models.Model], field: str) -> str:
    """What stands for the field in a line of the log."""
    return str(model._meta.get_field(field).verbose_name)  # type: ignore[union-attr]


def test_a_change_is_kept_with_before_and_after(staff_browser: Client, connector: Connector) -> None:
    page = address("stations.connector", "change", connector.pk)
    form = {"max_power_w": 11_000, "status": "UNAVAILABLE", "standard": "IEC_62196_T2", "power_type": "AC_3_PHASE"}
    response = staff_browser.post(page, form)
    assert response.status_code == 302, response.content.decode()[:2000]
    power = f"{called(Connector, 'max_power_w')}: 22000 → 11000"
    assert lines()[-4:] == [
        f"{called(Connector, 'standard')}: – → IEC_62196_T2",
        f"{called(Connector, 'power_type')}: – → AC_3_PHASE",
        power,
        f"{called(Connector, 'status')}: UNKNOWN → UNAVAILABLE",
    ]
    history = text(staff_browser, address("stations.connector", "history", connector.pk))
    assert power in history and "olga" in history


def test_a_new_customer_of_a_card_is_named(staff_browser: Client, id_token: IdToken, other_customer: User) -> None:
    form = {"contract_id": "", "customer": other_customer.pk}
    staff_browser.post(address("stations.idtoken", "change", id_token.pk), form)
    customer = called(IdToken, "customer")
    assert f"{customer}: anna ({id_token.customer_id}) → ben ({other_customer.pk})" in lines()
    act(staff_browser, "stations.idtoken", "unlink", id_token)
    id_token.refresh_from_db()
    assert id_token.customer == other_customer  # asked first
    form = {"action": "unlink", "_selected_action": str(id_token.pk), "confirmed": "yes"}
    staff_browser.post(address("stations.idtoken", "changelist"), form)
    id_token.refresh_from_db()
    assert id_token.customer is None
    assert lines()[-2:] == ["Unlinked from its customer.", f"{customer}: ben ({other_customer.pk}) → –"]


def test_what_is_added_is_kept_too(staff_browser: Client, connector: Connector) -> None:
    station = connector.station
    form = {"site": station.site_id, "vendor": "Acme", "security_profile": 1}
    form |= {f"connectors-{name}": count for name, count in (("TOTAL_FORMS", 2), ("INITIAL_FORMS", 1))}
    form |= {"connectors-0-id": connector.pk, "connectors-0-station": station.pk, "connectors-1-station": station.pk}
    form |= {"connectors-1-evse_id": 2, "connectors-1-connector_id": 1, "connectors-1-status": "UNKNOWN"}
    response = staff_browser.post(address("stations.station", "change", station.pk), form)
    assert response.status_code == 302, response.content.decode()[:3000]
    assert f"{called(Station, 'vendor')}: – → Acme" in lines() and any("CP-HARBOUR-1/2/1" in line for line in lines())


def test_no_model_of_ours_is_changed_unlogged(rf: RequestFactory) -> None:
    """TPM services are outside: their package knows none of ours, and its one action writes its line itself."""
    request = rf.get("/")
    request.user = User.objects.create_superuser("otto")
    for model, page in admin.site._registry.items():
        if model._meta.app_label in {"accounts", "stations", "ledger"} and not isinstance(page, Logged):
            assert not page.has_change_permission(request) and not page.has_add_permission(request), model
            assert not page.has_delete_permission(request) and not page.actions, model


def test_no_secret_is_in_it(staff_browser: Client, connector: Connector, owner: User) -> None:
    response = staff_browser.post(address("stations.station", "credential", connector.station_id))
    station = Station.objects.get(pk=connector.station_id)
    credential = called(Station, "credential_hash")
    assert f"{credential}: – → (not shown)" in lines()
    form = {"action": "withdraw_credential", "_selected_action": str(station.pk), "confirmed": "yes"}
    staff_browser.post(address("stations.station", "changelist"), form)
    assert f"{credential}: (not shown) → –" in lines()
    kept = json.dumps(list(LogEntry.objects.values_list("change_message", flat=True)))
    assert station.credential_hash not in kept and response.status_code == 200
    assert "password" in values_of(owner) and owner.password not in kept


def test_actions_are_in_it(staff_browser: Client, make_session: MakeSession) -> None:
    session = make_session("CONFLICT")
    LedgerEntry.objects.filter(session=session).update(conflict="ledger id 1: another record")
    entry = LedgerEntry.objects.get(session=session)
    act(staff_browser, "ledger.ledgerentry", "send_again", entry)
    assert "Sent again." in lines() and f"{called(LedgerEntry, 'conflict')}: ledger id 1: another record → –" in lines()
    alert = Alert.objects.create(code="ram", message="RAM")
    act(staff_browser, "ledger.alert", "close", alert)
    assert any(line.startswith(f"{called(Alert, 'closed_at')}: – → ") for line in lines())


def test_nobody_rewrites_it(staff_browser: Client, everything: ChargingSession) -> None:
    act(staff_browser, "ledger.alert", "close", Alert.objects.first())
    entry = LogEntry.objects.latest("pk")
    before = (entry.change_message, LogEntry.objects.count())
    listed = text(staff_browser, reverse("admin:admin_logentry_changelist"))
    assert "Closed." in listed and "delete_selected" not in listed
    for page, arguments in (("change", [entry.pk]), ("delete", [entry.pk]), ("add", [])):
        form = {"change_message": "nothing", "post": "yes"}
        assert staff_browser.post(reverse(f"admin:admin_logentry_{page}", args=arguments), form).status_code == 403
    act_form = {"action": "delete_selected", "_selected_action": str(entry.pk), "post": "yes"}
    staff_browser.post(reverse("admin:admin_logentry_changelist"), act_form)
    entry.refresh_from_db()
    assert (entry.change_message, LogEntry.objects.count()) == before


@pytest.mark.parametrize(
    "message", ["", "A text.", "[1]", "{", '{"a": 1}', '[{"added": {}}]', '[{"changed": {"fields": ["x"]}}]']
)
def test_entries_of_every_form_can_be_read(message: str) -> None:
    assert all(isinstance(line.text, str) for line in change_lines(LogEntry(action_flag=2, change_message=message)))


def test_hostile_text_stays_text(staff_browser: Client, connector: Connector) -> None:
    form = {"site": connector.station.site_id, "vendor": "<script>alert(1)</script>", "security_profile": 1}
    form |= {f"connectors-{name}": 0 for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
    staff_browser.post(address("stations.station", "change", connector.station_id), form)
    for page in (
        address("stations.station", "history", connector.station_id),
        reverse("admin:admin_logentry_changelist"),
    ):
        shown = staff_browser.get(page).content.decode()
        assert "&lt;script&gt;alert(1)" in shown and "<script>alert(1)" not in shown
