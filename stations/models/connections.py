"""Who was not let in, or thrown out, and what stations told of themselves besides charges."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class GatewayProcess(models.Model):
    """A gateway process that lives; its stations' `connection` begins with its id."""

    id = models.CharField(max_length=12, primary_key=True)
    started_at = models.DateTimeField(_("started at"), default=timezone.now)
    seen_at = models.DateTimeField(_("seen at"), default=timezone.now)
    stations = models.PositiveIntegerField(_("stations"), default=0)

    class Meta:
        verbose_name, verbose_name_plural = _("gateway process"), _("gateway processes")
        ordering = ["started_at"]

    def __str__(self) -> str:
        return self.id


class StationRefusal(models.Model):
    """One row an identity, as it was said, and reason: how often, and what came last.

    `station`: where the identity is one of ours. Strangers' rows are bounded (stations/park/refusals.py).
    """

    class Reason(models.TextChoices):
        UNKNOWN = "UNKNOWN", _("no station of this identity")
        DISABLED = "DISABLED", _("the station is switched off here")
        CREDENTIAL = "CREDENTIAL", _("wrong or no password")
        SUBPROTOCOL = "SUBPROTOCOL", _("no OCPP version that both know")
        TLS = "TLS", _("not the security profile that is asked for")
        CERTIFICATE = "CERTIFICATE", _("no valid certificate of its own")
        REPLACED = "REPLACED", _("a newer connection of this identity came")
        MISBEHAVED = "MISBEHAVED", _("it broke the protocol")

    identity = models.CharField(_("identity"), max_length=64)
    station = models.ForeignKey(
        "stations.Station", verbose_name=_("station"), null=True, on_delete=models.CASCADE, related_name="refusals"
    )
    reason = models.CharField(_("reason"), max_length=11, choices=Reason.choices)
    words = models.CharField(_("in words"), max_length=300, blank=True, default="")
    address = models.GenericIPAddressField(_("address"), null=True)
    count = models.PositiveIntegerField(_("how often"), default=0)
    first_at = models.DateTimeField(_("first at"), default=timezone.now)
    last_at = models.DateTimeField(_("last at"), default=timezone.now, db_index=True)

    class Meta:
        verbose_name, verbose_name_plural = _("refused connection"), _("refused connections")
        ordering = ["-last_at", "-id"]
        constraints = [
            models.UniqueConstraint(fields=["identity", "reason"], name="station_refusal_once_a_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.identity}: {self.get_reason_display()}"


class StationVariable(models.Model):
    """What a station says of its configuration: OCPP 2.x component and variable, or an OCPP 1.6 key.

    A key of 1.6 has no component. `attribute`: Actual, Target, MinSet, MaxSet (2.0.1 AttributeEnumType).
    A value that cannot be read back (a password) is never kept.
    """

    # Names (of keys in 1.6) whose values are secrets, which are never kept. OCPP makes them WriteOnly.
    SECRET = frozenset({"authorizationkey", "basicauthpassword"})

    station = models.ForeignKey(
        "stations.Station", verbose_name=_("station"), on_delete=models.CASCADE, related_name="variables"
    )
    component = models.CharField(_("component"), max_length=50, blank=True, default="")
    component_instance = models.CharField(_("component instance"), max_length=50, blank=True, default="")
    evse_id = models.PositiveIntegerField(_("EVSE number"), default=0)  # 0: of the whole station
    connector_id = models.PositiveIntegerField(_("connector number"), default=0)
    variable = models.CharField(_("variable"), max_length=50)
    instance = models.CharField(_("instance"), max_length=50, blank=True, default="")
    attribute = models.CharField(_("attribute"), max_length=7, default="Actual")
    value = models.TextField(_("value"), blank=True, default="")
    mutability = models.CharField(_("mutability"), max_length=9, default="ReadWrite")
    data_type = models.CharField(_("data type"), max_length=12, blank=True, default="")
    unit = models.CharField(_("unit"), max_length=16, blank=True, default="")
    reported_at = models.DateTimeField(_("reported at"), default=timezone.now)

    class Meta:
        verbose_name, verbose_name_plural = _("station variable"), _("station variables")
        ordering = ["station", "component", "evse_id", "variable", "instance"]
        constraints = [
            models.UniqueConstraint(
                fields=[
                    *("station", "component", "component_instance", "evse_id", "connector_id"),
                    *("variable", "instance", "attribute"),
                ],
                name="station_variable_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.component}.{self.variable}" if self.component else self.variable


class StationEvent(models.Model):
    """Something that a station told of itself: a fault, a security event, how an update goes, a vendor's message."""

    class Kind(models.TextChoices):
        BOOT = "BOOT", _("started")
        STATUS = "STATUS", _("fault")
        SECURITY = "SECURITY", _("security event")
        FIRMWARE = "FIRMWARE", _("firmware")
        LOG = "LOG", _("log upload")
        MONITOR = "MONITOR", _("monitoring")
        RESERVATION = "RESERVATION", _("reservation")
        PROFILE = "PROFILE", _("charging profile")
        DATA = "DATA", _("vendor's message")
        OTHER = "OTHER", _("other")

    class Severity(models.TextChoices):
        INFO = "INFO", _("information")
        WARNING = "WARNING", _("warning")
        CRITICAL = "CRITICAL", _("critical")

    station = models.ForeignKey(
        "stations.Station", verbose_name=_("station"), on_delete=models.CASCADE, related_name="events"
    )
    at = models.DateTimeField(_("at"), default=timezone.now)
    kind = models.CharField(_("kind"), max_length=11, choices=Kind.choices)
    severity = models.CharField(_("severity"), max_length=8, choices=Severity.choices, default=Severity.INFO)
    words = models.CharField(_("what"), max_length=500)
    data = models.JSONField(_("data"), default=dict, blank=True)

    class Meta:
        verbose_name, verbose_name_plural = _("station event"), _("station events")
        ordering = ["-at", "-id"]
        indexes = [
            models.Index(fields=["station", "-at"], name="station_event_newest"),
            models.Index(fields=["-at"], condition=~Q(severity="INFO"), name="station_event_grave"),
            models.Index(fields=["at"], name="station_event_oldest"),
        ]

    def __str__(self) -> str:
        return self.words
