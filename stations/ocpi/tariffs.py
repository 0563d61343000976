"""PURE: tariffs as OCPI 2.2.1 objects (mod_tariffs), their prices without VAT as OCPI has them.

Ours include it. OCPI's have four decimals: computed from these, a cost may differ from ours by fractions of a cent.
Ours holds, and stands in the CDR.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from stations.ocpi.values import without_vat

NUMBERS = ("min_kwh", "max_kwh", "min_current", "max_current", "min_power", "max_power")


def tariff_members(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """Type, least and greatest price and elements, of a tariff as a session keeps it."""
    if not snapshot.get("elements"):
        return {"elements": [{"price_components": plain_components(snapshot)}]}
    included = snapshot.get("vat_included") == "YES"
    rates = [_vat(part) or Decimal(0) for one in snapshot["elements"] for part in one["price_components"]]
    # Without VAT neither may say more than ours: the least price by the highest rate, the greatest by the lowest.
    limits = {"min_price": max(rates), "max_price": min(rates)}
    return {
        **({"type": snapshot["type"]} if snapshot.get("type") else {}),
        **{name: _limit(snapshot[name], rate) for name, rate in limits.items() if snapshot.get(name)},
        "elements": [_element(one, included=included) for one in snapshot["elements"]],
    }


def plain_components(snapshot: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One for each price; a tariff that is free of charge says so by a FLAT price of 0."""
    vat = Decimal(snapshot["vat_percent"]) if "vat_percent" in snapshot else None
    prices = {"ENERGY": Decimal(snapshot["price_per_kwh"]), "FLAT": Decimal(snapshot["price_per_session"])}
    charged = {kind: amount for kind, amount in prices.items() if amount} or {"FLAT": Decimal(0)}
    return [
        {
            "type": kind,
            "price": without_vat(amount, vat),
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


def _element(one: Mapping[str, Any], *, included: bool) -> dict[str, Any]:
    limits = {
        name: Decimal(value) if name in NUMBERS else value for name, value in (one.get("restrictions") or {}).items()
    }
    parts = [_component(part, included=included) for part in one["price_components"]]
    return {"price_components": parts} | ({"restrictions": limits} if limits else {})


def _component(part: Mapping[str, Any], *, included: bool) -> dict[str, Any]:
    vat, price = _vat(part), Decimal(part["price"])
    return {
        "type": part["type"],
        "price": without_vat(price, vat) if included else price,
        **({} if vat is None else {"vat": vat}),
        "step_size": part.get("step_size", 1),
    }
