"""What tests of the register are given."""

import pytest
from pytest_django.fixtures import Settings

from dev.parts.tpm_service import TpmStack
from tests.enrolment import enrolled, use
from tpm.models import TpmService


@pytest.fixture
def service(tpm_stack: TpmStack, settings: Settings) -> TpmService:
    use(tpm_stack, settings)
    tpm_stack.client().key_create("ledger")
    return enrolled(tpm_stack, keys=["ledger"])
