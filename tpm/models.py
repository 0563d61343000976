"""The register of TPM services, and what they have shown."""

import hashlib
import json
import zlib
from collections.abc import Sequence
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from common import clock


class TpmService(models.Model):
    """A TPM service that the portal may use, and what is pinned of it.

    The AK is pinned when the service is enrolled; what is pinned changes by an operator's hand alone.
    """

    class State(models.TextChoices):
        NEW = "NEW", _("not enrolled yet")
        ATTESTED = "ATTESTED", _("attested")
        REFUSED = "REFUSED", _("refused")
        UNREACHABLE = "UNREACHABLE", _("does not answer")

    name = models.CharField(_("name"), max_length=100, unique=True)
    url = models.CharField("URL", max_length=200, unique=True)
    ek_roots_pem = models.TextField(_("EK roots"))
    hardware_roots = models.BooleanField(_("the roots are those of a maker of hardware TPMs"), default=False)
    release_key_pem = models.TextField(_("release key"), blank=True, default="")  # none: its files are not measured
    measured_pcr = models.PositiveSmallIntegerField(_("measured PCR"), default=8)
    host_pcrs = models.JSONField(_("host PCRs"), default=dict, blank=True)  # {"0": hex, …}
    tpm_words = models.CharField("TPM", max_length=200, blank=True, default="")  # manufacturer, vendor, firmware
    ek_certificate = models.BinaryField(_("EK certificate"), null=True)  # DER
    ak_public = models.BinaryField("AK", null=True)  # TPMT_PUBLIC; none before it is enrolled
    state = models.CharField(_("state"), max_length=12, choices=State.choices, default=State.NEW)
    reason = models.CharField(_("reason"), max_length=1000, blank=True, default="")  # why it is not attested; English
    # counters of 64 bits, which no integer column holds
    last = models.JSONField(_("last accepted evidence"), null=True)
    last_attested_at = models.DateTimeField(_("last attested at"), null=True)
    tried_at = models.DateTimeField(_("tried at"), null=True)
    due_at = models.DateTimeField(_("due at"), default=timezone.now)
    claimed_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["name"]
        verbose_name, verbose_name_plural = _("TPM service"), _("TPM services")

    def __str__(self) -> str:
        return self.name

    @property
    def enrolled(self) -> bool:
        """Whether its AK is pinned: only then can its evidence be judged."""
        return self.ak_public is not None

    @property
    def measured(self) -> bool:
        """Whether a release key is pinned, by which its files have to be approved."""
        return bool(self.release_key_pem)

    @property
    def hardware(self) -> bool:
        """Was its EK certified by a maker of hardware TPMs?"""
        return self.enrolled and self.hardware_roots

    @property
    def evidence_age(self) -> timedelta | None:
        """How old the last accepted evidence is; None where there is none."""
        return None if self.last_attested_at is None else clock.now() - self.last_attested_at

    def distrust(self) -> str:
        """Say why keys of this service may not be used now; "" where they may.

        A service that merely does not answer keeps its trust as long as its evidence is fresh: it signs nothing
        meanwhile, and needs no new evidence to go on after a restart of a few seconds.
        """
        if self.state == self.State.NEW:
            return "it is not enrolled"
        if self.state == self.State.REFUSED:
            return f"it was refused: {self.reason}"
        age = self.evidence_age
        if age is None:
            return "it was never attested"
        if age > timedelta(seconds=settings.TPM_EVIDENCE_MAX_AGE_S):
            return f"its last evidence is {age.total_seconds():.0f} s old; {self.reason or 'no newer one was taken'}"
        return ""


class Nonce(models.Model):
    """A challenge of 32 bytes, for one service and one use."""

    value = models.BinaryField(max_length=32, unique=True)
    service = models.ForeignKey(TpmService, on_delete=models.CASCADE, related_name="nonces")
    issued_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name, verbose_name_plural = _("nonce"), _("nonces")

    def __str__(self) -> str:
        return bytes(self.value).hex()


class ReleaseManifest(models.Model):
    """A manifest that a release key signed; kept once, however often it is shown."""

    digest = models.CharField(max_length=64, unique=True)
    compressed = models.BinaryField()
    signature = models.BinaryField()
    version = models.CharField(max_length=200)
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-seen_at"]
        verbose_name, verbose_name_plural = _("release manifest"), _("release manifests")

    def __str__(self) -> str:
        return f"{self.version} ({self.digest[:16]}…)"


