"""A vehicle's statement of a month or a year, for whoever pays for its charges: each with what was recorded of it.

Only charges with a receipt count in it, for each line can be checked without us; the others stand apart with the
reason. A charge that was taken back and its credit are both listed and cancel out. INVALID ones cost nothing and are
left out. In which month a charge stands is decided as for every statement (ChargingSession.statement_month).
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from functools import cached_property
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from accounts.models import User
from ledger.kept import as_recorded, kept_record
from ledger.models import LedgerEntry
from ledger.state.words import entry_of
from portal.employer.index import Amount, Indexed, amount_of, sums_of
from portal.employer.meters import Registers, kwh_of, registers_of
from portal.proof.reasons import no_receipt
from portal.statements.statements import StatementPeriod, check_address, sessions_in, zone_of
from portal.welcome.operator import operator
from stations.charging.words import NONE, Period, duration, number, period
from stations.models import ChargingSession, Vehicle
from stations.vehicles.assigning import Garage, charges_of, garage_of, home_codes, link_of
from stations.vehicles.rates import Rate
from stations.vehicles.services import year_price

HOME, EVERYWHERE = "home", "all"


@dataclass(frozen=True)
class Charge:
    """One line: `session` as it was recorded, and what the vehicle's driver says beside it."""

    session: ChargingSession
    record: Mapping[str, Any]
    entry: LedgerEntry
    registers: Registers
    amount: Amount
    odometer_km: int | None
    taken_back: bool

    @property
    def indexed(self) -> Indexed:
        """As the ZIP's index takes it."""
        return Indexed(self.record, self.entry.pk, self.odometer_km)

    @property
    def period(self) -> Period:
        """Day and times, where it was charged."""
        return period(self.session)

    @property
    def lasted(self) -> timedelta | None:
        """From start to end."""
        return duration(self.session)

    @property
    def begin(self) -> str:
        """The register at its begin, in kWh; a dash where nobody knows."""
        return register_text(self.registers.begin_wh)

    @property
    def end(self) -> str:
        """The same at its end."""
        return register_text(self.registers.end_wh)

    @property
    def digest(self) -> str:
        """Of its record, in hex."""
        return bytes(self.entry.digest).hex()

    @property
    def verdict(self) -> str:
        """What the meter's signatures proved when the charge ended; "" where it signed nothing."""
        return str(self.record.get("signed_verdict", ""))


def register_text(wh: Fraction | None) -> str:
    """In kWh, to the Wh or as exact as the meter shows it: "1,234.567", "0.0125"."""
    if wh is None:
        return NONE
    exact = kwh_of(wh)
    exponent = exact.as_tuple().exponent
    return number(exact, max(3, -exponent if isinstance(exponent, int) else 0))


@dataclass(frozen=True)
class Waiting:
    """A charge without a receipt, and why there is none (yet)."""

    session: ChargingSession
    reason: str

    @property
    def period(self) -> Period:
        """Day and times, where it was charged."""
        return period(self.session)


