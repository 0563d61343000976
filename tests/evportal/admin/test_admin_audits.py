"""Audits in the admin: an auditor starts one, watches it, reads and keeps its report; nobody else does."""

import csv
import io
import shutil
import subprocess
import uuid
from pathlib import Path

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from accounts.models import Role, User
from ledger.models.audits import AuditFinding, AuditRun
from stations.models import ChargingSession
from tests.people import browser_of, person
from tests.portal.conftest import MakeSession

pytestmark = pytest.mark.django_db
ADD = "/admin/ledger/auditrun/add/"
LIST = "/admin/ledger/auditrun/"


@pytest.fixture
def axel(db: None) -> User:
    return person("axel", Role.AUDITOR)


@pytest.fixture
def auditor(axel: User) -> Client:
    return browser_of(axel)


def text(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200, address
    return " ".join(response.content.decode().split())


def finished(by: User | None = None, **counts: int) -> AuditRun:
    now, done = timezone.now(), sum(counts.values())
    kind = AuditRun.Kind.ASKED
    return AuditRun.objects.create(kind=kind, started_by=by, finished_at=now, total=done, done=done, counts=counts)


def found(run: AuditRun, session: ChargingSession) -> AuditFinding:
    return AuditFinding.objects.create(
        run=run,
        kind=AuditFinding.Kind.DIFFERENT,
        ledger_id=session.ledger_entry.pk,
        session=session.pk,
        message="energy_wh: recorded 7780, now 7781",
    )


def test_an_auditor_starts_one_and_is_led_to_it(auditor: Client, axel: User) -> None:
    assert "Start the audit" in text(auditor, ADD)
    response = auditor.post(ADD)
    run = AuditRun.objects.get(kind=AuditRun.Kind.ASKED)
    assert (response.status_code, response["Location"]) == (302, f"/admin/ledger/auditrun/{run.pk}/change/")
    assert run.started_by == axel
    assert LogEntry.objects.filter(user=axel, object_id=str(run.pk)).count() == 1


def test_who_presses_while_one_runs_is_shown_that_one(auditor: Client) -> None:
    run = AuditRun.objects.create(kind=AuditRun.Kind.ASKED, total=10, done=3)
    response = auditor.post(ADD, follow=True)
    assert AuditRun.objects.count() == 1
    assert "An audit is running already: this one." in response.content.decode()
    assert response.redirect_chain[-1][0].endswith(f"/{run.pk}/change/")


def test_a_running_one_shows_how_far_it_is_and_can_be_stopped(auditor: Client) -> None:
    run = AuditRun.objects.create(kind=AuditRun.Kind.ASKED, total=2000, done=500, counts={"equal": 500})
    page = text(auditor, f"{LIST}{run.pk}/change/")
    assert '<progress max="100" value="25">' in page
    assert "500 of 2,000 entries compared." in page
    assert "data-progress" in page
    assert auditor.post(f"{LIST}{run.pk}/cancel/").status_code == 302
    run.refresh_from_db()
    assert not run.running
    page = text(auditor, f"{LIST}{run.pk}/change/")
    assert "It ended before its time" in page
    assert "data-progress" not in page


def test_the_report_names_each_difference_and_leads_to_it(
    auditor: Client, axel: User, make_session: MakeSession
) -> None:
    session, run = make_session(), finished(axel, equal=2, different=1)
    found(run, session)
    AuditFinding.objects.create(
        run=run, kind=AuditFinding.Kind.UNKNOWN, ledger_id=2**64 - 1, message="on the chain, not here"
    )
    kept = AuditFinding.objects.get(ledger_id=2**64 - 1)
    assert kept.as_dict()["ledger_id"] == 2**64 - 1 and AuditFinding.objects.filter(ledger_id=None).count() == 0
    AuditFinding.objects.create(run=run, kind=AuditFinding.Kind.NOT_ENTERED, session=uuid.uuid4(), message="=gone")
    page = text(auditor, f"{LIST}{run.pk}/change/")
    assert "1 difference<" in page
    assert f'<a href="/admin/stations/chargingsession/{session.pk}/change/">' in page
    assert f'<a href="/admin/ledger/ledgerentry/{session.ledger_entry.pk}/change/">' in page
    assert "18446744073709551615" in page
    answer = auditor.get(f"{LIST}{run.pk}/report.csv")
    rows = list(csv.reader(io.StringIO(answer.getvalue().decode("utf-8-sig"))))
    assert rows[0] == ["kind", "ledger_id", "session", "message", "found_at"]
    assert rows[1][:4] == ["different", str(session.ledger_entry.pk), str(session.pk), found_words()]
    assert (rows[2][1], rows[3][3]) == (str(2**64 - 1), "'=gone")


def test_an_operator_is_led_to_putting_back_and_an_auditor_is_not(auditor: Client, make_session: MakeSession) -> None:
    session, run = make_session(), finished(different=1)
    found(run, session)
    link = f'<a href="/admin/ledger/ledgerentry/put-back/?id={session.ledger_entry.pk}">'
    operator = browser_of(person("olga", Role.OPERATOR))
    assert link in text(operator, f"{LIST}{run.pk}/change/")
    assert link not in text(auditor, f"{LIST}{run.pk}/change/")


def found_words() -> str:
    return "energy_wh: recorded 7780, now 7781"


def test_the_report_on_paper(auditor: Client, axel: User, make_session: MakeSession, tmp_path: Path) -> None:
    run = finished(axel, equal=2, different=1)
    found(run, make_session())
    answer = auditor.get(f"{LIST}{run.pk}/report.pdf")
    assert answer["Content-Type"] == "application/pdf"
    (tmp_path / "report.pdf").write_bytes(answer.content)
    assert auditor.get(f"{LIST}{run.pk}/report.pdf").content == answer.content  # the same bytes each time
    if shutil.which("pdftotext"):
        done = subprocess.run(["pdftotext", "-layout", tmp_path / "report.pdf", "-"], capture_output=True, check=True)
        assert "axel" in done.stdout.decode() and "recorded 7780, now 7781" in done.stdout.decode()


def test_an_audit_that_found_nothing_says_so(auditor: Client) -> None:
    run = finished(equal=3)
    assert "Nothing differs" in text(auditor, f"{LIST}{run.pk}/change/")
    assert "finished" in text(auditor, LIST)
    assert "finished" in text(auditor, f"{LIST}?found=no")
    assert "finished" not in text(auditor, f"{LIST}?found=yes").split("result_list")[-1]


def test_nobody_else_starts_or_reads_one() -> None:
    run = finished(equal=1)
    client = browser_of(person("carla", Role.CUSTOMER))
    for address in (ADD, LIST, f"{LIST}{run.pk}/change/", f"{LIST}{run.pk}/report.csv", f"{LIST}{run.pk}/report.pdf"):
        assert client.get(address).status_code in {302, 403, 404}, address
    assert client.post(ADD).status_code in {302, 403, 404}
    assert AuditRun.objects.count() == 1


def test_what_the_ledger_runs_by_itself_is_stopped_by_nobody(auditor: Client) -> None:
    run = AuditRun.objects.create(kind=AuditRun.Kind.ROLLING, total=10, done=1)
    assert "Stop it" not in text(auditor, f"{LIST}{run.pk}/change/")
    assert auditor.post(f"{LIST}{run.pk}/cancel/").status_code == 404
    run.refresh_from_db()
    assert run.running
