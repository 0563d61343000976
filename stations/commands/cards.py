"""Lists of cards at stations, after their answers, and when what they should know has changed."""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from stations.commands.asking import command_ask
from stations.commands.listing import cards_of
from stations.models import Command, LocalList, Station

KIND = "send_local_list"
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
    count = 0
    rows = LocalList.objects.filter(version__gt=0, station__enabled=True).select_related("station__site")
    for row in rows.iterator():
        if row.entries != cards_of(row.station) and not _under_way(row.station):
            command_ask(station=row.station, kind=KIND, params={"mode": "differential"}, valid_for=VALID_FOR)
            count += 1
    return count


def _under_way(station: Station) -> bool:
    """One is open, or the last one failed lately."""
    last = Command.objects.filter(station=station, kind=KIND).order_by("-pk").first()
    if last is None or last.state == Command.State.ACCEPTED:
        return False
    return last.is_open or last.asked_at > timezone.now() - TRY_AGAIN_AFTER
