"""A station's outlets as it tells of them: found or added, and how they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q
from django.utils import timezone

from common.database.updating import columns_update
from stations.errors import ConnectorUnknownError
from stations.models import Connector, Station, StationEvent
from stations.places.events import event_note

OUTLETS_MAX = 100  # a station; whoever invents outlets fills no table
NUMBER_MAX = 2**31 - 1
NO_ERROR = "NoError"


@dataclass(frozen=True)
class Condition:
    """How an outlet is: `status` for all, `said`: in its OCPP version's words; `info`: in its own and the vendor's."""

    status: Connector.Status
    said: str
    error_code: str = ""
    info: str = ""

    @property
    def is_fault(self) -> bool:
        """Whether somebody should look."""
        return self.status == Connector.Status.FAULTED or self.error_code not in {"", NO_ERROR}


def outlet_get(station: Station, evse_id: int, connector_id: int) -> Connector:
    """The outlet with its station, site and tariffs; one that the station names first is added.

    Raises ConnectorUnknownError for numbers that none has, and where the station has invented too many.
    """
    rows = Connector.objects.select_related("tariff", "station__site__tariff").filter(station=station)
    found = rows.filter(evse_id=evse_id, connector_id=connector_id).first()
    if found is not None:
        return found
    if not (1 <= evse_id <= NUMBER_MAX and 1 <= connector_id <= NUMBER_MAX) or rows.count() >= OUTLETS_MAX:
        raise ConnectorUnknownError(f"station {station.identity} has no EVSE {evse_id} with connector {connector_id}")
    Connector.objects.get_or_create(station=station, evse_id=evse_id, connector_id=connector_id)
    return rows.get(evse_id=evse_id, connector_id=connector_id)


def connector_report(
    *, station: Station, evse_id: int, connector_id: int, condition: Condition, at: datetime, received_at: datetime
) -> None:
    """Store how an outlet is (EVSE 0: the station itself); what was said of it later stays. A new fault is an event.

    A clock that is ahead must not make what comes next the older report: it happened when we heard of it at the latest.
    """
    at = min(at, received_at)
    if evse_id == 0:
        if condition.is_fault:
            _fault(station, f"{station.identity}", condition, at, {"evse_id": 0})
        return
    connector = outlet_get(station, evse_id, connector_id)
    said = {"ocpp_status": condition.said, "error_code": condition.error_code, "status_info": condition.info}
    changed = {name: value for name, value in said.items() if getattr(connector, name) != value}
    written = changed | ({"status": condition.status} if connector.status != condition.status else {})
    newest = Q(status_at__isnull=True) | Q(status_at__lte=at)
    is_newest = Connector.objects.filter(newest, pk=connector.pk).update(**written, status_at=at)
    if is_newest and changed and condition.is_fault:
        _fault(station, str(connector), condition, at, {"evse_id": evse_id, "connector_id": connector_id})


@dataclass(frozen=True)
class Report:
    """As connector_report has it."""

    station: Station
    evse_id: int
    connector_id: int
    condition: Condition
    at: datetime
    received_at: datetime


def connectors_report(reports: Sequence[Report]) -> list[bool]:
    """The same of many at once; False of what is to be looked at alone, of which nothing was stored: faults, the
    station itself, outlets that are not known yet, and all but the first of a station's.
    """
    here = {report.station.pk for report in reports}
    rows = Connector.objects.filter(station__in=here).order_by("pk").select_for_update(no_key=True)
    outlets = {(row.station_id, row.evse_id, row.connector_id): row for row in rows}
    taken, newest, seen = list[bool](), list[Connector](), set[int]()
    for report in reports:
        outlet = outlets.get((report.station.pk, report.evse_id, report.connector_id))
        plain = outlet is not None and not report.condition.is_fault and report.station.pk not in seen
        seen.add(report.station.pk)
        taken.append(plain)
        if plain and outlet and _report(outlet, report.condition, min(report.at, report.received_at)):
            newest.append(outlet)
    newest.sort(key=lambda row: row.pk)
    written = {name: [getattr(row, name) for row in newest] for name in WRITTEN}
    columns_update(Connector, [row.pk for row in newest], written)
    return taken


WRITTEN = ("ocpp_status", "error_code", "status_info", "status", "status_at", "updated_at")


def _report(outlet: Connector, condition: Condition, at: datetime) -> bool:
    """Set on the row what is told, unless it was told of a later moment."""
    if outlet.status_at is not None and outlet.status_at > at:
        return False
    outlet.ocpp_status, outlet.error_code, outlet.status_info = condition.said, condition.error_code, condition.info
    if outlet.status != condition.status:
        outlet.status, outlet.updated_at = condition.status, timezone.now()
    outlet.status_at = at
    return True


def _fault(station: Station, where: str, condition: Condition, at: datetime, numbers: dict[str, int]) -> None:
    faulted = condition.status == Connector.Status.FAULTED
    severity = StationEvent.Severity.CRITICAL if faulted else StationEvent.Severity.WARNING
    words = ", ".join(part for part in (condition.said, condition.error_code, condition.info) if part)
    event_note(
        station=station,
        kind=StationEvent.Kind.STATUS,
        words=f"{where}: {words}",
        at=at,
        severity=severity,
        data=numbers | {"status": condition.said, "error_code": condition.error_code, "info": condition.info},
    )
