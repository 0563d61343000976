"""audit_1m_peak_mb: the memory that `manage.py ledger_audit` takes at most over 1,000,000 recorded sessions.

Method: as bench/audit.py, which also says how long it took.
"""

import tempfile
from pathlib import Path

from bench.audit import measure
from bench.stage import plain_options, write


def main() -> None:
    parser = plain_options(__doc__, count=1_000_000, what="sessions")
    chosen = parser.parse_args()
    chosen.runs = 1
    with tempfile.TemporaryDirectory(prefix="evp-") as directory:
        seconds, peak = measure(chosen, Path(directory))
    write(chosen.out, [peak], seconds=round(seconds[0]), sessions_a_minute=round(60 * chosen.count / seconds[0]))


if __name__ == "__main__":
    main()
