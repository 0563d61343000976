"""PURE: tariffs as OCPI objects (mod_tariffs).

Our prices include VAT. Those of 2.2.1 do not, and have four decimals: computed from these, a cost may differ from ours
by fractions of a cent. Ours holds, and stands in the CDR. In 2.3.0 a tariff says whether its prices include taxes, so
they are told as they are.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from stations.ocpi.forms import Form
from stations.ocpi.values import without_vat

NUMBERS = ("min_kwh", "max_kwh", "min_current", "max_current", "min_power", "max_power")


def tariff_members(snapshot: Mapping[str, Any], form: Form) -> dict[str, Any]:
    """Type, least and greatest price and elements, of a tariff as a session keeps it."""
    taxes = {"tax_included": tax_included(snapshot)} if form.itemises_taxes else {}
    if not snapshot.get("elements"):
        return {"elements": [{"price_components": plain_components(snapshot, form)}], **taxes}
    convert = snapshot.get("vat_included") == "YES" and not form.itemises_taxes
    rates = [_vat(part) or Decimal(0) for one in snapshot["elements"] for part in one["price_components"]]
    # Without VAT neither may say more than ours: the least price by the highest rate, the greatest by the lowest.
    limits = {"min_price": max(rates), "max_price": min(rates)}
    return {
        **({"type": snapshot["type"]} if snapshot.get("type") else {}),
        **{name: form.limit(_limit(snapshot[name], rate)) for name, rate in limits.items() if snapshot.get(name)},
        "elements": [_element(one, convert=convert) for one in snapshot["elements"]],
        **taxes,
    }


def tax_included(snapshot: Mapping[str, Any]) -> str:
    """TaxIncluded of 2.3.0; "N/A" where no VAT applies to any of its prices."""
    if not snapshot.get("elements"):
        return "YES" if "vat_percent" in snapshot else "N/A"
    if all(_vat(part) is None for one in snapshot["elements"] for part in one["price_components"]):
        return "N/A"
    return "YES" if snapshot.get("vat_included") == "YES" else "NO"


def plain_components(snapshot: Mapping[str, Any], form: Form) -> list[dict[str, Any]]:
    """One for each price; a tariff that is free of charge says so by a FLAT price of 0."""
    vat = Decimal(snapshot["vat_percent"]) if "vat_percent" in snapshot else None
    prices = {"ENERGY": Decimal(snapshot["price_per_kwh"]), "FLAT": Decimal(snapshot["price_per_session"])}
    charged = {kind: amount for kind, amount in prices.items() if amount} or {"FLAT": Decimal(0)}
    return [
        {
            "type": kind,
            "price": amount if form.itemises_taxes else without_vat(amount, vat),
            **({} if vat is None else {"vat": vat}),
            "step_size": 1,
        }
        for kind, amount in charged.items()
    ]


def _vat(part: Mapping[str, Any]) -> Decimal | None:
    return None if part.get("vat") is None else Decimal(part["vat"])


def _limit(kept: Mapping[str, Any], rate: Decimal) -> dict[str, Decimal]:
    said = {name: Decimal(amount) for name, amount in kept.items()}
    return said if "excl_vat" in said else {"excl_vat": without_vat(said["incl_vat"], rate), **said}


def _element(one: Mapping[str, Any], *, convert: bool) -> dict[str, Any]:
    limits = {
        name: Decimal(value) if name in NUMBERS else value for name, value in (one.get("restrictions") or {}).items()
    }
    parts = [_component(part, convert=convert) for part in one["price_components"]]
    return {"price_components": parts} | ({"restrictions": limits} if limits else {})


def _component(part: Mapping[str, Any], *, convert: bool) -> dict[str, Any]:
    vat, price = _vat(part), Decimal(part["price"])
    return {
        "type": part["type"],
        "price": without_vat(price, vat) if convert else price,
        **({} if vat is None else {"vat": vat}),
        "step_size": part.get("step_size", 1),
    }
