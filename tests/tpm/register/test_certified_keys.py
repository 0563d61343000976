"""The keys that an attested service certified: a signature is made with one of them, or not at all."""

import pytest
from pytest_django.fixtures import DjangoAssertNumQueries, Settings

from dev.parts.tpm_service import TpmStack
from tpm.client import TpmError, TpmUnavailable
from tpm.models import KeyCertification, TpmService
from tpm.register import gate, register
from tpm.verifier.certification import certification_nonce
from tpm.verifier.endorsement import Identity

pytestmark = pytest.mark.django_db


def test_a_key_is_certified_for_the_ledger_and_its_receipts(service: TpmService, tpm_stack: TpmStack) -> None:
    tpm_stack.client().key_create("ledger-2")
    row = register.certify(service, "ledger-2")
    assert register.certify(service, "ledger-2").pk == row.pk, "once for each key"
    assert gate.certification_of(row.public_key_eosio) == row
    assert gate.certification_of("PUB_R1_x") is None
    ek_certificate = Identity.parse(tpm_stack.client().identity()).ek_certificate
    assert bytes(row.ek_certificate or b"") == ek_certificate
    assert certification_nonce(ek_certificate) in bytes(row.attest)


def test_a_key_that_is_not_there_is_not_certified(service: TpmService) -> None:
    with pytest.raises(TpmError, match="key_not_found"):
        register.certify(service, "nobody")


def test_asking_before_a_signature_is_one_query(
    service: TpmService, tpm_stack: TpmStack, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    public_key = tpm_stack.client().key_get("ledger").public_key_eosio
    with django_assert_num_queries(1):
        register.require_certified(service.url, key="ledger", public_key_eosio=public_key)


def test_a_key_that_is_met_for_the_first_time_is_certified_after_a_new_attestation(
    service: TpmService, tpm_stack: TpmStack
) -> None:
    public_key = tpm_stack.client().key_create("ledger-3").public_key_eosio
    reports = service.reports.count()
    register.require_certified(service.url, key="ledger-3", public_key_eosio=public_key)
    assert service.reports.count() == reports + 1
    assert gate.certification_of(public_key) is not None


def test_a_key_of_somewhere_else_is_not_trusted(service: TpmService, tpm_stack: TpmStack) -> None:
    with pytest.raises(TpmUnavailable, match="not_certified"):
        register.require_certified(service.url, key="ledger", public_key_eosio="PUB_R1_elsewhere")
    assert not KeyCertification.objects.filter(public_key_eosio="PUB_R1_elsewhere").exists()


def test_certifications_of_a_former_ak_count_no_more(service: TpmService, tpm_stack: TpmStack) -> None:
    public_key = tpm_stack.client().key_get("ledger").public_key_eosio
    KeyCertification.objects.update(ak_public=b"former")
    register.require_certified(service.url, key="ledger", public_key_eosio=public_key)
    assert KeyCertification.objects.filter(public_key_eosio=public_key).count() == 2


def test_an_unknown_service_is_not_trusted(db: None) -> None:
    with pytest.raises(TpmUnavailable, match=r"run manage\.py tpm_enrol"):
        gate.require_attested("http://127.0.0.1:1")


def test_off_asks_for_nothing(settings: Settings, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    settings.TPM_ATTESTATION = "off"
    with django_assert_num_queries(0):
        gate.require_attested("http://127.0.0.1:1")
        register.require_certified("http://127.0.0.1:1", key="k", public_key_eosio="PUB_R1_x")
