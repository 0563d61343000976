"""What stations and the portal said to each other over OCPP, as it came and went."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class OcppMessage(models.Model):
    """One frame, raw. Kept for EVPORTAL_OCPP_MESSAGES_KEEP_DAYS; forgotten before that with the holder of its card.

    A log of everything: its keys are not checked by the database, and rows are written many at a time.
    """

    class Direction(models.TextChoices):
        IN = "IN", _("from the station")
        OUT = "OUT", _("to the station")

    class Kind(models.TextChoices):
        """OCPP-J's message types."""

        CALL = "CALL", "CALL"
        RESULT = "RESULT", "CALLRESULT"
        ERROR = "ERROR", "CALLERROR"
        SEND = "SEND", "SEND"
        OTHER = "OTHER", _("not understood")

    station = models.ForeignKey(
        "stations.Station",
        verbose_name=_("station"),
        on_delete=models.CASCADE,
        db_constraint=False,
        db_index=False,
        related_name="messages",
    )
    at = models.DateTimeField(_("at"), db_index=True)
    direction = models.CharField(_("direction"), max_length=3, choices=Direction.choices)
    kind = models.CharField(_("kind"), max_length=6, choices=Kind.choices)
    action = models.CharField(_("action"), max_length=50, blank=True, default="")  # of an answer: of what it answers
    message_id = models.CharField(_("message ID"), max_length=36, blank=True, default="")
    session = models.ForeignKey(
        "stations.ChargingSession",
        verbose_name=_("charge"),
        null=True,
        on_delete=models.SET_NULL,
        db_constraint=False,
        db_index=False,
        related_name="messages",
    )
    text = models.TextField(_("text"))

    class Meta:
        verbose_name, verbose_name_plural = _("OCPP message"), _("OCPP messages")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["station", "-id"], name="ocpp_message_station"),
            models.Index(fields=["session"], condition=Q(session__isnull=False), name="ocpp_message_session"),
        ]

    def __str__(self) -> str:
        return f"{self.action or self.kind} {self.message_id}"
