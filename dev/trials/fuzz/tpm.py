"""Tries the TPM service's API with thousands of requests that schemathesis makes from the OpenAPI document.

    python -m dev.trials.fuzz.tpm --cases 5000

It starts a service with a TPM and an identity provider of its own. rounds.py says what counts as a finding,
schemathesis.toml what is expected where.
"""

import argparse
import secrets
import sys
import tempfile
from pathlib import Path

import httpx2

from dev.parts.tpm_service import SCOPES, TpmStack
from dev.trials.fuzz.rounds import Rounds

CONFIG = Path(__file__).with_name("schemathesis.toml")
ALL_SCOPES = (*SCOPES, "tpm/crypto")
FAST = {"TPM_CLIENT_RATE": "100000", "TPM_CLIENT_BURST": "100000"}
KEYS = {
    "fuzz-ecc": ("ecc-p256", "sign"),
    "fuzz-rsa": ("rsa-2048", "sign"),
    "fuzz-mail": ("rsa-2048", "decrypt"),
    "fuzz-mac": ("hmac", "sign"),
}
SEALED = "fuzz-sealed"


def fuzz(stack: TpmStack, *, cases: int, seed: int) -> int:
    """Try at least so many cases against a running stack and return how many; raises AssertionError for a finding."""
    token = _token(stack)
    _prepare(stack, token)
    rounds = Rounds(f"{stack.service_url}/v1/openapi.json", CONFIG.read_text(), {"TPM_TOKEN": token})
    return rounds.run(cases=cases, seed=seed)


def _token(stack: TpmStack) -> str:
    portal = stack.provider.pool.ensure_client("portal", ALL_SCOPES)
    return stack.credentials(portal, ALL_SCOPES)()


def _prepare(stack: TpmStack, token: str) -> None:
    """Make what dev/trials/fuzz/schemathesis.toml names, so that requests meet keys and objects."""
    headers = {"Authorization": f"Bearer {token}"}
    with httpx2.Client(base_url=f"{stack.service_url}/v1", headers=headers, timeout=20) as http:
        for name, (type, usage) in KEYS.items():
            http.post("/keys", json={"name": name, "type": type, "usage": usage}).raise_for_status()
        http.put(f"/sealed/{SEALED}", json={"data": "aGVsbG8="}).raise_for_status()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m dev.trials.fuzz.tpm", description=__doc__)
    parser.add_argument("--cases", type=int, default=5000, help="at least so many (default 5000)")
    parser.add_argument(
        "--seed", type=int, default=None, help="of the first round, to repeat one; each next is one more"
    )
    options = parser.parse_args(arguments)
    seed = secrets.randbelow(1 << 32) if options.seed is None else options.seed
    with tempfile.TemporaryDirectory(prefix="fuzz-tpm-") as directory:
        stack = TpmStack(Path(directory), FAST)
        try:
            stack.start()
            done = fuzz(stack, cases=options.cases, seed=seed)
        except AssertionError as finding:
            print(finding, file=sys.stderr)
            return 1
        finally:
            stack.stop()
    print(f"{done} cases: every answer as documented")
    return 0


if __name__ == "__main__":
    sys.exit(main())
