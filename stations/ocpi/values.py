"""PURE: how OCPI writes numbers, times and prices (chapter "Types"), as exact JSON."""

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from common.decimal_text import decimal_text
from stations.identifiers import contract_read
from stations.ocpi.errors import Invalid
from stations.ocpi.forms import Cost, Tax
from stations.tariffs.currencies import minor_digits

# Always UTC; an offset, +00:00 included, is no OCPI DateTime.
DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z?", re.ASCII)
FOUR_DECIMALS = Decimal("0.0001")


def json_text(value: Any) -> str:
    """JSON in which a Decimal is a number, digit by digit; floats are refused."""
    if isinstance(value, Decimal):
        return decimal_text(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(str(name))}:{json_text(item)}" for name, item in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(json_text, value)) + "]"
    if isinstance(value, float):
        raise TypeError(f"expected an exact number, got the float {value}")
    return json.dumps(value, ensure_ascii=False)


def date_time(moment: datetime) -> str:
    """DateTime, string(25): to the millisecond, which is cut so that no change lies before its own time."""
    moment = moment.astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03}Z"


def date_time_read(name: str, text: str) -> datetime:
    """A DateTime of a partner; raises Invalid."""
    try:
        if DATE_TIME.fullmatch(text):
            return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)
    except ValueError:
        pass
    raise Invalid(f"{name}: expected a time in UTC such as 2026-11-26T10:00:00Z, got {text[:40]!a}")


def kwh(energy_wh: int) -> Decimal:
    return Decimal(energy_wh).scaleb(-3)


def hours(start: datetime, end: datetime) -> Decimal:
    """Duration in hours with four decimals."""
    milliseconds = (end - start) // timedelta(milliseconds=1)
    return (Decimal(milliseconds) / 3_600_000).quantize(FOUR_DECIMALS, ROUND_HALF_UP)


def hours_of(seconds: int) -> Decimal:
    """The same of whole seconds."""
    return (Decimal(seconds) / 3600).quantize(FOUR_DECIMALS, ROUND_HALF_UP)


def without_vat(amount: Decimal, vat_percent: Decimal | None) -> Decimal:
    """An amount that includes this VAT without it, with four decimals; as it is where no VAT applies."""
    if vat_percent is None:
        return amount
    return (amount * 100 / (100 + vat_percent)).quantize(FOUR_DECIMALS, ROUND_HALF_UP)


def cost_of(amount_minor: int, currency: str, vat_percent: Decimal | None) -> Cost:
    """What the driver pays, with what of it is VAT; where no VAT applies it is the amount only."""
    amount = Decimal(amount_minor).scaleb(-minor_digits(currency))
    net = without_vat(amount, vat_percent)
    return Cost(net) if vat_percent is None else Cost(net, amount, (Tax(vat_percent, amount - net),))


def contract_owner(contract_id: str) -> tuple[str, str] | None:
    """Country and party of the provider that an eMA ID names: "DE-8AC-C12E46L89-1" -> ("DE", "8AC")."""
    contract = contract_read(contract_id)
    return (contract.country, contract.party) if contract else None
