"""What partners read: each object as the specification's tables want it, with exactly our figures."""

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import AccessLogEntry
from stations.charging.corrections import Figures, session_correct
from stations.models import ChargingSession, Connector, IdToken, MeterValue, Site, Station, Tariff
from stations.ocpi.locations import STATUSES, evse_uid
from tests.stations.ocpi import schema
from tests.stations.ocpi.conftest import Charge, Partner, connector_make, data, partner_make, refused, site_make

pytestmark = pytest.mark.django_db
FROM = "date_from=2000-01-01T00:00:00Z"
HARBOUR = {
    "id": "S1",
    "name": "Harbour office",
    "address": "Am Kai 7",
    "city": "Kiel",
    "postal_code": "24103",
    "country": "DEU",
    "coordinates": {"latitude": "54.323293", "longitude": "10.122765"},
}


def one(objects: list[dict[str, Any]]) -> dict[str, Any]:
    assert len(objects) == 1
    return objects[0]


def without(found: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name not in names}


# --- Locations


def test_a_location_with_its_evses(provider: Partner, connector: Connector) -> None:
    connector_make(connector.station, 2, status="OCCUPIED", max_power_w=None, format="CABLE")
    Connector.objects.filter(evse_id=2).update(connector_id=2)
    location = one(provider.objects("locations"))
    assert without(location, "evses", "last_updated") == {
        "country_code": "DE",
        "party_id": "EVP",
        **HARBOUR,
        "publish": True,
        "time_zone": "Europe/Berlin",
    }
    first, second = location["evses"]
    assert (first["evse_id"], first["status"], second["status"]) == (connector.emi3_id, "AVAILABLE", "CHARGING")
    assert without(first["connectors"][0], "last_updated") == {
        "id": "1",
        "standard": "IEC_62196_T2",
        "format": "SOCKET",
        "power_type": "AC_3_PHASE",
        "max_voltage": 230,
        "max_amperage": 32,
        "max_electric_power": 22_000,
        "tariff_ids": ["HARBOUR"],
    }
    assert "max_electric_power" not in second["connectors"][0]


def test_outlets_of_one_evse_are_one_evse(provider: Partner, connector: Connector) -> None:
    """While a car uses one of them, the EVSE is in use."""
    Connector.objects.create(
        **{name: getattr(connector, name) for name in ("station", "evse_id", "emi3_id", "standard", "format")},
        **{name: getattr(connector, name) for name in ("power_type", "max_voltage", "max_amperage")},
        connector_id=2,
        status="OCCUPIED",
    )
    evse = one(one(provider.objects("locations"))["evses"])
    assert (evse["status"], [each["id"] for each in evse["connectors"]]) == ("CHARGING", ["1", "2"])


def test_a_location_an_evse_and_a_connector_by_their_ids(provider: Partner, connector: Connector) -> None:
    location = one(provider.objects("locations"))
    uid = location["evses"][0]["uid"]
    assert uid == evse_uid("CP-HARBOUR-1", 1)
    for path, found, kind in (
        ("s1", location, schema.LOCATION),
        (f"S1/{uid}", location["evses"][0], schema.EVSE),
        (f"S1/{uid.upper()}/1", location["evses"][0]["connectors"][0], schema.CONNECTOR),
    ):
        answer = data(provider.get(f"2.2.1/locations/{path}"))
        schema.check(kind, answer)
        assert answer == found
    for path in ("S2", "S1/x", f"S1/{uid}/2", "%00", "S1/%00"):
        refused(provider.get(f"2.2.1/locations/{path}"), 404, 2003)


@pytest.mark.parametrize(
    "lacks",
    [{"address": ""}, {"address": "x" * 46}, {"city": ""}, {"country": "D"}, {"latitude": None}, {"longitude": None}],
)
def test_a_site_without_what_ocpi_demands_is_not_published(provider: Partner, lacks: dict[str, Any]) -> None:
    site_make("S2", **lacks)
    assert provider.objects("locations") == []


@pytest.mark.parametrize(
    "lacks",
    [
        *({name: ""} for name in ("emi3_id", "standard", "format", "power_type")),
        *({name: None} for name in ("max_voltage", "max_amperage")),
        {"standard": "IEC_62196_T9"},
    ],
)
def test_an_outlet_without_what_ocpi_demands_is_not_published(
    provider: Partner, charge: Charge, connector: Connector, lacks: dict[str, Any]
) -> None:
    charge()
    Connector.objects.update(**lacks)
    assert one(provider.objects("locations"))["evses"] == []
    assert provider.objects("sessions", FROM) == provider.objects("cdrs") == []


