"""A driver's vehicles, which charge was of which, which places are home, and at which price a year is accounted.

A closed session never changes: what a driver says about it later stands in a row beside it.
"""

from decimal import Decimal

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from stations.models.tariffs import currency_validate
from stations.one_line import LINE

ODOMETER_MAX_KM = 9_999_999
FIRST_YEAR, LAST_YEAR = 2000, 2100


class Vehicle(models.Model):
    """What a driver charges. One that was given away keeps its charges, and gets no more."""

    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("account"), on_delete=models.CASCADE, related_name="vehicles"
    )
    name = models.CharField(pgettext_lazy("of a vehicle", "name"), max_length=60, validators=[LINE])
    plate = models.CharField(_("number plate"), max_length=20, blank=True, default="", validators=[LINE])
    added_at = models.DateTimeField(_("added at"), default=timezone.now)
    given_away_at = models.DateTimeField(_("given away at"), null=True, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("vehicle"), _("vehicles")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.name}, {self.plate}" if self.plate else self.name


class VehicleCard(models.Model):
    """A card that is used for one vehicle alone: its charges are that vehicle's, unless the driver says otherwise."""

    vehicle = models.ForeignKey(
        Vehicle, verbose_name=_("vehicle"), on_delete=models.CASCADE, related_name="vehicle_cards"
    )
    id_token = models.OneToOneField(
        "stations.IdToken", verbose_name=_("ID token"), on_delete=models.CASCADE, related_name="vehicle_card"
    )

    class Meta:
        verbose_name, verbose_name_plural = _("card of a vehicle"), _("cards of vehicles")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.vehicle}: {self.id_token}"


class SessionVehicle(models.Model):
    """Which vehicle a charge was of, as it is kept; without a vehicle: of none of the driver's."""

    session = models.OneToOneField(
        "stations.ChargingSession",
        verbose_name=pgettext_lazy("charging", "session"),
        on_delete=models.CASCADE,
        related_name="vehicle_link",
    )
    vehicle = models.ForeignKey(
        Vehicle, verbose_name=_("vehicle"), null=True, blank=True, on_delete=models.CASCADE, related_name="links"
    )
    chosen = models.BooleanField(_("chosen"), default=False, help_text=_("by the driver, for this charge"))
    odometer_km = models.PositiveIntegerField(
        _("odometer, km"), null=True, blank=True, validators=[MaxValueValidator(ODOMETER_MAX_KM)]
    )

    class Meta:
        verbose_name, verbose_name_plural = _("vehicle of a session"), _("vehicles of sessions")
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(odometer_km__isnull=True) | Q(odometer_km__lte=ODOMETER_MAX_KM),
                name="session_vehicle_odometer",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.session}: {self.vehicle or '–'}"


class HomeSite(models.Model):
    """A place that is somebody's home: what is charged there, the driver pays by the household's electricity bill."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("account"), on_delete=models.CASCADE, related_name="home_sites"
    )
    site = models.ForeignKey("stations.Site", verbose_name=_("site"), on_delete=models.CASCADE, related_name="home_of")

    class Meta:
        verbose_name, verbose_name_plural = _("home"), _("homes")
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["user", "site"], name="home_site_once")]

    def __str__(self) -> str:
        return str(self.site)


class PriceBasis(models.TextChoices):
    """By what a statement accounts a kWh that was charged at home."""

    CONTRACT = "CONTRACT", _("the price of the charge")
    FLAT_RATE = "FLAT_RATE", _("the official flat rate of the year")


class FlatRate(models.Model):
    """The official price of a kWh for a year, where the operator added or mended it (stations/vehicles/rates.py)."""

    year = models.PositiveSmallIntegerField(
        _("year"), unique=True, validators=[MinValueValidator(FIRST_YEAR), MaxValueValidator(LAST_YEAR)]
    )
    price_per_kwh = models.DecimalField(
        _("price per kWh"), max_digits=8, decimal_places=4, validators=[MinValueValidator(Decimal("0.0001"))]
    )
    currency = models.CharField(_("currency"), max_length=3, default="EUR", validators=[currency_validate])
    source = models.CharField(
        _("source"),
        max_length=255,
        validators=[LINE],
        help_text=_("who published it, where and when, as papers say it"),
    )

    class Meta:
        verbose_name, verbose_name_plural = _("flat rate of a year"), _("flat rates of years")
        ordering = ["-year"]
        constraints = [models.CheckConstraint(condition=Q(price_per_kwh__gt=0), name="flat_rate_above_zero")]

    def __str__(self) -> str:
        return gettext("%(year)s: %(price)s %(currency)s") % {
            **{"year": self.year, "price": self.price_per_kwh, "currency": self.currency}
        }


class YearChoice(models.Model):
    """What a driver chose for a year. The rate is kept with it: a rate that is mended later changes no statement."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("account"), on_delete=models.CASCADE, related_name="year_choices"
    )
    year = models.PositiveSmallIntegerField(_("year"))
    basis = models.CharField(_("price"), max_length=9, choices=PriceBasis.choices)
    price_per_kwh = models.DecimalField(_("price per kWh"), max_digits=8, decimal_places=4, null=True, blank=True)
    currency = models.CharField(_("currency"), max_length=3, blank=True, default="")
    source = models.CharField(_("source"), max_length=255, blank=True, default="")
    chosen_at = models.DateTimeField(_("chosen at"), default=timezone.now)

    class Meta:
        verbose_name, verbose_name_plural = _("price of a year"), _("prices of years")
        ordering = ["-year", "-id"]
        constraints = [
            # Chosen once a year, whatever is pressed at the same time.
            models.UniqueConstraint(fields=["user", "year"], name="year_choice_once"),
            models.CheckConstraint(
                condition=Q(basis="CONTRACT") | (Q(price_per_kwh__gt=0) & ~Q(currency="") & ~Q(source="")),
                name="year_choice_has_rate",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.year}: {self.get_basis_display()}"
