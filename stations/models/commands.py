"""What people and programs ask of stations, and what became of it."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from stations.models.visibility import Visible


class CommandQuerySet(Visible["Command"]):
    """Staff see all, a program those to stations of its sites, a person what they asked themselves."""

    permission, site = "stations.view_command", "station__site"

    def of_customer(self, user: Any) -> "CommandQuerySet":
        return self.filter(user_id=user.pk)


class Command(models.Model):
    """One thing asked of one station. The database is the truth; Redis only hurries the gateway (docs/ocpp.md).

    `kind`, `params`: independent of the OCPP version (stations/commands/kinds.py). `pk` is the requestId, where the
    message has one. A station that is away is told when it comes back, until `valid_until`.
    """

    class State(models.TextChoices):
        WAITING = "WAITING", _("waiting for the station")
        SENT = "SENT", _("sent")
        ACCEPTED = "ACCEPTED", _("accepted")
        REJECTED = "REJECTED", _("rejected")
        REFUSED = "REFUSED", _("not understood by the station")
        UNSUPPORTED = "UNSUPPORTED", _("not possible with this station")
        TIMED_OUT = "TIMED_OUT", _("not answered")
        EXPIRED = "EXPIRED", _("the station did not come in time")
        CANCELLED = "CANCELLED", _("cancelled before it was sent")

    class By(models.TextChoices):
        OPERATOR = "OPERATOR", _("operator")
        DRIVER = "DRIVER", _("driver")
        PROGRAM = "PROGRAM", _("program")
        PORTAL = "PORTAL", _("the portal")

    VALID_FOR = timedelta(minutes=2)
    OPEN = (State.WAITING, State.SENT)  # an outcome is still to come

    station = models.ForeignKey(
        "stations.Station", verbose_name=_("station"), on_delete=models.CASCADE, related_name="commands"
    )
    session = models.ForeignKey(
        "stations.ChargingSession",
        verbose_name=_("charge"),
        null=True,
        on_delete=models.SET_NULL,
        related_name="commands",
    )
    kind = models.CharField(_("command"), max_length=40)
    params = models.JSONField(_("parameters"), default=dict, blank=True)
    by = models.CharField(_("asked as"), max_length=8, choices=By.choices, default=By.PORTAL)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("asked by"), null=True, on_delete=models.SET_NULL, related_name="+"
    )
    client = models.ForeignKey(
        "accounts.ApiClient", verbose_name=_("program"), null=True, on_delete=models.SET_NULL, related_name="+"
    )
    asked_at = models.DateTimeField(_("asked at"), default=timezone.now)
    valid_until = models.DateTimeField(_("valid until"))
    state = models.CharField(_("state"), max_length=11, choices=State.choices, default=State.WAITING)
    action = models.CharField(_("OCPP message"), max_length=50, blank=True, default="")
    message_id = models.CharField(_("message ID"), max_length=36, blank=True, default="")
    sent_at = models.DateTimeField(_("sent at"), null=True)
    answered_at = models.DateTimeField(_("answered at"), null=True)
    answer = models.JSONField(_("answer"), null=True)
    words = models.CharField(_("outcome"), max_length=500, blank=True, default="")
    # What the station told later of what it had accepted: Downloading, Installed, Uploaded …
    progress = models.CharField(_("progress"), max_length=50, blank=True, default="")
    progress_at = models.DateTimeField(_("progress at"), null=True)

    objects = CommandQuerySet.as_manager()

    class Meta:
        verbose_name, verbose_name_plural = _("command"), _("commands")
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=("WAITING", "EXPIRED", "CANCELLED", "UNSUPPORTED")) | Q(sent_at__isnull=False),
                name="command_sent_when_sent",
            ),
        ]
        indexes = [
            models.Index(fields=["station", "id"], condition=Q(state="WAITING"), name="command_waiting"),
            models.Index(fields=["sent_at"], condition=Q(state="SENT"), name="command_unanswered"),
            models.Index(fields=["station", "-id"], name="command_newest"),
            models.Index(fields=["asked_at"], name="command_oldest"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def is_open(self) -> bool:
        """Whether an outcome is still to come."""
        return self.state in self.OPEN
