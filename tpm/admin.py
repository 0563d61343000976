"""TPM services and their evidence in the admin: read, and attested again; pinned by `manage.py tpm_enrol` alone."""

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Case, IntegerField, QuerySet, Value, When
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _

from common.admin_english import english
from common.admin_read_only import ReadOnly
from common.announce import announce
from tpm.models import AttestationReport, KeyCertification, TpmService
from tpm.register.gate import attest_soon
from tpm.register.words import (
    age_words,
    hardware_words,
    is_red,
    measured_words,
    outcome_words,
    state_words,
    title_words,
)
from tpm.verifier.endorsement import fingerprint

WRONG = (TpmService.State.REFUSED, TpmService.State.UNREACHABLE, TpmService.State.NEW)
WRONG_FIRST = Case(
    *(When(state=state, then=Value(number)) for number, state in enumerate(WRONG)),
    default=Value(len(WRONG)),
    output_field=IntegerField(),
)
MARKS = {"ok": "✓", "failed": "✗", "undecided": "–"}
HEADS = (_("Step"), _("Outcome"), _("What is checked"), _("Expected"), _("Found"), _("Note"))


def steps_table(report: AttestationReport) -> SafeString:
    """The steps of a report, each with what was expected and found; all of it is text that a service may have sent.

    What was compared is evidence, kept in English.
    """
    rows = format_html_join(
        "",
        '<tr class="ev-step-{}"><td>{}</td><td>{} {}</td><td>{}</td>'
        '<td lang="en">{}</td><td lang="en">{}</td><td lang="en">{}</td></tr>',
        (
            (
                *(step["outcome"], step["number"], MARKS.get(step["outcome"], ""), outcome_words(step["outcome"])),
                *(title_words(step["title"]), step["expected"], step["found"], step["note"]),
            )
            for step in report.steps
        ),
    )
    return format_html(
        '<table class="ev-steps"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>',
        format_html_join("", '<th scope="col">{}</th>', ((str(head),) for head in HEADS)),
        rows,
    )


@admin.register(TpmService)
class TpmServiceAdmin(ReadOnly):
    list_display = ("name", "state_shown", "evidence", "hardware_shown", "measured_shown", "reason_shown", "tried_at")
    list_filter = ("state", "hardware_roots")
    search_fields = ("name", "url")
    ordering = (WRONG_FIRST, "name")
    actions = ("attest_now",)
    fields = (
        *("name", "url", "state_shown", "reason_shown", "last_attested_at", "tried_at", "due_at"),
        *("hardware_shown", "measured_shown", "tpm_words", "last_report"),
        *("ak_fingerprint", "ek_fingerprint", "measured_pcr", "host_pcrs", "ek_roots_pem", "release_key_pem"),
        *("last", "keys"),
    )

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Who may have a service attested now: those with the permission to change it, which nobody can do by hand."""
        return request.user.has_perm("tpm.change_tpmservice")

    @admin.action(description=_("Attest now"), permissions=["operate"])
    def attest_now(self, request: HttpRequest, queryset: QuerySet[TpmService]) -> None:
        """The worker asks, because in production the web process has no way to a TPM service."""
        for service in queryset:
            if not service.enrolled:
                text = gettext("%(name)s is not enrolled: run %(command)s.")
                words = {"name": service.name, "command": "manage.py tpm_enrol"}
                self.message_user(request, text % words, messages.WARNING)
                continue
            attest_soon(service.url)
            self.log_change(request, service, "Asked for new evidence.")
            text = gettext("%(name)s is asked for new evidence. Look again in some seconds.")
            self.message_user(request, text % {"name": service.name}, messages.SUCCESS)
        transaction.on_commit(lambda: announce("tpm.tasks.attest_services", expires=30), robust=True)

    @admin.display(description=_("state"), ordering="state")
    def state_shown(self, service: TpmService) -> str:
        """The state as it counts for signing: red also where the evidence has become too old."""
        kind = "bad" if is_red(service) else "good"
        return format_html('<span class="ev-tpm-{}">{}</span>', kind, state_words(service))

    @admin.display(description=_("reason"), ordering="reason")
    def reason_shown(self, service: TpmService) -> SafeString:
        """Why it is not attested; kept in English, and marked so for screen readers."""
        return english(self, service.reason)

    @admin.display(description=_("last evidence"), ordering="last_attested_at")
    def evidence(self, service: TpmService) -> str:
        """How long ago the last accepted evidence was taken."""
        return age_words(service.evidence_age)

    @admin.display(description=_("hardware"))
    def hardware_shown(self, service: TpmService) -> str:
        return hardware_words(service.hardware)

    @admin.display(description=_("measured"))
    def measured_shown(self, service: TpmService) -> str:
        return measured_words(service.measured)

    @admin.display(description=_("last report"))
    def last_report(self, service: TpmService) -> str:
        """The newest report with its table of steps, and the way to all of this service's reports."""
        report = service.reports.first()
        if report is None:
            return pgettext("report", "none yet")
        address = reverse("admin:tpm_attestationreport_change", args=[report.pk])
        all_of_it = reverse("admin:tpm_attestationreport_changelist")
        return format_html(
            '<a href="{}">{}</a> · <a href="{}?service__id__exact={}">{}</a>{}',
            *(address, report, all_of_it, service.pk, gettext("all reports"), steps_table(report)),
        )

    @admin.display(description=_("attestation key (AK)"))
    def ak_fingerprint(self, service: TpmService) -> str:
        """SHA-256 of the pinned TPMT_PUBLIC, to be compared with what the operator of the TPM reads there."""
        return fingerprint(bytes(service.ak_public)) if service.ak_public else gettext("none: it is not enrolled")

    @admin.display(description=_("EK certificate"))
    def ek_fingerprint(self, service: TpmService) -> str:
        """SHA-256 of the certificate in DER, as its maker lists it."""
        if not service.ek_certificate:
            return pgettext("certificate", "none")
        return fingerprint(bytes(service.ek_certificate))

    @admin.display(description=_("certified keys"))
    def keys(self, service: TpmService) -> str:
        """Name and EOSIO public key of each key that an AK of this service certified."""
        rows = service.certifications.all()
        return format_html_join(
            "", "<div>{} <code>{}</code></div>", ((row.key_name, row.public_key_eosio) for row in rows)
        )


