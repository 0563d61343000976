"""PURE: the index of a statement's ZIP (`evportal-statement/1`, docs/statements.md): integers and text only."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stations.vehicles.rates import Rate, flat_amount_minor

FORMAT = "evportal-statement/1"
NAME = "statement.json"


@dataclass(frozen=True)
class Amount:
    """What a charge counts with; None where its record has no cost."""

    minor: int | None
    currency: str


def amount_of(record: Mapping[str, Any], rate: Rate | None) -> Amount:
    """By the flat rate where there is one, else the cost that was recorded."""
    if rate is None:
        return Amount(record.get("cost_minor"), str(record.get("currency", "")))
    energy_wh = record.get("energy_wh")
    minor = None if energy_wh is None else flat_amount_minor(energy_wh, rate.price_per_kwh, rate.currency)
    return Amount(minor, rate.currency)


@dataclass(frozen=True)
class Indexed:
    """One charge of the index: what was recorded of it, under which ledger id, and what the driver says beside it."""

    record: Mapping[str, Any]
    ledger_id: int
    odometer_km: int | None


def receipt_name(number: int) -> str:
    """Of the first charge, number 1: "receipts/0001.json"."""
    return f"receipts/{number:04}.json"


def meter_values_name(number: int) -> str:
    """Of its signed texts in S.A.F.E.'s container."""
    return f"meter-values/{number:04}.xml"


def sums_of(amounts: Iterable[tuple[Mapping[str, Any], Amount]]) -> list[dict[str, Any]]:
    """By currency, of all charges: what was taken back and its credit cancel out."""
    found: dict[str, dict[str, Any]] = {}
    for record, amount in amounts:
        empty = {"currency": amount.currency, "charges": 0, "energy_wh": 0, "amount_minor": 0}
        sum_ = found.setdefault(amount.currency, empty)
        sum_["charges"] += 1
        sum_["energy_wh"] += record.get("energy_wh") or 0
        sum_["amount_minor"] += amount.minor or 0
    return [found[currency] for currency in sorted(found)]


def charge_of(charge: Indexed, number: int, receipt: bytes, rate: Rate | None) -> dict[str, Any]:
    """What the index says of the charge whose receipt these bytes are."""
    record, amount = charge.record, amount_of(charge.record, rate)
    said: dict[str, Any] = {
        "file": receipt_name(number),
        "sha256": hashlib.sha256(receipt).hexdigest(),
        "id": record["id"],
        "ledger_id": str(charge.ledger_id),  # text: JavaScript loses digits of large numbers
        "station": record["station"],
        "started_at": record["started_at"],
        "stopped_at": record["stopped_at"],
        "energy_wh": record.get("energy_wh"),
        "amount_minor": amount.minor,
        "currency": amount.currency,
        "signed_verdict": record.get("signed_verdict", ""),
    }
    return said if charge.odometer_km is None else said | {"odometer_km": charge.odometer_km}


def index_of(
    *,
    document_number: str,
    period: str,
    vehicle: tuple[str, str],
    place: str | None,
    rate: Rate | None,
    charges: Sequence[Indexed],
    receipts: Sequence[bytes],
) -> dict[str, Any]:
    """The whole index; `receipts` in the order of `charges`, `vehicle` its name and plate."""
    whole: dict[str, Any] = {
        "format": FORMAT,
        "document_number": document_number,
        "period": period,
        "vehicle": {"name": vehicle[0], "plate": vehicle[1]},
        "place": place,
        "price_basis": "FLAT_RATE" if rate else "CONTRACT",
    }
    if rate:
        price = f"{rate.price_per_kwh.normalize():f}"
        whole["flat_rate"] = {"price_per_kwh": price, "currency": rate.currency, "year": rate.year}
        whole["flat_rate"]["source"] = rate.source
    pairs = enumerate(zip(charges, receipts, strict=True), 1)
    whole["charges"] = [charge_of(charge, number, receipt, rate) for number, (charge, receipt) in pairs]
    whole["sums"] = sums_of((charge.record, amount_of(charge.record, rate)) for charge in charges)
    return whole


def dumps(index: Mapping[str, Any]) -> bytes:
    """As the file has it, readable by people."""
    return (json.dumps(index, ensure_ascii=False, indent=1) + "\n").encode()
