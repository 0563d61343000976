"""Where people charge: sites, stations and their outlets (names of OCPP 1.6/2.0.1 and OCPI 2.2.1)."""

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models.people import time_zone_validate
from common.dated import Dated, DatedQuerySet
from stations.identifiers import EVSE_ID, letters
from stations.models.canonical import Canonical
from stations.models.tariffs import Tariff, currency_validate, tariff_currency_check
from stations.models.visibility import Visible
from stations.silence import SILENT_AFTER


class SiteQuerySet(DatedQuerySet["Site"], Visible["Site"]):  # type: ignore[override]  # each has an as_manager
    permission, site, of_session = "stations.view_site", "pk", "station__site"


class Site(Dated):
    """An OCPI Location. `code` is its OCPI id and never changes: recorded sessions name it."""

    code = models.CharField(_("code"), max_length=36, unique=True)
    name = models.CharField(_("name"), max_length=255)
    address = models.CharField(_("address"), max_length=255, blank=True, default="")
    city = models.CharField(_("city"), max_length=100, blank=True, default="")
    postal_code = models.CharField(_("postal code"), max_length=10, blank=True, default="")
    country = models.CharField(_("country"), max_length=3, blank=True, default="", help_text="ISO 3166-1 alpha-3")
    latitude = models.DecimalField(
        _("latitude"),
        max_digits=9,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(-90)), MaxValueValidator(Decimal(90))],
        help_text=_("WGS 84, decimal degrees"),
    )
    longitude = models.DecimalField(
        _("longitude"),
        max_digits=9,
        decimal_places=6,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal(-180)), MaxValueValidator(Decimal(180))],
        help_text=_("WGS 84, decimal degrees"),
    )
    public = models.BooleanField(_("public"), default=False, help_text=_("may be shown to anybody in apps and on maps"))
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC", validators=[time_zone_validate])
    currency = models.CharField(
        _("currency"), max_length=3, default="EUR", validators=[currency_validate], help_text="ISO 4217"
    )
    tariff = models.ForeignKey(
        Tariff,
        verbose_name=_("tariff"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="sites",
        help_text=_("unless an outlet's own"),
    )
    end_after_hours = models.PositiveSmallIntegerField(
        _("end silent sessions after, hours"),
        null=True,
        blank=True,
        default=168,
        validators=[MinValueValidator(1)],
        help_text=_("a session of which nothing was heard for so long is ended with its last reading; empty: never"),
    )
    unknown_cards = models.BooleanField(
        _("unknown cards may charge"),
        default=False,
        help_text=_("cards that nobody has linked or entered yet; a blocked card never may"),
    )
    signed_required = models.BooleanField(
        _("meters must sign"),
        default=False,
        help_text=_("a charge whose signed meter values are missing or do not hold is invalid, and not billed"),
    )
    api_clients = models.ManyToManyField("accounts.ApiClient", blank=True, related_name="sites", editable=False)

    objects = SiteQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("site"), _("sites")
        ordering = ["name", "id"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        tariff_currency_check(self.tariff, self.currency)
        others = Tariff.objects.filter(connectors__station__site=self.pk).exclude(currency=self.currency)
        if self.pk and (other := others.first()):
            words = _("an outlet here has the tariff %(tariff)s, which is in %(currency)s")
            params = {"tariff": other, "currency": other.currency}
            raise ValidationError({"currency": ValidationError(words, params=params)})


class StationQuerySet(DatedQuerySet["Station"], Visible["Station"]):  # type: ignore[override]  # each has an as_manager
    permission, site, of_session = "stations.view_station", "site", "station"

    def identified(self, identity: str) -> "StationQuerySet":
        """The station that says so, in whatever letters."""
        return self.filter(canonical=letters(identity))

    def silent(self, now: datetime) -> "StationQuerySet":
        """Heard before, and not for longer than usual (stations/silence.py)."""
        unknown_yet = Q(expected_by__isnull=True, last_seen_at__lt=now - SILENT_AFTER)
        return self.filter(Q(expected_by__lt=now) | unknown_yet)


class Station(Dated):
    """A charging station. `identity` is its OCPP ChargeBoxId, as it was first written."""

    class SecurityProfile(models.IntegerChoices):
        """OCPP's security profiles; 0 is none, for a closed network alone."""

        NONE = 0, _("0: no password")
        BASIC = 1, _("1: password")
        TLS = 2, _("2: password over TLS")
        CERTIFICATE = 3, _("3: certificate of its own over TLS")

    site = models.ForeignKey(Site, verbose_name=_("site"), on_delete=models.PROTECT, related_name="stations")
    identity = models.CharField(_("identity"), max_length=48)
    canonical = Canonical(of=lambda station: letters(station.identity))
    vendor = models.CharField(_("vendor"), max_length=50, blank=True, default="")
    model = models.CharField(_("model"), max_length=50, blank=True, default="")
    serial_number = models.CharField(_("serial number"), max_length=50, blank=True, default="")
    firmware_version = models.CharField(_("firmware version"), max_length=50, blank=True, default="")
    enabled = models.BooleanField(_("may connect"), default=True)
    security_profile = models.PositiveSmallIntegerField(
        _("security profile"),
        default=1,
        choices=SecurityProfile.choices,
        help_text=_("the least that is accepted of it"),
    )
    time_zone = models.CharField(
        _("time zone"),
        max_length=64,
        blank=True,
        default="",
        validators=[time_zone_validate],
        help_text=_("in which it gives times without an offset; empty: the site's"),
    )
    credential_hash = models.CharField(max_length=255, blank=True, default="", editable=False)
    last_seen_at = models.DateTimeField(_("last seen at"), null=True, blank=True, editable=False)
    # How long it usually is silent, and when it should have been heard again at the latest
    # (stations/silence.py).
    usual_silence_s = models.PositiveIntegerField(null=True, editable=False)
    expected_by = models.DateTimeField(null=True, blank=True, editable=False, db_index=True)
    # Over OCPP: the version spoken last, the connection that counts ("" where none does) and since when.
    ocpp_version = models.CharField(_("OCPP version"), max_length=5, blank=True, default="", editable=False)
    connection = models.CharField(max_length=32, blank=True, default="", editable=False)
    connected_at = models.DateTimeField(_("connected since"), null=True, blank=True, editable=False)
    booted_at = models.DateTimeField(_("started at"), null=True, blank=True, editable=False)
    local_list_version = models.PositiveIntegerField(_("version of its local list"), default=0, editable=False)
    # The last number that was given to a charge over OCPP 1.6.
    last_transaction = models.PositiveIntegerField(default=0, editable=False)

    objects = StationQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("station"), _("stations")
        ordering = ["identity"]
        constraints = [models.UniqueConstraint(fields=["canonical"], name="station_unique_canonical")]

    def __str__(self) -> str:
        return self.identity

    def validate_unique(self, exclude: Collection[str] | None = None) -> None:
        """The form says in words what the constraint would refuse."""
        super().validate_unique(exclude)
        if other := Station.objects.identified(self.identity).exclude(pk=self.pk).first():
            words = _("There is this station already, written %(identity)s.")
            raise ValidationError({"identity": ValidationError(words, params={"identity": other.identity})})


class ConnectorQuerySet(DatedQuerySet["Connector"], Visible["Connector"]):  # type: ignore[override]  # each has an as_manager
    permission, site, of_session = "stations.view_connector", "station__site", "connector"


class Connector(Dated):
    """One outlet of a station: OCPP 2.0.1 numbers. An OCPP 1.6 connector is an EVSE with connector 1."""

    class Status(models.TextChoices):
        AVAILABLE = "AVAILABLE", _("Available")
        OCCUPIED = "OCCUPIED", _("Occupied")
        RESERVED = "RESERVED", _("Reserved")
        UNAVAILABLE = "UNAVAILABLE", _("Unavailable")
        FAULTED = "FAULTED", _("Faulted")
        UNKNOWN = "UNKNOWN", _("Unknown")

    class Format(models.TextChoices):
        SOCKET = "SOCKET", _("Socket")
        CABLE = "CABLE", _("Cable")

    station = models.ForeignKey(Station, verbose_name=_("station"), on_delete=models.PROTECT, related_name="connectors")
    evse_id = models.PositiveIntegerField(_("EVSE number"), default=1)
    connector_id = models.PositiveIntegerField(_("connector number"), default=1)
    emi3_id = models.CharField(
        _("EVSE ID"),
        max_length=48,
        blank=True,
        default="",
        validators=[RegexValidator(rf"\A{EVSE_ID}\Z", _("Expected an EVSE ID such as DE*ABC*E1234*1."))],
        help_text=_("as printed at the outlet (eMI3), such as DE*ABC*E1234*1"),
    )
    standard = models.CharField(_("standard"), max_length=32, blank=True, default="", help_text="OCPI ConnectorType")
    power_type = models.CharField(_("power type"), max_length=16, blank=True, default="", help_text="OCPI PowerType")
    format = models.CharField(_("format"), max_length=6, choices=Format.choices, blank=True, default="")
    max_power_w = models.PositiveIntegerField(_("maximum power, W"), null=True, blank=True)
    max_voltage = models.PositiveIntegerField(
        _("maximum voltage, V"),
        null=True,
        blank=True,
        help_text=_("V, from line to neutral with three phases"),
    )
    max_amperage = models.PositiveIntegerField(_("maximum current, A"), null=True, blank=True, help_text="A")
    status = models.CharField(_("status"), max_length=16, choices=Status.choices, default=Status.UNKNOWN)
    # As the station said it last, in the words of its version (Preparing, SuspendedEV, Occupied …).
    ocpp_status = models.CharField(_("as reported"), max_length=20, blank=True, default="", editable=False)
    error_code = models.CharField(_("error"), max_length=50, blank=True, default="", editable=False)
    status_info = models.CharField(_("about it"), max_length=255, blank=True, default="", editable=False)
    status_at = models.DateTimeField(_("since"), null=True, blank=True, editable=False)
    tariff = models.ForeignKey(
        Tariff,
        verbose_name=_("tariff"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="connectors",
        help_text=_("else the site's"),
    )

    objects = ConnectorQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("connector"), _("connectors")
        ordering = ["station", "evse_id", "connector_id"]
        constraints = [
            models.UniqueConstraint(fields=["station", "evse_id", "connector_id"], name="connector_unique_on_station")
        ]

    def __str__(self) -> str:
        return f"{self.station.identity}/{self.evse_id}/{self.connector_id}"

    def clean(self) -> None:
        if self.station_id:
            tariff_currency_check(self.tariff, self.station.site.currency)

    def tariff_at(self, moment: datetime) -> Tariff | None:
        """The tariff for a session that starts then: this connector's own, else its site's."""
        candidates = (self.tariff, self.station.site.tariff)
        return next((tariff for tariff in candidates if tariff and tariff.holds_at(moment)), None)
