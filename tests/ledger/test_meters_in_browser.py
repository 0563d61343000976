"""What meters sign, judged in the browser (static/js/verify/judging.js) as in Python: the vectors, and made-up charges.

The arithmetic of the curves that no browser has is compared with the library's by the way: all curves are among them.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from playwright.sync_api import Page

from dev.stations.ocmf import SignedMeter
from dev.trials.fuzz.charges import Charge, changed, charge
from stations.metering.curves import CURVES
from stations.metering.judging import SignedValue, judge
from stations.metering.keys import KeyUnreadable, public_key_read
from tests.browser_check import check_page
from tests.browsers import evaluated

VECTORS = Path(__file__).parents[1] / "vectors" / "meter"
MUTATIONS, MADE_UP = 5000, 1000
AT = datetime(2026, 3, 1, 8, tzinfo=UTC)
TOKEN = "04AABBCCDD"

JUDGE = """async (text) => {
  const { keyOfSpki } = await import("/js/verify/curves.js");
  const { bytesOf } = await import("/js/verify/encoding.js");
  const { judge } = await import("/js/verify/judging.js");
  const keys = new Map([[null, undefined]]);
  const found = [];
  for (const { values, key, token } of JSON.parse(text)) {
    if (!keys.has(key)) {
      try { keys.set(key, keyOfSpki(bytesOf(key))); } catch { keys.set(key, null); }
    }
    const { verdict, reason, begin, end } = await judge(values, keys.get(key), token);
    const isRead = verdict === "VERIFIED";
    found.push([verdict, reason, ...(isRead ? [begin, end].map(({ wh, at }) => `${wh.rounded()} ${at}`) : [])]);
  }
  return found;
}"""
READ_KEYS = """async (texts) => {
  const { spkiOf } = await import("/js/verify/curves.js");
  const { hexOf } = await import("/js/verify/encoding.js");
  const { keyOfText, keyTextsIn } = await import("/js/verify/meter_key.js");
  return texts.map((text) => {
    try { return keyTextsIn(text).map(keyOfText).map((key) => hexOf(spkiOf(key))).join(" "); } catch { return null; }
  });
}"""


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with check_page() as page:
        yield page


def judged(page: Page, charges: Sequence[Charge]) -> list[list[str]]:
    found: list[list[str]] = evaluated(page, JUDGE, json.dumps([vars(one) for one in charges]))
    assert len(found) == len(charges)
    return found


def in_python(one: Charge) -> list[str]:
    """The same in the words of the page."""
    try:
        der = None if one.key is None else bytes.fromhex(one.key)
    except ValueError:
        der = b""
    if der is not None and der.hex() != one.key:
        der = b""
    said = judge([SignedValue.of(value) for value in one.values], der, token_uid=one.token)
    if said.verdict != "VERIFIED" or said.begin is None or said.end is None:
        return [said.verdict, said.reason]
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    half_up = [
        (2 * wh.numerator + wh.denominator) // (2 * wh.denominator)
        for wh in (said.begin.register_wh, said.end.register_wh)
    ]
    moments = [(at - epoch) // timedelta(microseconds=1) for at in (said.begin.at, said.end.at)]
    return [said.verdict, said.reason, *(f"{wh} {at}" for wh, at in zip(half_up, moments, strict=True))]


def values_of(*texts: str) -> list[dict[str, str]]:
    return [{"format": "OCMF", "encoding": "plain", "text": text} for text in texts]


def signed(curve: str, **more: Any) -> Charge:
    """A right charge in two texts."""
    meter = SignedMeter("1EVP1", curve, **more)
    texts = meter.begin(1000, AT, TOKEN), meter.end(8780, AT + timedelta(hours=1), TOKEN)
    return Charge(values_of(*texts), meter.public_key.hex(), TOKEN)


def vectors() -> list[tuple[str, Charge, dict[str, str]]]:
    """Those of tests/vectors/meter: name, charge, what is right."""
    found = []
    for path in sorted(VECTORS.glob("*.json")):
        case: dict[str, Any] = json.loads(path.read_text())
        found.append((path.stem, Charge(case["values"], case["key"], case["token"]), case["expected"]))
    return found


def test_every_vector_comes_out_right(page: Page) -> None:
    cases = vectors()
    said = judged(page, [one for _, one, _ in cases])
    found = {name: tuple(one[:2]) for (name, _, _), one in zip(cases, said, strict=True)}
    assert found == {name: (right["verdict"], right["reason"]) for name, _, right in cases}


def test_made_up_charges_are_judged_as_in_python(page: Page) -> None:
    """Each verdict, each reason, and what the registers say."""
    rng = Random(20_261_201)
    charges = [*(charge(rng) for _ in range(MADE_UP)), *(signed(curve) for curve in CURVES)]
    charges += [signed(curve, spelled=curve.replace("P", "")) for curve in CURVES if curve.startswith("brainpool")]
    differing = []
    expected = [in_python(one) for one in charges]
    for one, found, right in zip(charges, judged(page, charges), expected, strict=True):
        if found != right:
            differing.append((found, right, vars(one)))
    assert not differing, f"{len(differing)} of {len(charges)}: {json.dumps(differing[:3], indent=1)}"
    reasons = Counter(one[1] for one in expected)
    assert reasons[""] > 100 and len(reasons) > 20, reasons


def test_no_text_with_something_changed_is_verified(page: Page) -> None:
    """One page load: a byte of the payload or of the signature is another, is gone, or there is one more."""
    rng = Random(7)
    right = [one for _, one, expected in vectors() if expected["verdict"] == "VERIFIED" and _is_plain(one)]
    cheap = [one for one in right if "secp256r1" in _curve(one)] + [signed("secp256r1"), signed("secp384r1")]
    dear = [one for one in right if one not in cheap] + [
        signed(curve) for curve in ("secp192k1", "secp256k1", "brainpoolP256r1")
    ]
    charges = [_mutated(rng, rng.choice(cheap if number % 20 else dear)) for number in range(MUTATIONS)]
    said = judged(page, charges)
    verified = [vars(one) for one, found in zip(charges, said, strict=True) if found[0] == "VERIFIED"]
    assert not verified, verified[:3]
    assert Counter(found[1] for found in said)["signature"] > MUTATIONS // 5
    assert {found[0] for found in judged(page, [*cheap, *dear])} == {"VERIFIED"}


def _is_plain(one: Charge) -> bool:
    """Each text once, for what the other one still says counts, and in no other spelling."""
    texts = [value["text"].strip() for value in one.values]
    return len({*texts}) == len(texts) and all(value["encoding"] == "plain" for value in one.values)


def _curve(one: Charge) -> str:
    try:
        return public_key_read(one.key or "")[1]
    except KeyUnreadable:
        return ""


def _mutated(rng: Random, one: Charge) -> Charge:
    """In the payload anything; behind it a byte is another one, for blanks there are not signed."""
    at = rng.randrange(len(one.values))
    text = one.values[at]["text"].strip()
    bar = text.rindex("|")
    while True:
        if rng.random() < 0.8:
            new = f"OCMF|{changed(rng, text[5:bar])}{text[bar:]}"
        else:
            place = rng.randrange(bar, len(text))
            new = f"{text[:place]}{chr(rng.randrange(32, 127))}{text[place + 1 :]}"
        if new != text:
            values = [*one.values[:at], {**one.values[at], "text": new}, *one.values[at + 1 :]]
            return Charge(values, one.key, one.token)


def test_keys_are_read_as_people_put_them_in(page: Page) -> None:
    """Hexadecimal in both sizes and in groups, base64, PEM, several; and what is none is refused."""
    import base64

    der = SignedMeter("1EVP1", "secp256k1").public_key
    other = SignedMeter("1EVP1", "brainpoolP384r1").public_key
    own, text = der.hex(), base64.b64encode(der).decode()
    groups = " ".join(own[at : at + 4] for at in range(0, len(own), 4))
    pem = f"-----BEGIN PUBLIC KEY-----\n{text[:64]}\n{text[64:]}\n-----END PUBLIC KEY-----\n"
    good = {
        own: own,
        own.upper(): own,
        groups: own,
        text: own,
        pem: own,
        f"{text}\n\n{other.hex()}": f"{own} {other.hex()}",
    }
    point, short = der[-65:].hex(), "02" + der[-64:-32].hex()
    good |= {point: own, point[2:]: own, f"oca:base16:asn1:{own}": own, f"0x{own}": own}
    good |= {base64.b64encode(pem.encode()).decode(): own, text.rstrip("=").replace("+", "-"): own}
    assert [public_key_read(one)[0].hex() for one in good if "\n\n" not in one] == [own] * (len(good) - 1)
    bad = [short.replace("02", "05", 1), own[:-2], own + "00", own.replace("0", "1"), text[:-4], "x", "00"]
    found = evaluated(page, READ_KEYS, [*good, *bad])
    assert found == [*good.values(), *(None for _ in bad)]
