"""Which station is connected, and to which gateway process: the newest connection of a station is the one that counts.

A process says every few seconds that it lives. The stations of one that no longer does are given back: by the other
processes, and by a sweep.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Substr
from django.utils import timezone

from stations.models import GatewayProcess, Station
from stations.models.places import StationQuerySet

PROCESS_ID_LENGTH = 12
DEAD_AFTER = timedelta(seconds=20)


@dataclass(frozen=True)
class Opened:
    """A new connection of a station. `connection`: the process's id, and a number of its own."""

    station_pk: int
    connection: str
    version: str


def connections_open(opened: Iterable[Opened]) -> list[str]:
    """The connections that they replace ("" for none), in the same order."""
    wanted = list(opened)
    with transaction.atomic():
        rows = Station.objects.filter(pk__in={one.station_pk for one in wanted}).order_by("pk")
        former = dict(rows.select_for_update(no_key=True).values_list("pk", "connection"))
        now, replaced = timezone.now(), []
        for one in wanted:
            replaced.append(former.get(one.station_pk, ""))
            former[one.station_pk] = one.connection
            told = {"connection": one.connection, "ocpp_version": one.version, "connected_at": now}
            Station.objects.filter(pk=one.station_pk).update(**told)
    return replaced


def connections_close(closed: Iterable[tuple[int, str]]) -> None:
    """Of these stations and connections those that still count have ended."""
    for pk, connection in sorted(closed):
        Station.objects.filter(pk=pk, connection=connection).update(connection="", connected_at=None)


def process_alive(process: str, *, stations: int) -> None:
    """It lives, and has so many stations."""
    seen = {"seen_at": timezone.now(), "stations": stations}
    GatewayProcess.objects.update_or_create(id=process, defaults=seen)


def process_ended(process: str) -> None:
    """It has ended: none of its connections counts any more."""
    stations_of(process).update(connection="", connected_at=None)
    GatewayProcess.objects.filter(id=process).delete()


def processes_forget_dead() -> int:
    """Give back the stations of those that were not heard for DEAD_AFTER; returns how many those were."""
    dead = list(GatewayProcess.objects.filter(seen_at__lt=timezone.now() - DEAD_AFTER).values_list("id", flat=True))
    for process in dead:
        process_ended(process)
    living = GatewayProcess.objects.values("id")
    unknown = Station.objects.exclude(connection="").annotate(process=Substr("connection", 1, PROCESS_ID_LENGTH))
    orphans = list(unknown.exclude(process__in=living).values_list("pk", "connection"))
    connections_close(orphans)
    return len(dead)


def stations_of(process: str) -> StationQuerySet:
    return Station.objects.filter(connection__startswith=process)
