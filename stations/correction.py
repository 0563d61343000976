"""Why a session was credited, and by which sessions. The sessions themselves say what; this says why and who."""

from django.conf import settings
from django.db import models
from django.utils import timezone


class Correction(models.Model):
    """One a credited session. `replacement` is the session with the right figures, where there is one."""

    session = models.OneToOneField("stations.ChargingSession", on_delete=models.PROTECT, related_name="correction")
    credit = models.OneToOneField("stations.ChargingSession", on_delete=models.PROTECT, related_name="correction_made")
    replacement = models.OneToOneField(
        "stations.ChargingSession", null=True, on_delete=models.PROTECT, related_name="correction_replaced"
    )
    reason = models.CharField(max_length=500)
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=~models.Q(reason=""), name="correction_has_reason"),
        ]

    def __str__(self) -> str:
        return f"correction of {self.session_id}"
