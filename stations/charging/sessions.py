"""What happens to stations, tokens and charging sessions, one step each."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from stations.cards.services import TokenRef, id_token_get
from stations.charging import plausibility
from stations.charging.meter_digest import meter_values_sha256
from stations.charging.vocabulary import ENERGY_REGISTER, Sample
from stations.errors import (
    ConnectorUnknownError,
    SessionConflictError,
    SessionEndedError,
    TimesImpossibleError,
)
from stations.models import ChargingSession, Connector, MeterValue, Site, Station
from stations.signals import sessions_closed
from stations.tariffs.pricing import cost_lines, total_minor

# --- Sessions


@transaction.atomic
def session_start(
    *,
    station: Station,
    transaction_id: str,
    started_at: datetime,
    meter_start_wh: int,
    evse_id: int = 1,
    connector_id: int = 1,
    token: TokenRef | None = None,
    offline: bool = False,
    source: str = ChargingSession.Source.STATION.value,
) -> tuple[ChargingSession, bool]:
    """Open a session; returns it and whether it is new. The same message again gives the same session.

    `offline`: the station says that it could not report at once (OCPP 2.0.1 TransactionEvent.offline). It is not
    compared on a repeat: the station may well have been offline between the two.
    Raises ConnectorUnknownError, and SessionConflictError for the same transaction with other content.
    """
    connector = connector_get(station=station, evse_id=evse_id, connector_id=connector_id)
    id_token = id_token_get(token=token) if token else None
    tariff = connector.tariff_at(started_at)
    late = offline or timezone.now() - started_at > plausibility.LATE_AFTER
    reported = {
        "connector_id": connector.pk,
        "id_token_id": id_token.pk if id_token else None,
        "started_at": started_at,
        "meter_start_wh": meter_start_wh,
    }
    # Of two starts at once the unique constraint lets one in, and get_or_create reads it for the other.
    session, created = ChargingSession.objects.select_related("connector", "id_token").get_or_create(
        station=station,
        transaction_id=transaction_id,
        defaults={
            **reported,
            "customer_id": id_token.customer_id if id_token else None,
            "location": location_of(station.site),
            "tariff": tariff.snapshot() if tariff else {},
            "flags": [plausibility.START_REPORTED_LATE] if late else [],
            "source": source,
        },
    )
    if not created:
        difference_refuse(session=session, reported=reported)
    return session, created


@transaction.atomic
def meter_values_add(*, session: ChargingSession, samples: Iterable[Sample]) -> int:
    """Store what is new of `samples`; returns how many that were. A sample that is already there is no error.

    Raises SessionConflictError for another value at the same time, measurand, phase and context, and
    SessionEndedError for new values after the stop; then nothing is stored.
    """
    wanted: dict[tuple[datetime, str, str, str], Sample] = {}
    session = session_locked(session)
    for sample in samples:
        sample_compare(wanted.setdefault(sample.key, sample), sample)
    stored = session.meter_values.filter(sampled_at__in={sample.sampled_at for sample in wanted.values()})
    for value in stored:
        key = (value.sampled_at, value.measurand, value.phase, value.context)
        if key in wanted:
            sample_compare(value, wanted.pop(key))
    if wanted and session.is_closed:
        raise SessionEndedError(f"expected meter values before the stop, session {session.transaction_id} has stopped")
    MeterValue.objects.bulk_create(
        MeterValue(
            session=session,
            sampled_at=sample.sampled_at,
            measurand=sample.measurand,
            value=sample.value,
            unit=sample.unit,
            phase=sample.phase,
            context=sample.context,
        )
        for sample in wanted.values()
    )
    if wanted:  # so far charged, in other systems' eyes
        ChargingSession.objects.filter(pk=session.pk).update(updated_at=timezone.now())
    return len(wanted)


@transaction.atomic
def session_close(
    *, session: ChargingSession, stopped_at: datetime, meter_stop_wh: int, stop_reason: str = ""
) -> tuple[ChargingSession, bool]:
    """End a session; returns it and whether this call did it. The same message again changes nothing.

    The session becomes COMPLETED, with its cost under the tariff promised at the start, or INVALID where its figures
    cannot be true; that is never billed. The row and the signal
    `sessions_closed` are one database transaction: a receiver that raises leaves the session open.
    Raises SessionConflictError for another stop than the one before, TimesImpossibleError.
    """
    session = session_locked(session)
    if session.started_at - plausibility.ROUNDING_TIME < stopped_at < session.started_at:
        stopped_at = session.started_at  # cut to the second
    reported = {"stopped_at": stopped_at, "meter_stop_wh": meter_stop_wh, "stop_reason": stop_reason}
    if session.is_closed:
        difference_refuse(session=session, reported=reported)
        return session, False
    if stopped_at < session.started_at:
        raise TimesImpossibleError(
            f"expected a stop at or after the start {session.started_at.isoformat()}, got {stopped_at.isoformat()}"
        )
    for name, value in reported.items():
        setattr(session, name, value)
    verdict_apply(session=session)
    cost_apply(session=session)
    session.meter_values_sha256 = meter_values_sha256(session.meter_values.all())
    decided = ["status", "energy_wh", "flags", "cost_minor", "currency", "meter_values_sha256"]
    session.save(update_fields=[*reported, *decided])
    sessions_closed.send(sender=ChargingSession, sessions=[session])
    return session, True


def verdict_apply(*, session: ChargingSession) -> None:
    """Set status, energy and flags from the meter values of a session that has ended (not saved here)."""
    assert session.stopped_at is not None and session.meter_start_wh is not None and session.meter_stop_wh is not None
    energy_wh = session.meter_stop_wh - session.meter_start_wh
    readings = session.meter_values.filter(measurand=ENERGY_REGISTER, unit="Wh", phase="")
    verdict = plausibility.judge(
        plausibility.Charge(
            started_at=session.started_at,
            stopped_at=session.stopped_at,
            energy_wh=energy_wh,
            meter_start_wh=session.meter_start_wh,
            meter_stop_wh=session.meter_stop_wh,
            samples_wh=[int(value) for value in readings.values_list("value", flat=True)],
            start_reported_late=plausibility.START_REPORTED_LATE in session.flags,
            max_power_w=session.connector.max_power_w,
        )
    )
    session.status = ChargingSession.Status.COMPLETED if verdict.billable else ChargingSession.Status.INVALID
    session.energy_wh = verdict.energy_wh
    session.flags = verdict.flags


def cost_apply(*, session: ChargingSession) -> None:
    """Set cost and currency of a session that was judged (not saved here); without a tariff they stay unknown."""
    if session.status == ChargingSession.Status.COMPLETED and session.tariff:
        assert session.energy_wh is not None
        session.cost_minor = total_minor(cost_lines(session.tariff, energy_wh=session.energy_wh))
        session.currency = session.tariff["currency"]


def charges_running(*, customer: User) -> list[ChargingSession]:
    """Their charges that go on, locked to the end of the transaction: one that is just closing is waited for."""
    rows = ChargingSession.objects.filter(customer=customer, status=ChargingSession.Status.ACTIVE).order_by("pk")
    return list(rows.select_for_update(of=("self",), no_key=True))


def session_locked(session: ChargingSession) -> ChargingSession:
    """The row as it is now, locked to the end of the transaction.

    PostgreSQL locks the row; on SQLite the IMMEDIATE transaction around this already holds the only write lock.
    """
    rows = ChargingSession.objects.select_related("connector", "id_token")
    return rows.select_for_update(of=("self",), no_key=True).get(pk=session.pk)


def difference_refuse(*, session: ChargingSession, reported: Mapping[str, Any]) -> None:
    """Raise SessionConflictError naming what differs from the stored session."""
    differences = [
        f"{name.removesuffix('_id')}: stored {getattr(session, name)}, got {value}"
        for name, value in reported.items()
        if getattr(session, name) != value
    ]
    if differences:
        raise SessionConflictError(
            f"transaction {session.transaction_id} was reported before with other content: {'; '.join(differences)}"
        )


def sample_compare(stored: MeterValue | Sample, sample: Sample) -> None:
    """Raises SessionConflictError where the same sample was reported before with another value or unit."""
    if (stored.value, stored.unit) != (sample.value, sample.unit):
        raise SessionConflictError(
            f"{sample.measurand} at {sample.sampled_at.isoformat()} was reported before with another value:"
            f" stored {stored.value.normalize():f} {stored.unit}, got {sample.value.normalize():f} {sample.unit}"
        )


def connector_get(*, station: Station, evse_id: int, connector_id: int) -> Connector:
    """The outlet by its OCPP 2.0.1 numbers; raises ConnectorUnknownError."""
    connectors = Connector.objects.select_related("tariff", "station__site__tariff")
    connector = connectors.filter(station=station, evse_id=evse_id, connector_id=connector_id).first()
    if connector is None:
        raise ConnectorUnknownError(f"station {station.identity} has no EVSE {evse_id} with connector {connector_id}")
    return connector


def location_of(site: Site) -> dict[str, str]:
    """The place as a session keeps it (the site's part of OCPI CdrLocation); address and coordinates if known."""
    known = {"id": site.code, "name": site.name, "country": site.country, "time_zone": site.time_zone}
    address = {"address": site.address, "city": site.city, "postal_code": site.postal_code}
    if site.latitude is not None and site.longitude is not None:
        address |= {"latitude": f"{site.latitude:.6f}", "longitude": f"{site.longitude:.6f}"}
    return known | {name: value for name, value in address.items() if value}


# --- Tokens


# --- Stations
