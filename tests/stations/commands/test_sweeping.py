"""What nobody waits for any more; what stations tell later of what they accepted; reservations."""

from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.utils import timezone

from stations.commands import tasks
from stations.commands.asking import command_ask
from stations.commands.progress import command_progress
from stations.commands.reservations import reservation_cancelled, reservation_end, reservation_made
from stations.models import Command, IdToken, Reservation, Station

pytestmark = pytest.mark.django_db
State = Command.State
FIRMWARE, LOG = "update_firmware", "get_log"


@pytest.fixture
def station(connector: Any) -> Station:
    found: Station = connector.station
    return found


def command(station: Station, kind: str = "clear_cache", **fields: Any) -> Command:
    made = command_ask(station=station, kind=kind, params=fields.pop("params", {}))
    Command.objects.filter(pk=made.pk).update(**fields)
    made.refresh_from_db()
    return made


def test_what_nobody_waits_for_is_over(station: Station) -> None:
    now = timezone.now()
    late = command(station, valid_until=now - timedelta(seconds=1))
    waiting = command(station)
    lost = command(station, state=State.SENT, sent_at=now - timedelta(minutes=5))
    sent = command(station, state=State.SENT, sent_at=now)
    assert tasks.commands_sweep() == 2
    states = dict(Command.objects.values_list("pk", "state"))
    assert states == {late.pk: "EXPIRED", waiting.pk: "WAITING", lost.pk: "TIMED_OUT", sent.pk: "SENT"}
    lost.refresh_from_db()
    assert lost.answered_at is not None and "may have done it" in lost.words
    assert tasks.commands_sweep() == 0


def test_progress_is_noted_where_it_belongs(station: Station) -> None:
    accepted = {"state": State.ACCEPTED, "sent_at": timezone.now()}
    older, firmware = command(station, FIRMWARE, **accepted), command(station, FIRMWARE, **accepted)
    log = command(station, LOG, **accepted)
    told = partial(command_progress, at=timezone.now())
    told(station=station, kinds=[FIRMWARE], request_id=None, progress="Downloading")
    told(station=station, kinds=[FIRMWARE], request_id=older.pk, progress="Installed")
    told(station=station, kinds=[LOG], request_id=log.pk, progress="Uploaded")
    told(station=station, kinds=[LOG], request_id=log.pk, progress="Idle")
    assert told(station=station, kinds=[FIRMWARE], request_id=log.pk, progress="Installed") is None
    other = Station.objects.create(site=station.site, identity="CP-OTHER")
    assert told(station=other, kinds=[FIRMWARE], request_id=older.pk, progress="Installed") is None
    found = dict(Command.objects.values_list("pk", "progress"))
    assert found == {older.pk: "Installed", firmware.pk: "Downloading", log.pk: "Uploaded"}


def test_a_reservation_from_its_making_to_its_end(station: Station) -> None:
    token = IdToken.objects.create(uid="04A1")
    until = timezone.now() + timedelta(minutes=10)
    params = {"id_token": {"uid": "04a1"}, "evse_id": 1, "expires_at": until.isoformat(), "group": "FLEET"}
    asked = command(station, "reserve", params=params)
    made = reservation_made(asked)
    assert (made.number, made.id_token, made.evse_id, made.group) == (asked.pk, token, 1, "FLEET")
    assert reservation_made(asked) == made, "the same answer again"
    assert reservation_cancelled(command(station, "cancel_reservation", params={"reservation_id": asked.pk}))
    assert not reservation_end(station=station, number=asked.pk, state=Reservation.State.USED), "it is over"
    used = reservation_made(command(station, "reserve", params=params, sent_at=timezone.now(), state="ACCEPTED"))
    command_progress(station=station, kinds=["reserve"], request_id=used.number, progress="Used", at=timezone.now())
    used.refresh_from_db()
    assert used.state == Reservation.State.USED
    over = reservation_made(command(station, "reserve", params=params | {"expires_at": "2026-01-01T00:00:00Z"}))
    tasks.commands_sweep()
    over.refresh_from_db()
    assert over.state == Reservation.State.EXPIRED
