"""Charging sessions and their meter values (names of OCPP 1.6/2.0.1 and OCPI 2.2.1).

Energy is integer Wh, money integer minor units with an ISO 4217 currency, time UTC.
"""

import uuid
from collections.abc import Iterable
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from accounts.models.people import User
from accounts.models.programs import Program
from common.dated import Dated, DatedQuerySet
from stations.identifiers import letters
from stations.models.canonical import Canonical
from stations.zones import month_of


class SessionClosedError(Exception):
    """A closed session was about to be changed; corrections are new sessions that credit the old one."""


class ChargingSessionQuerySet(DatedQuerySet["ChargingSession"]):
    def visible_to(self, user: Any) -> "ChargingSessionQuerySet":
        """What this caller may see: people their own sessions, staff with the permission all, a program its sites'."""
        if isinstance(user, Program):
            sites = apps.get_model("stations", "Site").objects.visible_to(user).order_by().values("pk")
            return self if user.client.all_sites else self.filter(station__site__in=sites)
        if user.is_staff and user.has_perm("stations.view_chargingsession"):
            return self
        return self.filter(customer_id=user.pk) if user.is_authenticated else self.none()

    def numbered(self, transaction_id: str) -> "ChargingSessionQuerySet":
        """Those to which a station gave this number, in whatever letters; at several stations, or several times."""
        return self.filter(number=letters(transaction_id))

    def closed(self) -> "ChargingSessionQuerySet":
        return self.exclude(status=ChargingSession.Status.ACTIVE)

    def bulk_create(self, objs: Iterable["ChargingSession"], *args: Any, **kwargs: Any) -> list["ChargingSession"]:
        """As Django has it; closed ones get their month."""
        rows = list(objs)
        months_decide(rows)
        return super().bulk_create(rows, *args, **kwargs)


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

    class SignedVerdict(models.TextChoices):
        """What the meter's signatures are worth; empty: the charge has none."""

        VERIFIED = "VERIFIED", pgettext_lazy("signed meter values", "verified")
        FAILED = "FAILED", pgettext_lazy("signed meter values", "failed")
        NOT_CHECKED = "NOT CHECKED", pgettext_lazy("signed meter values", "not checked here")

    id = models.UUIDField("ID", primary_key=True, default=uuid.uuid4, editable=False)
    station = models.ForeignKey(
        "stations.Station", verbose_name=_("station"), on_delete=models.PROTECT, related_name="sessions"
    )
    connector = models.ForeignKey(
        "stations.Connector", verbose_name=_("connector"), on_delete=models.PROTECT, related_name="sessions"
    )
    transaction_id = models.CharField(
        _("transaction ID"), max_length=40, help_text=_("the station's own number for this charge")
    )
    number = Canonical(of=lambda session: letters(session.transaction_id))
    id_token = models.ForeignKey(
        "stations.IdToken",
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
    # What the driver was promised (stations/tariffs/pricing.py); {} where no tariff applied.
    tariff = models.JSONField(_("tariff"), default=dict, blank=True, help_text=_("the tariff as it was at the start"))
    stop_reason = models.CharField(_("stop reason"), max_length=20, blank=True, default="")
    source = models.CharField(_("source"), max_length=8, choices=Source.choices)
    # Why the figures need a look, e.g. ["zero_energy"]; see stations/charging/plausibility.py.
    flags = models.JSONField(_("flags"), default=list, blank=True)
    # SHA-256 of the meter values as they were when the session closed (stations/charging/meter_digest.py); part of
    # the record.
    meter_values_sha256 = models.CharField(_("meter values, SHA-256"), max_length=64, blank=True, default="")
    # What the meter signed, exactly as it came, in the order in which it came: {"format", "encoding", "context",
    # "text"}; stations/metering/. Filled when the session closes, and part of the record, as are the next four.
    signed_meter_values = models.JSONField(_("signed meter values"), default=list, blank=True)
    signed_verdict = models.CharField(
        _("signatures of the meter"), max_length=12, choices=SignedVerdict.choices, blank=True, default=""
    )
    signed_reason = models.CharField(_("why the signatures are worth that"), max_length=40, blank=True, default="")
    # That with which it was judged: the registered one (MeterPublicKey.public_key), as hex.
    meter_public_key = models.TextField(_("public key of the meter"), blank=True, default="")
    # What its cost is made of, line by line (stations/tariffs/).
    cost_lines = models.JSONField(_("lines of the cost"), default=list, blank=True)
    # [[when, whether it charges from then on], …] as the station said, where the tariff asks; what came of it is in the
    # lines, which are recorded.
    charging_states = models.JSONField(default=list, blank=True, editable=False)
    # The month of whose statement it is, by its first day. Decided when it ends, from the driver's zone, else the
    # place's, as they are then: nothing that happens later moves it into another statement.
    statement_month = models.DateField(_("month of the statement"), null=True, blank=True, editable=False)
    # When its row was made from the chain's copy, which has no meter values: then none at all is no alteration.
    restored_at = models.DateTimeField(_("brought back from the chain at"), null=True, blank=True)
    # The import that brought it, while it is known; not part of the record.
    import_run = models.ForeignKey(
        "stations.ImportRun",
        verbose_name=_("import"),
        null=True,
        blank=True,
        editable=False,
        on_delete=models.SET_NULL,
        related_name="sessions",
        db_index=False,
    )
    # By our own clock: where a station's was wrong, it says how long a charge can have lasted.
    heard_at = models.DateTimeField(default=timezone.now, null=True, editable=False)
    # The start by the station's own clock, where that is wrong: its other times are off by as much
    # (stations/charging/clocks.py).
    started_said = models.DateTimeField(null=True, editable=False)
    # What the station said of its meter, where the signed values stand in its place: by that its messages are compared.
    meter_start_told_wh = models.BigIntegerField(null=True, editable=False)
    meter_stop_told_wh = models.BigIntegerField(null=True, editable=False)
    # How the record writes what another row writes in other letters since two rows became one: {"station": "cp-1"}.
    written = models.JSONField(default=dict, blank=True, editable=False)
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
            # A station repeats its messages: the second start of a transaction is the same session. Its numbers may
            # come again, as when a counter begins anew: another start is another charge.
            models.UniqueConstraint(fields=["station", "number", "started_at"], name="session_unique_on_station"),
            models.CheckConstraint(
                condition=Q(status="ACTIVE") | Q(stopped_at__isnull=False), name="session_closed_has_stop"
            ),
            # Each charge is in one monthly statement.
            models.CheckConstraint(
                condition=Q(status="ACTIVE") | Q(statement_month__isnull=False), name="session_closed_has_month"
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
            models.Index(fields=["customer", "statement_month"], name="session_statement"),
            # OCPI: what changed since, oldest first.
            models.Index(fields=["updated_at", "id"], name="session_updated"),
            # What an import brought.
            models.Index(fields=["import_run"], condition=Q(import_run__isnull=False), name="session_import_run"),
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
        if self.is_closed and self.statement_month is None:
            months_decide([self])
            if kwargs.get("update_fields") is not None:
                kwargs["update_fields"] = {*kwargs["update_fields"], "statement_month"}
        super().save(*args, **kwargs)

    @property
    def told_start_wh(self) -> int | None:
        """The meter at the start by the station's own word."""
        return self.meter_start_wh if self.meter_start_told_wh is None else self.meter_start_told_wh

    @property
    def told_stop_wh(self) -> int | None:
        """The same at the end."""
        return self.meter_stop_wh if self.meter_stop_told_wh is None else self.meter_stop_told_wh

    @property
    def is_closed(self) -> bool:
        return self.status != self.Status.ACTIVE


def months_decide(sessions: Iterable[ChargingSession]) -> None:
    """Set the month of those that are closed and have none (not saved here): one query, and none without customers."""
    new = [session for session in sessions if session.is_closed and session.statement_month is None]
    customers = {session.customer_id for session in new if session.customer_id is not None}
    own = dict(User.objects.filter(pk__in=customers).values_list("pk", "time_zone")) if customers else {}
    for session in new:
        zone = own.get(session.customer_id or 0, "")
        session.statement_month = month_of(session.started_at, own_zone=zone, location=session.location)


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
