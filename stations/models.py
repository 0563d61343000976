"""Sites, stations and the charging sessions that they report (names of OCPP 1.6/2.0.1 and OCPI 2.2.1).

Energy is integer Wh, money integer minor units with an ISO 4217 currency, time UTC.
"""

import uuid
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts.api_authentication import Program
from accounts.api_models import ApiClient
from accounts.models import time_zone_validate
from stations.correction import Correction as Correction  # the app's models are found here
from stations.dated import Dated, DatedQuerySet
from stations.import_runs import ImportRun as ImportRun
from stations.ocpi.models import OcpiPartner as OcpiPartner
from stations.silence import SILENT_AFTER
from stations.tariffs import Tariff as Tariff
from stations.tariffs import tariff_currency_check
from stations.visibility import Visible

# eMI3: country, operator, E, outlet
EMI3_ID = r"[A-Z]{2}\*?[A-Z0-9]{3}\*?E[A-Z0-9][A-Z0-9*]{0,30}"


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
    currency = models.CharField(_("currency"), max_length=3, default="EUR", help_text="ISO 4217")
    tariff = models.ForeignKey(
        Tariff,
        verbose_name=_("tariff"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="sites",
        help_text=_("unless an outlet's own"),
    )
    api_clients = models.ManyToManyField(ApiClient, blank=True, related_name="sites", editable=False)

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

    def silent(self, now: datetime) -> "StationQuerySet":
        """Heard before, and not for longer than usual (stations/silence.py)."""
        unknown_yet = Q(expected_by__isnull=True, last_seen_at__lt=now - SILENT_AFTER)
        return self.filter(Q(expected_by__lt=now) | unknown_yet)


class Station(Dated):
    """A charging station. `identity` is its OCPP ChargeBoxId."""

    site = models.ForeignKey(Site, verbose_name=_("site"), on_delete=models.PROTECT, related_name="stations")
    identity = models.CharField(_("identity"), max_length=48, unique=True)
    vendor = models.CharField(_("vendor"), max_length=50, blank=True, default="")
    model = models.CharField(_("model"), max_length=50, blank=True, default="")
    serial_number = models.CharField(_("serial number"), max_length=50, blank=True, default="")
    firmware_version = models.CharField(_("firmware version"), max_length=50, blank=True, default="")
    credential_hash = models.CharField(max_length=255, blank=True, default="", editable=False)
    last_seen_at = models.DateTimeField(_("last seen at"), null=True, blank=True, editable=False)
    # How long it usually is silent, and when it should have been heard again at the latest (stations/silence.py).
    usual_silence_s = models.PositiveIntegerField(null=True, editable=False)
    expected_by = models.DateTimeField(null=True, blank=True, editable=False, db_index=True)

    objects = StationQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("station"), _("stations")
        ordering = ["identity"]

    def __str__(self) -> str:
        return self.identity


class ConnectorQuerySet(DatedQuerySet["Connector"], Visible["Connector"]):  # type: ignore[override]  # each has an as_manager
    permission, site, of_session = "stations.view_connector", "station__site", "connector"


class Connector(Dated):
    """One outlet of a station: OCPP 2.0.1 numbers. An OCPP 1.6 connector is an EVSE with connector 1."""

    class Status(models.TextChoices):
        AVAILABLE = "AVAILABLE", _("Available")
        OCCUPIED = "OCCUPIED", _("Occupied")
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
        validators=[RegexValidator(rf"\A{EMI3_ID}\Z", _("Expected an EVSE ID such as DE*ABC*E1234*1."))],
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


class IdTokenQuerySet(Visible["IdToken"]):
    """A driver sees his own; a program with chosen sites those that charged there."""

    permission = "stations.view_idtoken"

    def at_sites_of(self, program: Program) -> "IdTokenQuerySet":
        sessions = ChargingSession.objects.visible_to(program)
        return self.filter(pk__in=sessions.order_by().values("id_token"))

    def of_customer(self, user: Any) -> "IdTokenQuerySet":
        return self.filter(customer_id=user.pk)


class IdToken(models.Model):
    """What a driver shows to start a charge: an RFID card, an app user, a contract (OCPP 2.0.1 IdTokenType)."""

    class Type(models.TextChoices):
        # OCPP's codes, read as they are written
        ISO14443 = "ISO14443", "ISO14443"
        ISO15693 = "ISO15693", "ISO15693"
        E_MAID = "eMAID", "eMAID"
        CENTRAL = "Central", "Central"
        KEY_CODE = "KeyCode", "KeyCode"
        LOCAL = "Local", "Local"
        MAC_ADDRESS = "MacAddress", "MacAddress"

    uid = models.CharField("UID", max_length=36)
    type = models.CharField(_("type"), max_length=16, choices=Type.choices, default=Type.ISO14443)
    contract_id = models.CharField(_("contract ID"), max_length=36, blank=True, default="", help_text="eMAID")
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("customer"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="id_tokens",
    )

    objects = IdTokenQuerySet.as_manager()

    class Meta:
        ordering = ["uid"]
        verbose_name, verbose_name_plural = _("ID token"), _("ID tokens")
        constraints = [models.UniqueConstraint(fields=["uid", "type"], name="id_token_unique")]

    def __str__(self) -> str:
        return f"{self.type} {self.uid}"


class LinkCodeQuerySet(models.QuerySet["LinkCode"]):
    def open(self) -> "LinkCodeQuerySet":
        """Codes that still link: neither used nor ended nor too old."""
        return self.filter(used_at__isnull=True, ended_at__isnull=True, expires_at__gt=timezone.now())


class LinkCode(models.Model):
    """A one-time code that links one token to the account of whoever enters it (stations/linking.py)."""

    id_token = models.ForeignKey(
        IdToken, verbose_name=_("ID token"), on_delete=models.CASCADE, related_name="link_codes"
    )
    code_hash = models.CharField(max_length=64, unique=True, editable=False)
    made_at = models.DateTimeField(_("made at"), default=timezone.now)
    made_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("made by"),
        null=True,
        on_delete=models.SET_NULL,
        related_name="link_codes_made",
    )
    expires_at = models.DateTimeField(_("expires at"))
    used_at = models.DateTimeField(_("used at"), null=True)
    used_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("used by"),
        null=True,
        on_delete=models.SET_NULL,
        related_name="link_codes_used",
    )
    ended_at = models.DateTimeField(
        _("ended at"), null=True, help_text=_("a newer code took its place, or the token was linked")
    )

    objects = LinkCodeQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("link code"), _("link codes")
        ordering = ["-made_at", "-id"]
        constraints = [
            # A new code ends the one before, also where two are made at once.
            models.UniqueConstraint(
                fields=["id_token"],
                condition=Q(used_at__isnull=True, ended_at__isnull=True),
                name="link_code_one_open_per_token",
            )
        ]

    def __str__(self) -> str:
        return gettext("link code for %(card)s") % {"card": self.id_token}


