"""What a charge that ends is worth by its meter's signatures: judged with the key that a person registered.

    VERIFIED      begin, end and energy are the signed ones; the station's own figures must say the same
    FAILED        flagged; never billed from what failed: by the station's own figures, or not at all where the site
                  demands signatures
    NOT CHECKED   a format that is not read here, or no key yet; the same, without a flag

A signed value that contradicts the station makes the charge INVALID, and an operator decides. So does everything but
VERIFIED where the site demands signatures.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db.models import Q

from stations.errors import CorrectionRefusedError
from stations.metering.comparing import RECORD_DIFFERS, SIGNED_CONTRADICTS, SIGNED_FAILED, SIGNED_REQUIRED, contradicts
from stations.metering.judging import Judgement, SignedValue, Verdict, half_up, judge
from stations.metering.received import SignedText
from stations.models import ChargingSession, MeterPublicKey, SignedMeterValue, Station

INVALID, COMPLETED = ChargingSession.Status.INVALID, ChargingSession.Status.COMPLETED
VERIFIED: Final = "VERIFIED"
FAILED: Final = "FAILED"
NOT_SIGNED: Final = "NOT SIGNED"
# Two clocks in one cabinet, of which one may be in another zone; a pair of texts from another day is of another charge.
APART_MAX = timedelta(days=1)
COLUMNS = (
    *("meter_start_wh", "meter_stop_wh", "meter_start_told_wh", "meter_stop_told_wh"),
    *("signed_meter_values", "signed_verdict", "signed_reason", "meter_public_key"),
)
_TEXT = ("session_id", "format", "encoding", "context", "text")


@dataclass(frozen=True)
class Proof:
    """Of one charge. `key`: with which it was judged, as hex; `demanded`: its site takes nothing unproven."""

    values: Sequence[SignedValue]
    judgement: Judgement
    key: str
    demanded: bool

    @property
    def registers_wh(self) -> tuple[int, int] | None:
        """At begin and end, whole Wh, where they are proven."""
        begin, end = self.judgement.begin, self.judgement.end
        if self.judgement.verdict != VERIFIED or begin is None or end is None:
            return None
        return half_up(begin.register_wh), half_up(end.register_wh)


def values_of(texts: Sequence[SignedText]) -> list[SignedValue]:
    """As the judge takes them."""
    return [SignedValue(one.format, one.encoding, one.context, one.text) for one in texts]


def proofs_of(
    sessions: Sequence[ChargingSession], given: Mapping[UUID, Sequence[SignedValue]] | None = None
) -> dict[UUID, Proof]:
    """Those of charges that end: of their texts so far, or of those that are `given`. Few queries, however many."""
    texts = _texts_of(sessions) if given is None else given
    stations = {session.station_id for session in sessions}
    demanding = set(Station.objects.filter(pk__in=stations, site__signed_required=True).values_list("pk", flat=True))
    signed = [session for session in sessions if texts.get(session.pk)]
    keys = _keys_of(signed)
    return {
        session.pk: _proof(session, texts.get(session.pk, ()), keys, session.station_id in demanding)
        for session in sessions
    }


def texts_drop(proofs: Mapping[UUID, Proof]) -> None:
    """They stand in the sessions' own column now."""
    if moved := [pk for pk, proof in proofs.items() if proof.values]:
        SignedMeterValue.objects.filter(session__in=moved).delete()


def _texts_of(sessions: Sequence[ChargingSession]) -> dict[UUID, list[SignedValue]]:
    found: dict[UUID, list[SignedValue]] = defaultdict(list)
    rows = SignedMeterValue.objects.filter(session__in=[session.pk for session in sessions]).order_by("pk")
    for pk, *value in rows.values_list(*_TEXT):
        found[pk].append(SignedValue(*value))
    return found


# --- The key


def _keys_of(sessions: Sequence[ChargingSession]) -> list[MeterPublicKey]:
    """Those that count, and those that were replaced since the first of these charges began."""
    if not sessions:
        return []
    replaced = Q(replaced_by__isnull=False, ended_at__gt=min(session.started_at for session in sessions))
    stations = {session.station_id for session in sessions}
    rows = MeterPublicKey.objects.filter(Q(state=MeterPublicKey.State.CONFIRMED) | replaced, station__in=stations)
    return list(rows.order_by("-confirmed_at", "-pk"))


def _fitting(session: ChargingSession, keys: Sequence[MeterPublicKey], serial: str) -> list[MeterPublicKey]:
    """Of this charge's meter, the likeliest first; where none is of the meter that signed, those of the outlet."""
    here = [
        key
        for key in keys
        if key.station_id == session.station_id
        and key.connector_id in {None, session.connector_id}
        and (key.ended_at is None or key.ended_at > session.started_at)
    ]
    same = [key for key in here if not key.meter_serial or key.meter_serial == serial]
    found = same or here
    found.sort(key=lambda key: (not key.meter_serial, key.connector_id is None, key.ended_at is not None))
    return found


def _proof(
    session: ChargingSession, values: Sequence[SignedValue], keys: Sequence[MeterPublicKey], demanded: bool
) -> Proof:
    if not values:
        return Proof(values, Judgement(NOT_SIGNED), "", demanded)
    serial = next((found for one in values if (found := _serial(one))), "")
    uid = session.id_token.uid if session.id_token else None
    first: Proof | None = None
    for key in _fitting(session, keys, serial):
        registered = key.meter_serial or None
        judgement = judge(values, bytes.fromhex(key.public_key), token_uid=uid, meter_serial=registered)
        proof = Proof(values, judgement, key.public_key, demanded)
        if judgement.verdict == VERIFIED:
            return proof
        first = first or proof
    return first or Proof(values, judge(values, None, token_uid=uid), "", demanded)


