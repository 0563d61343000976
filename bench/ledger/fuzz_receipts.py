"""fuzz_receipts_disagreements: made-up receipts on which portal, script and browser differ.

    python -m bench.ledger.fuzz_receipts --cases 20000 [--seed N]

dev/trials/fuzz/receipts.py makes and compares them. Exit status 1 where there is one.
"""

import argparse
import secrets
import sys
from collections.abc import Sequence

from bench import results
from bench.results import Figure
from dev.trials.fuzz import receipts

FIGURE = Figure("fuzz_receipts_disagreements", "ledger.fuzz_receipts", "disagreements", 0, databases=())


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench.ledger.fuzz_receipts", description="Compare the three verifiers."
    )
    parser.add_argument("--cases", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32))
    chosen = parser.parse_args(arguments)
    said = f"fuzz_receipts --cases {chosen.cases} --seed {chosen.seed}"
    print(said, flush=True)
    found = receipts.fuzz(count=chosen.cases, seed=chosen.seed)
    receipts.report(found, chosen.seed)
    about = {"cases": chosen.cases, "seed": chosen.seed}
    entry = FIGURE.entry(FIGURE.summary([len(found)]), beside=about, command=f"python -m bench.ledger.{said}")
    results.update(FIGURE, entry, measured_on=results.machine())
    print(f"{len(found)} disagreements in {chosen.cases} cases")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