def test_a_change_of_a_part_is_a_change_of_the_whole(provider: Partner, connector: Connector) -> None:
    since = timezone.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert provider.objects("locations", f"date_from={since}") == []
    connector.status = "FAULTED"
    connector.save(update_fields=["status"])
    location = one(provider.objects("locations", f"date_from={since}"))
    evse = location["evses"][0]
    assert evse["status"] == "OUTOFORDER"
    assert location["last_updated"] == evse["last_updated"] == evse["connectors"][0]["last_updated"]
    Station.objects.update(last_seen_at=timezone.now())
    assert one(provider.objects("locations"))["last_updated"] == location["last_updated"], "nothing that is told"


# --- Tariffs


def test_a_tariff_without_vat_in_its_prices(provider: Partner, connector: Connector, tariff: Tariff) -> None:
    Tariff.objects.update(valid_to=timezone.now() + timedelta(days=1))
    found = one(provider.objects("tariffs"))
    assert without(found, "last_updated", "end_date_time") == {
        "country_code": "DE",
        "party_id": "EVP",
        "id": "HARBOUR",
        "currency": "EUR",
        "tariff_alt_text": [{"language": "en", "text": "Harbour tariff"}],
        "elements": [
            {
                "price_components": [
                    {"type": "ENERGY", "price": Decimal("0.4118"), "vat": 19, "step_size": 1},
                    {"type": "FLAT", "price": 1, "vat": 19, "step_size": 1},
                ]
            }
        ],
    }


def test_numbers_are_written_digit_by_digit(provider: Partner, connector: Connector) -> None:
    answer = provider.get("2.2.1/tariffs").content
    assert b'"price":0.4118,"vat":19,' in answer and b'"price":1,' in answer


def test_free_of_charge_is_said_as_ocpi_says_it(provider: Partner, connector: Connector, tariff: Tariff) -> None:
    Tariff.objects.update(price_per_kwh=0, price_per_session=0, vat_percent=None)
    components = one(provider.objects("tariffs"))["elements"][0]["price_components"]
    assert components == [{"type": "FLAT", "price": 0, "step_size": 1}]


def test_an_outlets_own_tariff_is_the_one_that_is_named(provider: Partner, connector: Connector) -> None:
    own = Tariff.objects.create(code="FAST", name="Fast", price_per_kwh=Decimal("0.79"))
    Tariff.objects.create(code="UNUSED", name="Unused")
    Connector.objects.update(tariff=own)
    assert one(provider.objects("locations"))["evses"][0]["connectors"][0]["tariff_ids"] == ["FAST"]
    assert [found["id"] for found in provider.objects("tariffs")] == ["HARBOUR", "FAST"]


# --- Sessions


def test_a_session_while_it_runs(provider: Partner, charge: Charge) -> None:
    running = {"status": "ACTIVE", "stopped_at": None, "meter_stop_wh": None, "energy_wh": None}
    row = charge(**running, cost_minor=None, currency="")
    for minute, register in ((5, 1500), (10, 2750)):
        MeterValue.objects.create(
            session=row, sampled_at=row.started_at + timedelta(minutes=minute), value=Decimal(register)
        )
    found = one(provider.objects("sessions", FROM))
    assert without(found, "last_updated", "cdr_token", "evse_uid") == {
        "country_code": "DE",
        "party_id": "EVP",
        "id": str(row.pk),
        "start_date_time": "2026-03-01T09:00:00.000Z",
        "kwh": Decimal("1.75"),
        "auth_method": "WHITELIST",
        "location_id": "S1",
        "connector_id": "1",
        "currency": "EUR",
        "status": "ACTIVE",
    }


def test_a_session_that_ended(provider: Partner, charge: Charge) -> None:
    charge()
    found = one(provider.objects("sessions", FROM))
    assert (found["kwh"], found["status"]) == (Decimal("7.78"), "COMPLETED")
    assert found["total_cost"] == {"excl_vat": Decimal("4.2017"), "incl_vat": 5}


def test_a_session_that_cannot_be_true_is_invalid_and_has_no_cdr(provider: Partner, charge: Charge) -> None:
    charge(status="INVALID", energy_wh=None, cost_minor=None, currency="", meter_stop_wh=1)
    found = one(provider.objects("sessions", FROM))
    assert (found["kwh"], found["status"]) == (0, "INVALID") and "total_cost" not in found
    assert provider.objects("cdrs") == []


# --- CDRs


