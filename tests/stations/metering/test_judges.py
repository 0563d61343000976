"""Others' readers and our two agree on true texts, and no text with a changed byte verifies anywhere here."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dev.stations.ocmf import SignedMeter
from ledger.standalone import verify_meter
from stations.metering.curves import CURVES
from stations.metering.judging import SignedValue, each
from stations.metering.keys import public_key_read
from tests.stations.metering import judges
from tests.vectors import make_meter

BEGUN = datetime(2026, 11, 30, 17, 0, tzinfo=UTC)
MUTATIONS = 5_000
# What the two judges cannot read, seen in pyocmf 0.6.0 and @road-labs/ocmf 0.0.9.
PYOCMF_LACKS, ROAD_LABS_LACKS = {"brainpool256r1", "brainpoolP384r1", "brainpool384r1"}, {"secp521r1", "brainpoolP"}


def public() -> list[tuple[str, bytes]]:
    """Every text of another maker in our vectors, with its key."""
    found: dict[str, bytes] = {}
    for path in sorted(make_meter.DIRECTORY.glob("*.json")):
        case = json.loads(path.read_text())
        if path.name.startswith(("public-", "shared-")):
            found |= {value["text"].strip(): bytes.fromhex(case["key"]) for value in case["values"]}
    return list(found.items())


def simulated() -> Iterator[tuple[str, str, bytes]]:
    """Texts of our own simulator with the curve's name in each spelling."""
    for curve in CURVES:
        for spelled in dict.fromkeys((curve, curve.replace("poolP", "pool"))):
            meter = SignedMeter("1EVP0000000001", curve=curve, spelled=spelled)
            for text in (meter.begin(1000, BEGUN, "04AB076A345B85"), meter.both((1000, BEGUN), (2500, BEGUN))):
                yield spelled, text, meter.public_key


def ours(text: str, key: bytes) -> bool:
    return each([SignedValue("OCMF", "plain", "", text)], key) == [""]


def script(text: str, key: bytes) -> bool:
    value = {"format": "OCMF", "encoding": "plain", "text": text}
    return verify_meter.alone(value, key).startswith("signed by this key")


@pytest.fixture(scope="module")
def road_labs() -> dict[str, bool]:
    """What the one process said of all texts."""
    every = [*public(), *((text, key) for _, text, key in simulated())]
    return dict(zip([text for text, _ in every], judges.road_labs_accept(every), strict=True))


def test_what_both_judges_accept_verifies(road_labs: dict[str, bool]) -> None:
    both = [(text, key) for text, key in public() if road_labs[text] and judges.pyocmf_accepts(text, key)]
    assert len(both) >= 19
    assert all(ours(text, key) and script(text, key) for text, key in both)
    # And nothing that either refuses, but for what is known: padded signatures, r and s alone, and spellings.
    alone = [text for text, key in public() if ours(text, key) and (text, key) not in both]
    assert len(alone) == 6, [text[:60] for text in alone]


def test_what_the_simulator_signs_verifies_with_both_judges(road_labs: dict[str, bool]) -> None:
    for spelled, text, key in simulated():
        assert ours(text, key) and script(text, key), spelled
        assert judges.pyocmf_accepts(text, key) is (spelled not in PYOCMF_LACKS), spelled
        assert road_labs[text] is not any(spelled.startswith(lacked) for lacked in ROAD_LABS_LACKS), spelled


def mutated(text: str, chance: random.Random) -> Iterator[str]:
    """Each character changed: to its other case, to its neighbour, to anything."""
    for place, character in enumerate(text):
        for other in {ord(character) ^ 0x20, ord(character) ^ 1, chance.randrange(256)} - {ord(character)}:
            yield f"{text[:place]}{chr(other)}{text[place + 1 :]}"


def test_no_changed_byte_verifies() -> None:
    """Over every place of texts of several makers; what OpenSSL cannot check is tried less, for it is slow."""
    chance = random.Random(14)
    tried = 0
    texts = [(text, key) for text, key in public() if ours(text, key)]
    fast = [(text, key) for text, key in texts if public_key_read(key)[1] in ("secp256r1", "secp256k1")]
    for text, key in fast:
        for fake in mutated(text, chance) if tried < MUTATIONS else ():
            assert not ours(fake, key), fake
            tried += 1
    assert tried >= MUTATIONS
    for text, key in texts:
        for fake in chance.sample(list(mutated(text, chance)), 20):
            assert not ours(fake, key) and not script(fake, key), fake


def test_the_script_takes_files_of_others(capsys: pytest.CaptureFixture[str]) -> None:
    """The container, texts one behind the other, and a record's values."""
    data = Path(__file__).parents[2] / "data" / "ocmf"
    values, key = verify_meter.of_file((data / "ocmf_sec.xml").read_text())
    assert verify_meter.judge(values, verify_meter.key_of(key))["verdict"] == "VERIFIED"
    listed = "\n".join(value["text"] for value in values)
    assert [value["text"] for value in verify_meter.of_file(listed)[0]] == [value["text"] for value in values]
    assert verify_meter.of_file(json.dumps({"signed_meter_values": values})) == (values, "")
