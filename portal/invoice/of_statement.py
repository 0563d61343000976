"""A driver's statement as an invoice of the operator, where it can be one; else why it is none, in words.

The operator bills where name, address and VAT id are set (EVPORTAL_OPERATOR_*), and the driver has said to whom the
invoice is made out. It is of a month that is over, in one currency, and the VAT rate of each charge is known.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _

from accounts.models import User
from portal.invoice.facturx import FILE_NAME, PROFILE, VERSION, xml_of
from portal.invoice.invoice import Invoice, Item, Party, Unit, kwh_of
from portal.invoice.xmp import xmp_of
from portal.welcome.operator import Operator
from stations.charging.words import date_text, place, zone
from stations.models import ChargingSession, InvoiceAddress
from stations.tariffs.currencies import minor_digits
from stations.tariffs.pricing import ENERGY, CostLine, session_cost_lines
from stations.tariffs.vat import rate_of

GREECE = {"EL": "GR"}  # whose VAT ids begin otherwise than its country code
NORTHERN_IRELAND = {"XI": "GB"}
DIGITS_MAX = 2  # EN 16931 has amounts with two decimals at most
_SPOILT = (KeyError, TypeError, ValueError, ArithmeticError, AttributeError)  # a row that was altered behind our back


@dataclass(frozen=True)
class Embedded:
    """The XML as common.pdf takes it."""

    name: str
    content: bytes
    description: str
    moment: datetime
    xmp: bytes


@dataclass(frozen=True)
class NoInvoice:
    """Why there is none, in a sentence; "" where nobody asked for one."""

    reason: str


def invoice_for(
    *,
    owner: User,
    number: str,
    days: tuple[date, date],
    is_over: bool,
    issued: date,
    seller: Operator,
    sessions: Sequence[ChargingSession],
) -> Invoice | NoInvoice:
    """`sessions` are those that count, `days` the first and the last of the period."""
    address = InvoiceAddress.objects.filter(user=owner).first()
    if address is None:
        return NoInvoice("")
    reason = _hindrance(seller, sessions, is_over)
    if reason:
        return NoInvoice(reason)
    billed = [session for session in sessions if session.cost_minor is not None]
    items = tuple(item for session in billed for item in _items(session))
    currency = billed[0].currency
    return Invoice(
        number=number,
        issued=issued,
        first_day=days[0],
        last_day=days[1],
        currency=currency,
        digits=minor_digits(currency),
        seller=Party(seller.name, seller.address, "", "", country_of(seller.vat_id), _vat_id(seller)),
        buyer=_buyer(address),
        reference=address.reference,
        items=items,
    )


def _hindrance(seller: Operator, sessions: Iterable[ChargingSession], is_over: bool) -> str:
    if not (seller.name and seller.address and country_of(seller.vat_id)):
        return _("The operator has not set name, address and VAT id: this paper is no invoice.")
    if not is_over:
        return _("The month is not over yet: this paper is no invoice.")
    billed = [session for session in sessions if session.cost_minor is not None]
    currencies = {session.currency for session in billed}
    if not billed:
        return _("Nothing is to be paid: this paper is no invoice.")
    if len(currencies) > 1:
        return _("An invoice has one currency, and these charges have several: this paper is none.")
    if any(minor_digits(currency) > DIGITS_MAX for currency in currencies):
        return _("No e-invoice can be in this currency: this paper is none.")
    if any(_percents(session) is None for session in billed):
        return _("The VAT rate of a charge is not known: this paper is no invoice.")
    return ""


def country_of(vat_id: str) -> str:
    """ISO 3166-1 alpha-2, from the VAT id's first two letters; "" where there are none."""
    prefix = "".join(vat_id.split())[:2].upper()
    country = (GREECE | NORTHERN_IRELAND).get(prefix, prefix)
    return country if len(country) == 2 and country.isascii() and country.isalpha() else ""


def _vat_id(seller: Operator) -> str:
    return "".join(seller.vat_id.split()).upper()


def _buyer(address: InvoiceAddress) -> Party:
    lines = (address.street,) if address.street else ()
    return Party(address.name, lines, address.postal_code, address.city, address.country)


# --- the items of a charge


def _lines(session: ChargingSession) -> list[CostLine]:
    try:
        return session_cost_lines(session)
    except _SPOILT:
        return []


def _percents(session: ChargingSession) -> list[Decimal] | None:
    """The rates of its cost; None where one is not known, or no VAT applies: then there is no invoice of ours."""
    rates = [line.vat_percent for line in _lines(session) if line.vat_percent is not None]
    if rates:
        return rates
    rate = rate_of(session)
    return [rate.percent] if rate.known and rate.percent is not None else None


def _items(session: ChargingSession) -> Iterator[Item]:
    percents = _percents(session) or [Decimal(0)]
    note = _note(session)
    lines = _lines(session)
    assert session.cost_minor is not None  # it is billed
    if not lines:
        yield Item(_("Charging"), note, *_quantity(ENERGY, session.energy_wh or 0), session.cost_minor, percents[0])
    for line in lines:
        percent = percents[0] if line.vat_percent is None else line.vat_percent
        quantity = _quantity(line.kind, line.quantity)
        if line.amount_minor < 0 or not quantity[0]:  # a lower price than zero is not to be said so
            quantity = (Decimal(-1 if line.amount_minor < 0 else 1), "C62")
        yield Item(_names().get(line.kind, line.kind), note, *quantity, line.amount_minor, percent)


def _quantity(kind: str, quantity: int) -> tuple[Decimal, Unit]:
    if kind == ENERGY:
        found: tuple[Decimal, Unit] = (kwh_of(quantity), "KWH")
        return found if found[0] else (Decimal(1), "C62")
    if kind in {"TIME", "PARKING_TIME"}:
        return (Decimal(quantity) / 3600).quantize(Decimal("0.0001")), "HUR"
    return Decimal(quantity), "C62"


def _names() -> dict[str, Any]:
    return {
        ENERGY: _("Charging: energy"),
        "FLAT": _("Charging: price per session"),
        "TIME": _("Charging: time"),
        "PARKING_TIME": _("Charging: parking time"),
        "MIN_PRICE": _("Charging: up to the least price"),
        "MAX_PRICE": _("Charging: down to the highest price"),
    }


def _note(session: ChargingSession) -> str:
    return f"{date_text(session.started_at, zone(session))}, {place(session)}, {session.pk}"


# --- in the paper


def embedded_of(invoice: Invoice) -> Embedded:
    """The XML with its metadata, to be embedded into the paper."""
    content = xml_of(invoice, terms=_("As agreed with the operator."))
    moment = datetime.combine(invoice.issued, time(), UTC)
    xmp = xmp_of(file_name=FILE_NAME, profile=PROFILE, version=VERSION)
    return Embedded(FILE_NAME, content, _("The invoice for computers"), moment, xmp)
