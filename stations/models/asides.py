"""What stations said and was not taken, counted for operators: stations cannot be changed, and repeat themselves."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class SetAside(models.Model):
    """One row a station (TWICE: none), kind and subject, with the last example.

    `settled_at`: an operator has seen to it; the same thing said again opens it anew, but a start that was settled is
    taken. The example is the message's own text, so it may name a card: it is forgotten with the card's holder
    (stations/personal_data.py).
    """

    class Kind(models.TextChoices):
        VALUE = "VALUE", _("meter value that is not understood")
        START = "START", _("start that contradicts an older charge")
        TWICE = "TWICE", _("one identifier that was written in two ways")
        LATE = "LATE", _("said of a charge that had ended otherwise")

    WAITING = (Kind.START, Kind.LATE, Kind.TWICE)  # for a person; values that are not understood cost nothing

    station = models.ForeignKey(
        "stations.Station", verbose_name=_("station"), null=True, on_delete=models.CASCADE, related_name="set_aside"
    )
    kind = models.CharField(_("kind"), max_length=5, choices=Kind.choices)
    subject = models.CharField(_("what"), max_length=60)
    count = models.PositiveIntegerField(_("how often"), default=0)
    reason = models.CharField(_("why"), max_length=500)
    example = models.TextField(_("last example"), blank=True, default="")
    first_at = models.DateTimeField(_("first at"), default=timezone.now)
    last_at = models.DateTimeField(_("last at"), default=timezone.now)
    settled_at = models.DateTimeField(_("settled at"), null=True, blank=True)
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("settled by"), null=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["-last_at", "-id"]
        verbose_name, verbose_name_plural = _("message set aside"), _("messages set aside")
        constraints = [
            models.UniqueConstraint(fields=["station", "kind", "subject"], name="set_aside_once_a_subject"),
        ]
        indexes = [
            models.Index(fields=["-last_at"], condition=Q(settled_at__isnull=True), name="set_aside_open"),
        ]

    def __str__(self) -> str:
        return f"{self.station}: {self.subject}" if self.station_id else self.subject
