"""measure_5000_files_s: seconds from nothing measured to a secret of the policy "release", with 5,000 files of 61 MB.

Method: a tree of 5,000 files in 100 directories, their sizes spread as those of installed packages (log-normal, 61 MB
together, the same each time), a manifest of it that is signed and approved. A sample is what the service does at its
start on a TPM that was just reset: read and verify manifest and approvals, set the watches, hash all files, extend an
event for each into PCR 8, have the TPM judge it, and unseal a secret under the policy. The files are in the page cache.
"""

import random
import tempfile
import time
from pathlib import Path

from bench.stage import options, perform
from bench.tpm.device import released, started, swtpm_in
from dev.common.progress import bar
from dev.parts.tpm_service import reset_tpm

FILES, DIRECTORIES = 5_000, 100
BYTES = 61_000_000
SPREAD = 1.8  # sigma of the logarithm: half of the files are below 2.5 kB, the largest has some MB
SECRET = bytes(32)


def make_tree(root: Path) -> None:
    """Write FILES files, of BYTES together."""
    chance = random.Random(1)
    weights = [chance.lognormvariate(0, SPREAD) for _ in range(FILES)]
    for number, weight in enumerate(weights):
        path = root / f"package{number % DIRECTORIES:03}" / f"module{number:04}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(int(BYTES * weight / sum(weights))))


def measure(count: int) -> list[float]:
    samples = []
    with tempfile.TemporaryDirectory(prefix="evp-") as name, swtpm_in(Path(name)).running() as swtpm:
        directory = Path(name)
        make_tree(directory / "tree")
        settings = released(directory, directory / "tree")
        with started(swtpm, settings) as device:
            secret = device.seal_released(SECRET)
        with bar(count, "measuring", " starts") as progress:
            for _ in range(count):
                reset_tpm(swtpm.socket)
                begun = time.perf_counter()
                with started(swtpm, settings) as device:
                    assert device.open_released(secret) == SECRET
                    samples.append(time.perf_counter() - begun)
                progress.update()
    return samples


if __name__ == "__main__":
    perform(options(__doc__, count=12, what="starts"), lambda chosen, _: measure(chosen.count))
