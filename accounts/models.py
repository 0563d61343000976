"""People who log in: drivers (customers) and staff."""

import zoneinfo

from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models


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


# Defined elsewhere to keep this module short; Django looks for models here.
from accounts.privacy_models import AccessLogEntry, Archive, ArchivePart, Erasure  # noqa: E402

__all__ = ["AccessLogEntry", "Archive", "ArchivePart", "Erasure", "Role", "User", "time_zone_validate"]
