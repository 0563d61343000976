"""Portal, script and browser on made-up cases: the same answer; where they differ, `make fuzz-receipts` says so."""

import json
from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from bench import results
from bench.ledger import fuzz_receipts as command
from dev.trials.fuzz import receipts
from tests.vectors.loading import Vector, vector_of
from tests.vectors.verifiers import Said, portal


@pytest.mark.browser
def test_the_three_say_the_same() -> None:
    found = receipts.fuzz(count=300, seed=20_261_130, quiet=True)
    assert not found, [(one.number, one.what, one.case.why, one.said) for one in found]


def test_a_seed_gives_the_same_cases_again() -> None:
    first, again, other = (list(islice(receipts.cases(seed, 40), 40)) for seed in (1, 1, 2))
    assert first == again != other


def test_the_cases_come_out_in_every_way() -> None:
    """Neither all refused at once, nor most of them as they were."""
    said = [portal(case) for case in receipts.cases(3, 400)]
    assert min(Counter(one.verdict for one in said)[word] for word in ("VERIFIED", "NOT VALID", "NOT DECIDED")) > 40
    for step in range(12):
        assert len({one.outcomes[step] for one in said}) >= 2, step + 1


@pytest.mark.browser
def test_a_disagreement_is_printed_kept_and_ends_with_status_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script that takes whatever it is shown: it differs, and it verifies what was altered."""

    def credulous(case: Vector) -> Said:
        return Said("VERIFIED", ("ok",) * 12)

    monkeypatch.setattr(receipts, "script", credulous)
    monkeypatch.setattr(receipts, "KEPT", receipts.ROOT / "var" / tmp_path.name)
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results.json")
    assert command.main(["--cases", "30", "--seed", "5"]) == 1
    said = capsys.readouterr().out
    assert "fuzz_receipts --cases 30 --seed 5" in said and "they differ" in said and "script   Said(" in said
    figure = json.loads((tmp_path / "results.json").read_text())["figures"]["fuzz_receipts_disagreements"]
    assert figure["value"] > 0 and figure["reached"] is False and figure["beside"] == {"cases": 30, "seed": 5}
    files = sorted(receipts.KEPT.glob("*.json"))
    kept = vector_of(json.loads(files[0].read_text()))
    made = list(receipts.cases(5, 30))[int(files[0].stem.partition("-")[2])]
    assert replace(kept, right=made.right) == made


@pytest.mark.browser
def test_an_altered_record_that_all_verify_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """They agree, and are all wrong."""
    monkeypatch.setattr(receipts, "true_records", lambda: set())
    found = receipts.fuzz(count=30, seed=5, quiet=True)
    assert found and {one.what for one in found} == {"an altered record is VERIFIED"}
