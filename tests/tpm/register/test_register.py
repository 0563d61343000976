"""The register: a real TPM service is enrolled and attested, and everything that may go wrong with it is refused."""

import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.utils import timezone
from pytest_django.fixtures import Settings

from dev.parts.tpm_service import TpmStack
from tests.enrolment import enrolled, pins, use
from tests.environment import DIRECTORY
from tests.tpm import tpm2_tools
from tests.tpm.verifier.certificates import authority
from tests.waiting import until
from tpm.client import TpmError, TpmUnavailable
from tpm.models import AttestationReport, EventLog, Nonce, ReleaseManifest, TpmService
from tpm.register import gate, register
from tpm.register.enrolment import EnrolmentError, enrol
from tpm.register.values import pinned
from tpm.verifier.endorsement import Identity

pytestmark = pytest.mark.django_db
State, Outcome = TpmService.State, AttestationReport.Outcome


@pytest.fixture(scope="module")
def stack() -> Iterator[TpmStack]:
    """A stack of this module's own: it is tampered with."""
    made = TpmStack(DIRECTORY / "reg")
    made.start()
    made.client().key_create("ledger")
    yield made
    made.stop()


@pytest.fixture
def portal(stack: TpmStack, settings: Settings) -> TpmStack:
    """The portal's settings name the stack."""
    use(stack, settings)
    return stack


@pytest.fixture
def service(portal: TpmStack) -> TpmService:
    """The stack's service, enrolled and attested."""
    return enrolled(portal, keys=["ledger"])


def attested(service: TpmService) -> AttestationReport:
    report = register.attest(service)
    assert report is not None, service.reason
    service.refresh_from_db()
    return report


def failed(report: AttestationReport | None) -> list[str]:
    assert report is not None
    return [step["name"] for step in report.steps if step["outcome"] == "failed"]


def restart(stack: TpmStack) -> None:
    stack.service.stop()
    stack.start_service()


# --- enrolment


def test_a_service_is_enrolled(portal: TpmStack) -> None:
    report = enrol(name="main", url=portal.service_url, pins=pins(portal))
    assert [step["number"] for step in report.steps] == list(range(1, 26))
    assert {step["outcome"] for step in report.steps} == {"ok"}
    service = TpmService.objects.get()
    assert (service.state, service.reason, service.distrust()) == (State.ATTESTED, "", "")
    assert bytes(service.ak_public or b"") == Identity.parse(portal.client().identity()).ak_public
    assert "SW" in service.tpm_words
    assert report.manifest == ReleaseManifest.objects.get()
    assert report.event_log is not None and report.event_log.event_count == len(report.event_log.events()) > 100


def test_software_is_never_called_hardware(portal: TpmStack) -> None:
    assert not enrol(name="main", url=portal.service_url, pins=pins(portal)).hardware
    service = TpmService.objects.get()
    assert not service.hardware
    enrol(name="main", url=portal.service_url, pins=replace(pins(portal), hardware_roots=True), replace=True)
    service.refresh_from_db()
    assert service.hardware, "what the operator says of the roots is believed"


def test_what_is_enrolled_is_replaced_by_hand_alone(service: TpmService, portal: TpmStack) -> None:
    other = authority("other").pem
    with pytest.raises(EnrolmentError, match="is enrolled"):
        enrol(name=service.name, url=service.url, pins=pins(portal))
    with pytest.raises(EnrolmentError, match="is registered at"):
        enrol(name="second", url=service.url, pins=pins(portal))
    with pytest.raises(EnrolmentError) as refused:
        enrol(name=service.name, url=service.url, pins=replace(pins(portal), ek_roots_pem=other), replace=True)
    assert failed(refused.value.report) == ["ek_certificate"]
    service.refresh_from_db()
    assert (service.state, service.ek_roots_pem) == (State.ATTESTED, pins(portal).ek_roots_pem), "as it was"


