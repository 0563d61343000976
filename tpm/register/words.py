"""What people read about TPM services and their evidence: on pages in their language, from commands in English."""

from collections.abc import Iterator
from datetime import timedelta

from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_noop as _

from tpm.models import AttestationReport, TpmService

SOFTWARE = _("no — a software TPM: who is root on its host can defeat it")
HARDWARE = _("yes — its certificate leads to a maker of hardware TPMs")
UNMEASURED = _("no — its files are not measured: they can be changed unseen")
MEASURED = _("yes — against the release that the release key signed")
OUTCOMES = {
    "ok": pgettext_lazy("step", "ok"),
    "failed": pgettext_lazy("step", "failed"),
    "undecided": pgettext_lazy("step", "undecided"),
}
# The titles of the steps that reports keep: of the verifier's and of enrolment.py (the tests compare).
TITLES = frozenset(
    {
        _("The service says who its TPM is"),
        _("The chain of the EK certificate ends in a pinned root"),
        _("The certificate is that of an EK"),
        _("The certificate was issued for this EK"),
        _("The EK was made in its TPM, stays there, and only decrypts what the TPM checks"),
        _("The AK was made in its TPM, stays there, and only signs what the TPM itself says"),
        _("The AK's Name is that of its public area"),
        _("The TPM with this EK holds this AK"),
        _("The nonce is ours and fresh"),
        _("The evidence is a quote that a TPM made"),
        _("The pinned AK signed the quote"),
        _("The quote is about this nonce and these claims"),
        _("The quote is over the PCRs that were asked for"),
        _("The PCR values shown are those quoted"),
        _("The event log is the one in the claims"),
        _("The event log gives the measured PCR"),
        _("The pinned release key signed the manifest"),
        _("The manifest is the one in the claims"),
        _("The event log is that of the manifest"),
        _("The release is not older than the last accepted one"),
        _("The host's PCRs have the pinned values"),
        _("The TPM's clock and counters have not gone back"),
        _("The TPM's firmware"),
        _("The log of key uses has not gone back"),
        _("The log of key uses still holds the entry attested last"),
        _("The service runs what was released"),
    }
)


def hardware_words(hardware: bool) -> str:
    """Return what is known of the EK in the reader's language: certified by a maker of hardware TPMs, or software."""
    return gettext(HARDWARE if hardware else SOFTWARE)


def measured_words(measured: bool) -> str:
    """Return in the reader's language whether the files of the service are held to a signed release."""
    return gettext(MEASURED if measured else UNMEASURED)


def outcome_words(outcome: str) -> str:
    """Return the outcome in the reader's language; one that is not known as it is."""
    return str(OUTCOMES.get(outcome, outcome))


def title_words(title: str) -> str:
    """Return the title of a step, which its report keeps in English, in the reader's language."""
    return gettext(title) if title in TITLES else title


def state_words(service: TpmService) -> str:
    """Return the state as it counts: an attested service whose evidence has become too old is none."""
    why = service.distrust()
    if service.state == TpmService.State.ATTESTED and why:
        return gettext("evidence too old")
    return str(service.get_state_display())


def is_red(service: TpmService) -> bool:
    """Tell whether a person has to look: also for evidence that is fresh, of a service that does not answer now."""
    return bool(service.distrust()) or service.state != TpmService.State.ATTESTED


def step_lines(report: AttestationReport) -> Iterator[str]:
    """Return the report as lines of text: each step, and what was compared where it is not ok. English."""
    yield f"{report.service.name}: {report.outcome.lower()} at {report.at:%Y-%m-%d %H:%M:%S} UTC"
    for step in report.steps:
        note = f" ({step['note']})" if step["note"] else ""
        yield f"{step['number']:>3} {step['outcome']:<9} {step['name']:<19} {step['title']}{note}"
        if step["outcome"] == "failed":
            yield f"{'':14}expected {step['expected']}"
            yield f"{'':14}found    {step['found']}"
    yield f"hardware: {HARDWARE if report.hardware else SOFTWARE}"
    yield f"measured: {MEASURED if report.measured else UNMEASURED}"
    if report.reason:
        yield f"refused: {report.reason}"


def age_words(age: timedelta | None) -> str:
    """Return the age in seconds below two minutes, in minutes below two hours, then in days; None is never."""
    if age is None:
        return gettext("never")
    seconds = int(age.total_seconds())
    if seconds < 120:
        return gettext("%(count)d s ago") % {"count": seconds}
    if seconds < 7200:
        return gettext("%(count)d min ago") % {"count": seconds // 60}
    return gettext("%(count)d d ago") % {"count": age.days}
