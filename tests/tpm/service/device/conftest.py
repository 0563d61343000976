"""A TPM, a process's device at it, and somebody else at the same TPM."""

from collections.abc import Callable, Iterator

import pytest
from tpm2_pytss import ESAPI

from dev.parts.swtpm import Swtpm
from dev.parts.tpm_service import reset_tpm
from tpm.service.device.device import Device
from tpm.service.device.measured import Measured
from tpm.service.turn import Turn


@pytest.fixture(scope="package")
def swtpm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swtpm]:
    directory = tmp_path_factory.mktemp("tpm")
    swtpm = Swtpm(directory / "state", directory / "tpm")
    swtpm.start()
    yield swtpm
    swtpm.stop()


Start = Callable[..., Device]


@pytest.fixture
def start(swtpm: Swtpm) -> Iterator[Start]:
    """Start a process's device, on a TPM that was reset unless told otherwise."""
    made: list[Device] = []

    def device(what: Measured | None, *, reset: bool = True) -> Device:
        if made:
            made.pop().close()
        if not swtpm.alive:
            swtpm.start()
        if reset:
            reset_tpm(swtpm.socket)
        made.append(Device(swtpm.tcti, Turn(places=4, deadline_s=5), what))
        made[-1].connect()
        return made[-1]

    yield device
    for one in made:
        one.close()


@pytest.fixture
def stranger(swtpm: Swtpm, start: Start) -> Iterator[ESAPI]:
    """Somebody else at the same TPM."""
    with ESAPI(swtpm.tcti) as esys:
        yield esys
