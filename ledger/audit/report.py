"""What an audit found, in words and on paper."""

from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from ledger.models.audits import AuditFinding, AuditRun

LINES_MAX = 1000  # on paper; the CSV file has all
Kind = AuditFinding.Kind
# Name in AuditRun.counts, in words, and whether it is a difference.
COUNTS: tuple[tuple[str, Any, bool], ...] = (
    ("equal", _("Equal to the chain"), False),
    (str(Kind.DIFFERENT), _("Different"), True),
    (str(Kind.MISSING), _("Missing on the chain"), True),
    (str(Kind.UNKNOWN), _("On the chain, unknown to the database"), True),
    (str(Kind.NOT_ENTERED), _("Closed, and never recorded"), True),
    ("pending", _("Still being recorded"), False),
    ("erased", pgettext_lazy("audit", "Erased with their customer"), False),
    ("restored", _("Brought back from the chain, without meter values"), False),
)


def counts_of(run: AuditRun) -> list[tuple[Any, int, bool]]:
    """(in words, how many, whether it is a difference): equal and different ones, and what there is of the rest."""
    found = [(name, words, run.counts.get(name, 0), bad) for name, words, bad in COUNTS]
    return [(words, count, bad) for name, words, count, bad in found if count or name in ("equal", Kind.DIFFERENT)]


def audit_pdf(*, run: AuditRun) -> bytes:
    """The report as PDF/UA, in the language that is active; the same bytes each time, once the audit is over."""
    from common import pdf  # here, as it loads weasyprint: half a second that no other command has to wait for

    findings = list(run.findings.all()[: LINES_MAX + 1])
    context = {
        "run": run,
        "counts": counts_of(run),
        "findings": findings[:LINES_MAX],
        "more": run.findings.count() - LINES_MAX if len(findings) > LINES_MAX else 0,
        "chain_id": settings.LEDGER_CHAIN_ID,
        "account": settings.LEDGER_ACCOUNT,
    }
    html = render_to_string("ledger/audit/paper.html", context)
    css = render_to_string("portal/statements/paper.css") + render_to_string("ledger/audit/paper.css")
    return pdf.pdf(html, css, identifier=f"audit-{run.pk}-{run.done}")
