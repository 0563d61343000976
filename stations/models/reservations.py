"""What stations were told to keep in mind: an outlet for somebody, and which cards may charge without asking."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Reservation(models.Model):
    """An outlet that a station keeps for one card. `number`: OCPP's reservationId, the command's."""

    class State(models.TextChoices):
        ACTIVE = "ACTIVE", _("reserved")
        USED = "USED", _("used")
        CANCELLED = "CANCELLED", pgettext_lazy("reservation", "cancelled")
        EXPIRED = "EXPIRED", _("nobody came")

    station = models.ForeignKey(
        "stations.Station", verbose_name=_("station"), on_delete=models.CASCADE, related_name="reservations"
    )
    number = models.BigIntegerField(_("reservation number"))
    evse_id = models.PositiveIntegerField(_("EVSE number"), default=0)  # 0: any that is free
    connector_id = models.PositiveIntegerField(_("connector number"), default=0)
    id_token = models.ForeignKey(
        "stations.IdToken",
        verbose_name=_("card or contract"),
        null=True,
        on_delete=models.SET_NULL,
        related_name="reservations",
    )
    group = models.CharField(_("group"), max_length=36, blank=True, default="")
    expires_at = models.DateTimeField(_("until"))
    state = models.CharField(_("state"), max_length=9, choices=State.choices, default=State.ACTIVE)
    changed_at = models.DateTimeField(_("since"), default=timezone.now)

    class Meta:
        verbose_name, verbose_name_plural = _("reservation"), _("reservations")
        ordering = ["-expires_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["station", "number"], name="reservation_once_on_station")]
        indexes = [
            models.Index(fields=["expires_at"], condition=models.Q(state="ACTIVE"), name="reservation_active"),
        ]

    def __str__(self) -> str:
        return f"{self.station.identity} {self.number}"


class LocalList(models.Model):
    """Which cards a station knows by itself, as it last accepted them, and what is under way to it.

    `entries`: {"ISO14443 04A1": ["Accepted", "2026-03-01T08:00:00Z", "GROUP"]}. `sent`: what it will be once
    `sent_version`, the number of the command that carries it, is accepted.
    """

    station = models.OneToOneField(
        "stations.Station", verbose_name=_("station"), on_delete=models.CASCADE, related_name="local_list"
    )
    version = models.PositiveBigIntegerField(_("version"), default=0)
    entries = models.JSONField(_("cards"), default=dict, blank=True)
    sent_version = models.PositiveBigIntegerField(_("version sent"), default=0)
    sent = models.JSONField(_("cards sent"), default=dict, blank=True)
    changed_at = models.DateTimeField(_("since"), default=timezone.now)

    class Meta:
        verbose_name, verbose_name_plural = _("list of cards"), _("lists of cards")

    def __str__(self) -> str:
        return f"{self.station.identity} {self.version}"
