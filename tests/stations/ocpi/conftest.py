"""A published site with an outlet, and three who ask for it: the provider of the card, another one, a stranger."""

import base64
import itertools
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from stations.charging.sessions import location_of
from stations.models import ChargingSession, Connector, IdToken, OcpiPartner, Site, Station, Tariff
from stations.ocpi.partners import token_hash
from tests.stations.ocpi import schema, schema_2_3_0

VERSIONS = {"2.2.1": schema.OBJECTS, "2.3.0": schema_2_3_0.OBJECTS}
STARTED_AT = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def ocpi_on(settings: Settings) -> None:
    settings.OCPI_COUNTRY_CODE, settings.OCPI_PARTY_ID = "DE", "EVP"
    settings.OCPI_OPERATOR_NAME = "Harbour charging"
    settings.OCPI_PARTNER_URLS = "any"
    settings.OCPI_CDR_SETTLE_S = 0


class Partner:
    """A partner at the real URLs with a credentials token."""

    def __init__(self, row: OcpiPartner, token: str) -> None:
        self.row, self.token, self.http = row, token, Client()

    def headers(self, token: str | None = None) -> dict[str, str]:
        return {"Authorization": "Token " + base64.b64encode((token or self.token).encode()).decode()}

    def get(self, path: str, **headers: str) -> Any:
        return self.http.get(f"/ocpi/{path}", headers=self.headers() | headers)

    def objects(self, module: str, query: str = "", *, version: str = "2.2.1") -> list[dict[str, Any]]:
        """All objects of a module on all pages, each as the specification wants it."""
        address = f"{version}/{module}?{query}"
        found: list[dict[str, Any]] = []
        while address:
            answer = self.get(address)
            found += data(answer)
            link = answer.headers.get("Link", "")
            address = link.partition("/ocpi/")[2].partition(">")[0]
        for one in found:
            schema.check(VERSIONS[version][module], one)
        return found


def body(answer: Any) -> dict[str, Any]:
    """The envelope of an answer, its numbers as Decimal."""
    assert answer["Content-Type"] == "application/json", answer.content
    found: dict[str, Any] = json.loads(answer.content, parse_float=Decimal, parse_int=Decimal)
    schema.check(schema.ENVELOPE, found)
    return found


def data(answer: Any) -> Any:
    assert answer.status_code == 200, answer.content
    found = body(answer)
    assert found["status_code"] == 1000, found
    return found["data"]


def refused(answer: Any, http: int, code: int) -> str:
    found = body(answer)
    assert (answer.status_code, found["status_code"]) == (http, code), found
    assert "data" not in found
    return str(found["status_message"])


def partner_make(party: str, **changes: Any) -> Partner:
    token = f"token-{party}-{uuid.uuid4()}"
    role = {"role": "EMSP", "country_code": "DE", "party_id": party, "name": party}
    fields = {"status": OcpiPartner.Status.REGISTERED, "roles": [role], "token_hash": token_hash(token)}
    row = OcpiPartner.objects.create(name=party, country_code="DE", party_id=party, **fields | changes)
    return Partner(row, token)


@pytest.fixture
def tariff(db: None) -> Tariff:
    prices = {"price_per_kwh": Decimal("0.49"), "price_per_session": Decimal("1.19")}
    return Tariff.objects.create(code="HARBOUR", name="Harbour tariff", vat_percent=Decimal(19), **prices)


@pytest.fixture
def site(tariff: Tariff) -> Site:
    return site_make("S1", tariff=tariff)


def site_make(code: str, **changes: Any) -> Site:
    fields = {
        "name": "Harbour office",
        "address": "Am Kai 7",
        "city": "Kiel",
        "postal_code": "24103",
        "country": "DEU",
        "latitude": Decimal("54.323293"),
        "longitude": Decimal("10.122765"),
        "time_zone": "Europe/Berlin",
        "public": True,
    }
    return Site.objects.create(code=code, **fields | changes)


@pytest.fixture
def connector(site: Site) -> Connector:
    return connector_make(Station.objects.create(site=site, identity="CP-HARBOUR-1"))


def connector_make(station: Station, number: int = 1, **changes: Any) -> Connector:
    fields = {
        "emi3_id": f"DE*EVP*E{station.pk}*{number}",
        "standard": "IEC_62196_T2",
        "format": "SOCKET",
        "power_type": "AC_3_PHASE",
        "max_voltage": 230,
        "max_amperage": 32,
        "max_power_w": 22_000,
        "status": "AVAILABLE",
    }
    return Connector.objects.create(station=station, evse_id=number, **fields | changes)


@pytest.fixture
def card(db: None) -> IdToken:
    """A card of the provider DE 8AC."""
    return IdToken.objects.create(uid="04A2B3C4D5E680", contract_id="DE-8AC-C12E46L89-1")


Charge = Callable[..., ChargingSession]


@pytest.fixture
def charge(connector: Connector, card: IdToken, tariff: Tariff) -> Charge:
    """A finished session with that card: 7.78 kWh, 3.81 + 1.19 EUR."""
    numbers = itertools.count(1)

    def make(**changes: Any) -> ChargingSession:
        number = next(numbers)
        started_at = STARTED_AT + timedelta(hours=number)
        fields: dict[str, Any] = {
            "station": connector.station,
            "connector": connector,
            "transaction_id": f"T{number}-{uuid.uuid4().hex[:8]}",
            "id_token": card,
            "location": location_of(connector.station.site),
            "tariff": tariff.snapshot(),
            "status": ChargingSession.Status.COMPLETED,
            "started_at": started_at,
            "stopped_at": started_at + timedelta(minutes=46),
            "meter_start_wh": 1000,
            "meter_stop_wh": 8780,
            "energy_wh": 7_780,
            "cost_minor": 381 + 119,
            "currency": "EUR",
            "source": ChargingSession.Source.STATION,
        }
        return ChargingSession.objects.create(**fields | changes)

    return make


@pytest.fixture
def provider(db: None) -> Partner:
    """DE 8AC, whose card it is."""
    return partner_make("8AC")


@pytest.fixture
def other(db: None) -> Partner:
    return partner_make("OTH")