def test_a_tpm_of_another_maker_is_not_enrolled(portal: TpmStack) -> None:
    with pytest.raises(EnrolmentError, match="ek_certificate") as refused:
        enrol(name="main", url=portal.service_url, pins=replace(pins(portal), ek_roots_pem=authority("other").pem))
    assert failed(refused.value.report) == ["ek_certificate"]
    service = TpmService.objects.get()
    assert (service.state, service.enrolled) == (State.NEW, False)
    assert "ek_certificate" in service.reason
    with pytest.raises(TpmUnavailable, match="not enrolled"):
        gate.require_attested(portal.service_url)
    assert register.attest(service) is None, "nobody knows by what to judge it"
    enrol(name="main", url=portal.service_url, pins=pins(portal))


def test_a_release_by_another_key_is_not_enrolled(portal: TpmStack) -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(EnrolmentError) as refused:
        enrol(name="main", url=portal.service_url, pins=replace(pins(portal), release_key_pem=pem))
    assert failed(refused.value.report) == ["manifest_signature"]
    assert not ReleaseManifest.objects.exists()


def test_a_measured_service_is_not_enrolled_as_unmeasured(portal: TpmStack) -> None:
    with pytest.raises(EnrolmentError) as refused:
        enrol(name="main", url=portal.service_url, pins=replace(pins(portal), release_key_pem=""))
    assert failed(refused.value.report) == ["integrity"]


def test_host_pcrs_are_held_to_what_was_pinned(portal: TpmStack) -> None:
    zero, other = {0: bytes(32), 7: bytes(32)}, {0: bytes(32), 7: b"\x01" * 32}
    with pytest.raises(EnrolmentError) as refused:
        enrol(name="main", url=portal.service_url, pins=replace(pins(portal), host_pcrs=other))
    assert failed(refused.value.report) == ["host_pcrs"]
    enrol(name="main", url=portal.service_url, pins=replace(pins(portal), host_pcrs=zero))
    assert pinned(TpmService.objects.get()).pcrs == [0, 7, 8]


def test_the_name_of_one_service_and_the_address_of_another(service: TpmService, portal: TpmStack) -> None:
    other = TpmService.objects.create(name="other", url="http://127.0.0.1:9", ek_roots_pem="")
    for name, url in (("other", service.url), (service.name, other.url)):
        with pytest.raises(EnrolmentError, match="two services"):
            enrol(name=name, url=url, pins=pins(portal), replace=True)


def test_an_event_log_that_the_tpm_does_not_bear_out_is_not_kept(service: TpmService, portal: TpmStack) -> None:
    """It has megabytes, and whoever answers may send another one every thirty seconds."""
    nonce = register.nonce_issue(service)
    answer, manifest = register.evidence_ask(service, nonce)
    kept = EventLog.objects.count()
    answer["event_log"][0:2] = ["\n".join(answer["event_log"][0:2])]  # the claims' hash still fits: one event a line
    report = register.evidence_take(service=service, nonce=bytes(nonce.value), answer=answer, manifest=manifest)
    assert failed(report) == ["replay", "events"]
    assert report.event_log is None
    assert EventLog.objects.count() == kept


def test_logs_that_look_the_same_line_by_line_are_two(db: None) -> None:
    one, other = EventLog.keep(["a\nb"]), EventLog.keep(["a", "b"])
    assert (one.events(), other.events()) == (["a\nb"], ["a", "b"])


def test_pins_that_cannot_be_read(portal: TpmStack) -> None:
    for broken in (replace(pins(portal), ek_roots_pem="-----BEGIN"), replace(pins(portal), release_key_pem="x")):
        with pytest.raises(EnrolmentError, match="expected"):
            enrol(name="main", url=portal.service_url, pins=broken)
    assert not TpmService.objects.exists()


def test_a_service_that_does_not_answer_is_not_enrolled(portal: TpmStack) -> None:
    with pytest.raises(TpmError, match="connection"):
        enrol(name="main", url="http://127.0.0.1:1", pins=pins(portal))


# --- evidence


