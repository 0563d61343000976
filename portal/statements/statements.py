"""A driver's statements: which months have sessions, with their sums, and what one statement holds.

A statement is about one calendar month, or year, and about the finished sessions that it was decided for when they
ended (`ChargingSession.statement_month`): by when they began, in the driver's own zone, else in that of the place.
COMPLETED ones are billed; one that was corrected counts once (ledger/state/counting.py): the session that was taken
back and
its credit, with its minus, are listed and net out. INVALID ones are listed apart and count nowhere. It is always about
the person's own sessions, whatever else they may see.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cached_property
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import Count, F, Q, Sum
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from accounts.models import User
from ledger.models import LedgerEntry
from ledger.state.counting import KEYS, Counted, counted_groups, counted_of
from ledger.state.words import StateWords, entry_of, state_of
from portal.history.totals import Totals
from portal.history.visible import newest, reading_zone
from portal.invoice.invoice import Invoice
from portal.invoice.of_statement import NoInvoice, invoice_for
from portal.welcome.operator import operator
from stations.charging.corrections import with_credits
from stations.charging.words import Period, period, zone
from stations.models import ChargingSession, ChargingSessionQuerySet
from stations.tariffs.pricing import session_cost_lines
from stations.tariffs.vat import VatSum, vat_sums

FIRST_YEAR, LAST_YEAR = 2000, 2100
_PERIOD = re.compile(r"([0-9]{4})(?:-([0-9]{2}))?", re.ASCII)

Status = ChargingSession.Status


@dataclass(frozen=True, order=True)
class StatementPeriod:
    """A calendar month, or with `month` None a year; written "2015-03" and "2015", as in addresses."""

    year: int
    month: int | None = None

    @classmethod
    def parse(cls, text: str) -> "StatementPeriod":
        """Raises ValueError where it is neither a month nor a year from 2000 to 2100."""
        match = _PERIOD.fullmatch(text)
        if not match:
            raise ValueError(f"expected a month such as 2015-03 or a year such as 2015, got {text!r}")
        year, month = int(match[1]), int(match[2]) if match[2] else None
        if not FIRST_YEAR <= year <= LAST_YEAR or month not in {None, *range(1, 13)}:
            raise ValueError(f"expected a month or year from {FIRST_YEAR} to {LAST_YEAR}, got {text!r}")
        return cls(year, month)

    @classmethod
    def month_of(cls, day: date) -> "StatementPeriod":
        """The month in which that day lies."""
        return cls(day.year, day.month)

    def __str__(self) -> str:
        return f"{self.year}-{self.month:02}" if self.month else str(self.year)

    @property
    def first_day(self) -> date:
        """As StatementMail.first_day names the month."""
        return date(self.year, self.month or 1, 1)

    @property
    def day_after(self) -> date:
        """The first day that is no longer in it."""
        if self.month in {None, 12}:
            return date(self.year + 1, 1, 1)
        return date(self.year, (self.month or 0) + 1, 1)

    @property
    def title(self) -> str:
        """In the reader's language: "March 2015", "2015"."""
        return date_format(self.first_day, "F Y") if self.month else str(self.year)

    def bounds(self, where: ZoneInfo) -> tuple[datetime, datetime]:
        """Its first moment, and the first after it. Days of 23 and 25 hours are as long as they are."""
        return _midnight(self.first_day, where), _midnight(self.day_after, where)

    def is_over(self, where: ZoneInfo) -> bool:
        """From its last midnight there on; until then a statement is a preliminary one."""
        return timezone.now() >= self.bounds(where)[1]


def _midnight(day: date, where: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), where).astimezone(UTC)


# --- Which statements there are


@dataclass
class Sums:
    """What a line of the list says of a period. `totals` are of billed sessions, `credits` how many took one back."""

    period: StatementPeriod
    totals: Totals = field(default_factory=Totals)
    credits: int = 0
    not_billed: int = 0
    rows: int = 0  # all that are listed, counted or not

    def add(self, group: Mapping[str, Any]) -> None:
        """A group of one status: of those not billed only the number counts."""
        self.credits += group["credits"]
        self.rows += group["rows"]
        if group["status"] != Status.COMPLETED:
            self.not_billed += group["sessions"]
            return
        self.totals.add(group)


@dataclass
class YearOfSums:
    year: Sums
    months: list[Sums]


_SUMS = {
    "sessions": Count("pk"),
    "credits": Count("pk", filter=Q(credit=True)),
    "energy": Sum("energy_wh"),
    "cost": Sum("cost_minor"),
}
_COUNTS = (*_SUMS, "differing", "left_out", "rows")


