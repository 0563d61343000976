"""schemathesis finds nothing: `python -m dev.fuzz_tpm --cases 5000` is the same for longer, with other seeds."""

from collections.abc import Iterator

import pytest

from dev.fuzz_tpm import FAST, fuzz
from dev.tpm_service import TpmStack

SEED = 20261123


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TpmStack]:
    stack = TpmStack(tmp_path_factory.mktemp("fuzz"), FAST)
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


def test_every_answer_is_documented(stack: TpmStack) -> None:
    assert fuzz(stack, cases=1000, seed=SEED) >= 1000
