"""The sample on the first page: a receipt that this portal made, and what two nodes of its chain answered about it.

sample.json is a vector (tests/vectors/README.md says how one is written), made by tests/portal/welcome/test_sample.py.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "sample.json"


@dataclass(frozen=True)
class Sample:
    """`content` is the vector, `record` the session in its receipt."""

    content: dict[str, Any]
    record: dict[str, Any]
    started_at: datetime


@cache
def sample() -> Sample:
    """Read once."""
    content = json.loads(FILE.read_text())
    record = json.loads(content["receipt"]["text"])["record"]
    return Sample(content, record, datetime.fromisoformat(record["started_at"]))
