"""People who log in: drivers (customers) and staff."""

import zoneinfo
from typing import Any

from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


def time_zone_validate(name: str) -> None:
    """Accept IANA zone names only ("Europe/Berlin")."""
    if name not in zoneinfo.available_timezones():
        raise ValidationError(f"expected an IANA time zone such as Europe/Berlin, got {name!r}")


class Role(models.TextChoices):
    """What Cognito's groups are called here; accounts/roles.py says what each may do."""

    CUSTOMER = "customer"
    OPERATOR = "operator"
    AUDITOR = "auditor"
    ADMIN = "admin"


class User(AbstractUser):
    """A person. A driver's sessions are those whose `customer` is this user."""

    roles = models.JSONField(default=list, blank=True, editable=False, help_text="from Cognito's groups, at each login")
    time_zone = models.CharField(max_length=64, blank=True, default="", validators=[time_zone_validate])


class AccessLogEntry(models.Model):
    """Somebody else than the customer looked at the customer's data (accounts/access_log.py). Never changed."""

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

    at = models.DateTimeField(default=timezone.now)
    viewer = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="looks")
    viewer_name = models.CharField(max_length=150, help_text="the user, or the label of a program, as it was then")
    customer = models.ForeignKey(User, on_delete=models.PROTECT, related_name="looked_at")
    what = models.CharField(max_length=16, choices=Look.choices)
    subject = models.CharField(max_length=64, blank=True, default="", help_text="the first thing looked at")
    reason = models.CharField(max_length=255, blank=True, default="")
    window = models.DateTimeField(editable=False)

    class Meta:
        ordering = ["-at", "-id"]
        verbose_name_plural = "access log"
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
        return f"{self.viewer_name} looked at {self.get_what_display()}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk is not None:
            raise ValueError("the access log is only added to")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise ValueError("nothing of the access log is deleted but by its retention")
