"""PURE: charging sessions as OCPI objects (mod_sessions, mod_cdrs). No customer is ever named."""

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from stations.identifiers import evse_id_canonical
from stations.ocpi.forms import Cost, Form, Tax
from stations.ocpi.locations import Party, evse_uid, tariff_of
from stations.ocpi.signed import signed_data
from stations.ocpi.values import contract_owner, cost_of, date_time, hours, hours_of, kwh
from stations.tariffs.engine import has_elements
from stations.tariffs.lines import ENERGY, FLAT, PARKING_TIME, TIME, CostLine, bill_made, total_minor
from stations.tariffs.pricing import session_cost_lines, units

if TYPE_CHECKING:
    from stations.models import ChargingSession, IdToken

NOT_AVAILABLE = "#NA"  # chapter 4, "No data available": there never was a token, so nobody can tell it
RECEIPT_MAX = 245  # a remark has up to 255 characters
TOKEN_TYPES = {"ISO14443": "RFID", "ISO15693": "RFID", "Central": "APP_USER"}
# Whether to charge was decided at the station; the provider was not asked.
AUTH_METHOD = "WHITELIST"
VOLUMES = {ENERGY, TIME, PARKING_TIME}


def session(row: "ChargingSession", *, party: Party, form: Form, register_wh: Decimal | None = None) -> dict[str, Any]:
    """Session; `register_wh` is the meter's latest value where it is still running."""
    return {
        **party.fields,
        "id": str(row.pk),
        "start_date_time": date_time(row.started_at),
        **({"end_date_time": date_time(row.stopped_at)} if row.stopped_at else {}),
        "kwh": charged_kwh(row, register_wh),
        "cdr_token": cdr_token(row.id_token, party=party),
        "auth_method": AUTH_METHOD,
        "location_id": row.location["id"],
        "evse_uid": evse_uid(row.station.identity, row.connector.evse_id),
        "connector_id": str(row.connector.connector_id),
        "currency": row.currency or row.tariff.get("currency") or row.station.site.currency,
        **({} if row.cost_minor is None else {"total_cost": form.price(total_cost(row, row.cost_minor))}),
        "status": row.status,
        "last_updated": date_time(row.updated_at),
    }


def charged_kwh(row: "ChargingSession", register_wh: Decimal | None) -> Decimal:
    """What was charged, so far; 0 where the figures cannot be true (INVALID)."""
    if row.energy_wh is not None:
        return kwh(row.energy_wh)
    if row.is_closed or register_wh is None or row.meter_start_wh is None:
        return Decimal(0)
    return kwh(max(0, int(register_wh) - row.meter_start_wh))


def cdr(row: "ChargingSession", *, party: Party, language: str, form: Form, receipt_url: str = "") -> dict[str, Any]:
    """CDR of a completed session. A credit says what it credits, and gives the cost back: that alone is negative.

    With `receipt_url`, where the driver finds the receipt, which proves what the meter signed.
    """
    charge = row.credit_reference if row.credit else row
    assert charge is not None and charge.stopped_at and charge.energy_wh is not None and row.cost_minor is not None
    credit = {"credit": True, "credit_reference_id": str(charge.pk)} if row.credit else {}
    return {
        **party.fields,
        "id": str(row.pk),
        "start_date_time": date_time(charge.started_at),
        "end_date_time": date_time(charge.stopped_at),
        "session_id": str(charge.pk),
        "cdr_token": cdr_token(charge.id_token, party=party),
        "auth_method": AUTH_METHOD,
        "cdr_location": cdr_location(charge),
        "currency": row.currency,
        **tariffs(charge, party=party, language=language, form=form),
        "charging_periods": charging_periods(charge),
        "total_cost": form.price(total_cost(charge, row.cost_minor)),
        **partial_costs(charge, form),
        "total_energy": kwh(charge.energy_wh),
        "total_time": hours(charge.started_at, charge.stopped_at),
        **signed_data(row, receipt_url=receipt_url),
        **({"remark": f"Receipt: {receipt_url}"} if 0 < len(receipt_url) <= RECEIPT_MAX else {}),
        **credit,
        "last_updated": date_time(row.updated_at),
    }


def vat_percent(row: "ChargingSession") -> Decimal | None:
    return Decimal(row.tariff["vat_percent"]) if "vat_percent" in row.tariff else None


def lines_of(row: "ChargingSession") -> list[CostLine]:
    """The lines that are kept with it, of a tariff with elements."""
    return session_cost_lines(row) if has_elements(row.tariff) else []


def total_cost(row: "ChargingSession", cost_minor: int) -> Cost:
    """What is to be paid, with the VAT that its lines contain."""
    lines = lines_of(row)
    if lines and total_minor(lines) in {cost_minor, -cost_minor}:
        return cost_of_lines(row, lines).times(1 if total_minor(lines) == cost_minor else -1)
    return cost_of(cost_minor, row.currency, vat_percent(row))


