"""Another password for a station, which it is told over OCPP: the old one is good until the new one was used."""

import pytest
from django.utils import timezone

from common import sealed_text
from stations.certificates.rotation import credential_rotate
from stations.certificates.telling import outcomes_take
from stations.errors import StationRefusedError
from stations.models import Command, NextCredential, Station
from stations.places.credentials import (
    station_authenticate,
    station_credential_set,
    station_credential_withdraw,
)

State = NextCredential.State


def told(command: Command | None) -> str:
    """What the station is told."""
    assert command is not None
    return sealed_text.unseal(command.params["sealed"])


def lets_in(station: Station, credential: str) -> bool:
    try:
        return station_authenticate(identity=station.identity, credential=credential) == station
    except StationRefusedError:
        return False


def answered(command: Command | None, state: str, words: str = "") -> None:
    assert command is not None
    Command.objects.filter(pk=command.pk).update(state=state, words=words, sent_at=timezone.now())
    outcomes_take()


def test_the_old_one_ends_when_the_new_one_is_used(station: Station) -> None:
    old = station_credential_set(station=station)
    row = credential_rotate(station=station)
    new = told(row.command)
    assert row.command is not None and row.command.kind == "set_credential"
    assert len(new) == 20 and lets_in(station, old)
    answered(row.command, Command.State.ACCEPTED)
    row.refresh_from_db()
    assert row.state == State.TOLD and Command.objects.get().params == {}, "nobody reads it any more"
    assert lets_in(station, old) and lets_in(station, new)
    assert not lets_in(station, old) and lets_in(station, new)
    assert not NextCredential.objects.exists()


def test_a_station_may_send_the_key_in_hexadecimal(station: Station) -> None:
    """AuthorizationKey of 1.6 is set in hexadecimal; some stations send it so, too."""
    credential = station_credential_set(station=station)
    assert lets_in(station, credential.encode().hex()) and lets_in(station, credential.encode().hex().upper())
    new = told(credential_rotate(station=station).command)
    assert lets_in(station, new.encode().hex()) and not lets_in(station, credential)


def test_a_station_that_does_not_take_it_keeps_the_old_one(station: Station) -> None:
    old = station_credential_set(station=station)
    row = credential_rotate(station=station)
    answered(row.command, Command.State.REJECTED, "Rejected")
    row.refresh_from_db()
    assert (row.state, row.answer) == (State.REFUSED, "Rejected") and lets_in(station, old)


def test_no_answer_may_mean_that_it_was_taken(station: Station) -> None:
    old = station_credential_set(station=station)
    row = credential_rotate(station=station)
    new = told(row.command)
    answered(row.command, Command.State.TIMED_OUT)
    row.refresh_from_db()
    assert row.state == State.TOLD and lets_in(station, old) and lets_in(station, new)


def test_asked_twice_the_newer_one_counts(station: Station) -> None:
    old = station_credential_set(station=station)
    first = credential_rotate(station=station)
    former = told(first.command)
    second = credential_rotate(station=station)
    assert first.command is not None
    first.command.refresh_from_db()
    assert (first.command.state, first.command.params) == (Command.State.CANCELLED, {})
    assert not lets_in(station, former) and lets_in(station, old) and lets_in(station, told(second.command))


@pytest.mark.parametrize("end", [station_credential_set, station_credential_withdraw])
def test_an_operator_ends_both(station: Station, end: object) -> None:
    old = station_credential_set(station=station)
    new = told(credential_rotate(station=station).command)
    end(station=station)  # type: ignore[operator]
    assert not lets_in(station, old) and not lets_in(station, new) and not NextCredential.objects.exists()
