"""A statement's ZIP (evportal-statement/1) of receipts, put together as its form says: for tests of who checks it."""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

Json = dict[str, Any]
RATE: Json = {"price_per_kwh": "0.3436", "currency": "EUR", "year": 2026, "source": "BMF, 11 November 2025"}


def index_of(receipts: Mapping[str, Json], files: Mapping[str, bytes], *, rate: Json | None = None) -> Json:
    """What a statement says of these receipts, by their file's name."""
    charges = [_charge(name, receipt, files[name], rate) for name, receipt in receipts.items()]
    return {
        "format": "evportal-statement/1",
        "document_number": "2026-03-0001",
        "period": "2026-03",
        "vehicle": {"name": "Kombi", "plate": "B-EV 2026"},
        "place": None,
        "price_basis": "FLAT_RATE" if rate else "CONTRACT",
        **({"flat_rate": rate} if rate else {}),
        "charges": charges,
        "sums": sums_of(charges),
    }


def _charge(name: str, receipt: Json, data: bytes, rate: Json | None) -> Json:
    record = receipt["record"]
    amount, currency = record.get("cost_minor"), record.get("currency", "")
    if rate:
        exact = Decimal(record["energy_wh"]) * Decimal(rate["price_per_kwh"]) / 10
        amount, currency = int(exact.quantize(Decimal(1), ROUND_HALF_UP)), rate["currency"]
    return {
        "file": name,
        "sha256": hashlib.sha256(data).hexdigest(),
        "id": record["id"],
        "ledger_id": receipt["ledger_id"],
        **{field: record[field] for field in ("station", "started_at", "stopped_at", "energy_wh")},
        "amount_minor": amount,
        "currency": currency,
        "signed_verdict": record.get("signed_verdict", ""),
    }


def sums_of(charges: Sequence[Json]) -> list[Json]:
    sums: dict[str, Json] = {}
    for charge in charges:
        nothing = {"currency": charge["currency"], "charges": 0, "energy_wh": 0, "amount_minor": 0}
        found = sums.setdefault(charge["currency"], nothing)
        found["charges"] += 1
        found["energy_wh"] += charge["energy_wh"] or 0
        found["amount_minor"] += charge["amount_minor"] or 0
    return list(sums.values())


def files_of(receipts: Sequence[Json], *, rate: Json | None = None) -> dict[str, bytes]:
    """All files of the ZIP by their name, the index first."""
    named = {f"receipts/{number:04}.json": receipt for number, receipt in enumerate(receipts, start=1)}
    data = {name: json.dumps(receipt, indent=2, ensure_ascii=False).encode() for name, receipt in named.items()}
    index = index_of(named, data, rate=rate)
    papers = {"statement.pdf": b"%PDF-1.7 of a test", "statement.csv": b"started_at;kWh\n"}
    return {"statement.json": json.dumps(index, ensure_ascii=False, indent=1).encode(), **data, **papers}


def packed(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 4, 1, 0, 0, 0)), data, method)
    return out.getvalue()


def statement_zip(receipts: Sequence[Json], *, rate: Json | None = None) -> bytes:
    return packed(files_of(receipts, rate=rate))