def cost_of_lines(row: "ChargingSession", lines: list[CostLine]) -> Cost:
    """Some lines: with VAT what is paid, without it what is left by their rates."""
    bill = bill_made(lines, row.tariff, row.currency)
    net = units(bill.net_minor, row.currency)
    if all(line.vat_percent is None for line in lines):
        return Cost(net)
    taxes = [Tax(part.percent, units(part.vat_minor, row.currency)) for part in bill.parts if part.percent is not None]
    return Cost(net, units(bill.total_minor, row.currency), tuple(taxes))


PARTS = {
    FLAT: "total_fixed_cost",
    ENERGY: "total_energy_cost",
    TIME: "total_time_cost",
    PARKING_TIME: "total_parking_cost",
}


def partial_costs(row: "ChargingSession", form: Form) -> dict[str, Any]:
    """The total's parts, where the tariff explains it. What a least or greatest price changes is in the total only."""
    kept = lines_of(row)
    if not kept:
        return {
            PARTS[line.kind]: form.price(cost_of(line.amount_minor, row.currency, vat_percent(row)))
            for line in session_cost_lines(row)
        }
    found: dict[str, list[CostLine]] = {}
    for line in kept:
        name = "total_reservation_cost" if line.reservation else PARTS.get(line.kind)
        if name:
            found.setdefault(name, []).append(line)
    parked = sum(used(line) for line in kept if line.kind == PARKING_TIME)
    parking = {"total_parking_time": hours_of(parked)} if parked else {}
    return parking | {name: form.price(cost_of_lines(row, lines)) for name, lines in found.items()}


def used(line: CostLine) -> int:
    """What was used of it, before it was rounded up by a step."""
    return line.quantity if line.used is None else line.used


def tariffs(row: "ChargingSession", *, party: Party, language: str, form: Form) -> dict[str, Any]:
    """The tariff as it was at the start: that is when it held, whenever it was written."""
    if not row.tariff:
        return {}
    kept = tariff_of(row.tariff, party=party, language=language, form=form)
    return {"tariffs": [{**kept, "last_updated": date_time(row.started_at)}]}


def charging_periods(row: "ChargingSession") -> list[dict[str, Any]]:
    """One, or with a tariff of elements one for each moment at which another price was used for the first time."""
    assert row.energy_wh is not None
    of = {"tariff_id": row.tariff["id"]} if row.tariff else {}
    lines = [line for line in lines_of(row) if line.kind in VOLUMES]
    begins: dict[datetime, dict[str, Decimal]] = {}
    for line in sorted(lines, key=lambda line: line.since or row.started_at):
        kind = "RESERVATION_TIME" if line.reservation else line.kind
        volume = kwh(used(line)) if kind == ENERGY else hours_of(used(line))
        at = begins.setdefault(line.since or row.started_at, {})
        at[kind] = at.get(kind, Decimal(0)) + volume
    if unpriced := row.energy_wh - sum(used(line) for line in lines if line.kind == ENERGY):
        first = begins.setdefault(min([row.started_at, *begins]), {})
        first[ENERGY] = first.get(ENERGY, Decimal(0)) + kwh(unpriced)
    if not begins:
        begins = {row.started_at: {ENERGY: kwh(row.energy_wh)}}
    return [
        {
            "start_date_time": date_time(at),
            "dimensions": [{"type": kind, "volume": volume} for kind, volume in volumes.items()],
            **of,
        }
        for at, volumes in sorted(begins.items())
    ]


def cdr_token(token: "IdToken | None", *, party: Party) -> dict[str, str]:
    """The token and the provider whose contract it is; a token without contract is the operator's own."""
    if token is None:
        return {**party.fields, "uid": NOT_AVAILABLE, "type": "OTHER", "contract_id": NOT_AVAILABLE}
    owner = contract_owner(token.contract_id)
    return {
        **(Party(*owner) if owner else party).fields,
        "uid": token.uid,
        "type": TOKEN_TYPES.get(token.type, "OTHER"),
        "contract_id": token.contract_id or token.uid,
    }


def cdr_location(row: "ChargingSession") -> dict[str, Any]:
    """The place as it was at the start; what the session does not keep of it, as the site says now."""
    site, outlet, kept = row.station.site, row.connector, row.location
    now = {"latitude": f"{site.latitude:.6f}", "longitude": f"{site.longitude:.6f}"}
    postal_code = kept.get("postal_code") or site.postal_code
    return {
        "id": kept["id"],
        "name": kept.get("name") or site.name,
        "address": (kept.get("address") or site.address)[:45],
        "city": (kept.get("city") or site.city)[:45],
        **({"postal_code": postal_code} if postal_code else {}),
        "country": kept.get("country") or site.country,
        "coordinates": {name: kept.get(name) or value for name, value in now.items()},
        "evse_uid": evse_uid(row.station.identity, outlet.evse_id),
        "evse_id": evse_id_canonical(outlet.emi3_id),
        "connector_id": str(outlet.connector_id),
        "connector_standard": outlet.standard,
        "connector_format": outlet.format,
        "connector_power_type": outlet.power_type,
    }