def sessions_of(user: User) -> ChargingSessionQuerySet:
    """The finished sessions of this customer."""
    return ChargingSession.objects.filter(customer=user).closed()


def zone_of(user: User) -> ZoneInfo:
    """Whose clock says that a month is over; for whoever has no zone of their own, that of their newest charge."""
    latest = newest(sessions_of(user))
    return reading_zone(user, zone(latest).key if latest else None)


def years_of(user: User) -> list[YearOfSums]:
    """Years and their months with sessions, newest first; one query, and one more where a session differs."""
    groups: Iterable[Mapping[str, Any]] = (
        sessions_of(user)
        .order_by()
        .values("status", "currency", month=F("statement_month"), **KEYS)
        .annotate(**_SUMS)
        .order_by("-month", "currency")
    )
    by_year = groupby(counted_groups(groups), key=lambda group: group["month"].year)
    return [_year(year, list(found)) for year, found in by_year]


def _year(year: int, groups: list[Mapping[str, Any]]) -> YearOfSums:
    months = []
    for month, found in groupby(groups, key=lambda group: group["month"]):
        months.append(_sums(StatementPeriod.month_of(month), found))
    return YearOfSums(_sums(StatementPeriod(year), _over_months(groups)), months)


def _sums(of: StatementPeriod, groups: Iterable[Mapping[str, Any]]) -> Sums:
    sums = Sums(of)
    for group in groups:
        sums.add(group)
    return sums


