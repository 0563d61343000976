"""Attestation by the beat and by command: who is due, never two at once, what is kept, and what is printed."""

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone
from pytest_django.fixtures import Settings

from dev.parts.tpm_service import TpmStack
from tests.enrolment import pins, use
from tests.tpm.verifier.certificates import authority
from tpm import deployment
from tpm.models import AttestationReport, EventLog, KeyCertification, Nonce, TpmService
from tpm.register import gate, register, tasks

pytestmark = pytest.mark.django_db
State, Outcome = TpmService.State, AttestationReport.Outcome
MINUTE = timedelta(minutes=1)


def other_release_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def due_in(service: TpmService) -> timedelta:
    service.refresh_from_db()
    return service.due_at - timezone.now()


# --- the task


def test_good_evidence_lasts_five_minutes(service: TpmService) -> None:
    tasks.attest_services()
    assert service.reports.count() <= 1, "it is not due: it was attested just now"
    reports = service.reports.count()
    TpmService.objects.update(due_at=timezone.now())
    tasks.attest_services()
    assert service.reports.count() == reports + 1
    assert 4 * MINUTE < due_in(service) <= 5 * MINUTE
    tasks.attest_services()
    assert service.reports.count() == reports + 1


def test_a_failed_try_is_repeated_after_thirty_seconds(service: TpmService, tpm_stack: TpmStack) -> None:
    right = service.release_key_pem
    TpmService.objects.update(due_at=timezone.now(), release_key_pem=other_release_key())
    tasks.attest_services()
    assert due_in(service) <= timedelta(seconds=30)
    assert (service.state, service.reports.first().outcome) == (State.REFUSED, Outcome.REFUSED)  # type: ignore[union-attr]
    TpmService.objects.update(due_at=timezone.now(), release_key_pem=right)
    tasks.attest_services()
    service.refresh_from_db()
    assert (service.state, service.reason) == (State.ATTESTED, "")


def test_one_that_does_not_answer_holds_up_no_other(service: TpmService) -> None:
    fields = {name: getattr(service, name) for name in ("ek_roots_pem", "release_key_pem", "ak_public")}
    away = TpmService.objects.create(name="away", url="http://127.0.0.1:1", state=State.ATTESTED, **fields)
    new = TpmService.objects.create(name="new", url="http://127.0.0.1:2", ek_roots_pem="")
    TpmService.objects.update(due_at=timezone.now())
    tasks.attest_services()
    for row in (service, away, new):
        row.refresh_from_db()
    assert (service.state, away.state, new.state) == (State.ATTESTED, State.UNREACHABLE, State.NEW)
    assert new.tried_at is None


def test_never_two_at_once(service: TpmService) -> None:
    TpmService.objects.update(claimed_until=timezone.now() + MINUTE)
    assert register.attest(service) is None
    assert not Nonce.objects.filter(service=service, used_at__isnull=True).exists()
    TpmService.objects.update(claimed_until=timezone.now() - MINUTE)  # whoever it was died
    assert register.attest(service) is not None
    service.refresh_from_db()
    assert service.claimed_until is None


@pytest.mark.django_db(transaction=True)
def test_several_workers_at_the_same_time(service: TpmService) -> None:
    def attest(_: int) -> AttestationReport | None:
        try:
            return register.attest(TpmService.objects.get(pk=service.pk))
        finally:
            connection.close()

    before = service.reports.count()
    with ThreadPoolExecutor(8) as pool:
        reports = [report for report in pool.map(attest, range(24)) if report]
    assert reports and all(report.outcome == Outcome.ACCEPTED for report in reports)
    assert service.reports.count() == before + len(reports)


def test_what_is_wrong_is_looked_at_soon(service: TpmService) -> None:
    assert due_in(service) > 4 * MINUTE
    gate.attest_soon(f"{service.url}/")
    assert due_in(service) <= timedelta()


# --- what is kept


@pytest.fixture
def years(service: TpmService) -> Iterator[TpmService]:
    """A report a week for a year; the accepted ones end long ago."""
    log = EventLog.keep(["a"])
    for week in range(52):
        outcome = Outcome.REFUSED if week < 40 else Outcome.ACCEPTED
        at: datetime = timezone.now() - timedelta(weeks=week, hours=1)
        AttestationReport.objects.create(
            service=service, at=at, outcome=outcome, steps=[], hardware=False, measured=True, event_log=log
        )
    yield service


def test_old_reports_go_but_never_the_last_ones(years: TpmService) -> None:
    Nonce.objects.create(value=bytes(32), service=years, issued_at=timezone.now() - timedelta(days=2))
    AttestationReport.objects.filter(outcome=Outcome.ACCEPTED, at__gt=timezone.now() - timedelta(weeks=30)).delete()
    tasks.prune_reports()
    outcomes = list(years.reports.values_list("outcome", flat=True))
    assert outcomes == [Outcome.REFUSED] * 5 + [Outcome.ACCEPTED], "30 days, and the last accepted one"
    assert not Nonce.objects.filter(value=bytes(32)).exists()
    assert EventLog.objects.filter(event_count=1).exists()
    years.reports.update(event_log=None)
    tasks.prune_reports()
    assert not EventLog.objects.filter(event_count=1).exists(), "nobody's event log"


