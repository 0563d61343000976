"""What a person's rights over their data leave in the database: who looked, archives, the erasure of the account."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _


class AccessLogEntry(models.Model):
    """Somebody else than the customer looked at the customer's data (accounts/privacy/access_log.py). Never changed."""

    class Look(models.TextChoices):
        SESSION = "session", _("the page of a charge")
        RECEIPT = "receipt", _("a receipt")
        HISTORY = "history", _("the list of charges")
        EXPORT = "export", _("an export of charges")
        STATEMENT = "statement", _("a monthly statement")
        ADMIN = "admin", _("a page of the administration")
        LIST = "list", _("a list of the administration")
        SUPPORT = "support", _("the support view")
        API = "api", _("a program, through the interface for programs")
        ARCHIVE = "archive", _("the archive of all data")

    at = models.DateTimeField(_("when"), default=timezone.now)
    viewer = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="looks", verbose_name=_("viewer")
    )
    viewer_name = models.CharField(
        _("viewer's name"), max_length=150, help_text=_("the user, or the label of a program, as it was then")
    )
    customer = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="looked_at", verbose_name=_("customer")
    )
    what = models.CharField(_("what"), max_length=16, choices=Look.choices)
    subject = models.CharField(
        _("subject"), max_length=64, blank=True, default="", help_text=_("the first thing looked at")
    )
    reason = models.CharField(_("reason"), max_length=255, blank=True, default="")
    window = models.DateTimeField(editable=False)

    class Meta:
        ordering = ["-at", "-id"]
        verbose_name = _("access log entry")
        verbose_name_plural = _("access log")
        constraints = [
            models.UniqueConstraint(
                fields=["customer", "viewer_name", "what", "window", "reason"], name="access_log_one_row_a_look"
            )
        ]
        indexes = [
            models.Index(fields=["customer", "-at", "-id"], name="access_log_of_customer"),
            models.Index(fields=["at"], name="access_log_oldest"),
        ]

    def __str__(self) -> str:
        return gettext("%(viewer)s looked at %(what)s") % {"viewer": self.viewer_name, "what": self.get_what_display()}

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Once; raises ValueError for a row that is there."""
        if self.pk is not None:
            raise ValueError("the access log is only added to")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Always raises ValueError."""
        raise ValueError("nothing of the access log is deleted but by its retention")


class Archive(models.Model):
    """All that we hold of a person as one ZIP, made by a worker (accounts/privacy/archive.py) and gone after a day."""

    class Status(models.TextChoices):
        ASKED = "ASKED"  # being made, or waiting for a worker
        READY = "READY"
        FAILED = "FAILED"  # given up after several attempts

    customer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="archives")
    status = models.CharField(max_length=6, choices=Status.choices, default=Status.ASKED)
    asked_at = models.DateTimeField(default=timezone.now)
    # A worker is at it; after this moment another one begins anew, and the parts of this attempt count no more.
    claimed_until = models.DateTimeField(null=True)
    attempt = models.PositiveIntegerField(default=0)
    files_done = models.PositiveIntegerField(default=0)
    files_total = models.PositiveIntegerField(default=0)
    ready_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    size = models.BigIntegerField(default=0, help_text="bytes")

    class Meta:
        ordering = ["-id"]
        verbose_name = _("archive")
        verbose_name_plural = _("archives")
        constraints = [
            models.UniqueConstraint(
                fields=["customer"], condition=Q(status="ASKED"), name="archive_one_in_the_making_a_person"
            ),
            models.CheckConstraint(
                condition=~Q(status="READY") | Q(ready_at__isnull=False, expires_at__isnull=False),
                name="archive_ready_expires",
            ),
        ]

    def __str__(self) -> str:
        return f"archive {self.pk} ({self.status})"


class ArchivePart(models.Model):
    """A piece of an archive's bytes. In the database, because web and worker share nothing else on every machine."""

    archive = models.ForeignKey(Archive, on_delete=models.CASCADE, related_name="parts")
    attempt = models.PositiveIntegerField()
    number = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        ordering = ["archive", "attempt", "number"]
        verbose_name = _("part of an archive")
        verbose_name_plural = _("parts of archives")
        constraints = [
            models.UniqueConstraint(fields=["archive", "attempt", "number"], name="archive_part_once"),
        ]

    def __str__(self) -> str:
        return f"part {self.number} of archive {self.archive_id}"


class Erasure(models.Model):
    """The way of an account to its end (accounts/privacy/erasure.py): asked, step after step, done. It resumes."""

    customer = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="erasure", verbose_name=_("customer")
    )
    pseudonym = models.CharField(
        _("pseudonym"), max_length=32, unique=True, help_text=_("what the account is called afterwards")
    )
    asked_at = models.DateTimeField(_("asked at"), default=timezone.now)
    asked_by = models.CharField(
        _("asked by"),
        max_length=150,
        blank=True,
        default="",
        help_text=_("the person themselves (empty), or who of the staff"),
    )
    reason = models.CharField(_("reason"), max_length=255, blank=True, default="")
    although_charging = models.BooleanField(_("although a charge is open"), default=False)
    steps_done = models.JSONField(_("steps done"), default=list)
    waits_for = models.CharField(
        _("waits for"), max_length=255, blank=True, default="", help_text=_("why the next step is not done yet")
    )
    done_at = models.DateTimeField(_("done at"), null=True)

    class Meta:
        ordering = ["-asked_at", "-id"]
        verbose_name = _("erasure")
        verbose_name_plural = _("erasures")

    def __str__(self) -> str:
        return gettext("erasure of %(name)s") % {"name": self.pseudonym}
