"""Tries the portal's REST API with thousands of requests that schemathesis makes from its OpenAPI document.

tests/api/test_fuzz.py runs it against a portal of its own; `make fuzz-api` does so for 10,000 cases. It fails on every
answer that is not documented (status, media type, body), on every 5xx, on input that fits the schema and is refused or
does not and is accepted, on what is open without a token, and on an answer that takes 5 s.
dev/trials/fuzz/schemathesis_api.toml
says what is expected where.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from dev.trials.fuzz.tpm import Outcome

CONFIG = Path(__file__).with_name("schemathesis_api.toml")
EXAMPLES = 50  # random ones for each operation
PHASES = "examples,coverage,fuzzing,stateful"
ROUND_TIMEOUT_S = 3600
MAX_ANSWER_S = 5


@dataclass(frozen=True)
class Target:
    """A running portal, who calls it (an administrator's token, a station's Basic credentials), and ids there."""

    url: str
    token: str
    station: str
    ids: tuple[str, ...]


def fuzz(target: Target, *, cases: int, seed: int, examples: int = EXAMPLES, phases: str = PHASES) -> int:
    """Try at least so many cases and return how many; raises AssertionError for a finding."""
    done = 0
    while done < cases:
        outcome = one_round(target, seed, examples, phases)
        print(f"seed {seed}: {outcome.cases} cases of {outcome.operations} operations", flush=True)
        if outcome.complaint:
            raise AssertionError(f"seed {seed}:\n{outcome.complaint}")
        done += outcome.cases
        seed += 1
    return done


def one_round(target: Target, seed: int, examples: int, phases: str) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as directory:
        report = Path(directory, "report.json")
        config = Path(directory, "schemathesis.toml")
        config.write_text(CONFIG.read_text().replace("[IDS]", json.dumps(target.ids)))
        argv = [
            *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config), "run"),
            *(
                f"{target.url}/api/v1/openapi.json",
                "--url",
                target.url,
                "--seed",
                str(seed),
                "-n",
                str(examples),
                "--phases",
                phases,
            ),
            *("--continue-on-failure", "--max-response-time", str(MAX_ANSWER_S), "--generation-database", "none"),
            *("--workers", "1", "--no-color", "--report", "json", "--report-json-path", str(report)),
        ]
        env = {**os.environ, "API_TOKEN": target.token, "API_STATION": target.station}
        done = subprocess.run(
            argv, cwd=directory, env=env, capture_output=True, text=True, timeout=ROUND_TIMEOUT_S, check=False
        )
        if not report.exists():
            return Outcome(0, 0, done.stdout + done.stderr)
        found = json.loads(report.read_text())
    operations = found["operations"]
    whole = done.returncode == 0 and found["complete"] and operations["tested"] == operations["total"]
    return Outcome(found["test_cases"]["generated"], operations["tested"], "" if whole else done.stdout)
