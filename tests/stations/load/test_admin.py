"""An operator sets a limit and its schedule, and sees on one page what each outlet has of it and why."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from stations.models import LimitedOutlet, SiteLimit
from tests.portal.conftest import staff_browser
from tests.stations.load.conftest import State, Yard

__all__ = ["staff_browser"]
pytestmark = pytest.mark.django_db


def text(client: Client, address: str) -> str:
    return " ".join(client.get(address).content.decode().split())


def form(site_id: int, *periods: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"site": site_id, "enabled": "on", "amperes": 32, "phases": 3, "reserve": 0, "voltage": 230}
    found |= {"periods-TOTAL_FORMS": len(periods), "periods-INITIAL_FORMS": 0}
    for number, period in enumerate(periods):
        found |= {f"periods-{number}-{name}": value for name, value in period.items()}
    return found


NIGHT = {"weekdays": list("12345"), "starts": "22:00", "ends": "06:00", "amperes": 63}


def test_a_limit_with_its_schedule_is_set(staff_browser: Client, site: Any) -> None:
    weekend = {"weekdays": ["6", "7"], "starts": "12:00", "ends": "14:00", "amperes": 10}
    address = reverse("admin:stations_sitelimit_add")
    answer = staff_browser.post(address, form(site.pk, NIGHT, weekend))
    assert answer.status_code == 302, answer.content.decode()
    limit = SiteLimit.objects.get()
    kept = [(row.weekdays, f"{row.starts:%H:%M}", f"{row.ends:%H:%M}", row.amperes) for row in limit.periods.all()]
    assert kept == [("12345", "22:00", "06:00", 63), ("67", "12:00", "14:00", 10)]
    page = text(staff_browser, reverse("admin:stations_sitelimit_change", args=[limit.pk]))
    assert page.count("checked") == 1 + 5 + 2 + 7  # and the form to add one more
    now = text(staff_browser, reverse("admin:stations_sitelimit_now", args=[limit.pk]))
    assert "by the clock of Europe/Berlin" in now and "No outlet of this site was looked at yet." in now


def test_overlaps_are_named_and_what_was_typed_stays(staff_browser: Client, site: Any) -> None:
    early = {"weekdays": ["1", "2"], "starts": "05:30", "ends": "07:00", "amperes": 11}
    answer = staff_browser.post(reverse("admin:stations_sitelimit_add"), form(site.pk, NIGHT, early))
    page = " ".join(answer.content.decode().split())
    assert "These periods overlap: Mon, Tue, Wed, Thu, Fri 22:00–06:00 and Mon, Tue 05:30–07:00." in page
    assert (
        'value="05:30' in page and 'value="11"' in page and page.count("checked") == 1 + 5 + 2 + 7
    )  # and the form to add one more
    assert not SiteLimit.objects.exists()


def test_the_page_tells_each_outlets_part_and_why(staff_browser: Client, db: None) -> None:
    yard = Yard(48)
    first, second = yard.station("CP-1", max_amperage=20), yard.station("CP-2")
    session = yard.start(second)
    yard.look(lambda command: State.REJECTED if command.station == first else State.ACCEPTED)
    yard.wait(minutes=1)
    yard.draws(session, L1=27.5)
    yard.look(lambda command: State.REJECTED if command.station == first else State.ACCEPTED)
    page = text(staff_browser, reverse("admin:stations_sitelimit_now", args=[yard.limit.pk]))
    for words in (
        "it does not take its limit: counted with what it may draw",
        "without a connection: nothing accepted",
        "an equal share",
        "for this charge: 28 A until",
        'data-name="Drawn, A">27.5</td>',
        'data-name="Share, A">28</td>',
        "<polyline",
    ):
        assert words in page, words
    assert "not held yet" not in page


def test_how_an_outlet_is_wired_is_entered(staff_browser: Client, db: None) -> None:
    yard = Yard(32)
    yard.station("CP-1")
    yard.look()
    row = LimitedOutlet.objects.get()
    address = reverse("admin:stations_limitedoutlet_change", args=[row.pk])
    assert staff_browser.post(address, {"first_line": 2, "share_a": 99}).status_code == 302
    row.refresh_from_db()
    assert (row.first_line, row.share_a) == (2, 32)
    assert staff_browser.post(reverse("admin:stations_limitedoutlet_delete", args=[row.pk])).status_code == 403


def test_a_site_leads_to_its_limit(staff_browser: Client, site: Any) -> None:
    address = reverse("admin:stations_site_change", args=[site.pk])
    page = text(staff_browser, address)
    assert f"{reverse('admin:stations_sitelimit_add')}?site={site.pk}" in page
    limit = SiteLimit.objects.create(site=site, amperes=16)
    assert reverse("admin:stations_sitelimit_now", args=[limit.pk]) in text(staff_browser, address)