def _over_months(groups: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The groups of a year's months, one for each status and currency."""
    over: dict[tuple[str, str], dict[str, Any]] = {}
    for group in groups:
        key = (group["status"], group["currency"])
        found = over.setdefault(key, {"status": key[0], "currency": key[1]} | dict.fromkeys(_COUNTS, 0))
        for name in _COUNTS:
            found[name] += group.get(name) or 0
    return [over[key] for key in sorted(over)]


# --- One statement


def check_address() -> str:
    """Where whoever holds a paper checks a receipt; "" where the portal's own address is not set."""
    return f"{settings.PUBLIC_URL}{reverse('public_check')}" if settings.PUBLIC_URL else ""


@dataclass(frozen=True)
class Line:
    """A session as the statement prints it: `session` with the figures that count, `now` with those of today.

    They are the same unless it differs from its record.
    """

    session: ChargingSession
    period: Period
    state: StateWords
    entry: LedgerEntry | None
    counted: Counted
    now: ChargingSession

    @property
    def digest(self) -> str:
        """Of the session's record, in hex; "" where it has none."""
        return bytes(self.entry.digest).hex() if self.entry else ""

    @property
    def block_num(self) -> int | None:
        """Where the record stands on the chain; None until it does."""
        return self.entry.transaction.block_num if self.entry and self.entry.transaction else None


@dataclass(frozen=True)
class CostSum:
    """What one price of one tariff came to: so much energy (Wh), or so many sessions, times the price.

    `kind` is OCPI's ENERGY or FLAT; "" is what no tariff on record explains.
    """

    currency: str
    tariff: str = ""
    kind: str = ""
    price: Decimal = Decimal(0)
    quantity: int = 0
    amount_minor: int = 0


def cost_sums(sessions: Iterable[ChargingSession]) -> list[CostSum]:
    """How the cost of sessions came about, by currency, tariff and price; its amounts add up to their cost exactly."""
    found: dict[CostSum, list[int]] = {}
    for session in sessions:
        lines = session_cost_lines(session)
        name = str(session.tariff.get("name", "")) if lines else ""
        for line in lines:
            _add(found, CostSum(session.currency, name, line.kind, line.price), line.quantity, line.amount_minor)
        if not lines and session.cost_minor:
            _add(found, CostSum(session.currency), 0, session.cost_minor)
    sums = [replace(of, quantity=quantity, amount_minor=amount) for of, (quantity, amount) in found.items()]
    return sorted(sums, key=lambda sum_: (sum_.currency, not sum_.tariff, sum_.tariff, sum_.kind, sum_.price))


def _add(found: dict[CostSum, list[int]], of: CostSum, quantity: int, amount_minor: int) -> None:
    numbers = found.setdefault(of, [0, 0])
    numbers[0] += quantity
    numbers[1] += amount_minor


@dataclass(frozen=True)
class Statement:
    """One person's statement of one period, in the order of time."""

    owner: User
    period: StatementPeriod
    where: ZoneInfo
    billed: list[Line]
    not_billed: list[Line]

    @cached_property
    def sums(self) -> Sums:
        """Added up from the very lines that are printed."""
        groups = [_group(line) for line in (*self.billed, *self.not_billed)]
        return _sums(self.period, _over_months(groups))

    @cached_property
    def months(self) -> list[Sums]:
        """For a year: its months, in the order of time."""
        lines = sorted((*self.billed, *self.not_billed), key=_month)
        return [_sums(month, _over_months([*map(_group, found)])) for month, found in groupby(lines, key=_month)]

    @cached_property
    def cost_sums(self) -> list[CostSum]:
        """How the cost of what counts came about."""
        return cost_sums(line.session for line in self.billed if line.counted.counts)

    @cached_property
    def vat_sums(self) -> list[VatSum]:
        """How much VAT is in what counts, by rate."""
        return vat_sums(line.session for line in self.billed if line.counted.counts)

    @cached_property
    def invoice(self) -> Invoice | NoInvoice:
        """The statement of a month as the operator's invoice; else why it is none."""
        if self.period.month is None:
            return NoInvoice("")
        listed = [line.entry.opened_at.astimezone(self.where).date() for line in self.billed if line.entry]
        return invoice_for(
            owner=self.owner,
            number=self.number,
            days=(self.period.first_day, self.last_day),
            is_over=self.is_over,
            issued=max([self.period.day_after, *listed]),  # the same, however often it is made
            seller=operator(),
            sessions=[line.session for line in self.billed if line.counted.counts],
        )

    @property
    def is_over(self) -> bool:
        """Whether the time has passed; what is still reported of it then comes with a corrected statement."""
        return self.period.is_over(self.where)

    @cached_property
    def recorded(self) -> int:
        """How many of those that count stand on the chain for good and equal their record."""
        return sum(line.state.kind == "recorded" and line.counted.counts for line in self.billed)

    @property
    def last_day(self) -> date:
        """As the paper's head says it: the last day that is still in it."""
        return date.fromordinal(self.period.day_after.toordinal() - 1)

    @cached_property
    def number(self) -> str:
        """The paper's number, "2026-03-K7Q2M-9XW4P": the same for the same reader, time, charges and figures alone.

        Once a late charge or a credit changes what is listed, it is another paper and has another number.
        """
        facts: list[object] = ["number", self.owner.pk, str(self.period), self.is_over]
        for line in (*self.billed, *self.not_billed):
            session = line.session
            facts += [line.counted.role, line.counted.counts, session.pk]
            facts += [session.energy_wh, session.cost_minor, session.currency]
        text = base64.b32encode(hashlib.sha256(repr(facts).encode()).digest())[:10].decode()
        return f"{self.period}-{text[:5]}-{text[5:]}"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all that the paper prints: equal papers have equal ones."""
        facts: list[object] = [operator(), check_address(), str(self.period), self.is_over, self.invoice]
        facts += [self.owner.get_username(), self.owner.get_full_name()]
        for line in (*self.billed, *self.not_billed):
            session = line.session
            facts += [line.counted.role, line.counted.counts, line.now.energy_wh, line.now.cost_minor]
            facts += [session.pk, session.started_at, session.stopped_at, session.energy_wh, session.cost_minor]
            facts += [session.currency, session.tariff, session.location, line.state, line.digest, line.block_num]
        return hashlib.sha256(repr(facts).encode()).hexdigest()


def _month(line: Line) -> StatementPeriod:
    assert line.now.statement_month is not None  # it is closed
    return StatementPeriod.month_of(line.now.statement_month)


def _group(line: Line) -> dict[str, Any]:
    credits = int(line.counted.role == "credit")
    return {**line.counted.group(), "status": line.session.status, "credits": credits, "rows": 1}


def sessions_in(user: User, of: StatementPeriod) -> ChargingSessionQuerySet:
    """The sessions of a statement, oldest first, with all that its lines read."""
    months = {"statement_month__gte": of.first_day, "statement_month__lt": of.day_after}
    found = sessions_of(user).filter(**months).order_by("started_at", "id")
    related = ("station", "connector", "id_token", "credit_reference", "ledger_entry__transaction")
    return with_credits(found).select_related(*related).defer("ledger_entry__transaction__packed")


def statement_of(user: User, of: StatementPeriod, where: ZoneInfo) -> Statement | None:
    """The statement; None where the person has no session in that time."""
    lines = [_line(session) for session in sessions_in(user, of)]
    if not lines:
        return None
    billed = [line for line in lines if line.session.status == Status.COMPLETED]
    not_billed = [line for line in lines if line.session.status != Status.COMPLETED]
    return Statement(user, of, where, billed, not_billed)


def _line(session: ChargingSession) -> Line:
    state = state_of(session)
    counted = counted_of(session, differs=state.kind == "mismatch")
    shown = counted.figures or session
    return Line(shown, period(shown), state, entry_of(session), counted, session)
