"""Corrections: a closed session never changes, so a new session takes all of it back, and another one has it right.

The credit has the negated energy and cost of the session that it names (OCPI 2.2.1 CDR `credit`,
`credit_reference_id`, section 10.3.1), at the same place and time. Both are closed sessions like others: they are
recorded on the chain. In sums the two cancel out, and neither counts as a charge (ledger/state/counting.py).
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, Subquery
from django.utils.translation import gettext

from accounts.models import User
from stations.charging import plausibility
from stations.charging.locks import session_locked
from stations.digits import number
from stations.errors import CorrectionRefusedError
from stations.metering import closing
from stations.metering.judging import SignedValue
from stations.models import ChargingSession, ChargingSessionQuerySet, IdToken
from stations.models.corrections import Correction
from stations.signals import sessions_closed
from stations.tariffs import charged
from stations.tariffs.engine import has_elements
from stations.tariffs.lines import lines_given_back

Status = ChargingSession.Status
REASON_MIN, REASON_MAX = 10, 500
# What a credit and a replacement have in common with the session that they are about.
SAME = (
    "station_id",
    "connector_id",
    "id_token_id",
    "customer_id",
    "location",
    "started_at",
    "stopped_at",
    "currency",
    "tariff",
    "statement_month",
)


@dataclass(frozen=True)
class Figures:
    """What the session should have said. Energy in Wh, cost in minor units of the session's currency.

    `cost_lines`: how the cost comes about under a tariff with elements; none where somebody entered it.
    """

    energy_wh: int
    cost_minor: int | None
    started_at: datetime
    stopped_at: datetime
    cost_lines: list[dict[str, Any]] = field(default_factory=list)


def refusal(session: ChargingSession) -> str:
    """Why this session cannot be credited; "" where it can."""
    if not session.is_closed:
        return gettext("it is still charging; credit it when it has ended")
    if session.credit:
        return gettext("it is a credit itself; record the charge anew instead")
    if Correction.objects.filter(session=session).exists() or credit_of(session):
        return gettext("it was credited already")
    return ""


def credits_of_row() -> ChargingSessionQuerySet:
    """Inside a query over sessions: the credits of each (unique index session_credited_once)."""
    return ChargingSession.objects.filter(credit=True, credit_reference=OuterRef("pk")).order_by()


def counting(sessions: ChargingSessionQuerySet) -> ChargingSessionQuerySet:
    """Those that count: neither credits nor what they take back."""
    return sessions.filter(~Exists(credits_of_row()), credit=False)


def with_credits(sessions: ChargingSessionQuerySet) -> ChargingSessionQuerySet:
    """Each with `credit_pk`, the session that takes it back; None where it stands."""
    return sessions.annotate(credit_pk=Subquery(credits_of_row().values("pk")[:1]))


def credit_of(session: ChargingSession) -> ChargingSession | None:
    """The session that takes this one back; None where none does."""
    return session.credited_by.filter(credit=True).first()


@transaction.atomic
def session_credit(*, session: ChargingSession, reason: str, by: User) -> ChargingSession:
    """Take a session back, whole, by a new one; returns that. A session that was not billed has nothing to take back.

    Raises CorrectionRefusedError: still charging, a credit itself, credited already, not billed, no reason.
    """
    session = _taken(session, reason)
    if session.status != Status.COMPLETED:
        raise CorrectionRefusedError(gettext("it was not billed, so there is nothing to credit; correct it instead"))
    credit = _credit(session)
    _store(session, [credit], reason=reason, by=by)
    return credit


@transaction.atomic
def session_correct(
    *,
    session: ChargingSession,
    reason: str,
    figures: Figures,
    by: User | None,
    id_token: IdToken | None = None,
    signed: Sequence[SignedValue] | None = None,
) -> tuple[ChargingSession, ChargingSession]:
    """Take a session back and record it anew with the right figures; returns credit and replacement.

    `id_token`: whose it was, where that was not known; it is locked. `signed`: what the meter signed of it, where its
    station told the figures; None: what the session has, which goes with the new one where it proves these figures.

    A session that was INVALID is corrected in the same way: its credit takes back nothing.
    Raises CorrectionRefusedError as session_credit, and for figures that cannot be true.
    """
    session = _taken(session, reason)
    credit, replacement = _credit(session), _replacement(session, _explained(session, figures))
    if id_token is not None:
        replacement.id_token, replacement.customer_id = id_token, id_token.customer_id
    values = closing.values_with(session) if signed is None else signed
    closing.proof_carry(replacement, values, told=signed is not None)
    _store(session, [credit, replacement], reason=reason, by=by)
    return credit, replacement


def _taken(session: ChargingSession, reason: str) -> ChargingSession:
    """The row, locked: of two who credit it at once, the second sees the first one's credit."""
    if not REASON_MIN <= len(reason.strip()) <= REASON_MAX:
        words = gettext("expected a reason of %(least)d to %(most)d characters")
        raise CorrectionRefusedError(words % {"least": REASON_MIN, "most": REASON_MAX})
    # The token first, as linking does: whoever links it meanwhile must wait, or would miss the new sessions.
    if session.id_token_id:
        list(IdToken.objects.select_for_update(no_key=True).filter(pk=session.id_token_id))
    locked = session_locked(session)
    if why_not := refusal(locked):
        raise CorrectionRefusedError(why_not)
    return locked


