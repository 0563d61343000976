"""A vehicle's statement as files: PDF, CSV, and one ZIP with all receipts, which anybody checks at /verify.

The ZIP holds statement.json (the index), receipts/0001.json …, meter-values/0001.xml … where the meter signed, and
statement.pdf and statement.csv. The same statement gives the same bytes. What takes longer than a reader waits is made
by a worker, as the driver's own statements are (portal/statements/files.py), and waits in the cache for ten minutes.
"""

import io
import logging
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.template.loader import render_to_string
from django.utils import translation

from common.announce import UNREACHABLE, announce
from common.csv_files import csv_lines
from ledger.errors import NotRecordedYet, RecordError
from ledger.receipts import receipt
from ledger.receipts.link import qr_svg
from ledger.receipts.receipt import ReceiptError
from portal.employer import index
from portal.employer.meters import container_of, kwh_of
from portal.employer.statement import Charge, VehicleStatement
from portal.statements.files import KEPT_S, SILENT_AFTER_S
from portal.statements.statements import check_address
from portal.welcome.operator import operator
from stations.charging.words import place, zone
from stations.models import ChargingSession
from stations.tariffs.pricing import units

log = logging.getLogger(__name__)
SHORT_CHARGES = 40  # made in less than 2 s
KINDS = ("pdf", "zip")
# No time of ours in it: the same statement is the same file, whenever it is made.
MOMENT = (1980, 1, 1, 0, 0, 0)
OnCharge = Callable[[int], None]
ReceiptFor = Callable[[ChargingSession], dict[str, Any]]  # ledger.receipts.checks.receipt_for

CSV_COLUMNS = (
    *("number", "session_id", "ledger_id", "started_at", "stopped_at", "time_zone", "site", "station"),
    *("meter_serial", "register_begin_kwh", "register_end_kwh", "registers_signed", "energy_kwh"),
    *("price_basis", "amount", "currency", "record", "signed_verdict", "odometer_km"),
)


class ReceiptMissingError(Exception):
    """A receipt could be made a moment ago, and now cannot: the text says why."""


def file_name(statement: VehicleStatement, ending: str) -> str:
    """The file's name for a download or an attachment, the same in every language."""
    where = "-home" if statement.home_only else ""
    return f"evportal-statement-{statement.period}-vehicle-{statement.vehicle.pk}{where}.{ending}"


def statement_pdf(*, statement: VehicleStatement, on_page: Callable[[int], None] | None = None) -> bytes:
    """The paper in the language that is active."""
    from common import pdf  # here, as it loads weasyprint: half a second that no other command has to wait for

    context = {
        "statement": statement,
        "chain_id": settings.LEDGER_CHAIN_ID,
        "account": settings.LEDGER_ACCOUNT,
        "operator": operator(),
        "check_address": check_address(),
        "qr": qr_svg(check_address()) if check_address() else "",
    }
    html = render_to_string("portal/employer/paper.html", context)
    css = render_to_string("portal/statements/paper.css") + render_to_string("portal/employer/paper.css")
    return pdf.pdf(html, css, identifier=statement.fingerprint[:32], on_page=on_page)


def statement_csv(*, statement: VehicleStatement) -> Iterator[str]:
    """One line a charge, in the order of the paper and of the receipts."""
    rows = (_row(number, charge, statement) for number, charge in enumerate(statement.charges, 1))
    return csv_lines(CSV_COLUMNS, rows)


def _row(number: int, charge: Charge, statement: VehicleStatement) -> tuple[Any, ...]:
    session, record, registers = charge.session, charge.record, charge.registers
    amount = None if charge.amount.minor is None else units(charge.amount.minor, charge.amount.currency)
    state = "credit" if session.credit else "superseded" if charge.taken_back else "recorded"
    return (
        *(number, record["id"], charge.entry.pk, record["started_at"], record["stopped_at"]),
        *(zone(session).key, place(session), session.station.identity, registers.serial),
        *(_kwh(registers.begin_wh), _kwh(registers.end_wh), "yes" if registers.signed else "no"),
        *(_kwh(session.energy_wh), "FLAT_RATE" if statement.rate else "CONTRACT"),
        *(amount, charge.amount.currency, state, charge.verdict, charge.odometer_km),
    )


