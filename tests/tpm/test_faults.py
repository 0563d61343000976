"""Nothing is lost and nothing is wrong while the TPM is killed, cut off, slow, locked out, and filled by others.

`python -m dev.tpm_faults` is the same with 10,000 operations and other seeds, which takes some minutes.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.tpm_faults import FaultyStack, run

OPERATIONS, FAULTS, SEED = 2000, 0.01, 20261123


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyStack]:
    stack = FaultyStack(Path(tmp_path_factory.mktemp("faults")))
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


@pytest.mark.timeout(300)
def test_faults_under_mixed_load(stack: FaultyStack) -> None:
    assert run(stack, operations=OPERATIONS, faults=FAULTS, seed=SEED) == []
