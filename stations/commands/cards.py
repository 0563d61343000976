"""Lists of cards at stations, after their answers, and when what they should know has changed."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import islice
from typing import Any

from django.db.models import Max
from django.utils import timezone

from stations.commands.asking import command_ask, commands_ask
from stations.commands.listing import cards_of, cards_of_many
from stations.models import Command, LocalList, Station

KIND = "send_local_list"
TOGETHER = 100  # lists that are compared at once
VALID_FOR = timedelta(days=1)
TRY_AGAIN_AFTER = timedelta(hours=1)


def local_list_taken(command: Command, *, status: str) -> None:
    """The station's answer: what it has from now on, and what it is sent next if that was not all."""
    row = LocalList.objects.select_for_update(of=("self",), no_key=True).filter(station_id=command.station_id).first()
    if row is None or row.sent_version != command.pk:
        return  # a later list is under way
    if status == "Accepted":
        row.version, row.entries, row.changed_at = command.pk, row.sent, timezone.now()
        row.save(update_fields=["version", "entries", "changed_at"])
        Station.objects.filter(pk=command.station_id).update(local_list_version=command.pk)
        station = Station.objects.select_related("site").get(pk=command.station_id)
        if row.entries != cards_of(station):
            _ask(station, "differential", command)
    elif status == "VersionMismatch" and command.params["mode"] == "differential":
        row.version, row.entries = 0, {}
        row.save(update_fields=["version", "entries"])
        _ask(command.station, "full", command)


def _ask(station: Station, mode: str, after: Command) -> None:
    who: dict[str, Any] = {"by": after.by, "user": after.user, "client": after.client}
    command_ask(station=station, kind=KIND, params={"mode": mode}, valid_for=VALID_FOR, **who)


def local_lists_renew() -> int:
    """Send the difference to stations whose list is not what it should be: a card was blocked, linked, or is over.

    Only to those that accepted a list before. How many were asked.
    """
    rows = LocalList.objects.filter(version__gt=0, station__enabled=True).select_related("station__site")
    each, count = rows.iterator(chunk_size=TOGETHER), 0
    while batch := list(islice(each, TOGETHER)):
        count += _renew(batch)
    return count


def _renew(rows: Sequence[LocalList]) -> int:
    """Of these, with as many queries as of one."""
    wanted = cards_of_many([row.station for row in rows])
    outdated = [row.station for row in rows if row.entries != wanted[row.station_id]]
    waiting = _under_way(outdated)
    asked = [station for station in outdated if station.pk not in waiting]
    commands_ask(stations=asked, kind=KIND, params={"mode": "differential"}, valid_for=VALID_FOR)
    return len(asked)


def _under_way(stations: Sequence[Station]) -> set[int]:
    """Those of which one is open, or the last one failed lately."""
    sent = Command.objects.filter(station__in=stations, kind=KIND).order_by().values("station")
    last = Command.objects.filter(pk__in=sent.annotate(last=Max("pk")).values("last"))
    lately = timezone.now() - TRY_AGAIN_AFTER
    failed = [command for command in last if command.state != Command.State.ACCEPTED]
    return {command.station_id for command in failed if command.is_open or command.asked_at > lately}
