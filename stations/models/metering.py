"""What meters sign, while a charge goes on, and the keys with which they do (stations/metering/)."""

import hashlib

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class SignedMeterValue(models.Model):
    """One signed text of an open charge, exactly as it came; at the end they move into the session's own column.

    The same text told again is one row, whatever message brings it.
    """

    class Encoding(models.TextChoices):
        PLAIN = "plain", _("as text")
        BASE64 = "base64", "Base64"
        HEX = "hex", _("hexadecimal")

    session = models.ForeignKey(
        "stations.ChargingSession",
        verbose_name=pgettext_lazy("charging", "session"),
        on_delete=models.CASCADE,
        related_name="signed_texts",
    )
    received_at = models.DateTimeField(_("received at"))
    format = models.CharField(_("format"), max_length=50)
    encoding = models.CharField(_("encoding"), max_length=6, choices=Encoding.choices)
    context = models.CharField(_("context"), max_length=20, blank=True, default="")
    text = models.TextField(_("signed text"))
    text_sha256 = models.CharField(max_length=64, editable=False)

    class Meta:
        verbose_name, verbose_name_plural = _("signed meter value"), _("signed meter values")
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["session", "text_sha256"], name="signed_meter_value_once")]

    def __str__(self) -> str:
        return f"{self.format} {self.context} {self.received_at.isoformat()}"


class MeterPublicKey(models.Model):
    """The public key of a meter. It never changes: another key is another row, which replaces this one from then on.

    `public_key`: its SubjectPublicKeyInfo in DER, as hex in small letters. `connector` empty: of the whole station.
    A key that a station or a signed text brings along is PENDING, and judges nothing until a person has compared it.
    """

    class State(models.TextChoices):
        PENDING = "PENDING", pgettext_lazy("key of a meter", "to be confirmed")
        CONFIRMED = "CONFIRMED", pgettext_lazy("key of a meter", "confirmed")
        WITHDRAWN = "WITHDRAWN", pgettext_lazy("key of a meter", "withdrawn")

    class Source(models.TextChoices):
        ADMIN = "ADMIN", pgettext_lazy("key of a meter", "entered here")
        STATION = "STATION", pgettext_lazy("key of a meter", "told by the station")
        SEEN = "SEEN", pgettext_lazy("key of a meter", "came with a signed value")

    station = models.ForeignKey(
        "stations.Station", verbose_name=_("station"), on_delete=models.CASCADE, related_name="meter_keys"
    )
    connector = models.ForeignKey(
        "stations.Connector",
        verbose_name=_("connector"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="meter_keys",
        help_text=_("empty: the meter of the whole station"),
    )
    meter_serial = models.CharField(
        _("serial number of the meter"),
        max_length=50,
        blank=True,
        default="",
        help_text=_("as the meter signs it; empty: whatever it says"),
    )
    public_key = models.TextField(_("public key"))
    curve = models.CharField(_("curve"), max_length=20)
    state = models.CharField(_("state"), max_length=9, choices=State.choices, default=State.PENDING)
    source = models.CharField(_("where it comes from"), max_length=7, choices=Source.choices)
    first_seen_at = models.DateTimeField(_("first seen at"), default=timezone.now)
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        verbose_name=_("confirmed by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    confirmed_at = models.DateTimeField(_("confirmed at"), null=True, blank=True)
    # Withdrawn, or replaced: from a key that was replaced, what began before still counts.
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    replaced_by = models.ForeignKey(
        "self", verbose_name=_("replaced by"), null=True, blank=True, on_delete=models.SET_NULL, related_name="replaces"
    )

    class Meta:
        verbose_name, verbose_name_plural = _("public key of a meter"), _("public keys of meters")
        ordering = ["station__identity", "connector", "-first_seen_at", "-id"]
        constraints = [
            # One key a meter; SQL takes two empty connectors for different ones.
            models.UniqueConstraint(
                fields=["station", "connector", "meter_serial"],
                condition=Q(state="CONFIRMED", connector__isnull=False),
                name="meter_key_one_an_outlet",
            ),
            models.UniqueConstraint(
                fields=["station", "meter_serial"],
                condition=Q(state="CONFIRMED", connector__isnull=True),
                name="meter_key_one_a_station",
            ),
            models.CheckConstraint(
                condition=~Q(state="CONFIRMED") | Q(confirmed_at__isnull=False), name="meter_key_confirmed_at"
            ),
            models.CheckConstraint(
                condition=Q(ended_at__isnull=True) | Q(confirmed_at__isnull=True) | Q(ended_at__gte=F("confirmed_at")),
                name="meter_key_ends_after",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.station}, {self.fingerprint[:11]}…"

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the key's DER, in pairs, as people compare it."""
        return fingerprint_of(self.public_key)


def fingerprint_of(public_key: str) -> str:
    """SHA-256 of a key in hex, as pairs of hex digits."""
    return hashlib.sha256(bytes.fromhex(public_key)).digest().hex(":")
