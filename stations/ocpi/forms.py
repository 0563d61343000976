"""PURE: the versions of OCPI that are spoken here, and how each writes what a price contains of taxes.

2.2.1 has prices without VAT and with it. 2.3.0 has what is left without taxes and each tax for itself, and its tariffs
say whether their prices contain them. All else that we tell is the same in both.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

VAT = "VAT"


class Version(StrEnum):
    """As the versions endpoint names them, oldest first."""

    V2_2_1 = "2.2.1"
    V2_3_0 = "2.3.0"


@dataclass(frozen=True)
class Tax:
    percent: Decimal
    amount: Decimal


@dataclass(frozen=True)
class Cost:
    """An amount without taxes, with them (None: no VAT applies), and VAT by its rates."""

    net: Decimal
    gross: Decimal | None = None
    taxes: tuple[Tax, ...] = ()

    def times(self, sign: int) -> "Cost":
        """The same, or given back (-1)."""
        taxes = tuple(Tax(tax.percent, sign * tax.amount) for tax in self.taxes)
        return Cost(sign * self.net, None if self.gross is None else sign * self.gross, taxes)


@dataclass(frozen=True)
class Form:
    """A version, and the VAT identification number of who remits the VAT, "" where it is not told."""

    version: Version
    tax_account: str = ""

    @property
    def itemises_taxes(self) -> bool:
        return self.version == Version.V2_3_0

    def price(self, cost: Cost) -> dict[str, Any]:
        """Price (chapter "Types")."""
        if not self.itemises_taxes:
            return {"excl_vat": cost.net} | ({} if cost.gross is None else {"incl_vat": cost.gross})
        taxes = [self._tax(tax) for tax in cost.taxes]
        return {"before_taxes": cost.net} | ({"taxes": taxes} if taxes else {})

    def _tax(self, tax: Tax) -> dict[str, Any]:
        account = {"account_number": self.tax_account} if self.tax_account else {}
        return {"name": VAT, **account, "percentage": tax.percent, "amount": tax.amount}

    def limit(self, limit: Mapping[str, Decimal]) -> dict[str, Decimal]:
        """A least or greatest price: a Price in 2.2.1, a PriceLimit in 2.3.0."""
        if not self.itemises_taxes:
            return dict(limit)
        after = {"after_taxes": limit["incl_vat"]} if "incl_vat" in limit else {}
        return {"before_taxes": limit["excl_vat"], **after}
