"""TPM services in the admin: what is wrong comes first, with each step; nothing is written by hand, no secret shown."""

import ast
import re
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone
from django.utils.translation import override
from kombu.exceptions import OperationalError
from pytest_django.fixtures import Settings

from accounts.models import User
from dev.parts.tpm_service import TpmStack
from tests.enrolment import enrolled, use
from tests.evportal.admin.test_admin import act, address
from tests.people import log_in
from tests.portal.history.test_history import text
from tests.tpm.verifier.forger import Forger, ecc_public, judged, nonce
from tpm.admin import steps_table
from tpm.models import AttestationReport, KeyCertification, TpmService
from tpm.register.tasks import attest_services
from tpm.register.words import TITLES

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parents[3]
HOSTILE = "<script>alert(1)</script>"
SOFTWARE = "a software TPM: who is root on its host can defeat it"


def make_service(name: str, **fields: Any) -> TpmService:
    known: dict[str, Any] = {
        "url": f"http://127.0.0.1:1/{name}",
        "ek_roots_pem": "roots",
        "release_key_pem": "key",
        "ak_public": ecc_public(Forger().ak.public_key()),
        "state": TpmService.State.ATTESTED,
        "last_attested_at": timezone.now(),
    }
    return TpmService.objects.create(name=name, **known | fields)


@pytest.fixture
def report() -> AttestationReport:
    """One refused service whose report holds what a hostile service sent."""
    reason = f"step 11 (events): added: /app/{HOSTILE}"
    service = make_service("bad", state=TpmService.State.REFUSED, reason=reason)
    forger = Forger(log=(f"sha256:{'0' * 64} 0644 /app/{HOSTILE}",))
    steps = [asdict(step) for step in judged(forger)]
    assert HOSTILE in str(steps) or "removed" in str(steps)
    steps[10]["found"] = f"added: /app/{HOSTILE}"
    answer = forger.answer(nonce().value)
    return AttestationReport.objects.create(
        service=service,
        outcome=AttestationReport.Outcome.REFUSED,
        reason=reason,
        steps=steps,
        hardware=False,
        measured=True,
        claims=answer["claims"].encode(),
        quote=b"\xffTCG",
        nonce=bytes(32),
    )


def test_the_home_shows_what_is_wrong_first(staff_browser: Client, report: AttestationReport) -> None:
    make_service("able")
    page = text(staff_browser, "/admin/")
    assert page.index("<strong>bad</strong>") < page.index("<strong>able</strong>")
    assert SOFTWARE in page
    assert re.search(r"last good evidence \d+ s ago", page)
    assert HOSTILE not in page and "&lt;script&gt;" in page


def test_the_home_says_that_nothing_is_enrolled(staff_browser: Client) -> None:
    assert "nothing can be signed" in text(staff_browser, "/admin/")


def test_evidence_that_is_too_old_is_red(staff_browser: Client) -> None:
    make_service("old", last_attested_at=timezone.now() - timedelta(minutes=20))
    page = text(staff_browser, "/admin/")
    assert "evidence too old" in page
    assert "last good evidence 20 min ago" in page


def test_the_list_has_what_is_wrong_first(staff_browser: Client, report: AttestationReport) -> None:
    make_service("able")
    make_service("away", state=TpmService.State.UNREACHABLE)
    page = text(staff_browser, address("tpm.tpmservice", "changelist"))
    assert page.index(">bad<") < page.index(">away<") < page.index(">able<")


def test_a_report_shows_each_step_with_what_was_compared(staff_browser: Client, report: AttestationReport) -> None:
    for page in (
        text(staff_browser, address("tpm.attestationreport", "change", report.pk)),
        text(staff_browser, address("tpm.tpmservice", "change", report.service_id)),
    ):
        assert "The event log is that of the manifest" in page
        assert "the 4 files of the manifest" in page
        assert HOSTILE not in page and "&lt;script&gt;alert(1)&lt;/script&gt;" in page
        assert SOFTWARE in page
    assert "ff544347" in text(staff_browser, address("tpm.attestationreport", "change", report.pk))
    text(staff_browser, address("tpm.attestationreport", "changelist"))


def test_certified_keys_are_shown(staff_browser: Client, report: AttestationReport) -> None:
    row = KeyCertification.objects.create(
        service=report.service, key_name="ledger", public_key_eosio="PUB_R1_x", public=b"p", attest=b"a", ak_public=b"k"
    )
    assert "PUB_R1_x" in text(staff_browser, address("tpm.tpmservice", "change", report.service_id))
    assert "PUB_R1_x" in text(staff_browser, address("tpm.keycertification", "change", row.pk))
    assert "ledger" in text(staff_browser, address("tpm.keycertification", "changelist"))


@pytest.mark.parametrize("model", ["tpm.tpmservice", "tpm.attestationreport"])
def test_nothing_is_written_by_hand(staff_browser: Client, report: AttestationReport, model: str) -> None:
    row = report if model.endswith("report") else report.service
    assert staff_browser.post(address(model, "add"), {}).status_code == 403
    assert staff_browser.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert staff_browser.post(address(model, "change", row.pk), {"release_key_pem": "mine"}).status_code == 403
    assert "delete_selected" not in text(staff_browser, address(model, "changelist"))


def test_attest_now(staff_browser: Client, tpm_stack: TpmStack, settings: Settings) -> None:
    use(tpm_stack, settings)
    service = enrolled(tpm_stack)
    reports = service.reports.count()
    new = TpmService.objects.create(name="new", url="http://127.0.0.1:2", ek_roots_pem="")
    page = act(staff_browser, "tpm.tpmservice", "attest_now", service, new)
    assert "Main is asked for new evidence." in page
    assert "New is not enrolled: run manage.py tpm_enrol." in page
    attest_services()  # as the worker does
    assert service.reports.count() == reports + 1


def test_attest_now_without_redis_is_left_to_the_beat(
    staff_browser: Client, settings: Settings, tpm_stack: TpmStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OperationalError("connection refused")

    use(tpm_stack, settings)
    service = enrolled(tpm_stack)
    monkeypatch.setattr(current_app, "send_task", refused)
    assert "Main is asked for new evidence." in act(staff_browser, "tpm.tpmservice", "attest_now", service)


def test_who_may_only_look_can_attest_nothing(client: Client, report: AttestationReport) -> None:
    auditor = User.objects.create_user("axel", is_staff=True)
    auditor.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    log_in(client, auditor)
    assert "attest_now" not in text(client, address("tpm.tpmservice", "changelist"))
    assert SOFTWARE in text(client, address("tpm.tpmservice", "change", report.service_id))


def test_the_steps_are_german_and_their_evidence_is_marked_as_english(report: AttestationReport) -> None:
    with override("de"):
        table = steps_table(report)
    assert "<td>Das Ereignisprotokoll ist das des Manifests</td>" in table
    assert "✗ fehlgeschlagen</td>" in table and ">Was geprüft wird</th>" in table
    assert '<td lang="en">added: /app/&lt;script&gt;' in table


def test_every_title_of_a_step_is_known_to_the_translators() -> None:
    """Reports keep them in English: what is missing here would be English in a German table."""
    calls = (
        node
        for name in ("verifier/endorsement", "register/enrolment", "verifier/attestation")
        for node in ast.walk(ast.parse((ROOT / "tpm" / f"{name}.py").read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Check"
    )
    assert {ast.literal_eval(call.args[1]) for call in calls} == TITLES
