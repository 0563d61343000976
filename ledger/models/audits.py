"""Audits that were run, run now or go on for ever, and what they found (ledger/audit/runs.py)."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from ledger.models.fields import LedgerId


class AuditRun(models.Model):
    """One pass over the ledger. `position` is the highest ledger id compared: a killed worker goes on from there."""

    class Kind(models.TextChoices):
        COMMAND = "COMMAND", pgettext_lazy("audit", "Command")  # manage.py ledger_audit
        ASKED = "ASKED", pgettext_lazy("audit", "Asked for")  # in the admin
        NEWEST = "NEWEST", pgettext_lazy("audit", "Newest")  # what became final since; one row, which never ends
        ROLLING = "ROLLING", pgettext_lazy("audit", "Rolling")  # everything, a little at a time

    kind = models.CharField(_("kind"), max_length=7, choices=Kind.choices)
    started_at = models.DateTimeField(pgettext_lazy("audit", "started at"), default=timezone.now)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="audit_runs",
        verbose_name=pgettext_lazy("audit", "started by"),
    )
    finished_at = models.DateTimeField(_("finished at"), null=True)
    total = models.BigIntegerField(pgettext_lazy("audit", "entries"), default=0)  # when it began
    done = models.BigIntegerField(_("compared"), default=0)
    counts = models.JSONField(_("counts"), default=dict)  # ledger.audit.audit.Report: {"equal": 3, "different": 0, …}
    # Why it ended before its time; of one that is not finished: what it waits for.
    error = models.CharField(_("error"), max_length=500, blank=True, default="")
    position = models.BigIntegerField(default=0)
    claimed_until = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        verbose_name, verbose_name_plural = _("audit"), _("audits")
        constraints = [
            # Whoever asks while one runs sees that one; beats that overlap go on with the same one.
            models.UniqueConstraint(
                fields=["kind"],
                condition=Q(finished_at__isnull=True) & ~Q(kind="COMMAND"),
                name="audit_run_one_a_kind",
            )
        ]

    def __str__(self) -> str:
        words = {"kind": self.get_kind_display(), "at": f"{self.started_at:%Y-%m-%d %H:%M}"}
        return gettext("audit %(kind)s, %(at)s UTC") % words

    @property
    def running(self) -> bool:
        return self.finished_at is None

    @property
    def failed(self) -> bool:
        return self.finished_at is not None and bool(self.error)

    @property
    def is_clean(self) -> bool:
        """Nothing differed, as far as it came."""
        return not any(self.counts.get(kind, 0) for kind in AuditFinding.Kind.values)

    @property
    def found(self) -> int:
        """How many differences."""
        return sum(self.counts.get(kind, 0) for kind in AuditFinding.Kind.values)

    @property
    def percent(self) -> int:
        if self.finished_at and not self.error:
            return 100
        return min(100 * self.done // max(self.total, 1), 99)


class AuditFinding(models.Model):
    """One difference: which record, and what was expected and found. `session` outlives the session's row."""

    class Kind(models.TextChoices):
        DIFFERENT = "different", pgettext_lazy("audit", "different")  # session, entry or chain differ
        MISSING = "missing", pgettext_lazy("audit", "missing on the chain")
        UNKNOWN = "unknown", pgettext_lazy("audit", "unknown to the database")  # recorded, and not here
        NOT_ENTERED = "not_entered", pgettext_lazy("audit", "without an entry")  # closed, and never recorded

    run = models.ForeignKey(AuditRun, on_delete=models.CASCADE, related_name="findings", verbose_name=_("audit"))
    kind = models.CharField(_("kind"), max_length=11, choices=Kind.choices)
    ledger_id = LedgerId(_("ledger id"), null=True)
    session = models.UUIDField(pgettext_lazy("charging", "session"), null=True)
    message = models.TextField(_("message"))
    found_at = models.DateTimeField(_("found at"), default=timezone.now)

    class Meta:
        ordering = ["id"]
        verbose_name, verbose_name_plural = pgettext_lazy("audit", "finding"), pgettext_lazy("audit", "findings")

    def __str__(self) -> str:
        return f"{self.kind} {'' if self.ledger_id is None else self.ledger_id}".strip()

    def as_dict(self) -> dict[str, Any]:
        """As `ledger_audit --json` says it."""
        return {
            "kind": self.kind,
            "ledger_id": self.ledger_id,
            "session": str(self.session or ""),
            "message": self.message,
        }