def test_the_last_report_stays_whatever_it_says(years: TpmService) -> None:
    years.reports.filter(at__gt=timezone.now() - timedelta(weeks=8)).delete()
    tasks.prune_reports()
    assert list(years.reports.values_list("outcome", flat=True)) == [Outcome.REFUSED, Outcome.ACCEPTED]


# --- the commands


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def files(tpm_stack: TpmStack, settings: Settings, tmp_path: Path) -> list[str]:
    """The arguments that say what is pinned."""
    use(tpm_stack, settings)
    (tmp_path / "release.pem").write_text(pins(tpm_stack).release_key_pem)
    roots = [str(tpm_stack.swtpm.ek_root), str(tpm_stack.swtpm.ek_issuer)]
    return ["--url", tpm_stack.service_url, "--ek-roots", *roots, "--release-key", str(tmp_path / "release.pem")]


def test_the_command_enrols_and_certifies(files: list[str], tpm_stack: TpmStack) -> None:
    public_key = tpm_stack.client().key_create("ledger").public_key_eosio
    zero = "00" * 32
    out = run("tpm_enrol", "main", *files, "--host-pcrs", f"0={zero}", f"7={zero}", "--key", "ledger")
    assert "  1 ok        ek_certificate" in out
    assert " 25 ok        integrity" in out
    assert "hardware: no — a software TPM: who is root on its host can defeat it" in out
    assert f"key ledger: certified as {public_key}" in out
    service = TpmService.objects.get()
    assert (service.name, service.state, service.host_pcrs) == ("main", State.ATTESTED, {"0": zero, "7": zero})
    assert KeyCertification.objects.get().key_name == "ledger"
    with pytest.raises(CommandError, match="main is enrolled"):
        run("tpm_enrol", "main", *files)
    assert "23 ok" in run("tpm_enrol", "main", *files, "--replace")


def test_the_command_says_which_step_failed(files: list[str], tmp_path: Path) -> None:
    (tmp_path / "other.pem").write_text(authority("other").pem)
    with pytest.raises(CommandError, match=r"was not enrolled: step 1 \(ek_certificate\)"):
        run("tpm_enrol", "main", "--ek-roots", str(tmp_path / "other.pem"), "--unmeasured", *files[:2])


@pytest.mark.parametrize(
    "wrong",
    [
        ["--ek-roots", "/nowhere", "--unmeasured"],
        ["--ek-roots", "/dev/null", "--unmeasured"],
        ["--ek-roots", "/dev/null"],
        ["--unmeasured"],
        ["--ek-roots", "/dev/null", "--unmeasured", "--release-key", "/dev/null"],
        ["--ek-roots", "/dev/null", "--unmeasured", "--host-pcrs", "0=zz"],
        ["--ek-roots", "/dev/null", "--unmeasured", "--host-pcrs", "24=" + "00" * 32],
        ["--ek-roots", "/dev/null", "--unmeasured", "--measured-pcr", "9"],
    ],
)
def test_wrong_arguments_are_named(wrong: list[str]) -> None:
    with pytest.raises(CommandError):
        run("tpm_enrol", "main", "--url", "http://127.0.0.1:1", *wrong)
    assert not TpmService.objects.exists()


def test_a_service_that_is_not_there(files: list[str]) -> None:
    with pytest.raises(CommandError, match="connection"):
        run("tpm_enrol", "main", *files[2:], "--url", "http://127.0.0.1:1")


def test_attest_prints_each_step(service: TpmService) -> None:
    out = run("tpm_attest")
    assert "main: accepted at" in out and " 18 ok        integrity" in out
    (result,) = json.loads(run("tpm_attest", "main", "--json"))
    assert (result["service"], result["outcome"], result["hardware"], result["measured"]) == (
        *("main", "ACCEPTED"),
        *(False, True),
    )
    assert [step["number"] for step in result["steps"]] == list(range(1, 19))


def test_attest_fails_where_it_is_refused(service: TpmService) -> None:
    TpmService.objects.update(release_key_pem=other_release_key())
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("tpm_attest", stdout=out)
    assert ended.value.code == 1
    assert "9 failed    manifest_signature" in out.getvalue()
    assert "found    not signed by the pinned release key" in out.getvalue()
    TpmService.objects.update(url="http://127.0.0.1:1")
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("tpm_attest", "--json", stdout=out)
    assert json.loads(out.getvalue())[0]["steps"] == []


def test_attest_knows_whom_it_does_not_know(db: None) -> None:
    with pytest.raises(CommandError, match="no such TPM service"):
        run("tpm_attest", "nobody")


def test_deploying_without_attestation_is_warned_of(settings: Settings) -> None:
    assert deployment.attestation_is_required() == []
    settings.TPM_ATTESTATION = "off"
    assert [warning.id for warning in deployment.attestation_is_required()] == ["tpm.W001"]
