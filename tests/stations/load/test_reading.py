"""The pages of a site's limit in a browser, at both widths and in both schemes; a schedule is entered by hand."""

from collections.abc import Iterator
from datetime import time
from itertools import product

import pytest
from django.core.cache import cache
from django.urls import reverse
from playwright.sync_api import Browser, expect
from pytest_django.live_server_helper import LiveServer

from accounts.models import Role, User
from stations.models import SiteLimit, SiteLimitPeriod, Station
from tests.people import person
from tests.readers import SCHEMES, SIZES, Reader, reader_at
from tests.stations.load.conftest import State, Yard

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def operator(db: None) -> User:
    return person("olga", Role.OPERATOR)


@pytest.fixture
def reader(chromium: Browser, live_server: LiveServer, operator: User) -> Iterator[Reader]:
    cache.clear()
    found = reader_at(chromium, live_server.url, "wide")
    found.login(operator)
    yield found
    found.context.close()


def busy() -> Yard:
    """A car that charges, one that waits, a station that is away, one that refuses, and a schedule."""
    yard = Yard(40)
    for start, end, amperes in ((6, 9, 16), (17, 21, 24), (22, 6, 63)):
        SiteLimitPeriod.objects.create(limit=yard.limit, starts=time(start), ends=time(end), amperes=amperes)
    refusing = yard.station("CP-REFUSES", max_amperage=8)
    away = yard.station("CP-AWAY-WITH-A-LONG-NAME-OF-ITS-OWN")
    session = yard.start(yard.station("CP-CHARGES"))
    yard.station("CP-FREE", outlets=2)
    yard.look(lambda command: State.REJECTED if command.station == refusing else State.ACCEPTED)
    Station.objects.filter(pk=away.pk).update(connection="")
    yard.wait(minutes=1)
    yard.draws(session, L1=9.5, L2=9.4, L3=9.6)
    yard.look()
    return yard


def test_they_are_read_at_both_widths_and_in_both_schemes(reader: Reader) -> None:
    yard = busy()
    outlet = yard.site.stations.get(identity="CP-CHARGES").limited_outlets.get()
    paths = {
        "limit-now": reverse("admin:stations_sitelimit_now", args=[yard.limit.pk]),
        "limit": reverse("admin:stations_sitelimit_change", args=[yard.limit.pk]),
        "limits": reverse("admin:stations_sitelimit_changelist"),
        "outlet": reverse("admin:stations_limitedoutlet_change", args=[outlet.pk]),
        "outlets": reverse("admin:stations_limitedoutlet_changelist"),
    }
    wrong, screens = [], list(product(SIZES, SCHEMES))
    for number, (name, path) in enumerate(paths.items()):
        reader.go(path)
        for place, (size, scheme) in enumerate(screens):
            reader.turn(size, scheme)
            wrong += reader.stumbles()
            if place == number % len(screens) or name == "limit-now":  # axe-core takes most of the time
                wrong += reader.findings(but="#nav-sidebar")
            reader.shoot(name)
    assert wrong == []


def test_a_period_that_overlaps_is_mended_where_it_was_typed(reader: Reader) -> None:
    yard = Yard(32)
    page = reader.page
    reader.go(reverse("admin:stations_sitelimit_change", args=[yard.limit.pk]))
    for number, (start, end, amperes) in enumerate((("22:00", "06:00", "63"), ("05:00", "08:00", "10"))):
        page.locator(".add-row a").click()
        page.locator(f"#id_periods-{number}-starts").fill(start)
        page.locator(f"#id_periods-{number}-ends").fill(end)
        page.locator(f"#id_periods-{number}-amperes").fill(amperes)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("These periods overlap")).to_be_visible()
    page.locator("#id_periods-1-starts").fill("06:00")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was changed successfully")).to_be_visible()
    found = SiteLimit.objects.get().periods.order_by("starts").values_list("starts", "amperes")
    assert list(found) == [(time(6), 10), (time(22), 63)]
