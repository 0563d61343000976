"""ocmf_verify_per_s: signed meter values verified a second on one core, as a multiple of pyocmf's in the same run.

Method: texts of our simulated meter on P-256, each with begin and end and another number, are read and verified with a
key that is known already, as the close of a charge does it; and by pyocmf (from_string, verify_signature, its warnings
off). CPU seconds of this process, the two by turns so that both see the same machine; a sample is the ratio of one
round. Beside it stand both rates, and that of the curve's arithmetic alone.
"""

import time
import warnings
from argparse import Namespace
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from bench.stage import Measured, options, perform
from dev.stations.ocmf import SignedMeter
from stations.metering import ocmf
from stations.metering.keys import meter_key

ROUNDS = 15


def measure(chosen: Namespace, directory: Path) -> Measured:
    from pyocmf import OCMF

    warnings.simplefilter("ignore")
    meter = SignedMeter("1EVP0000000001")
    at = datetime(2026, 11, 30, 17, 0, tzinfo=UTC)
    texts = [meter.both((n, at), (n + 11_250, at), "04AB076A345B85") for n in range(chosen.count)]
    key, known = meter_key(meter.public_key), meter.public_key.hex()
    parts = [(text.signature, text.signed) for text in map(ocmf.read, texts)]

    def ours() -> None:
        for text in texts:
            ocmf.verify(ocmf.read(text), key)

    def theirs() -> None:
        if not all(OCMF.from_string(text).verify_signature(known) for text in texts):
            raise RuntimeError("pyocmf refuses a text of ours")

    def arithmetic() -> None:
        for signature, signed in parts:
            key.verifies(signature, signed, "SHA256")

    rates = [tuple(per_s(work, chosen.count) for work in (ours, theirs, arithmetic)) for _ in range(ROUNDS)]
    beside = dict(zip(("ours_per_s", "pyocmf_per_s", "signature_alone_per_s"), medians(rates), strict=True))
    return [rate[0] / rate[1] for rate in rates], beside


def per_s(work: Callable[[], None], count: int) -> float:
    """How many a second of this process's CPU time."""
    begun = time.process_time()
    work()
    return count / (time.process_time() - begun)


def medians(rates: Sequence[Sequence[float]]) -> list[float]:
    """Of each column."""
    return [round(median(column)) for column in zip(*rates, strict=True)]


if __name__ == "__main__":
    perform(options(__doc__, count=300, what="texts a round"), measure)