class SessionClosedError(Exception):
    """A closed session was about to be changed; corrections are new sessions that credit the old one."""


class ChargingSessionQuerySet(DatedQuerySet["ChargingSession"]):
    def visible_to(self, user: Any) -> "ChargingSessionQuerySet":
        """What this caller may see: a person his own sessions, staff with the permission all, a program its sites'."""
        if isinstance(user, Program):
            sites = Site.objects.visible_to(user).order_by().values("pk")
            return self if user.client.all_sites else self.filter(station__site__in=sites)
        if user.is_staff and user.has_perm("stations.view_chargingsession"):
            return self
        return self.filter(customer_id=user.pk) if user.is_authenticated else self.none()

    def closed(self) -> "ChargingSessionQuerySet":
        return self.exclude(status=ChargingSession.Status.ACTIVE)


class ChargingSession(Dated):
    """One charge. Once COMPLETED or INVALID it never changes; its customer link alone may."""

    class Status(models.TextChoices):
        ACTIVE = "ACTIVE", _("Active")
        COMPLETED = "COMPLETED", _("Completed")
        INVALID = "INVALID", _("Invalid")

    class Source(models.TextChoices):
        STATION = "STATION", _("Station")
        IMPORT = "IMPORT", _("Import")
        OCPP = "OCPP", "OCPP"
        OPERATOR = "OPERATOR", _("Operator")  # a correction

    id = models.UUIDField("ID", primary_key=True, default=uuid.uuid4, editable=False)
    station = models.ForeignKey(Station, verbose_name=_("station"), on_delete=models.PROTECT, related_name="sessions")
    connector = models.ForeignKey(
        Connector, verbose_name=_("connector"), on_delete=models.PROTECT, related_name="sessions"
    )
    transaction_id = models.CharField(
        _("transaction ID"), max_length=36, help_text=_("the station's own number for this charge")
    )
    id_token = models.ForeignKey(
        IdToken,
        verbose_name=_("card or contract"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="sessions",
    )
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("customer"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="charging_sessions",
    )
    # OCPI CdrLocation: the place as it was, because sites are renamed and a closed session never changes.
    location = models.JSONField(
        _("location"), default=dict, help_text=_("id, name, country, time_zone of the site at the start")
    )
    status = models.CharField(_("status"), max_length=9, choices=Status.choices, default=Status.ACTIVE)
    started_at = models.DateTimeField(_("started at"))
    stopped_at = models.DateTimeField(_("stopped at"), null=True, blank=True)
    meter_start_wh = models.BigIntegerField(_("meter at the start, Wh"), null=True, blank=True)
    meter_stop_wh = models.BigIntegerField(_("meter at the end, Wh"), null=True, blank=True)
    energy_wh = models.BigIntegerField(_("energy, Wh"), null=True, blank=True)
    cost_minor = models.BigIntegerField(
        _("cost, minor units"), null=True, blank=True, help_text=_("in minor units of the currency")
    )
    currency = models.CharField(_("currency"), max_length=3, blank=True, default="")
    # What the driver was promised (stations/pricing.py); {} where no tariff applied.
    tariff = models.JSONField(_("tariff"), default=dict, blank=True, help_text=_("the tariff as it was at the start"))
    stop_reason = models.CharField(_("stop reason"), max_length=20, blank=True, default="")
    source = models.CharField(_("source"), max_length=8, choices=Source.choices)
    # Why the figures need a look, e.g. ["zero_energy"]; see stations/plausibility.py.
    flags = models.JSONField(_("flags"), default=list, blank=True)
    # SHA-256 of the meter values as they were when the session closed (stations/meter.py); part of the record.
    meter_values_sha256 = models.CharField(_("meter values, SHA-256"), max_length=64, blank=True, default="")
    # When its row was made from the chain's copy, which has no meter values: then none at all is no alteration.
    restored_at = models.DateTimeField(_("brought back from the chain at"), null=True, blank=True)
    credit = models.BooleanField(_("credit"), default=False)
    credit_reference = models.ForeignKey(
        "self",
        verbose_name=_("credit reference"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="credited_by",
    )

    objects = ChargingSessionQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("charging session"), _("charging sessions")
        ordering = ["-started_at", "-id"]
        constraints = [
            # A station repeats its messages: the second start of a transaction is the same session.
            models.UniqueConstraint(fields=["station", "transaction_id"], name="session_unique_on_station"),
            models.CheckConstraint(
                condition=Q(status="ACTIVE") | Q(stopped_at__isnull=False), name="session_closed_has_stop"
            ),
            models.CheckConstraint(
                condition=Q(stopped_at__isnull=True) | Q(stopped_at__gte=F("started_at")),
                name="session_stops_after_start",
            ),
            # COMPLETED is what gets billed: never without energy; only a credit is negative.
            models.CheckConstraint(
                condition=~Q(status="COMPLETED") | Q(credit=True) | Q(energy_wh__gte=0),
                name="session_completed_has_energy",
            ),
            models.CheckConstraint(
                condition=~Q(status="COMPLETED") | Q(energy_wh__isnull=False), name="session_completed_energy_known"
            ),
            models.CheckConstraint(
                condition=Q(credit=False) | Q(credit_reference__isnull=False), name="session_credit_has_reference"
            ),
            # Taken back once, however often and at what moment somebody presses the button.
            models.UniqueConstraint(
                fields=["credit_reference"], condition=Q(credit=True), name="session_credited_once"
            ),
            models.CheckConstraint(
                condition=Q(cost_minor__isnull=True) | ~Q(currency=""), name="session_cost_has_currency"
            ),
        ]
        indexes = [
            # The history page: one customer's sessions, newest first.
            models.Index(fields=["customer", "-started_at", "-id"], name="session_history"),
            models.Index(fields=["-started_at", "-id"], name="session_newest"),
            # OCPI: what changed since, oldest first.
            models.Index(fields=["updated_at", "id"], name="session_updated"),
            # Open sessions of a station, a small part of the table.
            models.Index(fields=["station"], condition=Q(status="ACTIVE"), name="session_active"),
        ]

    def __str__(self) -> str:
        words = {"number": self.transaction_id, "at": f"{self.started_at:%Y-%m-%d %H:%M}"}
        return gettext("session %(number)s, %(at)s UTC") % words

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Refuse to change a closed session, except for the link to its customer and token."""
        if not self._state.adding and set(kwargs.get("update_fields") or ["*"]) - {"customer", "id_token"}:
            stored = ChargingSession.objects.filter(pk=self.pk).values_list("status", flat=True).first()
            if stored not in {None, self.Status.ACTIVE}:
                raise SessionClosedError(f"session {self.pk} is {stored}; correct it by a session that credits it")
        super().save(*args, **kwargs)

    @property
    def is_closed(self) -> bool:
        return self.status != self.Status.ACTIVE


class MeterValue(models.Model):
    """One sampled value (OCPP 2.0.1 SampledValueType). `value` is exact; `unit` says of what."""

    session = models.ForeignKey(
        ChargingSession,
        verbose_name=pgettext_lazy("charging", "session"),
        on_delete=models.CASCADE,
        related_name="meter_values",
    )
    sampled_at = models.DateTimeField(_("sampled at"))
    measurand = models.CharField(_("measurand"), max_length=40, default="Energy.Active.Import.Register")
    value = models.DecimalField(_("value"), max_digits=18, decimal_places=4)
    unit = models.CharField(_("unit"), max_length=20, default="Wh")
    phase = models.CharField(_("phase"), max_length=6, blank=True, default="")
    context = models.CharField(_("context"), max_length=20, default="Sample.Periodic")

    class Meta:
        verbose_name, verbose_name_plural = _("meter value"), _("meter values")
        ordering = ["sampled_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["session", "sampled_at", "measurand", "phase", "context"], name="meter_value_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.measurand} {self.value} {self.unit} at {self.sampled_at.isoformat()}"
