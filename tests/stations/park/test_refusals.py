"""Who is not let in is counted, one row an identity and reason; strangers cannot fill the table."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from stations.models import StationRefusal
from stations.park import refusals
from stations.park.refusals import refusal_note
from tests.stations.conftest import StationClient

Reason = StationRefusal.Reason


@pytest.mark.django_db
def test_one_row_an_identity_and_reason() -> None:
    for words in ("first", "second"):
        refusal_note(identity="CP-9", station=None, reason=Reason.UNKNOWN, words=words, address="192.0.2.7")
    refusal_note(identity="CP-9", station=None, reason=Reason.SUBPROTOCOL, words="ocpp1.5", address="fe80::1%eth0")
    unknown, other = StationRefusal.objects.order_by("pk")
    assert (unknown.count, unknown.words, unknown.address) == (2, "second", "192.0.2.7")
    assert unknown.first_at < unknown.last_at
    assert (other.count, other.reason, other.address) == (1, Reason.SUBPROTOCOL, "fe80::1")


def test_a_station_of_ours_is_counted_under_its_own_spelling(owner: StationClient) -> None:
    for identity in ("CS-OWNER", "cs-owner", "Cs-Owner"):
        refusal_note(identity=identity, station=owner.station, reason=Reason.CREDENTIAL)
    (row,) = StationRefusal.objects.all()
    assert (row.identity, row.station, row.count, row.address) == ("CS-OWNER", owner.station, 3, None)


@pytest.mark.django_db
def test_what_a_stranger_writes_is_made_harmless() -> None:
    refusal_note(
        identity="a\0b\ud800" + "x" * 100, station=None, reason=Reason.UNKNOWN, words="\r\n" * 400, address="?"
    )
    (row,) = StationRefusal.objects.all()
    assert (row.identity, row.words) == ("a?b?" + "x" * 60, "?" * 300)


def test_of_strangers_the_newest_stay(owner: StationClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "STRANGERS_MAX", 3)
    refusal_note(identity="CS-OWNER", station=owner.station, reason=Reason.DISABLED)
    for number in (1, 2, 3, 1, 4):  # 1 comes again: 2 is the oldest
        refusal_note(identity=f"X{number}", station=None, reason=Reason.UNKNOWN)
    assert set(StationRefusal.objects.values_list("identity", flat=True)) == {"CS-OWNER", "X1", "X3", "X4"}


@pytest.mark.django_db
def test_a_stranger_that_was_added_meanwhile_is_known(owner: StationClient) -> None:
    refusal_note(identity="CS-OWNER", station=None, reason=Reason.CREDENTIAL)
    refusal_note(identity="CS-OWNER", station=owner.station, reason=Reason.CREDENTIAL)
    (row,) = StationRefusal.objects.all()
    assert (row.station, row.count) == (owner.station, 2)


@pytest.mark.django_db(transaction=True)
def test_ten_at_once_are_one_row() -> None:

    def note(number: int) -> None:
        refusal_note(identity="CP-9", station=None, reason=Reason.UNKNOWN, words=str(number))
        connections.close_all()

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(note, range(10)))
    assert StationRefusal.objects.get().count == 10
