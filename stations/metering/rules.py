"""PURE. When the readings of a charge may be billed: one begin, one end, one meter, one register, nothing missing."""

import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from stations.metering import readings
from stations.metering.readings import Raw, Reading
from stations.metering.refused import Refused

if TYPE_CHECKING:
    from stations.metering.ocmf import OcmfText

VERSION = re.compile(r"1(?:\.[0-4](?:\.[0-9]{1,2})?)?")
PAGINATION = re.compile(r"T(0|[1-9][0-9]{0,18})")
FISCAL = re.compile(r"F(0|[1-9][0-9]{0,18})")  # readings that belong to no charge, with a counter of their own
BEGIN, ENDS, EXCEPTION = "B", ("E", "L", "R", "A", "P"), "X"
GOOD = "G"
TIME_STATES = ("U", "I", "S", "R")
ENERGY_ERROR, TIME_ERROR = "E", "t"


@dataclass(frozen=True, slots=True)
class Record:
    """A verified text with the number that its meter gave it, and the contexts in which it came."""

    payload: Mapping[str, Any]
    number: int | None  # None: fiscal, of no charge
    readings: tuple[Raw, ...]
    contexts: AbstractSet[str]

    @classmethod
    def of(cls, text: "OcmfText", contexts: AbstractSet[str]) -> "Record":
        """Raises Refused where version or number are not OCMF's."""
        version = text.payload.get("FV")
        if type(version) is int or type(version) is Decimal:
            version = f"1.{Fraction(version) * 10 - 10}"
        if version is not None and not (isinstance(version, str) and VERSION.fullmatch(version)):
            raise Refused("version", str(version)[:20])
        pagination = text.payload.get("PG")
        found = PAGINATION.fullmatch(pagination) if isinstance(pagination, str) else None
        if not found and not (isinstance(pagination, str) and FISCAL.fullmatch(pagination)):
            raise Refused("pagination", str(pagination)[:40])
        rows = tuple(readings.of(text.payload, str(pagination)))
        return cls(text.payload, int(found[1]) if found else None, rows, contexts)


def same_meter(records: Sequence[Record]) -> str:
    """The serial number of the meter, or of the gateway where the meter has none. Raises Refused."""
    found = set()
    for record in records:
        serials = [record.payload.get(name) or "" for name in ("GS", "MS")]
        if not all(isinstance(serial, str) for serial in serials):
            raise Refused("fields", "GS and MS are texts")
        found.add(tuple(serials))
    if len(found) > 1:
        raise Refused("meters_differ", "; ".join(sorted(" / ".join(serials) for serials in found)))
    gateway, meter = next(iter(found))
    if not (meter or gateway):
        raise Refused("fields", "neither MS nor GS")
    return meter or gateway


def paginated(records: Sequence[Record]) -> None:
    """Raises Refused where two texts have one number, or one between the first and the last is missing."""
    numbers = sorted(record.number for record in records if record.number is not None)
    if not numbers:
        raise Refused("pagination", "no text belongs to a transaction (T)")
    for before, number in pairwise(numbers):
        if number == before:
            raise Refused("pagination_repeated", f"T{number}")
        if number != before + 1:
            raise Refused("pagination_gap", f"T{before} to T{number}")


def begin_and_end(records: Sequence[Record]) -> tuple[Reading, Reading]:
    """The one begin and the one end of the register that is billed. Raises Refused."""
    rows = billed(records)
    found = []
    for kinds, none, several in (((BEGIN,), "no_begin", "several_begins"), (ENDS, "no_end", "several_ends")):
        alike = _different(raw.reading() for _, raw in rows if raw.transaction in kinds)
        if len(alike) != 1:
            raise Refused(several if alike else none, f"{len(alike)}")
        found += alike
    return found[0], found[1]


def billed(records: Sequence[Record]) -> list[tuple[Record, Raw]]:
    """The readings of the registers that may be billed, by number; less the cable's loss where the meter knows it."""
    ordered = sorted((record for record in records if record.number is not None), key=lambda record: record.number or 0)
    rows = [(record, raw) for record in ordered for raw in record.readings if raw.register is not None]
    compensated = [row for row in rows if row[1].register and row[1].register.compensated]
    found = compensated or [row for row in rows if row[1].register and row[1].register.billable]
    if not found:
        raise Refused("register", ", ".join(sorted({raw.text("RI") for _, raw in rows}))[:100] or "none")
    return found


def may_be_billed(records: Sequence[Record], begin: Reading, end: Reading) -> None:
    """Raises Refused for the first rule that forbids to bill what lies between these readings."""
    rows = billed(records)
    registers = {raw.register for _, raw in rows}
    if len(registers) > 1:
        raise Refused("registers_differ", f"{begin.obis}, {end.obis}")
    if begin.unit.lower() != end.unit.lower():
        raise Refused("units_differ", f"{begin.unit}, {end.unit}")
    _in_order(rows)
    if end.register_wh < begin.register_wh:
        raise Refused("backwards", f"{begin.register_wh} Wh to {end.register_wh} Wh")
    if end.at < begin.at:
        raise Refused("time_backwards", f"{begin.at.isoformat()} to {end.at.isoformat()}")
    if not {begin.time_state, end.time_state} <= {*TIME_STATES} or (begin.time_state == "R" != end.time_state):
        raise Refused("time_state", f"{begin.time_state or '-'} to {end.time_state or '-'}")
    for _, raw in rows:
        _usable(raw, raw.transaction == BEGIN or raw.transaction in ENDS)
    _between(rows, begin, end)


def _in_order(rows: Sequence[tuple[Record, Raw]]) -> None:
    """The first reading is the begin, the last the end, also by the context in which the station sent them."""
    kinds = [raw.transaction for _, raw in rows]
    if kinds[0] != BEGIN or kinds[-1] not in ENDS:
        raise Refused("order", " ".join(kinds)[:60])
    for record in {id(record): record for record, _ in rows}.values():
        own = {raw.transaction for other, raw in rows if other is record}
        if "Transaction.Begin" in record.contexts and own & {*ENDS} and BEGIN not in own:
            raise Refused("context", "an end was sent as Transaction.Begin")
        if "Transaction.End" in record.contexts and own == {BEGIN} and "Transaction.Begin" not in record.contexts:
            raise Refused("context", "a begin was sent as Transaction.End")


def _usable(raw: Raw, boundary: bool) -> None:
    """A meter that is not well at begin or end, or that gave the charge up between, proves no energy."""
    flags = raw.text("EF")
    if boundary and raw.text("ST") != GOOD:
        raise Refused("meter_status", raw.text("ST") or "none")
    if ENERGY_ERROR in flags:
        raise Refused("error_flag", flags)
    if raw.transaction == EXCEPTION and flags != TIME_ERROR:
        raise Refused("exception", flags)


def _between(rows: Sequence[tuple[Record, Raw]], begin: Reading, end: Reading) -> None:
    """A register never goes back on its way either."""
    before = begin.register_wh
    for _, raw in rows:
        if raw.fields.get("RV") is not None:
            found = raw.reading().register_wh
            if not before <= found <= end.register_wh:
                raise Refused("backwards", f"{before} Wh to {found} Wh")
            before = found


def _different(found: Iterator[Reading]) -> list[Reading]:
    """A begin that stands in the text of the begin and once more in that of the end is one begin."""
    kept: dict[tuple[Any, ...], Reading] = {}
    for one in found:
        kept.setdefault((one.register_wh, one.at, one.time_state, one.status, one.obis), one)
    return list(kept.values())
