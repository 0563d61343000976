"""What happens to stations, tokens and charging sessions, one step each."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from stations.charging import plausibility
from stations.charging.meter_digest import meter_values_sha256
from stations.errors import (
    ConnectorUnknownError,
    SessionConflictError,
    SessionEndedError,
    StationRefusedError,
    TimesImpossibleError,
    TokenTakenError,
)
from stations.models import ChargingSession, Connector, IdToken, LinkCode, MeterValue, Site, Station
from stations.places import silence
from stations.signals import sessions_closed, sessions_moved
from stations.tariffs.pricing import cost_lines, total_minor

ENERGY_REGISTER = "Energy.Active.Import.Register"
LAST_SEEN_EVERY = timedelta(minutes=1)


@dataclass(frozen=True)
class TokenRef:
    """An IdToken as a station names it."""

    uid: str
    type: str = IdToken.Type.ISO14443.value


@dataclass(frozen=True)
class Sample:
    """One sampled value (OCPP 2.0.1 SampledValueType)."""

    sampled_at: datetime
    value: Decimal
    measurand: str = ENERGY_REGISTER
    unit: str = "Wh"
    phase: str = ""
    context: str = "Sample.Periodic"

    @property
    def key(self) -> tuple[datetime, str, str, str]:
        return (self.sampled_at, self.measurand, self.phase, self.context)


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
    session.energy_wh = energy_wh if verdict.billable else None
    session.flags = verdict.flags


def cost_apply(*, session: ChargingSession) -> None:
    """Set cost and currency of a session that was judged (not saved here); without a tariff they stay unknown."""
    if session.status == ChargingSession.Status.COMPLETED and session.tariff:
        assert session.energy_wh is not None
        session.cost_minor = total_minor(cost_lines(session.tariff, energy_wh=session.energy_wh))
        session.currency = session.tariff["currency"]


def charges_running(*, customer: User) -> list[ChargingSession]:
    """His charges that have not ended, locked to the end of the transaction: one that is just closing is waited for."""
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
    if (stored.value, stored.unit) != (sample.value, sample.unit):
        raise SessionConflictError(
            f"{sample.measurand} at {sample.sampled_at.isoformat()} was reported before with another value:"
            f" stored {stored.value.normalize():f} {stored.unit}, got {sample.value.normalize():f} {sample.unit}"
        )


def connector_get(*, station: Station, evse_id: int, connector_id: int) -> Connector:
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


def id_token_get(*, token: TokenRef) -> IdToken:
    """The token, stored now if nobody has seen it, locked: who links it must wait, or this session would be missed.

    Unknown tokens are taken: whether to charge was decided at the station, and the record must not be lost. The
    token stays without customer until somebody links it. Call it inside a transaction.
    """
    stored, _ = IdToken.objects.get_or_create(uid=token.uid, type=token.type)
    return IdToken.objects.select_for_update(no_key=True).get(pk=stored.pk)


@transaction.atomic
def id_token_link(*, id_token: IdToken, customer: User) -> int:
    """Give the token to a customer, and with it the sessions that never belonged to anybody; returns their number.

    Sessions of a former holder stay his. Codes for linking the token end. Raises TokenTakenError where it belongs to
    another customer: unlink it there first.
    """
    free = Q(customer__isnull=True) | Q(customer=customer)
    if not IdToken.objects.filter(free, pk=id_token.pk).update(customer=customer):
        raise TokenTakenError(f"token {id_token.uid} ({id_token.type}) belongs to another customer: unlink it first")
    id_token.customer = customer
    LinkCode.objects.open().filter(id_token=id_token).update(ended_at=timezone.now())
    return sessions_move(id_token=id_token, former=None, customer=customer)


@transaction.atomic
def id_token_unlink(*, id_token: IdToken, mistaken: bool = False) -> int:
    """Take the token from its customer; returns the number of sessions that left him with it. Nothing linked: 0.

    His sessions stay his, and whoever is given the token next does not see them: 0. Unless the link was `mistaken`:
    then they were never his, and belong to nobody until the token is linked again.
    """
    locked = IdToken.objects.select_for_update(no_key=True).get(pk=id_token.pk)
    if locked.customer_id is None:
        return 0
    IdToken.objects.filter(pk=locked.pk).update(customer=None)
    id_token.customer = None
    return sessions_move(id_token=locked, former=locked.customer, customer=None) if mistaken else 0


def sessions_move(*, id_token: IdToken, former: User | None, customer: User | None) -> int:
    """All sessions of this token that are `former`'s become `customer`'s; returns their number."""
    moved = ChargingSession.objects.filter(id_token=id_token, customer=former).update(customer=customer)
    sessions_moved.send(sender=ChargingSession, id_token=id_token, former=former)
    return moved


# --- Stations


def station_credential_set(*, station: Station) -> str:
    """Make a new credential, which ends the old one; returned this once, only its hash is stored.

    30 random bytes are 40 characters, the most that OCPP 2.0.1 allows for a BasicAuthPassword.
    """
    credential = secrets.token_urlsafe(30)
    station.credential_hash = credential_hash(credential)
    station.save(update_fields=["credential_hash"])
    return credential


def station_credential_withdraw(*, station: Station) -> None:
    """Let the station report no more, until it gets a new credential."""
    station.credential_hash = ""
    station.save(update_fields=["credential_hash"])


def credential_hash(credential: str) -> str:
    """SHA-256 without salt and stretching, as a station authenticates with every request.

    Both exist for passwords that people choose. Nobody can search 2^240 random values, however fast the hash is.
    """
    return "sha256$" + hashlib.sha256(credential.encode()).hexdigest()


def station_authenticate(*, identity: str, credential: str) -> Station:
    """The station with that identity and credential; raises StationRefusedError without saying which was wrong."""
    station = Station.objects.select_related("site").filter(identity=identity).first()
    # A station without a credential has "" here, which no hash equals.
    stored = station.credential_hash if station else ""
    if not hmac.compare_digest(stored, credential_hash(credential)) or station is None:
        raise StationRefusedError("expected the identity of a station and its credential")
    station_seen(station=station)
    return station


def station_seen(*, station: Station) -> None:
    """Note that the station was heard, at most once a minute: not every request needs a write."""
    now, last = timezone.now(), station.last_seen_at
    if last is not None and now - last < LAST_SEEN_EVERY:
        return
    usual = station.usual_silence_s if last is None else silence.usual_s(station.usual_silence_s, now - last)
    heard = {"last_seen_at": now, "usual_silence_s": usual, "expected_by": silence.expected_by(now, usual)}
    Station.objects.filter(pk=station.pk).update(**heard)
    for name, value in heard.items():
        setattr(station, name, value)
