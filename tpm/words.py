"""What people read about TPM services and their evidence."""

from collections.abc import Iterator
from datetime import timedelta

from tpm.models import AttestationReport, TpmService

SOFTWARE = "no — a software TPM: who is root on its host can defeat it"
HARDWARE = "yes — its certificate leads to a maker of hardware TPMs"
UNMEASURED = "no — its files are not measured: they can be changed unseen"
MEASURED = "yes — against the release that the release key signed"


def hardware_words(hardware: bool) -> str:
    return HARDWARE if hardware else SOFTWARE


def measured_words(measured: bool) -> str:
    return MEASURED if measured else UNMEASURED


def state_words(service: TpmService) -> str:
    """Return the state as it counts: an attested service whose evidence has become too old is none."""
    why = service.distrust()
    if service.state == TpmService.State.ATTESTED and why:
        return "evidence too old"
    return str(service.get_state_display())


def is_red(service: TpmService) -> bool:
    return bool(service.distrust()) or service.state != TpmService.State.ATTESTED


def step_lines(report: AttestationReport) -> Iterator[str]:
    """Return the report as lines of text: each step, and what was compared where it is not ok."""
    yield f"{report.service.name}: {report.get_outcome_display()} at {report.at:%Y-%m-%d %H:%M:%S} UTC"
    for step in report.steps:
        note = f" ({step['note']})" if step["note"] else ""
        yield f"{step['number']:>3} {step['outcome']:<9} {step['name']:<19} {step['title']}{note}"
        if step["outcome"] == "failed":
            yield f"{'':14}expected {step['expected']}"
            yield f"{'':14}found    {step['found']}"
    yield f"hardware: {hardware_words(report.hardware)}"
    yield f"measured: {measured_words(report.measured)}"
    if report.reason:
        yield f"refused: {report.reason}"


def age_words(age: timedelta | None) -> str:
    if age is None:
        return "never"
    seconds = int(age.total_seconds())
    return (
        f"{seconds} s ago" if seconds < 120 else f"{seconds // 60} min ago" if seconds < 7200 else f"{age.days} d ago"
    )
