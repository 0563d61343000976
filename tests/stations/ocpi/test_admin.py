"""Operators connect and disconnect partners in the admin; what is not published is said with its reason."""

import re
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from accounts.login.roles import roles_set
from accounts.models import Role, User
from stations.models import Connector, OcpiPartner, Site
from stations.ocpi.partners import token_hash
from tests.people import log_in
from tests.stations.ocpi.conftest import Partner, body, connector_make, data, refused, site_make

pytestmark = pytest.mark.django_db


@pytest.fixture
def staff() -> Any:
    def client_of(role: Role) -> Client:
        user = User.objects.create_user(f"some-{role.value}")
        roles_set(user=user, roles=[role.value])
        client = Client()
        log_in(client, user)
        return client

    return client_of


def address(partner: Partner, step: str) -> str:
    return f"/admin/stations/ocpipartner/{partner.row.pk}/{step}/"


def test_an_operator_makes_a_token_that_is_shown_once(provider: Partner, staff: Any) -> None:
    operator = staff(Role.OPERATOR)
    asked = operator.get(address(provider, "token"))
    assert asked.status_code == 200 and provider.get("versions").status_code == 200, "asking changes nothing"
    shown = operator.post(address(provider, "token")).content.decode()
    found = re.search(r'<p class="ev-secret"><code>([^<]+)</code>', shown)
    assert found and "http://testserver/ocpi/versions" in shown
    provider.row.refresh_from_db()
    assert (provider.row.status, provider.row.token_hash) == ("INVITED", token_hash(found[1]))
    refused(provider.get("versions"), 401, 2000)
    page = operator.get(f"/admin/stations/ocpipartner/{provider.row.pk}/change/").content.decode()
    assert found[1] not in page and provider.row.token_hash not in page


def test_an_operator_ends_a_connection(provider: Partner, staff: Any) -> None:
    operator = staff(Role.OPERATOR)
    assert operator.get(address(provider, "end")).status_code == 200
    assert "is ended" in operator.post(address(provider, "end")).content.decode()
    refused(provider.get("versions"), 401, 2000)


def test_others_do_not(provider: Partner, staff: Any) -> None:
    for role in (Role.AUDITOR, Role.CUSTOMER):
        client = staff(role)
        for step in ("token", "end"):
            for answer in (client.get(address(provider, step)), client.post(address(provider, step))):
                assert answer.status_code in {302, 403, 404}
    assert provider.get("versions").status_code == 200


def test_an_operator_adds_a_partner(staff: Any) -> None:
    form = {"name": "Eight volts", "country_code": "DE", "party_id": "8AC", "sessions": "OWN"}
    operator = staff(Role.OPERATOR)
    assert operator.post("/admin/stations/ocpipartner/add/", form | {"party_id": "8ac"}).status_code == 200
    assert operator.post("/admin/stations/ocpipartner/add/", form).status_code == 302
    partner = OcpiPartner.objects.get()
    assert partner.status == "NEW"
    change = f"/admin/stations/ocpipartner/{partner.pk}/change/"
    assert operator.post(change, form | {"name": "Nine volts", "party_id": "OTH"}).status_code == 302
    partner.refresh_from_db()
    assert (partner.name, partner.party_id) == ("Nine volts", "8AC"), "whose sessions are its own stays"


def test_what_is_missing_is_said(site: Site, connector: Connector, staff: Any) -> None:
    operator = staff(Role.OPERATOR)
    site_make("S2", city="", latitude=None)
    connector_make(connector.station, 2, standard="")
    page = operator.get("/admin/stations/site/").content.decode()
    pages = [f"/admin/stations/site/{row.pk}/change/" for row in Site.objects.order_by("code")]
    complete, lacking = (operator.get(one).content.decode() for one in pages)
    assert "lacks" not in complete and "lacks a city of up to 45 characters, a latitude" in lacking
    outlet = Connector.objects.get(evse_id=2)
    assert "ConnectorType" in operator.get(f"/admin/stations/connector/{outlet.pk}/change/").content.decode()
    assert page


@pytest.mark.parametrize(
    "lacks", [{}, {"city": ""}, {"address": "x" * 46}, {"country": "DE"}, {"latitude": None}, {"code": "S\u00e9"}]
)
def test_what_is_said_is_what_is_done(lacks: dict[str, Any], provider: Partner) -> None:
    """The words in the admin and the condition in the database agree."""
    from stations.ocpi.published import gaps

    row = site_make(**({"code": "S9"} | lacks))
    assert (gaps(row) == []) == (len(provider.objects("locations")) == 1) == (not lacks)


# --- OCPI off, and partners that get nothing


def test_no_token_is_made_for_an_address_that_is_not_there(provider: Partner, staff: Any, settings: Settings) -> None:
    settings.OCPI_PARTY_ID = ""
    before = provider.row.token_hash
    operator = staff(Role.OPERATOR)
    for answer in (operator.get(address(provider, "token")), operator.post(address(provider, "token"))):
        page = answer.content.decode()
        assert "OCPI is off" in page and "EVPORTAL_OCPI_PARTY_ID" in page and "ev-secret" not in page
    provider.row.refresh_from_db()
    assert provider.row.token_hash == before, "the token that it has stays"
    assert "OCPI is off" in operator.get(f"/admin/stations/ocpipartner/{provider.row.pk}/change/").content.decode()


def test_the_operator_reads_what_a_partner_gets_and_why_it_is_not_more(
    site: Site, connector: Connector, provider: Partner, staff: Any
) -> None:
    change = f"/admin/stations/ocpipartner/{provider.row.pk}/change/"
    operator = staff(Role.OPERATOR)
    connector_make(connector.station, 2, standard="Type 2")
    page = operator.get(change).content.decode()
    assert "sites: 1 of 1" in page and "outlets: 1 of 2; the others lack a standard of OCPI" in page
    assert "nobody charged at these outlets with a contract that begins with" in page
    shown = operator.post(address(provider, "token")).content.decode()
    assert "outlets: 1 of 2" in shown, "where the token is made, too"


def test_a_partner_that_gets_nothing_reads_why(site: Site, connector: Connector, provider: Partner) -> None:
    assert body(provider.get("2.2.1/locations"))["status_message"] == "Success"
    assert "nothing that you may see" in body(provider.get("2.2.1/cdrs"))["status_message"]
    Connector.objects.update(standard="Type 2")
    assert (
        "no outlet that you may see"
        in body(provider.get("2.2.1/tariffs?date_from=2100-01-01T00:00:00Z"))["status_message"]
    )
    Site.objects.update(country="DE")
    for module in ("locations", "tariffs", "cdrs", "sessions"):
        answer = provider.get(f"2.2.1/{module}?date_from=2020-01-01T00:00:00Z")
        assert data(answer) == [] and "no site that you may see" in body(answer)["status_message"]
