"""The judge says of every vector what is right; the vectors are what their maker makes, the same bytes each time."""

import json
from pathlib import Path

import pytest

from stations.metering import words
from stations.metering.judging import Judgement, SignedValue, judge
from stations.metering.keys import KeyUnreadable, public_key_read
from tests.vectors import make_meter

FILES = sorted(make_meter.DIRECTORY.glob("*.json"))


def judged(path: Path) -> tuple[Judgement, dict[str, object]]:
    case = json.loads(path.read_text())
    key = case["key"]
    try:
        der = None if key is None else public_key_read(key)[0]
    except KeyUnreadable:
        der = bytes.fromhex(key)
    return judge([SignedValue.of(one) for one in case["values"]], der, token_uid=case["token"]), case["expected"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_judge_is_right(path: Path) -> None:
    found, expected = judged(path)
    assert (found.verdict, found.reason) == (expected["verdict"], expected["reason"]), found.detail
    if "energy_wh" in expected:
        assert found.energy_wh == expected["energy_wh"]


def test_the_vectors_are_as_made() -> None:
    made = make_meter.files()
    assert {path.name: path.read_text() for path in FILES} == made
    assert len(made) > 170


def test_every_reason_has_words_and_a_vector() -> None:
    """But for those of the record, and of what only the caller knows."""
    reasons = {json.loads(path.read_text())["expected"]["reason"] for path in FILES} - {""}
    assert reasons == set(words.REASONS) - {"record_differs", "other_meter"}
    assert words.reason_text("signature") and words.reason_text("of-a-later-version") == "of-a-later-version"
