"""Meter values as stations tell of them over OCPP: of many messages at once, in a number of queries that stays.

Nothing is refused. What is told again is stored once; what contradicts what is there, or comes after the end and would
change it, is set aside.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from common.database.inserting import columns_insert
from stations.charging import plausibility
from stations.charging.asides import Aside, SaidOf, set_aside_many
from stations.charging.clocks import offset_in_charge, offset_of
from stations.charging.numbers import is_ended_without_station, meant
from stations.charging.sessions import sample_compare
from stations.charging.vocabulary import ENERGY_REGISTER, Sample
from stations.errors import SessionConflictError
from stations.identifiers import letters
from stations.metering import storing
from stations.metering.received import SignedText
from stations.models import ChargingSession, MeterValue, SetAside, Station
from stations.tariffs import charged
from stations.tariffs.engine import has_elements

# Other systems are told how far a charge has come when its row has changed: not more often than this.
TOLD_EVERY = timedelta(seconds=10)
# Of a charge; its tariff, place and card are not read for each of its values.
NEEDED = (
    *("station_id", "transaction_id", "number", "status", "started_at", "started_said", "stopped_at", "updated_at"),
    *("meter_start_wh", "meter_stop_wh", "flags", "connector__evse_id", "connector__max_power_w"),
)
KNOWN = ("session_id", "sampled_at", "measurand", "phase", "context", "value", "unit")
Key = tuple[UUID, datetime, str, str, str]
SAMPLE = ("sampled_at", "measurand", "value", "unit", "phase", "context")


@dataclass(frozen=True)
class Values:
    """One message. `samples` by the station's own clock; `number`: of the transaction, None where none was told.

    `evse_id`: the outlet where the message names one, else 0. `message`: as it came, where it has to be set aside.
    """

    station: Station
    evse_id: int
    number: str | None
    samples: Sequence[Sample]
    received_at: datetime
    message: Any
    asides: Sequence[Aside] = ()
    signed: Sequence[SignedText] = ()


@dataclass(frozen=True)
class Wanted:
    """A sample that is to be stored, and of what."""

    charge: ChargingSession
    sample: Sample
    station: Station


@transaction.atomic(savepoint=False)
def charge_values_many(messages: Sequence[Values]) -> list[UUID | None]:
    """Store what is new in them; returns the charge that each was about, None for those about none."""
    charges = _charges(messages)
    aside: list[SaidOf] = []
    wanted: dict[Key, Wanted] = {}
    for message, charge in zip(messages, charges, strict=True):
        aside += (SaidOf(message.station, SetAside.Kind.VALUE, one) for one in message.asides)
        if charge is None:
            aside += _of_no_charge(message)
            continue
        for sample in _in_time(message, charge):
            _want(wanted, charge, sample, message, aside)
    aside += _signed(messages, charges)
    _known_drop(wanted, aside)
    late = _late_drop(wanted)
    for message, charge in zip(messages, charges, strict=True):
        if charge is not None and charge.pk in late:
            aside += _too_late(message, charge, late.pop(charge.pk))
    _store(wanted)
    set_aside_many(aside)
    return [charge.pk if charge else None for charge in charges]


def values_stored(charges: Sequence[ChargingSession]) -> dict[UUID, list[charged.Value]]:
    """All values of the open ones whose price asks for them (a tariff with elements): one query, or none at all."""
    found: dict[UUID, list[charged.Value]] = {charge.pk: [] for charge in charges}
    wanted = [charge.pk for charge in charges if has_elements(charge.tariff) and not charge.is_closed]
    if wanted:
        rows = MeterValue.objects.filter(session__in=wanted).order_by()
        for pk, *value in rows.values_list("session_id", *charged.COLUMNS):
            found[pk].append(cast(charged.Value, tuple(value)))
    return found


# --- Which charge


def _charges(messages: Sequence[Values]) -> list[ChargingSession | None]:
    """The charge of each message: that of its number, else the one that is open at its outlet. All are locked."""
    numbered = [message for message in messages if message.number is not None]
    of_number: dict[tuple[int, str], list[ChargingSession]] = defaultdict(list)
    if numbered:
        numbers = {letters(message.number or "") for message in numbered}
        stations = {message.station.pk for message in numbered}
        for one in _locked(Q(station__in=stations, number__in=numbers)):
            of_number[one.station_id, one.number].append(one)
    found: list[ChargingSession | None] = []
    for message in messages:
        same = of_number[message.station.pk, letters(message.number)] if message.number is not None else []
        same.sort(key=lambda one: (one.started_at, str(one.pk)), reverse=True)
        newest = max((sample.sampled_at for sample in message.samples), default=None)
        found.append(meant(same, newest) if same else None)
    return _at_outlets(messages, found)


def _at_outlets(messages: Sequence[Values], found: list[ChargingSession | None]) -> list[ChargingSession | None]:
    """Those without a number that we know: stations that lost the answer to a start say 0, -1 or none."""
    lost = {message.station.pk for message, charge in zip(messages, found, strict=True) if not charge}
    if not lost:
        return found
    known = {charge.pk: charge for charge in found if charge}  # one object a charge: what is learnt of its clock stays
    open_now = [known.get(one.pk, one) for one in _locked(Q(station__in=lost, status=ChargingSession.Status.ACTIVE))]
    return [charge or _open_at(message, open_now) for message, charge in zip(messages, found, strict=True)]


def _open_at(message: Values, open_now: Iterable[ChargingSession]) -> ChargingSession | None:
    here = [
        one
        for one in open_now
        if (one.station_id, one.connector.evse_id) == (message.station.pk, message.evse_id)
        and one.started_at <= message.received_at
        and plausibility.OUTLET_NOT_REPORTED not in one.flags
    ]
    return max(here, key=lambda one: one.started_at, default=None)


def _locked(which: Q) -> list[ChargingSession]:
    """In the order of their keys, as everybody who locks several."""
    rows = ChargingSession.objects.select_related("connector").only(*NEEDED).filter(which).order_by("pk")
    return list(rows.select_for_update(of=("self",), no_key=True))


def _of_no_charge(message: Values) -> list[SaidOf]:
    """Meters also report while nobody charges; only what names a transaction belonged to one."""
    bound = [one for one in message.signed if one.context.startswith(storing.BOUNDARY)]
    if not bound and (message.number is None or not (message.samples or message.signed)):
        return []
    reason = "the number is of no charge, and none is open at the outlet"
    return [SaidOf(message.station, SetAside.Kind.LATE, Aside(f"values {message.number}", reason, message.message))]


# --- What is signed


def _signed(messages: Sequence[Values], charges: Sequence[ChargingSession | None]) -> list[SaidOf]:
    """Store the signed texts of charges that go on; returns what finds no place, or is news of one that has ended."""
    told = [
        (message, storing.SignedOf(charge, signed, message.received_at))
        for message, charge in zip(messages, charges, strict=True)
        if charge is not None
        for signed in message.signed
    ]
    if not told:
        return []
    late = [(message, one) for message, one in told if one.charge.is_closed]
    full = {id(one) for one in storing.signed_store([one for _, one in told if not one.charge.is_closed])}
    known = storing.already_stored([one.charge.pk for _, one in late]) if late else set()
    news = [(message, one, "it came after the end") for message, one in late if one.key not in known]
    news += [(message, one, "there is no room for more of one charge") for message, one in told if id(one) in full]
    return [_signed_aside(message, one, reason) for message, one, reason in news]


def _signed_aside(message: Values, one: storing.SignedOf, reason: str) -> SaidOf:
    kind = SetAside.Kind.LATE if one.charge.is_closed else SetAside.Kind.VALUE
    subject = f"{one.charge.transaction_id} signed" if one.charge.is_closed else "signed value"
    said = {"context": one.signed.context, "signed": one.signed.text}
    return SaidOf(message.station, kind, Aside(subject, f"a signed meter value was not taken: {reason}", said))


# --- When


def _in_time(message: Values, charge: ChargingSession) -> list[Sample]:
    """Its samples, moved where the station's clock is wrong."""
    if not message.samples:
        return []
    newest = max(sample.sampled_at for sample in message.samples)
    offset = clock_offset(charge, newest, message.received_at, message.station.connected_at)
    if not offset:
        return list(message.samples)
    return [replace(sample, sampled_at=sample.sampled_at + offset) for sample in message.samples]


