"""Who may pull from here by OCPI, and what of it."""

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class OcpiPartner(models.Model):
    """Another company's system. An operator names it and says what it may see; the handshake does the rest.

    The token that it shows here is stored as its SHA-256; the one that we show there is needed as it is, so it is
    encrypted with a key that follows from the portal's secret key (stations/ocpi/secrets.py).
    """

    class Status(models.TextChoices):
        NEW = "NEW", _("without token")
        INVITED = "INVITED", _("has a token for registration")
        REGISTERED = "REGISTERED", _("connected")
        ENDED = "ENDED", _("ended")

    class Sessions(models.TextChoices):
        NONE = "NONE", _("none: locations and tariffs only")
        OWN = "OWN", _("those charged with its own contracts")
        ALL = "ALL", _("all at its sites")

    name = models.CharField(_("name"), max_length=100)
    country_code = models.CharField(
        _("country code"), max_length=2, validators=[RegexValidator(r"\A[A-Z]{2}\Z")], help_text=_("such as DE")
    )
    party_id = models.CharField(
        _("party ID"), max_length=3, validators=[RegexValidator(r"\A[A-Z0-9]{3}\Z")], help_text=_("such as ABC")
    )
    sites = models.ManyToManyField(
        "stations.Site", verbose_name=_("sites"), blank=True, help_text=_("which it sees; none chosen: all")
    )
    sessions = models.CharField(_("sessions"), max_length=4, choices=Sessions.choices, default=Sessions.OWN)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.NEW, editable=False)
    token_hash = models.CharField(max_length=64, blank=True, default="", editable=False)
    # What it told of itself: its versions address, its roles, its endpoints and our token there.
    url = models.CharField("URL", max_length=255, blank=True, default="", editable=False)
    roles = models.JSONField(default=list, blank=True, editable=False)
    endpoints = models.JSONField(default=list, blank=True, editable=False)
    token_sealed = models.BinaryField(default=b"", editable=False)
    last_seen_at = models.DateTimeField(_("last seen at"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name, verbose_name_plural = _("OCPI partner"), _("OCPI partners")
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["country_code", "party_id"], name="ocpi_partner_unique_party"),
            # A token finds one partner.
            models.UniqueConstraint(
                fields=["token_hash"], condition=~Q(token_hash=""), name="ocpi_partner_unique_token"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.country_code}*{self.party_id})"
