"""Who may pull from here by OCPI, and what of it."""

from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q


class OcpiPartner(models.Model):
    """Another company's system. An operator names it and says what it may see; the handshake does the rest.

    The token that it shows here is stored as its SHA-256; the one that we show there is needed as it is, so it is
    encrypted with a key that follows from the portal's secret key (stations/ocpi/secrets.py).
    """

    class Status(models.TextChoices):
        NEW = "NEW", "without token"
        INVITED = "INVITED", "has a token for registration"
        REGISTERED = "REGISTERED", "connected"
        ENDED = "ENDED", "ended"

    class Sessions(models.TextChoices):
        NONE = "NONE", "none: locations and tariffs only"
        OWN = "OWN", "those charged with its own contracts"
        ALL = "ALL", "all at its sites"

    name = models.CharField(max_length=100)
    country_code = models.CharField(max_length=2, validators=[RegexValidator(r"\A[A-Z]{2}\Z")], help_text="such as DE")
    party_id = models.CharField(
        "party ID", max_length=3, validators=[RegexValidator(r"\A[A-Z0-9]{3}\Z")], help_text="such as ABC"
    )
    sites = models.ManyToManyField("stations.Site", blank=True, help_text="which it sees; none chosen: all")
    sessions = models.CharField(max_length=4, choices=Sessions.choices, default=Sessions.OWN)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.NEW, editable=False)
    token_hash = models.CharField(max_length=64, blank=True, default="", editable=False)
    # What it told of itself: its versions address, its roles, the endpoints of its 2.2.1 and our token there.
    url = models.CharField("URL", max_length=255, blank=True, default="", editable=False)
    roles = models.JSONField(default=list, blank=True, editable=False)
    endpoints = models.JSONField(default=list, blank=True, editable=False)
    token_sealed = models.BinaryField(default=b"", editable=False)
    last_seen_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = "OCPI partner"
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
