"""People who log in: drivers (customers) and staff."""

import zoneinfo

from django.contrib.auth.models import AbstractUser
from django.core.exceptions import ValidationError
from django.db import models


def time_zone_validate(name: str) -> None:
    """Accept IANA zone names only ("Europe/Berlin")."""
    if name not in zoneinfo.available_timezones():
        raise ValidationError(f"expected an IANA time zone such as Europe/Berlin, got {name!r}")


class User(AbstractUser):
    """A person. A driver's sessions are those whose `customer` is this user."""

    time_zone = models.CharField(max_length=64, blank=True, default="", validators=[time_zone_validate])