def clock_offset(
    charge: ChargingSession, said: datetime, received_at: datetime, connected_at: datetime | None
) -> timedelta:
    """What is to be added to the times that the station tells of this charge, which is locked.

    Where nothing known makes it true, it happened when we heard of it, and the charge is flagged.
    """
    known = charge.started_at - charge.started_said if charge.started_said else None
    offset = offset_in_charge(
        said, received_at=received_at, started_at=charge.started_at, known=known, connected_at=connected_at
    )
    if offset is not None:
        return offset
    offset = offset_of(said, received_at)
    charge.started_said = charge.started_at - offset
    flags_add(charge, [plausibility.CLOCK_WRONG], started_said=charge.started_said)
    return offset


def flags_add(charge: ChargingSession, flags: Sequence[str], **also: Any) -> None:
    """Keep these with a charge that is locked, while it is open; a closed one never changes."""
    new = [flag for flag in flags if flag not in charge.flags]
    if charge.is_closed or not (new or also):
        return
    charge.flags = [*charge.flags, *new]
    ChargingSession.objects.filter(pk=charge.pk).update(flags=charge.flags, **also)


# --- What is new


def _want(
    wanted: dict[Key, Wanted],
    charge: ChargingSession,
    sample: Sample,
    message: Values,
    aside: list[SaidOf],
) -> None:
    if sample.at_inlet and not _is_of_outlet(charge, sample):
        reason = "location: expected Outlet; what the inlet's meter says is not of this charge alone"
        said = {"value": f"{sample.value:f}", "sampled_at": sample.sampled_at.isoformat()}
        aside.append(SaidOf(message.station, SetAside.Kind.VALUE, Aside("location 'Inlet'", reason, said)))
        return
    first = wanted.setdefault((charge.pk, *sample.key), Wanted(charge, sample, message.station))
    _same_or_aside(first.sample, sample, message.station, aside)


