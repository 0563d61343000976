"""The keys of meters: seen, entered, confirmed, replaced, withdrawn. A key's row never changes but in its state."""

import base64
import binascii
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext

from accounts.models import User
from stations.errors import MeterKeyError
from stations.metering.keys import KeyUnreadable, public_key_read
from stations.metering.received import SignedText
from stations.models import ChargingSession, Connector, MeterPublicKey, Station

PENDING_MAX = 20  # a station; what it tells beyond is in the message log
State, Source = MeterPublicKey.State, MeterPublicKey.Source
# OCA's note on signed meter values: base64 around the key as it is printed on the meter, in hex behind these words.
ENVELOPE = re.compile(r"oca:base16:asn1:(.*)", re.IGNORECASE | re.DOTALL | re.ASCII)
KEY_OF_16 = re.compile(r"MeterPublicKey[_\[ ]?([0-9]{0,3})\]?", re.IGNORECASE | re.ASCII)
HEX_ALONE = re.compile(r"[0-9A-Fa-f\s]{40,}", re.ASCII)


@dataclass(frozen=True)
class Seen:
    """A key that came along with a signed text of a charge."""

    charge: ChargingSession
    signed: SignedText


@dataclass(frozen=True)
class Told:
    """A variable of a station, by the names of OCPP; `evse_id` 0: of the whole station. 1.6 has no component."""

    component: str
    variable: str
    evse_id: int
    value: str

    @property
    def key_of(self) -> int | None:
        """Of which EVSE it is the meter's key, 0 of the whole station; None where it is no key."""
        if found := KEY_OF_16.fullmatch(self.variable):
            return int(found[1] or 0) or self.evse_id
        fiscal = (self.component.lower(), self.variable.lower()) == ("fiscalmetering", "publickey")
        return self.evse_id if fiscal else None


def key_read(text: str) -> tuple[str, str]:
    """DER as hex, and the curve, of a key in any form that is in use; raises MeterKeyError."""
    try:
        der, curve = public_key_read(_out_of_envelope(text.strip()))
    except KeyUnreadable as error:
        raise MeterKeyError(str(error)) from error
    return der.hex(), curve


