"""Why a session was credited, and by which sessions. The sessions themselves say what; this says why and who.

Corrections are not recorded on the chain. Each is sealed under SECRET_KEY, which is in no database: whoever writes
everything there can change one, and cannot seal it (the audit compares, ledger/audit/beside.py).
"""

from contextlib import suppress
from datetime import UTC
from typing import Any

from django.conf import settings
from django.db import models
from django.utils import timezone

from common import sealed_text
from common.resealing import Column, column_add
from common.sealed_text import SealedTextError

PURPOSE = "stations.correction"


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
    seal = models.BinaryField(null=True, editable=False)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=~models.Q(reason=""), name="correction_has_reason"),
        ]

    def __str__(self) -> str:
        return f"correction of {self.session_id}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Sealed as it is made; corrections do not change."""
        if self._state.adding:
            self.seal = sealed_text.seal_bytes(b"", purpose=PURPOSE, about=seal_about(self))
        super().save(*args, **kwargs)

    def is_sealed(self) -> bool:
        """Did this portal write it, as it is now?"""
        with suppress(SealedTextError):
            sealed_text.unseal_bytes(bytes(self.seal or b""), purpose=PURPOSE, about=seal_about(self))
            return True
        return False


def seal_about(row: Any) -> str:
    """What the seal is about: all but who did it, which goes where a person's row goes."""
    moment = row.at.astimezone(UTC).isoformat()
    return f"{row.session_id}:{row.credit_id}:{row.replacement_id}:{moment}:{row.reason}"


def add_column() -> None:
    column_add(Column("seals of corrections", Correction, "seal", _anew))


def _anew(row: Correction) -> bytes | None:
    return sealed_text.sealed_bytes_anew(bytes(row.seal or b""), purpose=PURPOSE, about=seal_about(row))
