"""Nothing is signed through a TPM service that is not attested, or with a key that it did not certify."""

import time
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries, Settings

from ledger.models import Alert, ChainTransaction
from ledger.recording import tasks, transactions
from ledger.signing.signer import signer
from tests.conftest import CloseSessions, LedgerAccount
from tests.ledger.conftest import all_recorded, drive, open_alerts
from tpm.client import TpmUnavailable
from tpm.models import KeyCertification, TpmService
from tpm.register import register

pytestmark = pytest.mark.django_db(transaction=True)
S = ChainTransaction.Status


def release_key() -> str:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def test_a_refused_service_signs_nothing_until_it_is_mended(
    ledger_account: LedgerAccount, close_sessions: CloseSessions
) -> None:
    """As when files of the service were changed: what is pinned and what runs do not fit."""
    close_sessions(3)
    right = TpmService.objects.get().release_key_pem
    TpmService.objects.update(release_key_pem=release_key(), due_at=timezone.now())
    register.attest_due()
    tasks.anchor()
    row = ChainTransaction.objects.get()
    assert (row.status, row.error_code, row.packed) == (S.BATCHED, "not_attested", None)
    assert "manifest_signature" in row.error_message
    assert open_alerts() == {"tpm_not_attested"}
    alert = Alert.objects.get()
    assert "mend what the failed step names" in alert.what_to_do
    TpmService.objects.update(release_key_pem=right, due_at=timezone.now())
    register.attest_due()
    drive(all_recorded)
    assert open_alerts() == set(), "it closes by itself"
    assert ChainTransaction.objects.count() == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"state": TpmService.State.NEW},
        {"last_attested_at": None},
        {"last_attested_at": timedelta(minutes=11, seconds=1)},
        {"url": "http://127.0.0.1:1"},
    ],
)
def test_without_fresh_evidence_nothing_is_signed(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, changes: dict[str, object]
) -> None:
    close_sessions(1)
    changes = {
        name: timezone.now() - value if isinstance(value, timedelta) else value for name, value in changes.items()
    }
    TpmService.objects.update(**changes)
    with pytest.raises(TpmUnavailable, match="not_attested"):
        signer().sign_many([bytes(32)])
    tasks.anchor()
    assert ChainTransaction.objects.get().status == S.BATCHED
    assert open_alerts() == {"tpm_not_attested"}


def test_a_new_key_is_certified_before_it_signs(ledger_account: LedgerAccount) -> None:
    KeyCertification.objects.all().delete()
    signer().sign_many([bytes(32)])
    assert KeyCertification.objects.get().public_key_eosio == signer().to_public()


def test_a_key_that_the_tpm_does_not_certify_signs_nothing(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, settings: Settings
) -> None:
    """The portal may not ask for certifications: nothing is trusted unseen."""
    close_sessions(1)
    KeyCertification.objects.all().delete()
    settings.TPM_SCOPES = ["tpm/keys", "tpm/sign", "tpm/seal"]  # the attestation before is refused as well
    tasks.anchor()
    assert ChainTransaction.objects.get().status == S.BATCHED
    assert open_alerts() == {"tpm_not_attested"}


def test_a_key_of_somewhere_else_signs_nothing(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service names a public key that is not that of its TPM's key."""
    close_sessions(1)
    signing, real = signer(), signer().to_public()
    monkeypatch.setattr(signing, "_public_key", ("PUB_R1_elsewhere", time.monotonic()))
    tasks.anchor()
    assert ChainTransaction.objects.get().error_code == "not_certified"
    assert open_alerts() == {"tpm_not_certified"}
    tasks.watch_tpm()
    assert open_alerts() == {"tpm_not_certified"}, "attested, but that is not enough"
    monkeypatch.setattr(signing, "_public_key", (real, time.monotonic()))
    drive(all_recorded)
    assert open_alerts() == set()


def test_the_alarm_does_not_wait_for_something_to_sign(ledger_account: LedgerAccount) -> None:
    tasks.watch_tpm()
    assert open_alerts() == set()
    TpmService.objects.update(state=TpmService.State.REFUSED, reason="step 11 (events): changed: /app/x")
    for _ in range(2):
        tasks.watch_tpm()
    assert (Alert.objects.get().code, Alert.objects.get().count) == ("tpm_not_attested", 2)
    assert "step 11 (events)" in Alert.objects.get().message
    TpmService.objects.update(state=TpmService.State.ATTESTED)
    tasks.watch_tpm()
    assert open_alerts() == set()


def test_the_gate_costs_one_query(
    ledger_account: LedgerAccount, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    signing = signer()
    signing.sign_many([bytes(32)])  # a key that was never met is certified first
    with django_assert_num_queries(1):
        signing.sign_many([bytes(32)] * 200)


def test_attestation_can_be_switched_off_for_development(
    ledger_account: LedgerAccount, close_sessions: CloseSessions, settings: Settings
) -> None:
    settings.TPM_ATTESTATION = "off"
    TpmService.objects.update(state=TpmService.State.REFUSED)
    close_sessions(1)
    drive(all_recorded)


def test_a_service_that_says_it_was_tampered_with_is_attested_at_once(ledger_account: LedgerAccount) -> None:
    TpmService.objects.update(due_at=timezone.now() + timedelta(minutes=5))
    assert transactions._tpm_alert(TpmUnavailable("integrity_failed", "…")) == "tpm_unavailable"
    assert TpmService.objects.get().due_at <= timezone.now()
