"""The admin's lists and forms: nothing is cut, what a standard has a list of is chosen from it, times have their zone,
and nobody has to read JSON."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib import admin
from django.db.models import DateTimeField
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer

from accounts.models import Role
from common.lists.names import countries, currency_name
from stations.models import ChargingSession, Connector, Site, Station, Tariff
from stations.tariffs.currencies import DIGITS
from tests.browsers import evaluated
from tests.evportal.admin.test_admin_forms_german import fields_of
from tests.people import person
from tests.portal.history.test_history import text
from tests.readers import reader_at

pytestmark = pytest.mark.django_db
SITE = {"code": "S-9", "name": "Quay", "time_zone": "Europe/Berlin", "currency": "EUR"}


def page_of(row: Any) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


# --- lists instead of free text


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ({"country": "DE"}, {"country": "DEU"}),
        ({"country": "Germany"}, {"country": ""}),
        ({"currency": "eur"}, {"currency": "DJF"}),
        ({"time_zone": "Berlin"}, {"time_zone": "Africa/Djibouti"}),
    ],
)
def test_a_site_is_described_from_the_lists(
    staff_browser: Client, wrong: dict[str, str], right: dict[str, str]
) -> None:
    add = reverse("admin:stations_site_add")
    refused = staff_browser.post(add, SITE | wrong)
    assert refused.status_code == 200 and list(refused.context["errors"]), "refused where it is entered"
    assert staff_browser.post(add, SITE | right).status_code == 302
    stored = Site.objects.values(*right).get(code="S-9")
    assert stored == right


def test_an_outlet_is_described_from_ocpis_lists(staff_browser: Client, connector: Connector) -> None:
    address = page_of(connector)
    form = fields_of(staff_browser.get(address).content.decode())
    for wrong in ({"standard": "Type 2"}, {"power_type": "AC"}):
        assert staff_browser.post(address, form | wrong).status_code == 200
    right = {"standard": "IEC_62196_T2", "power_type": "AC_3_PHASE"}
    assert staff_browser.post(address, form | right).status_code == 302
    connector.refresh_from_db()
    assert (connector.standard, connector.power_type) == ("IEC_62196_T2", "AC_3_PHASE")
    assert "IEC_62196_T2 (Type 2)" in text(staff_browser, address)


def test_what_was_entered_before_can_be_read_and_kept(staff_browser: Client, connector: Connector, site: Site) -> None:
    Connector.objects.filter(pk=connector.pk).update(standard="Type 2")
    Site.objects.filter(pk=site.pk).update(country="DE")
    for row, name, stored in ((connector, "standard", "Type 2"), (site, "country", "DE")):
        page = staff_browser.get(page_of(row)).content.decode()
        assert f"{stored} (not in the list)" in page
        answer = staff_browser.post(page_of(row), fields_of(page))
        assert answer.status_code == 302, answer.context["errors"]
        row.refresh_from_db()
        assert getattr(row, name) == stored, "nothing that nobody chose is changed"


def test_the_lists_have_names_in_both_languages() -> None:
    assert ("DEU", "Germany") in countries("en") and ("DEU", "Deutschland") in countries("de")
    assert len(countries("de")) == len(countries("en")) > 240
    german = [name for _code, name in countries("de")]
    assert german.index("Österreich") < german.index("Pakistan"), "where somebody looks for it"
    assert (currency_name("CHF", "en"), currency_name("CHF", "de")) == ("Swiss Franc", "Schweizer Franken")
    assert currency_name("ZZZ", "de") == ""
    assert [code for code in DIGITS if not currency_name(code, "en")] == []


# --- forms


@pytest.mark.parametrize("model", [Site, Station, Tariff, Connector], ids=lambda model: model.__name__)
def test_a_form_for_a_new_row_asks_and_tells_nothing(staff_browser: Client, model: type[Any]) -> None:
    page = staff_browser.get(reverse(f"admin:stations_{model._meta.model_name}_add")).content.decode()
    assert 'class="readonly"' not in page


def test_times_that_are_typed_have_their_zone(staff_browser: Client) -> None:
    page = text(staff_browser, reverse("admin:stations_tariff_add"))
    assert "Valid from, UTC:" in page and "Valid to, UTC:" in page


# --- what is read


def test_times_that_are_read_have_their_zone(staff_browser: Client, everything: ChargingSession) -> None:
    """Wherever the admin shows a moment by itself: on pages of rows, and in lists."""
    row = everything
    ChargingSession.objects.filter(pk=row.pk).update(restored_at=datetime(2026, 3, 2, 7, 5, tzinfo=UTC))
    assert "2 Mar 2026, 07:05 UTC" in text(staff_browser, page_of(row))
    Station.objects.filter(pk=row.station_id).update(last_seen_at=datetime(2026, 3, 2, 7, 5, tzinfo=UTC))
    assert "2 Mar 2026, 07:05 UTC" in text(staff_browser, reverse("admin:stations_station_changelist"))
    for model, page in admin.site._registry.items():
        moments = [name for name in page.list_display if isinstance(name, str) and _is_moment(model, name)]
        listed = text(staff_browser, reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"))
        for cell in re.findall(rf'class="field-(?:{"|".join(moments)})[^>]*>([^<]*\d\d:\d\d[^<]*)<', listed):
            assert moments == [] or cell.endswith("UTC"), (model, cell)


def _is_moment(model: Any, name: str) -> bool:
    return any(isinstance(field, DateTimeField) and field.name == name for field in model._meta.get_fields())


def test_nobody_reads_json(staff_browser: Client, everything: ChargingSession) -> None:
    for model in admin.site._registry:
        row = model._default_manager.order_by("-pk").first()
        if row is not None:
            page = text(staff_browser, page_of(row))
            assert not re.search(r'class="readonly">\s*(\{|\[)&quot;', page), model


def test_a_session_is_told_in_words(staff_browser: Client, everything: ChargingSession) -> None:
    place = {"id": "HH-1", "name": "Harbour", "country": "DEU", "time_zone": "Europe/Berlin"}
    tariff = {"id": "T-1", "name": "Day", "currency": "EUR", "price_per_kwh": "0.3500", "price_per_session": "0.5"}
    changed = {"location": place, "tariff": tariff | {"vat_percent": "19"}, "cost_minor": 382, "currency": "EUR"}
    ChargingSession.objects.filter(pk=everything.pk).update(**changed)
    page = text(staff_browser, page_of(everything))
    assert "Harbour (HH-1), DEU, time zone Europe/Berlin" in page
    assert "Day (T-1): 0.35 EUR per kWh, 0.5 EUR per session, 19 % VAT included" in page
    assert "3.82 EUR" in page and "minor units" not in page


@pytest.mark.parametrize("spoilt", [[], "x", {"name": ["x"]}, {"price_per_kwh": {"a": 1}}, {"currency": None}])
def test_what_somebody_spoilt_is_told_as_it_is(
    staff_browser: Client, everything: ChargingSession, spoilt: object
) -> None:
    ChargingSession.objects.filter(pk=everything.pk).update(location=spoilt, tariff=spoilt)
    assert "Place at the start" in text(staff_browser, page_of(everything))


def test_the_change_log_says_what_somebody_changed(staff_browser: Client, connector: Connector) -> None:
    address = page_of(connector.station)
    form = fields_of(staff_browser.get(address).content.decode())
    assert staff_browser.post(address, form | {"vendor": "Acme"}).status_code == 302
    page = text(staff_browser, "/admin/admin/logentry/")
    assert "vendor: – → Acme" in page and "updated at" not in page


# --- at the screen


@pytest.mark.django_db(transaction=True)
def test_no_list_cuts_a_column_and_what_is_pressed_is_large_enough(
    chromium: Browser, live_server: LiveServer, everything: ChargingSession
) -> None:
    Station.objects.update(vendor="Charging Point Manufacturers of the North and East", model="x" * 50)
    olga = person("olga", Role.ADMIN)
    for size, language in (("wide", "en"), ("narrow", "de")):
        reader = reader_at(chromium, live_server.url, size, language=language)
        reader.login(olga)
        reader.speak(language)
        for model in admin.site._registry:
            reader.go(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"))
            reader.look()
            assert evaluated(reader.page, CUT) == [], (model, size)
            if size == "narrow":
                assert evaluated(reader.page, SMALL) == [], model
        reader.context.close()


CUT = """() => [...document.querySelectorAll(".results, #result_list :is(td, th)")]
    .filter((one) => one.scrollWidth > one.clientWidth + 1 && one.clientWidth).map((one) => one.className)"""
SMALL = """() => [..."a[href], button, select, summary, input:not([type=hidden])".split(", ")]
    .flatMap((kind) => [...document.querySelectorAll(`#container ${kind}`)])
    .filter((one) => one.checkVisibility({visibilityProperty: true}))
    .filter((one) => [one.getBoundingClientRect().height].every((high) => high > 1 && high < 43.5))
    .map((one) => one.outerHTML.slice(0, 120))"""