def _serial(value: SignedValue) -> str:
    return SignedText(value.format, value.encoding, value.context, value.text).meter_serial


# --- What it does to a charge


def proof_fill(session: ChargingSession, proof: Proof, *, ended_otherwise: bool) -> None:
    """Set what the station did not say of its meter, and the signed value does (not saved here).

    `ended_otherwise`: the station did not tell the end, so its last reading is no contradiction.
    """
    if (registers := proof.registers_wh) is None:
        return
    begin_wh, end_wh = registers
    if session.meter_start_wh is None:
        session.meter_start_wh = begin_wh
    if session.meter_stop_wh is None or (ended_otherwise and session.meter_stop_wh < end_wh):
        session.meter_stop_wh = end_wh


def proof_apply(session: ChargingSession, proof: Proof) -> None:
    """Set the verdict, and the figures that follow from it, of a charge whose own figures were judged (not saved).

    A charge that is INVALID, for whatever reason, has no energy: the record then says less than the meter signed.
    """
    verdict: Verdict = proof.judgement.verdict
    reason, flag = proof.judgement.reason, ""
    if (registers := proof.registers_wh) is not None:
        own = session.meter_start_wh, session.meter_stop_wh
        if contradicts(own, registers) or _is_of_another_day(session, proof.judgement):
            session.status, session.energy_wh, flag = INVALID, None, SIGNED_CONTRADICTS
        if session.status == COMPLETED:
            session.meter_start_told_wh, session.meter_stop_told_wh = own
            session.meter_start_wh, session.meter_stop_wh = registers
            session.energy_wh = proof.judgement.energy_wh
        else:
            verdict, reason = FAILED, RECORD_DIFFERS
    elif verdict == FAILED:
        flag = SIGNED_FAILED
    if proof.demanded and verdict != VERIFIED and session.status == COMPLETED:
        session.status, session.energy_wh, flag = INVALID, None, SIGNED_REQUIRED
    _columns_set(session, proof, verdict, reason)
    session.flags = [*[flag] * bool(flag), *session.flags]


# --- What corrects a charge that has ended


def values_with(session: ChargingSession, more: Sequence[SignedText] = ()) -> list[SignedValue]:
    """What the session has, and what comes besides."""
    return [*(SignedValue.of(element) for element in session.signed_meter_values), *values_of(more)]


def signed_energy(session: ChargingSession, values: Sequence[SignedValue], own_wh: tuple[int, int]) -> int | None:
    """The energy that these prove, in Wh; None where they prove none.

    Raises CorrectionRefusedError where they contradict the station's registers, or the site demands what they lack.
    """
    proof = proofs_of([session], {session.pk: values})[session.pk]
    if (registers := proof.registers_wh) is None:
        if proof.demanded:
            raise CorrectionRefusedError("signed meter values are required there, and these are not verified")
        return None
    if contradicts(own_wh, registers):
        raise CorrectionRefusedError("what the meter signed is not what the station reports")
    return proof.judgement.energy_wh


def proof_carry(replacement: ChargingSession, values: Sequence[SignedValue], *, told: bool) -> None:
    """Give what was signed to a session that corrects another, where it proves its figures (not saved here).

    Figures that an operator knows better stand unsigned; where the station `told` them, what failed is kept, too.
    """
    if not values:
        return
    proof = proofs_of([replacement], {replacement.pk: values})[replacement.pk]
    registers, failed = proof.registers_wh, proof.judgement.verdict == FAILED
    if registers is not None and proof.judgement.energy_wh == replacement.energy_wh:
        replacement.meter_start_wh, replacement.meter_stop_wh = registers
    elif not (told and failed):
        return
    _columns_set(replacement, proof, proof.judgement.verdict, proof.judgement.reason)
    replacement.flags = [*[SIGNED_FAILED] * failed, *replacement.flags]


def proof_imported(session: ChargingSession, values: Sequence[SignedValue]) -> None:
    """Judge a charge of a file by what its meter signed (not saved here); files often name the energy alone."""
    if not values or session.status != COMPLETED or session.energy_wh is None:
        return
    proof = proofs_of([session], {session.pk: values})[session.pk]
    own = session.meter_start_wh, session.meter_stop_wh
    if None in own:
        session.meter_start_wh, session.meter_stop_wh = 0, session.energy_wh
    proof_apply(session, proof)
    if None in own:
        session.meter_start_told_wh = session.meter_stop_told_wh = None
        if session.signed_verdict != VERIFIED:
            session.meter_start_wh, session.meter_stop_wh = own
    if session.status == INVALID:
        session.cost_minor, session.currency = None, ""


def _columns_set(session: ChargingSession, proof: Proof, verdict: Verdict, reason: str) -> None:
    session.signed_meter_values = [value.element() for value in proof.values]
    session.signed_verdict = "" if verdict == NOT_SIGNED else verdict
    session.signed_reason, session.meter_public_key = reason, proof.key


def _is_of_another_day(session: ChargingSession, judgement: Judgement) -> bool:
    """Whether the meter signed at quite another time than the station says; not where that clock is known as wrong."""
    if judgement.begin is None or judgement.end is None or session.stopped_at is None or "clock_wrong" in session.flags:
        return False
    early, late = session.started_at - APART_MAX, session.stopped_at + APART_MAX
    return not early <= judgement.begin.at <= judgement.end.at <= late