class EventLog(models.Model):
    """What a measured PCR was extended with; kept once, however often it is shown."""

    sha256 = models.CharField(max_length=64, unique=True)
    compressed = models.BinaryField()
    event_count = models.PositiveIntegerField()

    class Meta:
        verbose_name, verbose_name_plural = _("event log"), _("event logs")

    def __str__(self) -> str:
        words = {"count": number_format(self.event_count, force_grouping=True), "digest": self.sha256[:16]}
        return ngettext("%(count)s event (%(digest)s…)", "%(count)s events (%(digest)s…)", self.event_count) % words

    @classmethod
    def keep(cls, events: Sequence[str]) -> "EventLog":
        """Return the row of this log; `sha256` is that of its JSON, since a name may have a line feed within it."""
        text = json.dumps(list(events)).encode()
        digest = hashlib.sha256(text).hexdigest()
        row = cls.objects.defer("compressed").filter(sha256=digest).first()
        if row is not None:
            return row
        fields = {"compressed": zlib.compress(text), "event_count": len(events)}
        return cls.objects.get_or_create(sha256=digest, defaults=fields)[0]

    def events(self) -> list[str]:
        """Return the events in the order in which the PCR was extended with them."""
        events: list[str] = json.loads(zlib.decompress(bytes(self.compressed)))
        return events


class AttestationReport(models.Model):
    """One judgement: every step, and the evidence it was made on, so that it can be made again."""

    class Outcome(models.TextChoices):
        ACCEPTED = "ACCEPTED", _("accepted")
        REFUSED = "REFUSED", _("refused")

    service = models.ForeignKey(
        TpmService, on_delete=models.CASCADE, related_name="reports", verbose_name=_("TPM service")
    )
    at = models.DateTimeField(_("when"), default=timezone.now)
    outcome = models.CharField(_("outcome"), max_length=10, choices=Outcome.choices)
    reason = models.CharField(_("reason"), max_length=1000, blank=True, default="")  # English
    steps = models.JSONField(_("steps"))  # [{number, name, title, expected, found, outcome, note}, …]; English
    hardware = models.BooleanField(_("hardware"))
    measured = models.BooleanField(_("measured"))
    nonce = models.BinaryField(null=True)
    quote = models.BinaryField(null=True)
    signature = models.BinaryField(null=True)
    claims = models.BinaryField(null=True)
    pcrs = models.JSONField(_("PCR values"), default=dict)  # {"8": hex, …}
    manifest = models.ForeignKey(
        ReleaseManifest, on_delete=models.PROTECT, null=True, verbose_name=_("release manifest")
    )
    event_log = models.ForeignKey(EventLog, on_delete=models.PROTECT, null=True, verbose_name=_("event log"))

    class Meta:
        ordering = ["-at", "-id"]
        verbose_name, verbose_name_plural = _("attestation report"), _("attestation reports")
        indexes = [models.Index(fields=["service", "-at"], name="report_by_service")]

    def __str__(self) -> str:
        return f"{self.service} {self.get_outcome_display()} {self.at:%Y-%m-%d %H:%M:%S}"


class KeyCertification(models.Model):
    """The AK's statement that a signing key was made in its TPM and cannot leave it; checked before it was stored.

    Kept for ever: receipts carry it. AK and EK certificate are those of its time, should the TPM be replaced.
    """

    service = models.ForeignKey(
        TpmService, on_delete=models.PROTECT, related_name="certifications", verbose_name=_("TPM service")
    )
    key_name = models.CharField(_("key name"), max_length=100)
    public_key_eosio = models.CharField(_("public key"), max_length=80, db_index=True)
    public = models.BinaryField()  # TPMT_PUBLIC
    attest = models.BinaryField()  # TPMS_ATTEST
    signature = models.BinaryField()  # ECDSA, DER
    ak_public = models.BinaryField()  # TPMT_PUBLIC
    ek_certificate = models.BinaryField(null=True)  # DER
    at = models.DateTimeField(_("when"), default=timezone.now)

    class Meta:
        ordering = ["-at"]
        verbose_name, verbose_name_plural = _("key certification"), _("key certifications")
        constraints = [
            models.UniqueConstraint(
                fields=["service", "public_key_eosio", "ak_public"], name="certification_once_for_key_and_ak"
            )
        ]

    def __str__(self) -> str:
        return f"{self.key_name} ({self.public_key_eosio})"
