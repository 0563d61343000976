"""Certificates and passwords of stations in the admin: what an operator sees, asks of a station, and takes back."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django.fixtures import Settings

from accounts.models import Role, User
from stations.models import (
    CertificateRequest,
    Command,
    InstalledRoot,
    NextCredential,
    Station,
    StationAuthority,
    StationCertificate,
)
from tests.people import log_in
from tests.stations.certificates.asking import certified

pytestmark = pytest.mark.django_db
State = StationCertificate.State


def staff(role: str) -> Client:
    client = Client()
    user = User.objects.create_user(f"staff-{role.lower()}", is_staff=True, roles=[role])
    log_in(client, user)
    return client


@pytest.fixture
def operator() -> Client:
    return staff(Role.OPERATOR)


@pytest.fixture
def row(station: Station) -> StationCertificate:
    return certified(station)


def page(client: Client, name: str, *args: object) -> str:
    response = client.get(reverse(f"admin:{name}", args=args))
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def connecting(station: Station) -> str:
    return reverse("admin:stations_station_connecting", args=[station.pk])


def test_a_new_charger_is_told_what_to_enter(operator: Client, station: Station, settings: Settings) -> None:
    """Address, identity and password stand on one page, the password this once, for 1.6 in hexadecimal as well."""
    settings.OCPP_PUBLIC_URL = "wss://ocpp.example.org/ocpp"
    response = operator.post(reverse("admin:stations_station_credential", args=[station.pk]))
    shown, credential = response.content.decode(), response.context["credential"]
    for words in (
        *("wss://ocpp.example.org/ocpp</code>", "wss://ocpp.example.org/ocpp/CP-HARBOUR-7</code>"),
        *(f"<code>{credential}</code>", f"<code>{credential.encode().hex()}</code>", "3: certificate of its own"),
    ):
        assert words in shown
    again = operator.get(connecting(station)).content.decode()
    assert "wss://ocpp.example.org/ocpp/CP-HARBOUR-7" in again and credential not in again


def test_what_a_station_is_asked(operator: Client, station: Station, row: StationCertificate) -> None:
    """A new password, a request for a certificate, our root: each waits for the station as a command."""
    root = StationAuthority.objects.get()
    InstalledRoot.objects.all().delete()
    for what in ("rotate", "ask", f"install:{root.pk}", "install:999", "nonsense"):
        assert operator.post(connecting(station), {"do": what}).status_code == 302
    asked = list(Command.objects.order_by("pk").values_list("kind", "by", "user__username"))
    by = ("OPERATOR", "staff-operator")
    assert asked == [(kind, *by) for kind in ("set_credential", "trigger_message", "install_certificate")]
    assert NextCredential.objects.get().station == InstalledRoot.objects.get().station == station
    shown = page(operator, "stations_station_connecting", station.pk)
    assert "the station is not told yet" in shown and "the station is told" in shown and row.serial_number in shown


def test_many_stations_are_asked_at_once(operator: Client, station: Station, row: StationCertificate) -> None:
    """As before the next authority signs: its root on all of them, then new certificates."""
    InstalledRoot.objects.all().delete()
    Station.objects.create(site=station.site, identity="CP-HARBOUR-8")
    chosen = [str(pk) for pk in Station.objects.values_list("pk", flat=True)]
    for action in ("install_roots", "request_certificates"):
        form = {"action": action, "_selected_action": chosen}
        address = reverse("admin:stations_station_changelist")
        assert (
            "CP-HARBOUR-8" in operator.post(address, form).content.decode() and InstalledRoot.objects.count() % 2 == 0
        )
        operator.post(address, form | {"confirmed": "yes"})
    assert InstalledRoot.objects.count() == 2
    assert sorted(Command.objects.values_list("kind", flat=True)) == [
        *["install_certificate"] * 2,
        *["trigger_message"] * 2,
    ]


def test_the_organization_is_told_first(operator: Client, station: Station, settings: Settings) -> None:
    """As 1.6 and 2.x have it: its request has to name the operator."""
    settings.OCPP_ORGANIZATION = "Harbour Charging"
    for version in ("1.6", "2.0.1"):
        Station.objects.update(ocpp_version=version)
        operator.post(connecting(station), {"do": "ask"})
    found = list(Command.objects.order_by("pk").values_list("kind", "params"))
    variable = {"component": "SecurityCtrlr", "variable": "OrganizationName", "value": "Harbour Charging"}
    trigger = ("trigger_message", {"message": "SignChargingStationCertificate"})
    assert found == [
        *[("change_configuration", {"key": "CpoName", "value": "Harbour Charging"}), trigger],
        *[("set_variables", {"variables": [variable]}), trigger],
    ]


def test_a_certificate_is_revoked_for_a_reason(operator: Client, row: StationCertificate) -> None:
    address = reverse("admin:stations_stationcertificate_revoke", args=[row.pk])
    assert "Revoke this certificate" in page(operator, "stations_stationcertificate_change", row.pk)
    assert "This field is required" in operator.post(address, {"reason": ""}).content.decode()
    response = operator.post(address, {"reason": "CESSATION"}, follow=True)
    assert "opens nothing any more" in response.content.decode()
    row.refresh_from_db()
    assert (row.state, row.reason) == (State.REVOKED, "CESSATION") and str(row.revoked_by) == "staff-operator"
    assert StationAuthority.objects.get().crl_due_at <= timezone.now()
    assert "It was revoked at" in operator.post(address, {"reason": "CESSATION"}).content.decode()
    assert "Revoke this certificate" not in page(operator, "stations_stationcertificate_change", row.pk)


def test_the_home_says_what_needs_a_person(operator: Client, station: Station, row: StationCertificate) -> None:
    """What runs out, what was refused or rejected, and an authority that ends; settled and renewed it is gone."""
    NextCredential.objects.create(station=station, credential_hash="x", state="REFUSED", answer="Rejected: no")
    home = page(operator, "index")
    for words in (
        *("the authority ends on", "its certificate runs out on", "the station is asked to renew it"),
        *("expected a PKCS#10 request", "it did not take its new password", "Rejected: no"),
    ):
        assert words in home
    request = CertificateRequest.objects.get()
    form = {"action": "settle", "_selected_action": [str(request.pk)], "confirmed": "yes"}
    operator.post(reverse("admin:stations_certificaterequest_changelist"), form)
    NextCredential.objects.all().delete()
    StationAuthority.objects.update(valid_to=timezone.now() + timedelta(days=1000))
    StationCertificate.objects.update(state=State.REJECTED, answer="InvalidSignature")
    home = page(operator, "index")
    assert "the station rejected its new certificate" in home and "InvalidSignature" in home
    assert "PKCS#10" not in home and "the authority ends" not in home and "runs out" not in home
    StationCertificate.objects.update(state=State.ACCEPTED, expires_at=timezone.now() + timedelta(days=300))
    assert "Certificates of stations</h2>" not in page(operator, "index")


def test_who_only_reads_changes_nothing(station: Station, row: StationCertificate) -> None:
    """An auditor sees certificates and lists, and asks nothing of a station; a driver sees nothing."""
    auditor, driver = staff(Role.AUDITOR), Client()
    log_in(driver, User.objects.create_user("driver"))
    assert "Revoke this certificate" not in page(auditor, "stations_stationcertificate_change", row.pk)
    revoke = reverse("admin:stations_stationcertificate_revoke", args=[row.pk])
    for client in (auditor, driver, Client()):
        for address in (revoke, connecting(station)):
            assert client.get(address).status_code in (302, 403, 404)
            assert client.post(address, {"do": "rotate", "reason": "CESSATION"}).status_code in (302, 403, 404)
    row.refresh_from_db()
    assert row.revoked_at is None and not Command.objects.exists()