def _credit(session: ChargingSession) -> ChargingSession:
    return _like(
        session,
        energy_wh=-(session.energy_wh or 0),
        cost_minor=None if session.cost_minor is None else -session.cost_minor,
        cost_lines=lines_given_back(session.cost_lines),
        credit=True,
        credit_reference=session,
    )


def _replacement(session: ChargingSession, figures: Figures) -> ChargingSession:
    """The charge with the right figures, judged like any other."""
    if figures.stopped_at < figures.started_at:
        raise CorrectionRefusedError(gettext("expected an end at or after the start"))
    if (figures.cost_minor or 0) < 0:
        words = gettext("expected a cost of 0 or more, got %(got)d")
        raise CorrectionRefusedError(words % {"got": figures.cost_minor})
    charge = plausibility.Charge(
        started_at=figures.started_at,
        stopped_at=figures.stopped_at,
        energy_wh=figures.energy_wh,
        max_power_w=session.connector.max_power_w,
    )
    verdict = plausibility.judge(charge)
    if not verdict.billable or figures.energy_wh < 0:  # nobody rounds here
        words = gettext("expected 0 to %(limit)s Wh, what this connector can give in that time, got %(got)s Wh")
        limit, got = number(plausibility.energy_limit_wh(charge)), number(figures.energy_wh)
        raise CorrectionRefusedError(words % {"limit": limit, "got": got})
    return _like(session, **vars(figures), currency=_currency(session, figures), flags=verdict.flags)


def _explained(session: ChargingSession, figures: Figures) -> Figures:
    """With the lines of a cost that somebody entered, where it is what the tariff yields."""
    if figures.cost_lines or figures.cost_minor is None or not has_elements(session.tariff):
        return figures
    said = charged.Figures(session.told_start_wh, figures.energy_wh, figures.started_at, figures.stopped_at)
    cost = charged.cost_of_figures(session, said)
    return replace(figures, cost_lines=cost.lines) if cost and cost.minor == figures.cost_minor else figures


def _currency(session: ChargingSession, figures: Figures) -> str:
    """The session's; that of its site where it was never billed and has a cost now."""
    return session.currency or ("" if figures.cost_minor is None else session.station.site.currency)


def _like(session: ChargingSession, **changes: Any) -> ChargingSession:
    """A closed session at the same place for the same customer, with a number of its own."""
    pk = uuid.uuid4()
    same = {name: getattr(session, name) for name in SAME}
    made: dict[str, Any] = {
        "id": pk,
        "transaction_id": f"C-{pk.hex}",
        "status": Status.COMPLETED,
        "source": ChargingSession.Source.OPERATOR,
    }
    return ChargingSession(**same | made | changes)


def _store(session: ChargingSession, made: Sequence[ChargingSession], *, reason: str, by: User | None) -> None:
    """Store them and tell of them as of every session that closes; the constraints refuse a second credit."""
    for one in made:
        one.save(force_insert=True)
    replacement = made[1] if len(made) > 1 else None
    Correction.objects.create(session=session, credit=made[0], replacement=replacement, reason=reason.strip(), by=by)
    sessions_closed.send(sender=ChargingSession, sessions=list(made))


def correction_about(session: ChargingSession) -> Correction | None:
    """The correction that this session is part of: as the one credited, as its credit or as its replacement.

    A replacement that was corrected again is part of two; what happened to it last counts.
    """
    part_of = list(Correction.objects.filter(Q(session=session) | Q(credit=session) | Q(replacement=session)))
    part_of.sort(key=lambda correction: correction.session_id != session.pk)
    return part_of[0] if part_of else None


def counting_now(session: ChargingSession) -> ChargingSession:
    """The session, or what has replaced it."""
    while (correction := correction_about(session)) and correction.session_id == session.pk and correction.replacement:
        session = correction.replacement
    return session


def credited_by(session: ChargingSession) -> UUID | None:
    """The session that takes it back, as `with_credits` found it."""
    found: UUID | None = session.credit_pk  # type: ignore[attr-defined]
    return found
