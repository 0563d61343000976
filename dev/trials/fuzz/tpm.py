"""Tries the TPM service's API with thousands of requests that schemathesis makes from the OpenAPI document.

    python -m dev.trials.fuzz.tpm --cases 5000

It starts a service with a TPM and an identity provider of its own, and fails on every answer that is not documented:
status, media type, body; on every 5xx; on input that fits the schema and is refused, or does not and is accepted; on a
resource open without a token; and on an answer that takes 5 s. dev/trials/fuzz/schemathesis.toml says what is
expected where.
"""

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import httpx2

from dev.parts.tpm_service import SCOPES, TpmStack

CONFIG = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = 50  # random ones for each operation; with those that do not depend on it, about 1,600 cases a round
ROUND_TIMEOUT_S = 300
MAX_ANSWER_S = 5
ALL_SCOPES = (*SCOPES, "tpm/crypto")
FAST = {"TPM_CLIENT_RATE": "100000", "TPM_CLIENT_BURST": "100000"}
KEYS = {
    "fuzz-ecc": ("ecc-p256", "sign"),
    "fuzz-rsa": ("rsa-2048", "sign"),
    "fuzz-mail": ("rsa-2048", "decrypt"),
    "fuzz-mac": ("hmac", "sign"),
}
SEALED = "fuzz-sealed"


@dataclass(frozen=True)
class Outcome:
    """What one round was: how many cases, how many operations, and schemathesis's words when it found something."""

    cases: int
    operations: int
    complaint: str


def fuzz(stack: TpmStack, *, cases: int, seed: int) -> int:
    """Try at least so many cases against a running stack and return how many; raises AssertionError for a finding."""
    token = _token(stack)
    _prepare(stack, token)
    done = 0
    while done < cases:
        outcome = _round(stack, token, seed)
        print(f"seed {seed}: {outcome.cases} cases of {outcome.operations} operations", flush=True)
        if outcome.complaint:
            raise AssertionError(f"seed {seed}:\n{outcome.complaint}")
        done += outcome.cases
        seed += 1
    return done


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


def _round(stack: TpmStack, token: str, seed: int) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as directory:
        report = Path(directory, "report.json")
        argv = [
            *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIG), "run"),
            *(f"{stack.service_url}/v1/openapi.json", "--seed", str(seed), "-n", str(EXAMPLES)),
            *("--continue-on-failure", "--max-response-time", str(MAX_ANSWER_S), "--generation-database", "none"),
            *("--workers", "1", "--no-color", "--report", "json", "--report-json-path", str(report)),
        ]
        env = {**os.environ, "TPM_TOKEN": token}
        done = subprocess.run(
            argv, cwd=directory, env=env, capture_output=True, text=True, timeout=ROUND_TIMEOUT_S, check=False
        )
        if not report.exists():
            return Outcome(0, 0, done.stdout + done.stderr)
        found = json.loads(report.read_text())
    operations = found["operations"]
    whole = done.returncode == 0 and found["complete"] and operations["tested"] == operations["total"]
    return Outcome(found["test_cases"]["generated"], operations["tested"], "" if whole else done.stdout)


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