def _kwh(wh: Fraction | int | None) -> Decimal | None:
    return None if wh is None else kwh_of(wh)


# --- the ZIP


def statement_zip(*, statement: VehicleStatement, receipt_for: ReceiptFor, on_charge: OnCharge | None = None) -> bytes:
    """All of it. Raises ReceiptMissingError."""
    receipts = []
    for number, charge in enumerate(statement.charges, 1):
        receipts.append(_receipt(charge, receipt_for))
        if on_charge:
            on_charge(number)
    whole = index.index_of(
        document_number=statement.number,
        period=str(statement.period),
        vehicle=(statement.vehicle.name, statement.vehicle.plate),
        place=", ".join(statement.homes) if statement.home_only else None,
        rate=statement.rate,
        charges=[charge.indexed for charge in statement.charges],
        receipts=receipts,
    )
    files = {index.NAME: index.dumps(whole)}
    files |= {index.receipt_name(number): text for number, text in enumerate(receipts, 1)}
    for number, charge in enumerate(statement.charges, 1):
        if container := container_of(charge.record):
            files[index.meter_values_name(number)] = container
    files["statement.pdf"] = statement_pdf(statement=statement)
    files["statement.csv"] = "".join(statement_csv(statement=statement)).encode()
    return _zipped(files)


def _receipt(charge: Charge, receipt_for: ReceiptFor) -> bytes:
    session = ChargingSession.objects.get(pk=charge.session.pk)  # as it is today; the receipt is of what was recorded
    try:
        return receipt.dumps(receipt_for(session)).encode()
    except (NotRecordedYet, RecordError, ReceiptError) as error:
        raise ReceiptMissingError(str(error)) from error


def _zipped(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, MOMENT)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            zipped.writestr(entry, content)
    return target.getvalue()


# --- in the background


@dataclass(frozen=True)
class Making:
    """How far a file is: `done` of about `whole` charges or pages; `silent` when nobody works at it."""

    done: int
    whole: int
    silent: bool


def file_made(
    statement: VehicleStatement, kind: str, receipt_for: ReceiptFor, on_step: OnCharge | None = None
) -> bytes:
    """The file, here and now. Raises ReceiptMissingError."""
    if kind == "pdf":
        return statement_pdf(statement=statement, on_page=on_step)
    return statement_zip(statement=statement, receipt_for=receipt_for, on_charge=on_step)


def file_soon(statement: VehicleStatement, kind: str, receipt_for: ReceiptFor) -> bytes | Making:
    """The file where it is short or made already; else how far it is, after asking for it where nobody has.

    Also made here and now where there is no Redis to ask. Raises ReceiptMissingError.
    """
    if len(statement.charges) + len(statement.waiting) <= SHORT_CHARGES:
        return file_made(statement, kind, receipt_for)
    key = _key(statement, kind)
    try:
        made: bytes | None = cache.get(f"{key}:made")
        if made is not None:
            return made
        if cache.add(key, (0, time.time()), timeout=KEPT_S):
            wanted = (statement.vehicle.pk, statement.places, str(statement.period), kind)
            announce("ledger.tasks.statement_vehicle_make", *wanted, translation.get_language())
        done, heard_at = cache.get(key) or (0, time.time())
    except UNREACHABLE as error:
        log.info("statement %s is made at once: %s", statement.number, error)
        return file_made(statement, kind, receipt_for)
    return Making(done, _whole(statement, kind, done), time.time() - heard_at > SILENT_AFTER_S)


def _whole(statement: VehicleStatement, kind: str, done: int) -> int:
    return len(statement.charges) if kind == "zip" else max(done, 1 + len(statement.charges) // 20)


def file_keep(statement: VehicleStatement, kind: str, receipt_for: ReceiptFor) -> None:
    """Make the file and leave it for the reader, telling on the way how far it is."""
    key = _key(statement, kind)
    made = file_made(statement, kind, receipt_for, lambda done: cache.set(key, (done, time.time()), KEPT_S))
    cache.set(f"{key}:made", made, KEPT_S)
    cache.delete(key)


def _key(statement: VehicleStatement, kind: str) -> str:
    return f"vehicle-statement:{kind}:{statement.fingerprint}:{translation.get_language()}"
