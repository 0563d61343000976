"""What tests of the verifier are given."""

import pytest

from tests.tpm.verifier.forger import Forger


@pytest.fixture(scope="module")
def forger() -> Forger:
    return Forger(host_pcrs={0: b"\x01" * 32, 7: b"\x07" * 32})