@admin.register(AttestationReport)
class AttestationReportAdmin(ReadOnly):
    list_display = ("at", "service", "outcome", "reason_shown", "hardware", "measured")
    list_filter = ("outcome", "service")
    list_select_related = ("service",)
    date_hierarchy = "at"
    fields = (
        *("service", "at", "outcome", "reason_shown", "hardware_shown", "measured_shown", "steps_shown", "manifest"),
        *("event_log", "pcrs", "claims_shown", "quote_hex", "signature_hex", "nonce_hex"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[AttestationReport]:
        """Neither manifests nor event logs are read along: they have megabytes."""
        found = super().get_queryset(request).select_related("service", "manifest", "event_log")
        return found.defer("manifest__compressed", "event_log__compressed")

    @admin.display(description=_("reason"), ordering="reason")
    def reason_shown(self, report: AttestationReport) -> SafeString:
        return english(self, report.reason)

    @admin.display(description=_("hardware"))
    def hardware_shown(self, report: AttestationReport) -> str:
        return hardware_words(report.hardware)

    @admin.display(description=_("measured"))
    def measured_shown(self, report: AttestationReport) -> str:
        return measured_words(report.measured)

    @admin.display(description=_("steps"))
    def steps_shown(self, report: AttestationReport) -> str:
        return steps_table(report)

    @admin.display(description=_("claims"))
    def claims_shown(self, report: AttestationReport) -> str:
        """The JSON text that the quote covers, as it came; bytes that are no UTF-8 become �."""
        return bytes(report.claims).decode("utf-8", "replace") if report.claims else ""

    @admin.display(description=_("quote (TPMS_ATTEST)"))
    def quote_hex(self, report: AttestationReport) -> str:
        """For checking with tpm2_checkquote or by hand."""
        return bytes(report.quote).hex() if report.quote else ""

    @admin.display(description=_("signature (DER)"))
    def signature_hex(self, report: AttestationReport) -> str:
        return bytes(report.signature).hex() if report.signature else ""

    @admin.display(description=_("nonce"))
    def nonce_hex(self, report: AttestationReport) -> str:
        return bytes(report.nonce).hex() if report.nonce else ""


@admin.register(KeyCertification)
class KeyCertificationAdmin(ReadOnly):
    list_display = ("key_name", "public_key_eosio", "service", "at")
    list_select_related = ("service",)
    search_fields = ("key_name", "public_key_eosio")
    fields = ("key_name", "public_key_eosio", "service", "at", "ak_fingerprint", "attest_hex", "signature_hex")

    @admin.display(description=_("attestation key (AK)"))
    def ak_fingerprint(self, row: KeyCertification) -> str:
        """SHA-256 of the TPMT_PUBLIC that certified the key; since then the TPM may have been replaced."""
        return fingerprint(bytes(row.ak_public))

    @admin.display(description=_("statement (TPMS_ATTEST)"))
    def attest_hex(self, row: KeyCertification) -> str:
        return bytes(row.attest).hex()

    @admin.display(description=_("signature (DER)"))
    def signature_hex(self, row: KeyCertification) -> str:
        return bytes(row.signature).hex()
