"""A form of the admin that was opened in German and is sent back as it stands changes nothing: it can read what it
shows, numbers and times too."""

from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser

import pytest
from django.contrib import admin
from django.test import Client, RequestFactory
from django.urls import reverse

from accounts.models import User
from common.change_log import values_of
from stations.models import ChargingSession, Connector, Site, Tariff

pytestmark = pytest.mark.django_db
Fields = list[tuple[str, str]]


class FormReader(HTMLParser):
    """What a browser would send of the page's forms that are posted to the page itself."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: Fields = []
        self.inside = self.many = False
        self.select = self.area = ""
        self.options: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attributes}
        if tag == "form":
            self.inside = found.get("method") == "post" and found.get("id", "").endswith("_form")
        elif self.inside and tag == "input" and "disabled" not in found and found.get("name"):
            box = found.get("type") in {"checkbox", "radio"}
            if found.get("type") not in {"submit", "button", "file"} and (not box or "checked" in found):
                self.fields.append((found["name"], found.get("value", "on" if box else "")))
        elif self.inside and tag == "select":
            self.select, self.options = found.get("name", ""), []
            self.many = "multiple" in found
        elif self.inside and tag == "option":
            self.options.append((found.get("value", ""), "selected" in found))
        elif self.inside and tag == "textarea":
            self.area = found.get("name", "")
            self.fields.append((self.area, ""))

    def handle_data(self, data: str) -> None:
        if self.area:
            self.fields[-1] = (self.area, self.fields[-1][1] + data)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self.inside = False
        elif tag == "textarea" and self.area:
            name, text = self.fields[-1]
            self.fields[-1], self.area = (name, text.removeprefix("\n")), ""
        elif tag == "select" and self.select:
            chosen = [value for value, selected in self.options if selected]
            if not chosen and not self.many:
                chosen = [value for value, _ in self.options[:1]]
            self.fields += [(self.select, value) for value in chosen]
            self.select = ""


def fields_of(page: str) -> dict[str, list[str]]:
    reader = FormReader()
    reader.feed(page)
    form: dict[str, list[str]] = {}
    for name, value in reader.fields:
        form.setdefault(name, []).append(value)
    return form


@pytest.fixture
def german_browser(staff_browser: Client) -> Client:
    staff_browser.defaults["HTTP_ACCEPT_LANGUAGE"] = "de"
    return staff_browser


@pytest.fixture
def full_rows(everything: ChargingSession) -> ChargingSession:
    """Figures and times wherever a form may ask for them: what is empty is read in every language."""
    day = datetime(2026, 3, 1, 8, 45, 7, tzinfo=UTC)
    prices = {"price_per_kwh": Decimal("1234.2725"), "price_per_session": Decimal("1.5"), "vat_percent": Decimal("7.7")}
    Tariff.objects.update(valid_from=day, valid_to=day.replace(year=2027), **prices)
    Site.objects.update(latitude=Decimal("53.550341"), longitude=Decimal("-9.992196"), tariff=Tariff.objects.first())
    Connector.objects.update(max_power_w=22_000, max_voltage=1_000, max_amperage=1_250)
    return everything


def test_forms_take_back_what_they_show(german_browser: Client, full_rows: ChargingSession, rf: RequestFactory) -> None:
    request = rf.get("/")
    request.user = User.objects.get(username="olga")
    pages = {model: page for model, page in admin.site._registry.items() if page.has_change_permission(request)}
    assert {User, Tariff, Site, Connector} <= pages.keys()
    for model in pages:
        row = model._default_manager.order_by("pk").first()
        assert row is not None, model
        before = values_of(row)
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[row.pk])
        page = german_browser.get(address).content.decode()
        assert '<html lang="de"' in page
        answer = german_browser.post(address, fields_of(page))
        assert answer.status_code == 302, (model, answer.context["errors"])
        after = values_of(model._default_manager.get(pk=row.pk))
        changed = {name: (before[name], value) for name, value in after.items() if value != before[name]}
        assert changed.keys() <= {"updated_at"}, (model, changed)  # when it was saved last


def test_what_is_typed_in_german_is_read(german_browser: Client, full_rows: ChargingSession) -> None:
    tariff = Tariff.objects.order_by("pk")[0]
    address = reverse("admin:stations_tariff_change", args=[tariff.pk])
    form = fields_of(german_browser.get(address).content.decode())
    assert form["valid_from_0"] == ["01.03.2026"] and form["price_per_kwh"] == ["1234.2725"]  # a number for the browser
    answer = german_browser.post(address, form | {"valid_from_0": ["26.11.2026"], "price_per_kwh": ["0.5"]})
    assert answer.status_code == 302, answer.context["errors"]
    tariff.refresh_from_db()
    assert tariff.valid_from == datetime(2026, 11, 26, 8, 45, 7, tzinfo=UTC) and tariff.price_per_kwh == Decimal("0.5")