def test_a_cdr(provider: Partner, charge: Charge, connector: Connector) -> None:
    row = charge()
    found = one(provider.objects("cdrs"))
    (tariff,) = found["tariffs"]
    assert tariff["id"] == "HARBOUR" and tariff["last_updated"] == "2026-03-01T09:00:00.000Z"
    assert without(found, "tariffs", "last_updated") == {
        "country_code": "DE",
        "party_id": "EVP",
        "id": str(row.pk),
        "start_date_time": "2026-03-01T09:00:00.000Z",
        "end_date_time": "2026-03-01T09:46:00.000Z",
        "session_id": str(row.pk),
        "cdr_token": {
            "country_code": "DE",
            "party_id": "8AC",
            "uid": "04A2B3C4D5E680",
            "type": "RFID",
            "contract_id": "DE-8AC-C12E46L89-1",
        },
        "auth_method": "WHITELIST",
        "cdr_location": {
            **HARBOUR,
            "evse_uid": evse_uid("CP-HARBOUR-1", 1),
            "evse_id": connector.emi3_id,
            "connector_id": "1",
            "connector_standard": "IEC_62196_T2",
            "connector_format": "SOCKET",
            "connector_power_type": "AC_3_PHASE",
        },
        "currency": "EUR",
        "charging_periods": [
            {
                "start_date_time": "2026-03-01T09:00:00.000Z",
                "dimensions": [{"type": "ENERGY", "volume": Decimal("7.78")}],
                "tariff_id": "HARBOUR",
            }
        ],
        "total_cost": {"excl_vat": Decimal("4.2017"), "incl_vat": 5},
        "total_fixed_cost": {"excl_vat": 1, "incl_vat": Decimal("1.19")},
        "total_energy": Decimal("7.78"),
        "total_energy_cost": {"excl_vat": Decimal("3.2017"), "incl_vat": Decimal("3.81")},
        "total_time": Decimal("0.7667"),
        "remark": f"Receipt: http://testserver/sessions/{row.pk}/receipt",
    }


def test_a_credit_gives_the_cost_back_and_repeats_the_rest(provider: Partner, charge: Charge) -> None:
    row = charge()
    credit = charge(credit=True, credit_reference=row, energy_wh=-7_780, cost_minor=-500, meter_stop_wh=1000)
    original, found = provider.objects("cdrs")
    assert found["total_cost"] == {"excl_vat": Decimal("-4.2017"), "incl_vat": -5}
    assert (found["id"], found["credit"], found["credit_reference_id"]) == (str(credit.pk), True, str(row.pk))
    own = ("id", "total_cost", "remark", "credit", "credit_reference_id", "last_updated")
    assert without(found, *own) == without(original, *own)
    assert len(provider.objects("sessions", FROM)) == 1, "a credit is no session"


def test_a_correction_by_an_operator_is_a_credit_and_a_new_cdr(
    provider: Partner, charge: Charge, django_user_model: Any
) -> None:
    row = charge()
    wrong = charge(status="INVALID", energy_wh=None, cost_minor=None, currency="", meter_stop_wh=1)
    olga = django_user_model.objects.create_user("olga")
    end = row.started_at + timedelta(minutes=30)
    figures = Figures(energy_wh=5_000, cost_minor=364, started_at=row.started_at, stopped_at=end)
    for about in (row, wrong):
        session_correct(session=about, reason="the meter was read wrongly", figures=figures, by=olga)
    billed, credit, *replacements = provider.objects("cdrs")
    assert (credit["credit_reference_id"], credit["total_cost"]["incl_vat"]) == (billed["id"], -5)
    assert [one["total_energy"] for one in replacements] == [5, 5] and not any("credit" in one for one in replacements)
    assert len(provider.objects("sessions", FROM)) == 4


def test_the_place_and_the_tariff_are_those_of_the_start(provider: Partner, charge: Charge, site: Site) -> None:
    charge()
    Site.objects.update(name="Renamed", address="New street 1", latitude=Decimal(1))
    Tariff.objects.update(price_per_kwh=9)
    found = one(provider.objects("cdrs"))
    place = found["cdr_location"]
    assert (place["name"], place["address"]) == ("Harbour office", "Am Kai 7")
    assert place["coordinates"]["latitude"] == "54.323293"
    assert found["tariffs"][0]["elements"][0]["price_components"][0]["price"] == Decimal("0.4118")


def test_a_session_of_before_says_of_its_place_what_the_site_says_now(provider: Partner, charge: Charge) -> None:
    charge(location={"id": "S1", "name": "Old name", "country": "DEU", "time_zone": "UTC"}, tariff={})
    found = one(provider.objects("cdrs"))
    assert (found["cdr_location"]["name"], found["cdr_location"]["city"]) == ("Old name", "Kiel")
    assert "tariffs" not in found and "tariff_id" not in found["charging_periods"][0]
    assert found["total_cost"] == {"excl_vat": 5}, "without tariff nothing is known of VAT"


