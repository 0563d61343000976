"""Every page that there is, in a real browser at both widths, in both schemes and languages, and by axe-core.

The list is the URLconf's own (tests/url_walk.py): a page that is added is read here by itself.
"""

import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.utils import timezone
from playwright.sync_api import Browser
from pytest_django.live_server_helper import LiveServer

from accounts.models import Role, User
from ledger.models import LedgerEntry
from stations.models import ChargingSession, Connector, Vehicle
from tests.evportal.admin.test_admin_tpm import report
from tests.people import person
from tests.portal.conftest import MakeSession
from tests.readers import Reader, reader_at
from tests.url_walk import addresses
from tpm.models import AttestationReport

__all__ = ["report"]
pytestmark = pytest.mark.django_db(transaction=True)

# Led away to the provider (tests/accounts/login/test_walk.py), and two answers for the admin's scripts.
NO_PAGES = {"login_start", "admin:jsi18n", "admin:autocomplete"}
# These pages of Django's are the same for each model: read for one.
ALIKE, READ_FOR = ("_history", "_delete"), "stations.station"
SAME = "#nav-sidebar"  # on each page of the admin: judged once, as it is a third of axe-core's time
SCREENS = [
    *[("wide", "light", "en"), ("narrow", "dark", "en"), ("wide", "dark", "de"), ("narrow", "light", "de")],
    *[("wide", "light", "de"), ("narrow", "dark", "de"), ("wide", "dark", "en"), ("narrow", "light", "en")],
]


@pytest.fixture
def states(everything: ChargingSession, make_session: MakeSession, connector: Connector) -> dict[str, str]:
    """The page of a session in each state that a driver may meet; `everything` itself does not match its record."""
    deferred = make_session("DEFERRED", error_code="CPU_EXCEEDED")
    late = make_session("SENT")
    LedgerEntry.objects.filter(session=late).update(opened_at=timezone.now() - timedelta(hours=3))
    unrecorded = make_session(None)
    LedgerEntry.objects.filter(session=unrecorded).delete()
    charging = ChargingSession.objects.create(
        station=connector.station,
        connector=connector,
        transaction_id="now",
        customer=everything.customer,
        id_token=everything.id_token,
        location=everything.location,
        started_at=timezone.now() - timedelta(minutes=30),
        meter_start_wh=1_000,
        source="STATION",
    )
    for minute in range(1, 30, 5):
        sampled_at = charging.started_at + timedelta(minutes=minute)
        charging.meter_values.create(sampled_at=sampled_at, value=1_000 + 150 * minute)
    found = {"recorded": make_session(), "pending": make_session(None), "deferred": deferred, "late": late}
    found |= {"unrecorded": unrecorded, "charging": charging}
    return {name: f"/sessions/{session.pk}" for name, session in found.items()}


@pytest.fixture
def ids(everything: ChargingSession, states: dict[str, str], report: AttestationReport) -> dict[str, Any]:
    """What an address may ask for, by all the names under which it does."""
    found: dict[str, Any] = {"session_id": everything.pk, "uuid": everything.pk, "of": "2026-03", "int": 1}
    found |= {"vehicle_id": Vehicle.objects.get().pk, "places": "all", "year": 2026}
    found |= {"app_label": "stations", "token_id": everything.id_token_id}
    for model in apps.get_models():
        row = model._default_manager.order_by("-pk").first()
        if row is not None:
            found[model._meta.label_lower] = row.pk
    return found


def pages(ids: dict[str, Any], *, admin: bool) -> Iterator[tuple[str, str]]:
    """(name, path) of what a browser can open; files and APIs are no pages."""
    for address in addresses():
        path = address.path(ids)
        alike = address.name.endswith(ALIKE) and address.app_model not in ("", READ_FOR)
        if address.name in NO_PAGES or address.name == "admin:" or alike or re.search(r"\.\w+$", path):
            continue
        program = path.startswith(("/api/", "/ocpi/")) and address.name != "api-docs"
        if path.startswith("/admin/") == admin and not program:
            yield address.name, path


def opens(reader: Reader, path: str) -> bool:
    """Open it; False where this reader is refused or led elsewhere, which others are tested for."""
    answer = reader.context.request.get(f"{reader.base}{path}", max_redirects=0)
    assert answer.status < 500, path
    if answer.status != 200 or not answer.headers["content-type"].startswith("text/html"):
        return False
    reader.go(path)
    return True


def read_all(
    reader: Reader,
    listed: list[tuple[str, str]],
    screens: list[tuple[str, str, str]],
    *,
    least: int,
    judged: Sequence[int] = (0, 1),
) -> None:
    """Each page on one of the screens in turn, by axe-core, too; at the other width nothing may be too wide.

    `judged`: which of two pages axe-core sees, as it takes most of the time.
    """
    wrong: list[str] = []
    read = 0
    for name, path in listed:
        size, scheme, language = screens[read % len(screens)]
        reader.speak(language)
        if not opens(reader, path):
            continue
        wrong += [] if reader.page.locator(f"html[lang={language}]").count() else [f"{path}: not in {language}"]
        for width in ("narrow" if size == "wide" else "wide", size):
            reader.turn(width, scheme)
            wrong += reader.stumbles()
        if read % 2 in judged:
            wrong += reader.findings(but=SAME if read else "")
        reader.complaints.clear()
        reader.shoot(re.sub(r"\W+", "-", name))
        read += 1
    assert not wrong, "\n".join(dict.fromkeys(wrong))
    assert read >= least


@pytest.mark.parametrize(
    ("screen", "judged"), [(("wide", "light", "en"), [0]), (("narrow", "dark", "de"), [1])], ids=["en", "de"]
)
def test_every_page_of_a_driver(
    chromium: Browser,
    live_server: LiveServer,
    ids: dict[str, Any],
    states: dict[str, str],
    owner: User,
    screen: tuple[str, str, str],
    judged: list[int],
) -> None:
    """In both languages; axe-core sees every page once, half of them in each."""
    reader = reader_at(chromium, live_server.url, *screen)
    reader.login(owner)
    filtered = {"filtered": "/?from=2026-03-01&state=recorded", "nothing-found": "/?from=2030-01-01"}
    listed = [*pages(ids, admin=False), *(states | filtered).items()]
    read_all(reader, listed, [screen], least=25, judged=judged)
    reader.context.clear_cookies()
    reader.login(User.objects.create_user("nora"))  # who has nothing yet
    empty = [(f"empty{path}", path) for path in ("/", "/statements", "/tokens", "/my-data")]
    read_all(reader, empty, [screen], least=4, judged=judged)
    assert (reader.page.goto(f"{reader.base}/nothing") or pytest.fail()).status == 404
    reader.complaints.clear()  # of the 404 itself
    reader.fine("problem")
    reader.context.close()


def test_every_page_of_the_admin(
    chromium: Browser, live_server: LiveServer, ids: dict[str, Any], states: dict[str, str]
) -> None:
    reader = reader_at(chromium, live_server.url, "wide", "light")
    reader.login(person("olga", Role.ADMIN))
    found = [("support", "/admin/support/?q=anna"), *pages(ids, admin=True)]
    read_all(reader, found, SCREENS, least=70)
    reader.context.close()
