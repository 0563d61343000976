"""Two readers of OCMF that nobody here wrote: PyPI's pyocmf, and npm's @road-labs/ocmf in one process for all texts."""

import json
import os
import subprocess
import warnings
from collections.abc import Sequence
from pathlib import Path

from pyocmf import OCMF
from pyocmf.exceptions import PyOCMFError

from dev.parts import npm

SCRIPT = Path(__file__).with_name("judge.js")
TIMEOUT_S = 120


def pyocmf_accepts(text: str, key: bytes) -> bool:
    """Its signature alone; what it warns of is not asked."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return OCMF.from_string(text).verify_signature(key.hex())
        except PyOCMFError:
            return False


def road_labs_accept(texts: Sequence[tuple[str, bytes]]) -> list[bool]:
    """What it says of each text with its key."""
    modules = npm.modules(npm.OCMF, "ocmf")
    done = subprocess.run(
        [npm.node(), SCRIPT],
        input="\n".join(json.dumps({"text": text, "key": key.hex()}) for text, key in texts),
        env={**os.environ, "NODE_MODULES": str(modules)},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    return [line == "true" for line in done.stdout.split()]