def test_what_costs_nobody_knows_what_has_no_cdr(provider: Partner, charge: Charge) -> None:
    charge(cost_minor=None, currency="", tariff={})
    assert provider.objects("cdrs") == []


def test_tokens_of_every_kind(charge: Charge) -> None:
    everything = partner_make("HUB", sessions="ALL")
    for uid, kind, contract in (
        ("A1", "ISO14443", "NL8ACC12E46L89"),
        ("A2", "Central", ""),
        ("A3", "Local", "no eMA ID"),
    ):
        charge(id_token=IdToken.objects.create(uid=uid, type=kind, contract_id=contract))
    charge(id_token=None)
    tokens = [found["cdr_token"] for found in everything.objects("cdrs")]
    ours = {"country_code": "DE", "party_id": "EVP"}
    theirs = {"country_code": "NL", "party_id": "8AC"}
    assert tokens == [
        {**theirs, "uid": "A1", "type": "RFID", "contract_id": "NL8ACC12E46L89"},
        {**ours, "uid": "A2", "type": "APP_USER", "contract_id": "A2"},
        {**ours, "uid": "A3", "type": "OTHER", "contract_id": "no eMA ID"},
        {**ours, "uid": "#NA", "type": "OTHER", "contract_id": "#NA"},
    ]


# --- Who sees what


def test_a_provider_sees_its_own_contracts_only(provider: Partner, other: Partner, charge: Charge) -> None:
    charge()
    charge(id_token=IdToken.objects.create(uid="B1", contract_id="DE8ACC00000001"))
    charge(id_token=IdToken.objects.create(uid="B2", contract_id="DE8ACshort"))
    charge(id_token=IdToken.objects.create(uid="B3", contract_id="NL8ACC00000001"))
    charge(id_token=None)
    for module in ("sessions", "cdrs"):
        assert [found["cdr_token"]["uid"] for found in provider.objects(module, FROM)] == ["04A2B3C4D5E680", "B1"]
        assert other.objects(module, FROM) == []
        assert partner_make(f"N{module[0].upper()}1", sessions="NONE").objects(module, FROM) == []
        assert len(partner_make(f"A{module[0].upper()}1", sessions="ALL").objects(module, FROM)) == 5


def test_a_partner_sees_its_sites_only(connector: Connector, charge: Charge) -> None:
    charge()
    elsewhere = partner_make("ELS", sessions="ALL")
    elsewhere.row.sites.add(site_make("S2", name="Mill"))
    assert [found["id"] for found in elsewhere.objects("locations")] == ["S2"]
    assert elsewhere.objects("tariffs") == elsewhere.objects("cdrs") == elsewhere.objects("sessions", FROM) == []
    refused(elsewhere.get("2.2.1/locations/S1"), 404, 2003)


def test_no_customer_is_ever_named(provider: Partner, charge: Charge, django_user_model: Any) -> None:
    anna = django_user_model.objects.create_user("anna-secret", email="anna-secret@example.org", last_name="Secret")
    charge(customer=anna)
    IdToken.objects.update(customer=anna)
    for path in ("locations", "tariffs", f"sessions?{FROM}", "cdrs"):
        assert not re.search(rb"secret|customer", provider.get(f"2.2.1/{path}").content, re.IGNORECASE)


def test_a_customer_can_see_which_partner_looked(provider: Partner, charge: Charge, django_user_model: Any) -> None:
    anna = django_user_model.objects.create_user("anna")
    charge(customer=anna), charge(customer=anna), charge()
    provider.objects("locations"), provider.objects("tariffs")
    assert not AccessLogEntry.objects.exists()
    provider.objects("cdrs")
    look = AccessLogEntry.objects.get()
    assert (look.customer, look.viewer_name, look.what) == (anna, "OCPI partner 8AC (DE*8AC)", "api")
    assert look.subject == "/ocpi/2.2.1/cdrs"


def test_linking_a_customer_is_no_change_that_partners_hear_of(provider: Partner, charge: Charge) -> None:
    row = charge()
    ChargingSession.objects.filter(pk=row.pk).update(customer=None)
    row.save(update_fields=["customer"])
    before = row.updated_at
    row.refresh_from_db()
    assert row.updated_at == before


@pytest.mark.parametrize(
    ("ours", "told"),
    [(("RESERVED", "AVAILABLE"), "RESERVED"), (("OCCUPIED", "RESERVED"), "CHARGING"), (("FAULTED",), "OUTOFORDER")],
)
def test_one_outlet_that_is_taken_takes_the_evse(ours: tuple[str, ...], told: str) -> None:
    """Each status of ours has its word at OCPI; of several outlets the one that keeps drivers away counts."""
    assert set(STATUSES) == set(Connector.Status.values)
    assert next(word for status, word in STATUSES.items() if status in ours) == told
