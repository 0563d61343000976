"""What a station authority signed: certificates of stations and of the gateway, and where its roots are installed.

The authority's key is in the TPM service; here is only what everybody may know of it.
"""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

SERIAL = _("serial number")


class AuthorityQuerySet(models.QuerySet["StationAuthority"]):
    def trusted(self, now: datetime) -> "AuthorityQuerySet":
        """Those whose certificates are believed now, the one that signs first."""
        believed = self.filter(valid_from__lte=now, valid_to__gt=now).exclude(status=StationAuthority.Status.ENDED)
        return believed.order_by("status", "-valid_from")


class StationAuthority(models.Model):
    """A certificate authority for stations: the TPM's key `key_name` and the root certificate that it signed itself.

    One signs (CURRENT). Before it ends a next one is made, whose root is installed on the stations (NEXT); then they
    change places, and what the former one signed is believed to its end (FORMER).
    """

    class Status(models.TextChoices):
        CURRENT = "1_CURRENT", _("signs")
        NEXT = "2_NEXT", _("next: its root is being installed")
        FORMER = "3_FORMER", _("former: believed, signs nothing new")
        ENDED = "4_ENDED", _("ended: not believed")

    name = models.CharField(_("name"), max_length=64, unique=True)
    key_name = models.CharField(_("key in the TPM"), max_length=64, unique=True)
    status = models.CharField(_("status"), max_length=9, choices=Status.choices)
    certificate_pem = models.TextField(_("root certificate"))
    fingerprint = models.CharField(_("fingerprint (SHA-256)"), max_length=64, unique=True)
    valid_from = models.DateTimeField(_("valid from"))
    valid_to = models.DateTimeField(_("valid to"))
    # The TPM's statement that the key was made in it and cannot leave it, as in receipts; empty where nothing attests.
    attestation = models.JSONField(_("attestation of the key"), null=True, blank=True)
    # Its revocation list in DER. `crl_due_at`: when it has to be made anew, at once after a revocation.
    crl_der = models.BinaryField(null=True, editable=False)
    crl_number = models.PositiveIntegerField(_("number of the revocation list"), default=0)
    crl_due_at = models.DateTimeField(_("revocation list due at"), default=timezone.now)

    objects = AuthorityQuerySet.as_manager()

    class Meta:
        ordering = ["-valid_from", "-id"]
        verbose_name, verbose_name_plural = _("station authority"), _("station authorities")
        constraints = [
            # Which one signs is never in doubt, nor which one comes next.
            models.UniqueConstraint(
                fields=["status"], condition=Q(status__in=["1_CURRENT", "2_NEXT"]), name="station_authority_one"
            )
        ]

    def __str__(self) -> str:
        return self.name


class CertificateRequest(models.Model):
    """What a station asked to have signed. One waits at most for each station: a newer one takes its place."""

    class State(models.TextChoices):
        WAITING = "WAITING", _("waits to be signed")
        ISSUED = "ISSUED", pgettext_lazy("certificate request", "signed")
        REFUSED = "REFUSED", _("refused")
        REPLACED = "REPLACED", _("replaced by a newer one")

    station = models.ForeignKey(
        "stations.Station", verbose_name=_("station"), on_delete=models.CASCADE, related_name="certificate_requests"
    )
    kind = models.CharField(_("kind"), max_length=40)
    csr_pem = models.TextField(_("request (PKCS#10)"))
    request_id = models.BigIntegerField(_("its number (OCPP 2.1)"), null=True, blank=True)
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.WAITING)
    reason = models.CharField(_("why"), max_length=500, blank=True, default="")
    count = models.PositiveIntegerField(_("how often"), default=1)
    received_at = models.DateTimeField(_("received at"), default=timezone.now)
    last_at = models.DateTimeField(_("last at"), default=timezone.now)
    settled_at = models.DateTimeField(_("settled at"), null=True, blank=True)
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("settled by"), null=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["-last_at", "-id"]
        verbose_name, verbose_name_plural = _("certificate request"), _("certificate requests")
        constraints = [
            models.UniqueConstraint(
                fields=["station"], condition=Q(state="WAITING"), name="certificate_request_one_waits"
            )
        ]

    def __str__(self) -> str:
        return f"{self.station}: {self.get_state_display()}"


class CertificateQuerySet(models.QuerySet["StationCertificate"]):
    def living(self, now: datetime) -> "CertificateQuerySet":
        """Those with which somebody may connect."""
        return self.filter(state__in=StationCertificate.LIVING, expires_at__gt=now)

    def expiring(self, now: datetime, before: datetime) -> "CertificateQuerySet":
        """Those in use that run out by then, without a newer one on its way or in use."""
        newer = StationCertificate.objects.filter(
            station=models.OuterRef("station"),
            common_name=models.OuterRef("common_name"),
            state__in=StationCertificate.LIVING,
            expires_at__gt=models.OuterRef("expires_at"),
        )
        in_use = self.living(now).filter(expires_at__lte=before).exclude(models.Exists(newer))
        return in_use.select_related("station").order_by("expires_at")


