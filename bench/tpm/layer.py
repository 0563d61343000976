"""quote_ms, unseal_ms: one operation each in the layer that owns the TPM, without REST.

Method: in this process, on swtpm, with an approved release measured into PCR 8. A quote is of PCRs 0 to 8 with 32 bytes
of extra data, by the persistent AK, with the values read in the same turn. An unseal is of 32 bytes under the policy
"release": load, policy session with PCRs and approval, unseal, flush. They take turns. Beside: what one entry of the
log of key uses costs (a signature's, synced each second, one thread).
"""

import secrets
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.results import rounded
from bench.stage import options, perform, seconds
from bench.tpm.device import released, started, swtpm_in
from dev.common.progress import bar
from tpm.service.device import attest
from tpm.service.keys.audit import AuditLog

SECRET = bytes(32)
AUDIT_ENTRIES = 5_000


def measure(count: int) -> dict[str, list[float]]:
    """Return milliseconds by figure."""
    samples: dict[str, list[float]] = {"quote_ms": [], "unseal_ms": []}
    with tempfile.TemporaryDirectory(prefix="evp-") as name, swtpm_in(Path(name)).running() as swtpm:
        directory = Path(name)
        tree = directory / "tree"
        tree.mkdir()
        (tree / "module.py").write_text("pass\n")
        with started(swtpm, released(directory, tree)) as device, bar(count, "asking", " times") as progress:
            secret = device.seal_released(SECRET)
            attest.quote(device, range(9), bytes(32))  # the first makes the AK
            for _ in range(count):
                nonce = secrets.token_bytes(32)
                samples["quote_ms"].append(_ms(lambda nonce=nonce: attest.quote(device, range(9), nonce)))  # type: ignore[misc]
                samples["unseal_ms"].append(_ms(lambda: device.open_released(secret)))
                progress.update()
    return samples


def audit_entry_us() -> float:
    """Return the median microseconds of one entry."""
    with tempfile.TemporaryDirectory(prefix="evp-") as name:
        log = AuditLog(Path(name))
        digest = [secrets.token_hex(32)]
        found = statistics.median(_ms(lambda: log.append("sign", "ledger", digest)) for _ in range(AUDIT_ENTRIES))
        log.close()
    return rounded(found * 1000)


def _ms(work: Callable[[], object]) -> float:
    return 1000 * seconds(work)


if __name__ == "__main__":
    perform(
        options(__doc__, count=300, what="times"),
        lambda chosen, _: (measure(chosen.count), {"audit_entry_us": audit_entry_us()}),
    )