def _is_of_outlet(charge: ChargingSession, sample: Sample) -> bool:
    """Whether a register at the inlet counts what the outlet gave: an inlet may feed several.

    Then it is far from what this one can have given since the start.
    """
    if sample.measurand != ENERGY_REGISTER or sample.phase or charge.meter_start_wh is None:
        return True
    given_wh = int(sample.value) - charge.meter_start_wh
    until = max(sample.sampled_at, charge.started_at)
    most = plausibility.Charge(charge.started_at, until, given_wh, max_power_w=charge.connector.max_power_w)
    return -plausibility.ROUNDING_WH <= given_wh <= plausibility.energy_limit_wh(most)


def _same_or_aside(stored: Sample, sample: Sample, station: Station, aside: list[SaidOf]) -> None:
    try:
        sample_compare(stored, sample)
    except SessionConflictError as error:
        subject = f"{sample.measurand} twice"
        said = {"sampled_at": sample.sampled_at.isoformat(), "value": f"{sample.value:f}", "unit": sample.unit}
        aside.append(SaidOf(station, SetAside.Kind.VALUE, Aside(subject, str(error), said)))


def _known_drop(wanted: dict[Key, Wanted], aside: list[SaidOf]) -> None:
    """Take out what is stored already; another value at the same moment is set aside."""
    if not wanted:
        return
    moments = {one.sample.sampled_at for one in wanted.values()}
    rows = MeterValue.objects.filter(session__in={key[0] for key in wanted}, sampled_at__in=moments)
    for pk, sampled_at, measurand, phase, context, value, unit in rows.order_by().values_list(*KNOWN):
        if (one := wanted.pop((pk, sampled_at, measurand, phase, context), None)) is not None:
            stored = Sample(sampled_at, value, measurand, unit, phase, context)
            _same_or_aside(stored, one.sample, one.station, aside)


def _late_drop(wanted: dict[Key, Wanted]) -> dict[UUID, list[Sample]]:
    """Take out what is of charges that have ended; returned by charge."""
    late: dict[UUID, list[Sample]] = defaultdict(list)
    for key, one in list(wanted.items()):
        if one.charge.is_closed:
            late[one.charge.pk].append(one.sample)
            del wanted[key]
    return late


def _too_late(message: Values, charge: ChargingSession, samples: Sequence[Sample]) -> list[SaidOf]:
    """What came after the end: for an operator where it says more than the end did; else the message log has it."""
    most = charge.meter_stop_wh
    readings = [int(one.value) for one in samples if one.measurand == ENERGY_REGISTER and not one.phase]
    above = any(most is None or reading > most + plausibility.ROUNDING_WH for reading in readings)
    if not above and not is_ended_without_station(charge):
        return []
    reason = f"expected meter values before the stop, session {charge.transaction_id} has stopped"
    subject = f"{charge.transaction_id} meter-values"
    return [SaidOf(message.station, SetAside.Kind.LATE, Aside(subject, reason, message.message))]


def _store(wanted: dict[Key, Wanted]) -> None:
    if not wanted:
        return
    samples = [one.sample for one in wanted.values()]
    columns: dict[str, list[Any]] = {name: [getattr(sample, name) for sample in samples] for name in SAMPLE}
    columns_insert(MeterValue, columns | {"session_id": [one.charge.pk for one in wanted.values()]})
    now = timezone.now()
    untold = {one.charge.pk for one in wanted.values() if one.charge.updated_at < now - TOLD_EVERY}
    if untold:
        ChargingSession.objects.filter(pk__in=untold).update(updated_at=now)