def _out_of_envelope(text: str) -> str:
    """Hex out of the base64 and the words that OCPP puts around it; any other text as it is."""
    try:
        inside = base64.b64decode("".join(text.split()), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        inside = text
    if found := ENVELOPE.fullmatch(inside.strip()):
        return re.sub("[^0-9A-Fa-f]", "", found[1])
    return inside if HEX_ALONE.fullmatch(inside) else text


# --- What comes along


def keys_seen(seen: Sequence[Seen]) -> None:
    """Keep keys that came with signed texts, where they are new: a person has to confirm each."""
    rows = [
        MeterPublicKey(
            station_id=one.charge.station_id,
            connector_id=one.charge.connector_id,
            meter_serial=one.signed.meter_serial,
            public_key=one.signed.public_key,  # as it came; read below
            source=Source.SEEN,
        )
        for one in seen
    ]
    _keep_new(rows)


def variables_told(station: Station, told: Iterable[Told]) -> None:
    """The same of keys among a station's variables: MeterPublicKey1 (1.6), FiscalMetering.PublicKey (2.x)."""
    keys = [(of, one.value) for one in told if (of := one.key_of) is not None and one.value]
    outlets: dict[int, int] = {}
    if any(of for of, _ in keys):
        known = Connector.objects.filter(station=station).order_by("-connector_id")
        outlets = dict(known.values_list("evse_id", "pk"))
    source = Source.STATION
    _keep_new(
        [
            MeterPublicKey(station=station, connector_id=outlets.get(of), public_key=text, source=source)
            for of, text in keys
        ]
    )


def _keep_new(rows: Sequence[MeterPublicKey]) -> None:
    readable = []
    for row in rows:
        try:
            row.public_key, row.curve = key_read(row.public_key)
        except MeterKeyError:  # the message log has it
            continue
        readable.append(row)
    if not readable:
        return
    stations = {row.station_id for row in readable}
    known = list(MeterPublicKey.objects.filter(station__in=stations).order_by())
    waiting = Counter(row.station_id for row in known if row.state == State.PENDING)
    new: list[MeterPublicKey] = []
    for row in readable:
        if any(_is_same(one, row) for one in [*known, *new]) or waiting[row.station_id] >= PENDING_MAX:
            continue
        waiting[row.station_id] += 1
        new.append(row)
    MeterPublicKey.objects.bulk_create(new)


def _is_same(known: MeterPublicKey, row: MeterPublicKey) -> bool:
    same = (known.station_id, known.public_key) == (row.station_id, row.public_key)
    return same and (row.connector_id is None or known.connector_id in {None, row.connector_id})


# --- What people do


@transaction.atomic
def key_add(
    *, station: Station, connector: Connector | None, meter_serial: str, text: str, by: User | None
) -> MeterPublicKey:
    """Register a key that somebody has from the meter's plate or its maker; raises MeterKeyError."""
    public_key, curve = key_read(text)
    if connector is not None and connector.station_id != station.pk:
        raise MeterKeyError(gettext("the outlet belongs to another station"))
    where = {"station": station, "connector": connector, "meter_serial": meter_serial.strip()}
    same = _locked(station).filter(**where, public_key=public_key)
    if any(row.state == State.CONFIRMED for row in same):
        raise MeterKeyError(gettext("this key is registered for this meter already"))
    waiting = next((row for row in same if row.state == State.PENDING), None)
    row = waiting or MeterPublicKey(**where, public_key=public_key, curve=curve, source=Source.ADMIN)
    return _confirm(row, by)


@transaction.atomic
def key_confirm(*, key: MeterPublicKey, by: User | None) -> MeterPublicKey:
    """Somebody has compared it with the meter: from now on it judges; raises MeterKeyError unless it is waiting."""
    row = _locked(key.station).get(pk=key.pk)
    if row.state != State.PENDING:
        raise MeterKeyError(gettext("only a key that waits for it can be confirmed"))
    return _confirm(row, by)


@transaction.atomic
def key_withdraw(*, key: MeterPublicKey) -> MeterPublicKey:
    """It judges nothing from now on, also no charge that goes on; raises MeterKeyError where it was withdrawn."""
    row = _locked(key.station).get(pk=key.pk)
    if row.state == State.WITHDRAWN and row.replaced_by_id is None:
        raise MeterKeyError(gettext("it was withdrawn already"))
    row.state, row.ended_at, row.replaced_by = State.WITHDRAWN, row.ended_at or timezone.now(), None
    row.save(update_fields=["state", "ended_at", "replaced_by"])
    return row


def _confirm(row: MeterPublicKey, by: User | None) -> MeterPublicKey:
    """Confirm it in the place of the one that this meter had, of which no more is seen in charges to come."""
    now = timezone.now()
    where = {"connector": row.connector, "meter_serial": row.meter_serial, "state": State.CONFIRMED}
    before = list(_locked(row.station).filter(**where).exclude(pk=row.pk))
    for old in before:
        old.state, old.ended_at = State.WITHDRAWN, now
        old.save(update_fields=["state", "ended_at"])
    row.state, row.confirmed_by, row.confirmed_at = State.CONFIRMED, by, now
    row.save()
    for old in before:
        old.replaced_by = row
        old.save(update_fields=["replaced_by"])
    return row


def _locked(station: Station) -> QuerySet[MeterPublicKey]:
    """The station's keys; whoever changes one waits for whoever does it now."""
    list(Station.objects.filter(pk=station.pk).select_for_update(no_key=True).values_list("pk"))
    return MeterPublicKey.objects.filter(station=station).order_by("pk")
