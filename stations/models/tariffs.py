"""The model of a tariff (stations/models/sessions.py has the others); what a charge costs under it:
stations/tariffs/pricing.py."""

from datetime import datetime
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from common.dated import Dated, DatedQuerySet
from common.decimal_text import decimal_text
from stations.tariffs.currencies import is_currency

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
    """What charging costs, per kWh and per session: an OCPI Tariff with one element and no restriction.

    Prices are what the driver pays, VAT included, in units of the currency with up to four decimals. A session keeps
    the tariff as it was at its start, so a change holds for sessions that start from then on.
    """

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
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.code})"

    def holds_at(self, moment: datetime) -> bool:
        begun = self.valid_from is None or self.valid_from <= moment
        return begun and (self.valid_to is None or moment < self.valid_to)

    def snapshot(self) -> dict[str, str]:
        """As a session keeps it (stations/tariffs/pricing.py)."""
        kept = {
            "id": self.code,
            "name": self.name,
            "currency": self.currency,
            "price_per_kwh": decimal_text(self.price_per_kwh),
            "price_per_session": decimal_text(self.price_per_session),
        }
        return kept if self.vat_percent is None else kept | {"vat_percent": decimal_text(self.vat_percent)}


def tariff_currency_check(tariff: Tariff | None, currency: str) -> None:
    """A site and its outlets charge in one currency, or their costs could not be added."""
    if tariff and tariff.currency != currency:
        words = _("expected a tariff in %(currency)s, the site's currency, got %(got)s")
        raise ValidationError({"tariff": ValidationError(words, params={"currency": currency, "got": tariff.currency})})
