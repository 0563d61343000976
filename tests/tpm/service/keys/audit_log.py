"""Reading the log of key uses."""

import json
from pathlib import Path
from typing import Any

from tpm.service.keys.audit_check import log_files


def entries(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for file in log_files(directory) for line in file.read_bytes().splitlines()]