def test_evidence_is_judged_and_kept(service: TpmService, portal: TpmStack, tmp_path: Path) -> None:
    """What we accept, tpm2_checkquote accepts; what we refuse, it refuses."""
    logs, manifests = EventLog.objects.count(), ReleaseManifest.objects.count()
    report = attested(service)
    assert (report.outcome, report.reason, failed(report)) == (Outcome.ACCEPTED, "", [])
    later = attested(service)
    assert (EventLog.objects.count(), ReleaseManifest.objects.count()) == (max(logs, 1), max(manifests, 1))
    assert later.event_log == report.event_log and later.manifest == report.manifest
    assert report.quote and report.signature and report.nonce and report.claims
    known = {
        "ak_pem": portal.client().identity()["ak"]["public_key_pem"],
        "signature": bytes(report.signature),
        "pcrs": {int(number): bytes.fromhex(value) for number, value in report.pcrs.items()},
        "extra_data": hashlib.sha256(bytes(report.nonce) + bytes(report.claims)).digest(),
    }
    assert tpm2_tools.checkquote(tmp_path, quote=bytes(report.quote), **known) == ""
    assert tpm2_tools.checkquote(tmp_path, quote=bytes(report.quote)[:-1] + b"\0", **known)


def test_a_nonce_is_used_once(service: TpmService) -> None:
    nonce = register.nonce_issue(service)
    value = bytes(nonce.value)
    answer, manifest = register.evidence_ask(service, nonce)
    taken = register.evidence_take(service=service, nonce=value, answer=answer, manifest=manifest)
    assert failed(taken) == []
    replayed = register.evidence_take(service=service, nonce=value, answer=answer, manifest=manifest)
    assert failed(replayed)[0] == "nonce"
    assert "replayed" in replayed.reason
    service.refresh_from_db()
    assert service.state == State.REFUSED
    assert failed(attested(service)) == []


def test_a_late_nonce(service: TpmService) -> None:
    nonce = register.nonce_issue(service)
    answer, manifest = register.evidence_ask(service, nonce)
    Nonce.objects.filter(pk=nonce.pk).update(issued_at=timezone.now() - timedelta(seconds=61))
    report = register.evidence_take(service=service, nonce=bytes(nonce.value), answer=answer, manifest=manifest)
    assert failed(report) == ["nonce"]
    assert "late" in report.reason


def test_the_nonce_of_another_service(service: TpmService, portal: TpmStack) -> None:
    other = TpmService.objects.create(name="other", url="http://127.0.0.1:1", ek_roots_pem="")
    nonce = register.nonce_issue(other)
    answer, manifest = register.evidence_ask(service, nonce)
    report = register.evidence_take(service=service, nonce=bytes(nonce.value), answer=answer, manifest=manifest)
    assert failed(report) == ["nonce"]
    assert "another service's: issued for other" in report.reason
    nonce.refresh_from_db()
    assert nonce.used_at is None, "nobody uses up another's nonce"


def test_a_nonce_of_nobody(service: TpmService, portal: TpmStack) -> None:
    answer = portal.client().attest(bytes(32), [8])
    report = register.evidence_take(service=service, nonce=bytes(32), answer=answer, manifest=None)
    assert failed(report)[0] == "nonce"


def test_a_service_that_is_away_keeps_its_fresh_evidence(service: TpmService, portal: TpmStack) -> None:
    portal.service.stop()
    try:
        assert register.attest(service) is None
        service.refresh_from_db()
        assert (service.state, service.reason.split(":")[0]) == (State.UNREACHABLE, "connection")
        assert service.due_at < timezone.now() + timedelta(seconds=31)
        gate.require_attested(service.url)
        TpmService.objects.update(last_attested_at=timezone.now() - timedelta(minutes=12))
        with pytest.raises(TpmUnavailable, match="not_attested: TPM service main: its last evidence is 720 s old"):
            gate.require_attested(service.url)
        TpmService.objects.update(last_attested_at=timezone.now(), state=State.REFUSED)
        register.attest(service)
        with pytest.raises(TpmUnavailable, match="it was refused"):
            gate.require_attested(service.url)
    finally:
        portal.start_service()
    assert failed(attested(service)) == []
    assert service.distrust() == ""


def test_who_has_no_token_has_learnt_nothing_of_the_service(service: TpmService, settings: Settings) -> None:
    """As the web process, which is given no credentials, when somebody asks for an attestation in the admin."""
    settings.TPM_CLIENT_SECRET = "another"
    assert register.attest(service) is None
    service.refresh_from_db()
    assert (service.state, service.distrust()) == (State.UNREACHABLE, "")


