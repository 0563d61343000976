"""Nothing is lost and nothing is wrong while the TPM is killed, cut off, slow, locked out, and filled by others.

Here are 3,000 operations. `make faults` does the same with 10,000 and other seeds, and asks how long it took too, which
says something of the service only where nothing else runs.
"""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from dev.trials.tpm_faults.main import FaultyStack, Run, run
from dev.trials.tpm_faults.operations import Caller
from dev.trials.tpm_faults.proxy import Fault
from dev.trials.tpm_faults.stranger import CC_PCR_READ, CC_QUOTE, CC_SHUTDOWN, CC_SIGN

OPERATIONS, FAULTS, SEED = 3000, 0.01, 20261123


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyStack]:
    stack = FaultyStack(tmp_path_factory.mktemp("faults"))
    try:
        stack.start()
        yield stack
    finally:
        stack.stop()


@pytest.fixture(scope="module")
def caller(stack: FaultyStack) -> Caller:
    """A client whose attestations are each compared with the last one accepted."""
    prepared = Run(stack, operations=1, faults=1, seed=SEED)
    prepared.prepare()
    return prepared.prober


@pytest.mark.parametrize("code", [CC_PCR_READ, CC_QUOTE, CC_SHUTDOWN])
def test_tpm_replaced_within_an_attestation(stack: FaultyStack, caller: Caller, code: int) -> None:
    """What one start of the TPM said is not mixed with what the next one says, and no clock goes back."""
    reached, go_on = threading.Event(), threading.Event()

    def pause(command: bytes) -> None:
        reached.set()
        go_on.wait(60)

    stack.proxy.inject(Fault(codes=frozenset({code}), before=pause))
    with ThreadPoolExecutor(1) as threads:
        attested = threads.submit(caller.does, caller.attest)
        try:
            assert reached.wait(60)
            stack.kill_swtpm()
            caller.world.starts += 1
            stack.swtpm.start()
        finally:
            go_on.set()
        assert attested.result()
    assert caller.does(caller.attest)
    assert caller.does(caller.read_pcrs)


def test_keys_taken_out_again_and_again(stack: FaultyStack, caller: Caller) -> None:
    """Once is not noticed; when it happens to the second attempt too, the TPM is unavailable, and nothing is broken."""

    def flush(command: bytes) -> None:
        stack.stranger.flush_all()

    stack.proxy.inject(Fault(codes=frozenset({CC_SIGN}), before=flush))
    assert caller.does(caller.sign_der)
    stack.proxy.inject(Fault(times=2, codes=frozenset({CC_SIGN}), before=flush))
    before = caller.outcomes["tpm_unavailable"]
    assert not caller.does(caller.sign_der)
    assert caller.outcomes["tpm_unavailable"] == before + 1
    assert caller.does(caller.sign_der)


def test_faults_under_mixed_load(stack: FaultyStack) -> None:
    wrong, _late = run(stack, operations=OPERATIONS, faults=FAULTS, seed=SEED)  # how late: `make faults` asks that
    assert wrong == []
