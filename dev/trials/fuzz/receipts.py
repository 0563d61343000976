"""Tries the three verifiers of receipts, portal, script and browser, on the same made-up cases: they must not differ.

Each case is one of tests/vectors, or a small world whose hashes all fit, with receipt, nodes' answers and pins changed
at random. Compared are the verdict, each step's outcome and the notices; and no record that is not one of the vectors'
true ones may be VERIFIED by any. A disagreement is printed, and kept in var/fuzz_receipts as a file of the vectors'
form. The nodes are functions in each verifier's own process, so nothing of it goes over a network; a seed gives the
same cases again. bench/ledger/fuzz_receipts.py is its command.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from tqdm import tqdm

from dev.trials.fuzz.mutations import Mutator, written
from dev.trials.fuzz.worlds import made, signed_records
from tests import browser_check
from tests.ledger.receipts.receipt_chain import RECORD
from tests.vectors.chain import LEDGER_ID, digest_of
from tests.vectors.loading import Vector, vectors
from tests.vectors.verifiers import Said, portal, script

ROOT = Path(__file__).parents[3]
KEPT = ROOT / "var" / "fuzz_receipts"
BATCH = 250
WORLDS = 0.3  # of the cases
SHOWN = 20


@dataclass(frozen=True)
class Finding:
    """A case on which the verifiers differ, or which one of them should not have verified."""

    number: int
    case: Vector
    what: str
    said: Mapping[str, Said]


def cases(seed: int, count: int) -> Iterator[Vector]:
    rng, known = Random(seed), vectors()  # noqa: S311  nothing secret, and the same again
    right = [vector for vector in known if vector.right["verdict"] == "VERIFIED"]
    mutator = Mutator(rng, known)
    for number in range(count):
        if rng.random() < WORLDS:
            world = made(rng, f"world-{number}")
            yield mutator.mutated(world) if rng.random() < 0.5 else world
        else:
            yield mutator.mutated(rng.choice(right if rng.random() < 0.7 else known))


def true_records() -> set[str]:
    """What was recorded, of all vectors that verify: id, digest and record as they stand in the receipt."""
    found = {_record(vector.receipt) for vector in vectors() if vector.right["verdict"] == "VERIFIED"}
    of_worlds = (RECORD, *signed_records())
    return {*found, *(_written(str(LEDGER_ID), digest_of(record).hex(), record) for record in of_worlds)}


def _record(receipt: bytes) -> str:
    content = json.loads(receipt)
    return _written(content["ledger_id"], content["digest"], content["record"])


def _written(ledger_id: str, digest: str, record: Any) -> str:
    return json.dumps([ledger_id, digest, record], sort_keys=True)


def findings(page: Any, batch: Sequence[Vector], start: int, true: set[str]) -> Iterator[Finding]:
    for number, (case, browser) in enumerate(zip(batch, browser_check.run(page, batch), strict=True), start=start):
        said = {"browser": _of_browser(browser), "script": _heard(script, case), "portal": _heard(portal, case)}
        if len(set(said.values())) > 1:
            yield Finding(number, case, "they differ", said)
        elif any(one.verdict == "VERIFIED" for one in said.values()) and _record(case.receipt) not in true:
            yield Finding(number, case, "an altered record is VERIFIED", said)


def _heard(verifier: Callable[[Vector], Said], case: Vector) -> Said:
    try:
        return verifier(case)
    except Exception as error:  # noqa: BLE001  whatever it is, no case may cause it
        return Said(f"{type(error).__name__}: {error}"[:200], ())


def _of_browser(found: browser_check.Said) -> Said:
    return Said.of(found.verdict, found.outcomes, found.notices)


def fuzz(*, count: int, seed: int, quiet: bool = False) -> list[Finding]:
    """All findings of so many cases."""
    true = true_records()
    found: list[Finding] = []
    made_up = cases(seed, count)
    with browser_check.check_page() as page, tqdm(total=count, unit=" cases", disable=quiet or None) as bar:
        for start in range(0, count, BATCH):
            batch = [next(made_up) for _ in range(min(BATCH, count - start))]
            found += findings(page, batch, start, true)
            bar.update(len(batch))
            bar.set_postfix(disagreements=len(found))
    return found


def report(found: Sequence[Finding], seed: int) -> None:
    for one in found[:SHOWN]:
        KEPT.mkdir(parents=True, exist_ok=True)
        path = KEPT / f"{seed}-{one.number}.json"
        path.write_text(
            json.dumps(written(one.case, {name: said.as_json() for name, said in one.said.items()}), indent=1)
        )
        print(f"case {one.number} of seed {seed}, from {one.case.name}: {one.what}\n  {one.case.why}")
        for name, said in one.said.items():
            print(f"  {name:8} {said}")
        print(f"  kept in {path.relative_to(ROOT)}")
    if len(found) > SHOWN:
        print(f"and {len(found) - SHOWN} more")