def test_a_service_that_refuses_to_be_attested_is_refused(service: TpmService, settings: Settings) -> None:
    settings.TPM_SCOPES = ["tpm/keys", "tpm/sign"]
    assert register.attest(service) is None
    service.refresh_from_db()
    assert service.state == State.REFUSED
    with pytest.raises(TpmUnavailable, match="not_attested"):
        gate.require_attested(service.url)


# --- the TPM


def test_a_state_that_was_put_back_is_refused(service: TpmService, portal: TpmStack, tmp_path: Path) -> None:
    """Everything fits but the clock: it is the same TPM, as it was before."""
    state = portal.swtpm.state_dir
    assert failed(attested(service)) == []
    portal.swtpm.stop()
    shutil.copytree(state, tmp_path / "old")
    portal.swtpm.start()
    assert failed(attested(service)) == []
    portal.swtpm.stop()
    shutil.move(state, tmp_path / "new")
    shutil.copytree(tmp_path / "old", state)
    portal.swtpm.start()
    restart(portal)
    try:
        report = attested(service)
        assert failed(report) == ["clock"]
        assert "put back" in report.reason
        assert service.state == State.REFUSED
    finally:
        portal.swtpm.stop()
        shutil.rmtree(state)
        shutil.move(tmp_path / "new", state)
        portal.swtpm.start()
        restart(portal)
    assert failed(attested(service)) == [], "the right state, in order"


def test_a_state_of_before_the_last_start_is_refused(service: TpmService, portal: TpmStack, tmp_path: Path) -> None:
    """Copied while it runs: no start lies between copy and evidence, so only the clock itself can tell."""
    state = portal.swtpm.state_dir
    shutil.copytree(state, tmp_path / "old")
    assert failed(attested(service)) == []
    portal.swtpm.kill()
    shutil.move(state, tmp_path / "new")
    shutil.copytree(tmp_path / "old", state)
    portal.swtpm.start()
    try:
        assert failed(attested(service)) == ["clock"]
    finally:
        portal.swtpm.kill()
        shutil.rmtree(state)
        shutil.move(tmp_path / "new", state)
        portal.swtpm.start()
        restart(portal)
    assert failed(attested(service)) == [], "killed, but not put back"


def test_another_tpm_in_its_place(service: TpmService, portal: TpmStack, tmp_path: Path) -> None:
    state = portal.swtpm.state_dir
    portal.swtpm.stop()
    shutil.move(state, tmp_path / "right")
    portal.swtpm.start()
    try:
        report = attested(service)
        assert failed(report)[0] == "signature"
    finally:
        portal.swtpm.stop()
        shutil.rmtree(state)
        shutil.move(tmp_path / "right", state)
        portal.swtpm.start()
    assert failed(attested(service)) == []


# --- the release


def test_a_file_changed_while_it_runs(service: TpmService, portal: TpmStack) -> None:
    victim = portal.release_dir / "app" / "tpm" / "service" / "keys" / "store.py"
    content = victim.read_bytes()
    victim.write_bytes(content + b"\n")
    try:
        until(lambda: portal.health_status() != 200)
        (report,) = register.attest_due()  # not due, but it says itself that something is wrong
        service.refresh_from_db()
        assert failed(report) == ["events", "integrity"]
        assert f"changed while running: {victim}" in report.reason
        with pytest.raises(TpmUnavailable, match=r"step 11 \(events\)"):
            gate.require_attested(service.url)
    finally:
        victim.write_bytes(content)
        restart(portal)
    assert failed(attested(service)) == []
    gate.require_attested(service.url)


def test_a_file_changed_before_the_start_and_an_approved_upgrade(service: TpmService, portal: TpmStack) -> None:
    victim = portal.release_dir / "app" / "tpm" / "service" / "keys" / "store.py"
    victim.write_bytes(victim.read_bytes() + b"\n")
    restart(portal)
    report = attested(service)
    assert failed(report) == ["events", "integrity"]
    assert f"changed: {victim}" in report.reason
    portal.release_again(version="upgrade")
    restart(portal)
    upgraded = attested(service)
    assert failed(upgraded) == []
    assert upgraded.manifest is not None and upgraded.manifest.version == "upgrade"