@dataclass(frozen=True)
class VehicleStatement:
    """Of one vehicle, at home only or everywhere. `rate`: accounted by the official flat rate, None by each price."""

    owner: User
    vehicle: Vehicle
    places: str
    homes: tuple[str, ...]  # their names, where it is about homes alone
    period: StatementPeriod
    where: ZoneInfo
    rate: Rate | None
    charges: list[Charge]
    waiting: list[Waiting]

    @property
    def home_only(self) -> bool:
        """About the driver's homes alone."""
        return self.places == HOME

    @property
    def is_over(self) -> bool:
        """Whether the time has passed."""
        return self.period.is_over(self.where)

    @cached_property
    def sums(self) -> list[dict[str, Any]]:
        """By currency, as the index has them."""
        return sums_of((charge.record, charge.amount) for charge in self.charges)

    @property
    def energy_wh(self) -> int:
        """Of all charges."""
        return sum(sum_["energy_wh"] for sum_ in self.sums)

    @property
    def signed(self) -> int:
        """How many were verified by the meter's signatures."""
        return sum(charge.verdict == "VERIFIED" for charge in self.charges)

    @cached_property
    def _facts(self) -> list[object]:
        facts: list[object] = [
            "vehicle",
            self.vehicle.pk,
            self.vehicle.name,
            self.vehicle.plate,
            self.places,
            self.homes,
        ]
        facts += [str(self.period), self.is_over, self.rate]
        for charge in self.charges:
            facts += [charge.entry.pk, charge.digest, charge.amount, charge.odometer_km, charge.taken_back]
        return [*facts, *(str(waiting.session.pk) for waiting in self.waiting)]

    @cached_property
    def number(self) -> str:
        """The paper's number, "2026-03-K7Q2M-9XW4P": another one as soon as anything else is listed."""
        text = base64.b32encode(hashlib.sha256(repr(self._facts).encode()).digest())[:10].decode()
        return f"{self.period}-{text[:5]}-{text[5:]}"

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of all that the papers print: equal papers have equal ones."""
        facts = [operator(), check_address(), self.owner.get_username(), self.owner.get_full_name(), *self._facts]
        facts += [waiting.reason for waiting in self.waiting]
        return hashlib.sha256(repr(facts).encode()).hexdigest()


def statement_of(vehicle: Vehicle, places: str, of: StatementPeriod) -> VehicleStatement | None:
    """The statement; None where the vehicle has no charge in that time (at home)."""
    owner = vehicle.owner
    garage, homes = garage_of(owner), _homes(owner)
    rate = year_price(owner, of.year).rate if places == HOME else None
    charges, waiting = [], []
    for session in sessions_in(owner, of).select_related("vehicle_link"):
        if session.status == ChargingSession.Status.INVALID or not _is_of(session, vehicle, garage, places, homes):
            continue
        found = _charge(session, rate)
        if isinstance(found, Charge):
            charges.append(found)
        else:
            waiting.append(found)
    if not charges and not waiting:
        return None
    names = tuple(homes.values()) if places == HOME else ()
    return VehicleStatement(owner, vehicle, places, names, of, zone_of(owner), rate, charges, waiting)


def _homes(owner: User) -> dict[str, str]:
    rows = owner.home_sites.order_by("site__name", "site__code").values_list("site__code", "site__name")
    return dict(rows)


def _is_of(
    session: ChargingSession, vehicle: Vehicle, garage: Garage, places: str, homes: Iterable[str] | Mapping[str, str]
) -> bool:
    """By the place that the charge itself has kept."""
    if garage.vehicle_of(session) != vehicle:
        return False
    at = session.location.get("id") if isinstance(session.location, dict) else None
    return places != HOME or at in homes


def _charge(session: ChargingSession, rate: Rate | None) -> Charge | Waiting:
    entry = entry_of(session)
    if reason := no_receipt(session, entry):
        return Waiting(session, reason)
    assert entry is not None  # there is a receipt
    record = kept_record(entry)
    recorded = as_recorded(session, record) if record is not None else None
    if record is None or recorded is None:
        return Waiting(session, no_receipt(session, entry))
    link, credited = link_of(session), getattr(session, "credit_pk", None) is not None
    odometer_km = link.odometer_km if link else None
    amount = amount_of(record, rate)
    return Charge(recorded, record, entry, registers_of(record), amount, odometer_km, credited)


# --- Which statements there are


@dataclass
class Counts:
    """A period with how many charges of the vehicle it has, and their energy."""

    period: StatementPeriod
    charges: int = 0
    energy_wh: int = 0


def periods_of(vehicle: Vehicle, places: str) -> list[tuple[Counts, list[Counts]]]:
    """Years and their months with charges of this vehicle, the newest first; as the database has them today."""
    owner = vehicle.owner
    garage, homes = garage_of(owner), home_codes(owner)
    found: dict[StatementPeriod, Counts] = {}
    columns = ("id_token_id", "started_at", "status", "location", "statement_month", "energy_wh")
    links = ("vehicle_link__session", "vehicle_link__vehicle_id")
    for session in charges_of(owner).only(*columns, *links).iterator(chunk_size=500):
        if session.status == ChargingSession.Status.INVALID or not _is_of(session, vehicle, garage, places, homes):
            continue
        assert session.statement_month is not None  # it is closed
        month = StatementPeriod.month_of(session.statement_month)
        for of in (month, StatementPeriod(month.year)):
            counts = found.setdefault(of, Counts(of))
            counts.charges += 1
            counts.energy_wh += session.energy_wh or 0
    months = sorted((of for of in found if of.month), key=lambda of: of.first_day, reverse=True)
    by_year = groupby(months, key=lambda of: of.year)
    return [(found[StatementPeriod(year)], [found[of] for of in each]) for year, each in by_year]
