"""Two revisions beside each other: each is measured with its own code, and the ratio says which is which."""

import json
from pathlib import Path

import pytest

from bench import against, results
from bench.results import Figure
from dev.parts.tpm_service import ROOT

PROBE = """
import json, sys
from pathlib import Path
import ledger
place = Path(ledger.__file__).parents[1]
Path(sys.argv[2]).write_text(json.dumps({"samples": [2.0, 1.0, 9.0], "beside": {"here": place == Path.cwd()}}))
"""
RATIO = Figure("some_ratio", "probe", "times", 0.5, databases=())


def test_each_revision_is_measured_with_its_own_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(against, "BENCH", tmp_path)
    (tmp_path / "probe.py").write_text(PROBE)
    other, commit = against.checked_out("HEAD")
    assert other.name == commit[:12]
    assert against.checked_out(commit) == (other, commit)  # once made, it is found again
    for checkout in (other, ROOT):
        found = against.sample(checkout, "probe")
        assert found == {"samples": [2.0, 1.0, 9.0], "beside": {"here": True}}


def test_both_are_measured_in_turn_and_the_ratio_is_this_trees(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Path] = []

    def sample(checkout: Path, module: str) -> dict[str, object]:
        asked.append(checkout)
        return {"samples": [1.0 if checkout == ROOT else 4.0], "beside": {"sessions": 7}}

    monkeypatch.setattr(against, "sample", sample)
    monkeypatch.setattr(against, "RATIOS", {RATIO.name: RATIO})
    monkeypatch.setattr(results, "RESULTS", tmp_path / "results.json")
    assert against.main(["HEAD", "some_ratio", "--rounds", "2"]) == 0
    other, commit = against.checked_out("HEAD")
    assert asked == [other, ROOT, other, ROOT]
    entry = json.loads((tmp_path / "results.json").read_text())["figures"]["some_ratio"]
    assert (entry["value"], entry["reached"], entry["this"], entry["other"]) == (0.25, True, [1.0, 1.0], [4.0, 4.0])
    assert (entry["beside"], entry["revision"]) == ({"sessions": 7}, commit[:12])
    assert "0.25 times, target 0.5: reached" in capsys.readouterr().out


def test_a_revision_that_is_not_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert against.main(["no-such-revision"]) == 1
    assert "no-such-revision" in capsys.readouterr().err


def test_a_figure_that_is_not_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        against.main(["HEAD", "no_such_figure"])
    assert "audit_100k_ratio" in capsys.readouterr().err