class StationCertificate(models.Model):
    """What an authority signed: a station's certificate, or (without a station) the gateway's own.

    ISSUED (signed) -> SENT (the station is told) -> ACCEPTED or REJECTED (its answer) -> SUPERSEDED (it connected with
    a newer one) or REVOKED (an operator).
    """

    class State(models.TextChoices):
        ISSUED = "ISSUED", _("issued")
        SENT = "SENT", pgettext_lazy("certificate", "sent to the station")
        ACCEPTED = "ACCEPTED", _("accepted by the station")
        REJECTED = "REJECTED", _("rejected by the station")
        REVOKED = "REVOKED", _("revoked")
        SUPERSEDED = "SUPERSEDED", _("superseded by a newer one")

    class Reason(models.TextChoices):
        KEY_COMPROMISE = "KEY_COMPROMISE", _("its key may be known to others")
        CESSATION = "CESSATION", _("the station is out of use")
        AFFILIATION = "AFFILIATION", _("the station is somebody else's now")
        SUPERSEDED = "SUPERSEDED", _("a newer certificate is in use")
        UNSPECIFIED = "UNSPECIFIED", _("another reason")

    # The station may use it before its answer is here.
    LIVING = (State.ISSUED, State.SENT, State.ACCEPTED)

    authority = models.ForeignKey(
        StationAuthority, verbose_name=_("authority"), on_delete=models.PROTECT, related_name="certificates"
    )
    station = models.ForeignKey(
        "stations.Station",
        verbose_name=_("station"),
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="certificates",
    )
    common_name = models.CharField(_("issued to (CN)"), max_length=64)
    requested_by = models.OneToOneField(
        CertificateRequest,
        verbose_name=_("requested by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="certificate",
    )
    serial_number = models.CharField(SERIAL, max_length=40, help_text=_("hexadecimal, without leading zeros"))
    certificate_pem = models.TextField(_("certificate"))
    fingerprint = models.CharField(_("fingerprint (SHA-256)"), max_length=64, unique=True)
    issued_at = models.DateTimeField(_("issued at"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires at"))
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.ISSUED)
    command = models.ForeignKey(
        "stations.Command", verbose_name=_("command"), null=True, on_delete=models.SET_NULL, related_name="+"
    )
    answer = models.CharField(_("the station's answer"), max_length=500, blank=True, default="")
    first_used_at = models.DateTimeField(_("first used at"), null=True, blank=True)
    renewal_asked_at = models.DateTimeField(_("asked to renew at"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked at"), null=True, blank=True)
    reason = models.CharField(_("reason"), max_length=14, choices=Reason.choices, blank=True, default="")
    revoked_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, verbose_name=_("revoked by"), null=True, on_delete=models.SET_NULL, related_name="+"
    )

    objects = CertificateQuerySet.as_manager()

    class Meta:
        ordering = ["-issued_at", "-id"]
        verbose_name, verbose_name_plural = _("certificate of the authority"), _("certificates of the authority")
        constraints = [
            # RFC 5280, 4.1.2.2: a revocation list names certificates by nothing else.
            models.UniqueConstraint(fields=["authority", "serial_number"], name="station_certificate_serial"),
            models.CheckConstraint(
                condition=Q(revoked_at__isnull=True) | ~Q(reason=""), name="station_certificate_revoked_why"
            ),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"],
                condition=Q(state__in=["ISSUED", "SENT", "ACCEPTED"]),
                name="station_certificate_living",
            )
        ]

    def __str__(self) -> str:
        return f"{self.common_name} ({self.serial_number})"


class InstalledRoot(models.Model):
    """A root that a station was told to install, and what it answered."""

    class State(models.TextChoices):
        ASKED = "ASKED", pgettext_lazy("root certificate", "the station is told")
        INSTALLED = "INSTALLED", _("installed")
        REFUSED = "REFUSED", pgettext_lazy("root certificate", "not installed")

    station = models.ForeignKey(
        "stations.Station", verbose_name=_("station"), on_delete=models.CASCADE, related_name="installed_roots"
    )
    authority = models.ForeignKey(
        StationAuthority, verbose_name=_("authority"), on_delete=models.PROTECT, related_name="installed_on"
    )
    state = models.CharField(_("state"), max_length=9, choices=State.choices, default=State.ASKED)
    command = models.ForeignKey(
        "stations.Command", verbose_name=_("command"), null=True, on_delete=models.SET_NULL, related_name="+"
    )
    answer = models.CharField(_("the station's answer"), max_length=500, blank=True, default="")
    asked_at = models.DateTimeField(_("asked at"), default=timezone.now)
    answered_at = models.DateTimeField(_("answered at"), null=True, blank=True)

    class Meta:
        ordering = ["-asked_at", "-id"]
        verbose_name, verbose_name_plural = _("installed root"), _("installed roots")
        constraints = [
            models.UniqueConstraint(fields=["station", "authority"], name="installed_root_once"),
        ]

    def __str__(self) -> str:
        return f"{self.station}: {self.authority}"


class NextCredential(models.Model):
    """The credential that a station is told to use from now on. The one it has stays good until it used this one.

    Here is its hash; the command that tells it to the station has it sealed, until that has answered.
    """

    class State(models.TextChoices):
        WAITING = "WAITING", _("the station is not told yet")
        TOLD = "TOLD", _("the station took it, and has not used it yet")
        REFUSED = "REFUSED", _("the station did not take it")

    station = models.OneToOneField(
        "stations.Station", verbose_name=_("station"), on_delete=models.CASCADE, related_name="next_credential"
    )
    credential_hash = models.CharField(max_length=255, editable=False)
    state = models.CharField(_("state"), max_length=7, choices=State.choices, default=State.WAITING)
    command = models.ForeignKey(
        "stations.Command", verbose_name=_("command"), null=True, on_delete=models.SET_NULL, related_name="+"
    )
    answer = models.CharField(_("the station's answer"), max_length=500, blank=True, default="")
    made_at = models.DateTimeField(_("made at"), default=timezone.now)

    class Meta:
        verbose_name, verbose_name_plural = _("next credential"), _("next credentials")

    def __str__(self) -> str:
        return f"{self.station}: {self.get_state_display()}"
