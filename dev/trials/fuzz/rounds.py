"""Rounds of schemathesis against a running API: thousands of requests made from its OpenAPI document.

It finds every answer that is not documented (status, media type, body), every 5xx, input that fits the schema and is
refused or does not and is accepted, what is open without a token, and an answer that takes 5 s. Each configuration says
what is expected where.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

EXAMPLES = 50  # random ones for each operation; the TPM service has, with those that do not depend on it, 1,600 a round
ROUND_TIMEOUT_S = 3600
MAX_ANSWER_S = 5


@dataclass(frozen=True)
class Rounds:
    """`document` is the OpenAPI document's address, `config` schemathesis's TOML, which may name what `env` holds."""

    document: str
    config: str
    env: Mapping[str, str]
    examples: int = EXAMPLES
    options: Sequence[str] = ()

    def run(self, *, cases: int, seed: int) -> int:
        """Try at least so many cases and return how many; raises AssertionError for a finding."""
        done = 0
        while done < cases:
            found = self._round(seed)
            print(f"seed {seed}: {found} cases", flush=True)
            done += found
            seed += 1
        return done

    def _round(self, seed: int) -> int:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as directory:
            report, config = Path(directory, "report.json"), Path(directory, "schemathesis.toml")
            config.write_text(self.config)
            argv = [
                *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config), "run"),
                *(self.document, "--seed", str(seed), "-n", str(self.examples), *self.options),
                *("--continue-on-failure", "--max-response-time", str(MAX_ANSWER_S), "--generation-database", "none"),
                *("--workers", "1", "--no-color", "--report", "json", "--report-json-path", str(report)),
            ]
            env = {**os.environ, **self.env}
            done = subprocess.run(
                argv, cwd=directory, env=env, capture_output=True, text=True, timeout=ROUND_TIMEOUT_S, check=False
            )
            found = json.loads(report.read_text()) if report.exists() else None
        said = f"seed {seed}:\n{done.stdout}{done.stderr}"
        assert found is not None and done.returncode == 0 and found["complete"], said
        assert found["operations"]["tested"] == found["operations"]["total"], said
        return int(found["test_cases"]["generated"])
