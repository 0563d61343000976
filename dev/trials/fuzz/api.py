"""Tries the portal's REST API with thousands of requests that schemathesis makes from its OpenAPI document.

tests/api/test_fuzz.py runs it against a portal of its own; `make fuzz-api` does so for 10,000 cases. rounds.py
says what counts as a finding, schemathesis_api.toml what is expected where.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from dev.trials.fuzz.rounds import EXAMPLES, Rounds

CONFIG = Path(__file__).with_name("schemathesis_api.toml")
PHASES = "examples,coverage,fuzzing,stateful"


@dataclass(frozen=True)
class Target:
    """A running portal, who calls it (an administrator's token, a station's Basic credentials), and ids there."""

    url: str
    token: str
    station: str
    ids: tuple[str, ...]


def fuzz(target: Target, *, cases: int, seed: int, examples: int = EXAMPLES, phases: str = PHASES) -> int:
    """Try at least so many cases and return how many; raises AssertionError for a finding."""
    document = f"{target.url}/api/v1/openapi.json"
    config = CONFIG.read_text().replace("[IDS]", json.dumps(target.ids))
    env = {"API_TOKEN": target.token, "API_STATION": target.station}
    options = ("--url", target.url, "--phases", phases)
    return Rounds(document, config, env, examples, options).run(cases=cases, seed=seed)
