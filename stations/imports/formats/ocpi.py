"""PURE: charge detail records of OCPI 2.1.1-d2 and 2.2.1-d2 (mod_cdrs; github.com/ocpi/ocpi), as JSON: one object, a
list, or a response with `data`. An id is unique for its party. Times are UTC.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from stations.errors import ImportRowError
from stations.imports.formats.documents import Json, inner, member, text
from stations.imports.reading import values
from stations.imports.reading.row import Place, Reading, Row, Token
from stations.metering.received import KEY_MAX, NotSigned, SignedText, signed_read
from stations.tariffs.currencies import is_currency
from stations.tariffs.pricing import minor_units

NATURES = {"start": "Transaction.Begin", "end": "Transaction.End"}
TYPES = {"RFID": "ISO14443", "APP_USER": "Central", "OTHER": "Central", "EMAID": "eMAID"}


def _row(line: int, cdr: Mapping[str, Any], reading: Reading) -> Row:
    if member(cdr, "credit") or member(cdr, "credit_reference_id"):
        raise ImportRowError("a charge, not a credit: credit the session itself", "a credit", field="credit")
    number = text(cdr, "id")
    if not number:
        raise ImportRowError("the record's id", "none", field="id")
    party = f"{text(cdr, 'country_code', most=3)}{text(cdr, 'party_id', most=3)}".upper()
    location = inner(cdr, "cdr_location", "location")
    outlet = _outlet(location)
    currency = text(cdr, "currency", most=3).upper()
    cost = _cost(cdr, currency)
    site = text(location, "id") or "unknown"
    return Row(
        line=line,
        number=values.code(number, values.NUMBER_MAX),
        station=text(outlet, "evse_id")
        or "-".join(filter(None, (party, text(outlet, "evse_uid", "uid"))))
        or "unknown",
        place=Place(
            values.code("-".join(filter(None, (party, site))), 30),
            text(location, "name") or text(location, "address") or f"OCPI {party}".strip(),
            currency,
            text(location, "time_zone", most=64),
            text(location, "country", most=3).upper(),
        ),
        started=values.instant(_utc(member(cdr, "start_date_time")), "start_date_time", latest=reading.latest),
        stopped=values.instant(
            _utc(member(cdr, "end_date_time", "stop_date_time")), "end_date_time", latest=reading.latest
        ),
        energy_wh=int(
            values.scaled(
                f"{values.decimal_of(cdr.get('total_energy'), 'total_energy'):f}", "total_energy", digits=3, exact=False
            )
        ),
        token=_token(cdr),
        cost_minor=cost,
        currency=currency if cost is not None else "",
        lasted=values.hours(f"{member(cdr, 'total_time')}", "total_time"),
        signed=_signed(cdr),
    )


def _signed(cdr: Mapping[str, Any]) -> tuple[SignedText, ...]:
    """What the meter signed, out of its base64; what cannot be kept costs no charge."""
    told = inner(cdr, "signed_data")
    key, method = text(told, "public_key", most=KEY_MAX), text(told, "encoding_method", most=36)
    found = []
    for value in told.get("signed_values") or ():
        if isinstance(value, dict):
            given = {"signedMeterData": value.get("signed_data"), "encodingMethod": method, "publicKey": key}
            with suppress(NotSigned):
                found.append(signed_read(given, NATURES.get(text(value, "nature").lower())))
    return tuple(found)


def _utc(value: Any) -> str:
    """OCPI allows times without Z, which are UTC all the same (types, DateTime)."""
    said = str(value)
    return said if said.endswith("Z") or "+" in said or said.count("-") > 2 else f"{said}Z"


def _outlet(location: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where it charged: beside the location in 2.2.1, inside of it in 2.1.1."""
    evses = location.get("evses")
    return evses[0] if isinstance(evses, list) and evses and isinstance(evses[0], dict) else location


def _token(cdr: Mapping[str, Any]) -> Token | None:
    token = inner(cdr, "cdr_token")
    if not token:
        contract = text(cdr, "auth_id", most=36)
        return Token(contract, "eMAID", contract) if contract else None
    uid, kind = text(token, "uid", most=36), text(token, "type")
    if not uid or kind == "AD_HOC_USER":
        return None
    return Token(uid, TYPES.get(kind, "Central"), text(token, "contract_id", most=36))


def _cost(cdr: Mapping[str, Any], currency: str) -> int | None:
    total = member(cdr, "total_cost")
    if isinstance(total, dict):
        total = member(total, "incl_vat", "excl_vat")
    if total is None:
        return None
    if not is_currency(currency):
        raise ImportRowError("a currency of ISO 4217", values.shown(currency), field="currency")
    return minor_units(values.decimal_of(total, "total_cost"), currency)


FORMAT = Json(
    name="ocpi",
    title="OCPI CDR (2.1.1, 2.2.1)",
    prefix="ocpi-",
    needed=(("id",), ("start_date_time",), ("end_date_time", "stop_date_time"), ("total_energy",), ("currency",)),
    row=_row,
)
