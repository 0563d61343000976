"""The model of a tariff (stations/models/sessions.py has the others); what a charge costs under it:
stations/tariffs/pricing.py."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from common.dated import Dated, DatedQuerySet
from common.decimal_text import decimal_text
from stations.tariffs.currencies import is_currency
from stations.tariffs.shape import ENERGY, FLAT, TariffError, elements_text

# As OCPI's CiString(36), without what an address would have to escape.
code_validate = RegexValidator(
    r"\A[A-Za-z0-9][A-Za-z0-9*_=:|@.\-]{0,35}\Z", _("Expected up to 36 letters, digits or *_=:|@.-")
)
price_validate = MinValueValidator(Decimal(0))


def currency_validate(code: str) -> None:
    """Raises ValidationError where no price may be in it. Rows that were written before stay as they are."""
    if not is_currency(code):
        raise ValidationError(_("Expected a currency of ISO 4217 such as EUR, got %(got)s."), params={"got": code[:20]})


class Tariff(Dated):
    """What charging costs: per kWh and per session, or by elements as OCPI's Tariff has them (docs/tariffs.md).

    Prices are what the driver pays, VAT included, in units of the currency with up to four decimals. A session keeps
    the tariff as it was at its start, so a change holds for sessions that start from then on.
    """

    class Type(models.TextChoices):
        """OCPI TariffType: for whom it is meant; none: for everybody."""

        AD_HOC_PAYMENT = "AD_HOC_PAYMENT", _("paid at the station")
        PROFILE_CHEAP = "PROFILE_CHEAP", _("cheap charging")
        PROFILE_FAST = "PROFILE_FAST", _("fast charging")
        PROFILE_GREEN = "PROFILE_GREEN", _("green charging")
        REGULAR = "REGULAR", _("with a card")

    code = models.CharField(
        _("code"), max_length=36, unique=True, validators=[code_validate], help_text=_("its OCPI id; stays")
    )
    name = models.CharField(_("name"), max_length=255, help_text=_("as drivers read it"))
    currency = models.CharField(
        _("currency"), max_length=3, default="EUR", validators=[currency_validate], help_text="ISO 4217"
    )
    price_per_kwh = models.DecimalField(
        _("price per kWh"),
        max_digits=10,
        decimal_places=4,
        default=Decimal(0),
        validators=[price_validate],
        help_text=_("VAT included"),
    )
    price_per_session = models.DecimalField(
        _("price per session"),
        max_digits=10,
        decimal_places=4,
        default=Decimal(0),
        validators=[price_validate],
        help_text=_("VAT included"),
    )
    vat_percent = models.DecimalField(
        _("VAT in percent"),
        max_digits=5,
        decimal_places=2,
        null=True,
        blank=True,
        validators=[price_validate],
        help_text=_("how much VAT the prices include; empty where no VAT applies"),
    )
    elements = models.JSONField(
        _("elements"),
        default=list,
        blank=True,
        help_text=_("OCPI TariffElements, VAT included; instead of the prices above"),
    )
    min_price = models.DecimalField(
        _("minimum price"),
        max_digits=10,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[price_validate],
        help_text=_("what a session costs at least, VAT included"),
    )
    max_price = models.DecimalField(
        _("maximum price"),
        max_digits=10,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[price_validate],
        help_text=_("what a session costs at most, VAT included"),
    )
    type = models.CharField(
        _("type"), max_length=14, choices=Type.choices, blank=True, default="", help_text=_("OCPI TariffType")
    )
    valid_from = models.DateTimeField(
        _("valid from"), null=True, blank=True, help_text=_("for sessions that start from then on")
    )
    valid_to = models.DateTimeField(
        _("valid to"), null=True, blank=True, help_text=_("for sessions that start before then")
    )

    objects = DatedQuerySet["Tariff"].as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("tariff"), _("tariffs")
        ordering = ["code"]
        constraints = [
            models.CheckConstraint(
                condition=Q(price_per_kwh__gte=0) & Q(price_per_session__gte=0), name="tariff_prices_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(valid_from__isnull=True) | Q(valid_to__isnull=True) | Q(valid_to__gt=F("valid_from")),
                name="tariff_ends_after_it_begins",
            ),
            models.CheckConstraint(
                condition=(Q(min_price__isnull=True) | Q(min_price__gte=0))
                & (Q(max_price__isnull=True) | Q(max_price__gte=0)),
                name="tariff_limits_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(min_price__isnull=True) | Q(max_price__isnull=True) | Q(max_price__gte=F("min_price")),
                name="tariff_maximum_above_minimum",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.code})"

    def holds_at(self, moment: datetime) -> bool:
        begun = self.valid_from is None or self.valid_from <= moment
        return begun and (self.valid_to is None or moment < self.valid_to)

    def clean(self) -> None:
        """Elements are kept as stations/tariffs/shape.py writes them; beside them there is no other price."""
        if self.min_price is not None and self.max_price is not None and self.min_price > self.max_price:
            raise ValidationError({"max_price": _("Expected at least the minimum price.")})
        if not self.elements:
            self.elements = []
            return
        try:
            self.elements = elements_text(self.elements)
        except TariffError as error:
            raise ValidationError({"elements": str(error)}) from error
        for name in ("price_per_kwh", "price_per_session", "vat_percent"):
            if getattr(self, name):
                raise ValidationError({name: _("Expected nothing here: a tariff with elements has its prices there.")})

    def snapshot(self) -> dict[str, Any]:
        """As a session keeps it (stations/tariffs/pricing.py; with elements: stations/tariffs/shape.py)."""
        head = {"id": self.code, "name": self.name, "currency": self.currency}
        if self.elements or self.min_price is not None or self.max_price is not None:
            return head | self._with_elements()
        kept = head | {
            "price_per_kwh": decimal_text(self.price_per_kwh),
            "price_per_session": decimal_text(self.price_per_session),
        }
        return kept if self.vat_percent is None else kept | {"vat_percent": decimal_text(self.vat_percent)}

    def _with_elements(self) -> dict[str, Any]:
        limits = {"min_price": self.min_price, "max_price": self.max_price}
        return {
            "vat_included": "YES",
            **({"type": self.type} if self.type else {}),
            **{name: {"incl_vat": decimal_text(limit)} for name, limit in limits.items() if limit is not None},
            "elements": elements_text(self.elements or [self._plain()]),
        }

    def _plain(self) -> dict[str, Any]:
        """The prices per kWh and per session as an element; free of charge is a price of 0."""
        prices = {ENERGY: self.price_per_kwh, FLAT: self.price_per_session}
        charged = {kind: price for kind, price in prices.items() if price} or {FLAT: Decimal(0)}
        return {
            "price_components": [
                {"type": kind, "price": price, "vat": self.vat_percent, "step_size": 1}
                for kind, price in charged.items()
            ]
        }


def tariff_currency_check(tariff: Tariff | None, currency: str) -> None:
    """A site and its outlets charge in one currency, or their costs could not be added."""
    if tariff and tariff.currency != currency:
        words = _("expected a tariff in %(currency)s, the site's currency, got %(got)s")
        raise ValidationError({"tariff": ValidationError(words, params={"currency": currency, "got": tariff.currency})})


class CustomerGroup(models.Model):
    """Customers who charge at the same prices, such as a company's own people (stations/agreements/agreed.py)."""

    name = models.CharField(_("name"), max_length=100, unique=True)
    customers = models.ManyToManyField(
        settings.AUTH_USER_MODEL, verbose_name=_("customers"), blank=True, related_name="customer_groups"
    )

    class Meta:
        verbose_name, verbose_name_plural = _("customer group"), _("customer groups")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class PriceAgreement(models.Model):
    """A tariff of its own for a group of customers or for one card, at one site or wherever its currency is used.

    A card's agreement goes before its customer's group's, one for a site before one for all sites, and all of them
    before the outlet's and the site's tariff.
    """

    tariff = models.ForeignKey(Tariff, verbose_name=_("tariff"), on_delete=models.PROTECT, related_name="agreements")
    group = models.ForeignKey(
        CustomerGroup,
        verbose_name=_("customer group"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="agreements",
    )
    id_token = models.ForeignKey(
        "stations.IdToken",
        verbose_name=_("card or contract"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="agreements",
    )
    site = models.ForeignKey(
        "stations.Site",
        verbose_name=_("site"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="agreements",
        help_text=_("empty: at every site that charges in the tariff's currency"),
    )

    class Meta:
        verbose_name, verbose_name_plural = _("price agreement"), _("price agreements")
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(group__isnull=True, id_token__isnull=False) | Q(group__isnull=False, id_token__isnull=True),
                name="agreement_with_group_or_card",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.id_token or self.group}: {self.tariff}"

    def clean(self) -> None:
        """One of group and card; the site's currency."""
        if (self.group_id is None) == (self.id_token_id is None):
            raise ValidationError(_("Expected a customer group or a card, one of them."))
        if self.site_id and self.tariff_id:
            tariff_currency_check(self.tariff, self.site.currency)  # type: ignore[union-attr]
