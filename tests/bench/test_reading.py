"""The bench that reads among a million sessions, in small: what it makes is like what stations report."""

import os

import pytest

from accounts.models import User
from bench.portal import million, reading
from ledger.models import LedgerEntry
from ledger.state.words import state_of
from stations.models import ChargingSession

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(os.environ.get("EVPORTAL_TEST_DATABASE") == "sqlite", reason="filled by COPY"),
]


@pytest.fixture
def drivers() -> list[User]:
    made = sum(million.customers_make(count=4, sessions=150, found=million.patterns()))
    assert made == 600
    return list(User.objects.order_by("pk"))


def test_the_sessions_are_whole_recorded_and_like_the_real_ones(drivers: list[User]) -> None:
    assert ChargingSession.objects.count() == LedgerEntry.objects.count() == 600
    for user in drivers:
        sessions = ChargingSession.objects.filter(customer=user).select_related("ledger_entry__transaction")
        assert len(sessions) == 150
        assert {session.id_token_id for session in sessions} == set(user.id_tokens.values_list("pk", flat=True))
        assert {state_of(session).kind for session in sessions} <= {"recorded", "late"}
        assert sum(state_of(session).kind == "recorded" for session in sessions) > 140
        assert len({session.started_at for session in sessions}) > 140
    more = sum(million.customers_make(count=1, sessions=10, found=million.patterns(), first=4))
    assert (more, LedgerEntry.objects.count()) == (10, 610)


def test_a_page_is_measured_with_its_queries(drivers: list[User], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "WARM_UP", 1)
    samples = reading.times_ms(reading.HISTORY, drivers, reading.in_browser)
    assert len(samples) == 3
    assert all(1 < sample < 5_000 for sample in samples)
    (queries,) = reading.most_queries(reading.HISTORY, drivers[:1], reading.in_browser)
    assert queries >= 3
    assert len(reading.times_ms(reading.API, drivers, reading.with_token)) == 3
    with pytest.raises(RuntimeError, match="404"):
        reading.times_ms("/nothing-here", drivers, reading.in_browser)


def test_what_staff_wait_for_is_measured(drivers: list[User]) -> None:
    found = reading.staff_medians_ms()
    assert set(found) == {"staff_month_ms", "staff_longest_ms", "staff_home_ms"}
    assert all(1 < value < 20_000 for value in found.values())


def test_the_export_has_to_have_the_lines_that_are_expected(drivers: list[User]) -> None:
    browser = reading.in_browser(drivers[0])
    peak_mb, seconds = reading.csv_read(browser, 151)
    assert 0 <= peak_mb < 100
    assert seconds > 0
    with pytest.raises(RuntimeError, match="got 151"):
        reading.csv_read(browser, 150)
