"""The script on a ZIP as a whole: verified, and every way to alter it said; nodes answer from a vector."""

import hashlib
import io
import json
import zipfile
from argparse import Namespace
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import pytest

from ledger.standalone import verify_receipt, verify_statement
from stations.metering.containers import written
from stations.metering.judging import SignedValue
from tests.vectors.loading import NOT_LISTED, Vector, question, vectors

Json = dict[str, Any]
Check = Callable[[Mapping[str, bytes] | bytes], tuple[int, str]]


@pytest.fixture(scope="module")
def vector() -> Vector:
    return next(vector for vector in vectors() if vector.name == "signed-good")


@pytest.fixture
def check(vector: Vector, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Check]:
    """Exit status and what is printed, for files or for the bytes of a ZIP."""

    def post(url: str, call: str, query: Json) -> tuple[int, bytes, None]:
        return *vector.answers[url].get(question(call, query), NOT_LISTED), None

    monkeypatch.setattr(verify_receipt, "post", post)

    def checked(content: Mapping[str, bytes] | bytes) -> tuple[int, str]:
        data = content if isinstance(content, bytes) else zipped(content)
        status = verify_statement.check(data, Namespace(node=list(vector.urls), json=False, **vector.pins))
        return status, capsys.readouterr().out

    yield checked


def zipped(files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return made.getvalue()


def statement(vector: Vector, **changed: Any) -> dict[str, bytes]:
    """The files of a statement with the vector's one charge; `changed` replaces members of the index."""
    receipt = json.loads(vector.receipt)
    record = receipt["record"]
    charge = {
        **{name: record.get(name, "") for name in ("id", "station", "started_at", "stopped_at")},
        **{"energy_wh": record["energy_wh"]},
        **{"file": "receipts/0001.json", "sha256": hashlib.sha256(vector.receipt).hexdigest()},
        **{"ledger_id": receipt["ledger_id"], "signed_verdict": record["signed_verdict"]},
        **{"amount_minor": record.get("cost_minor"), "currency": record.get("currency", "")},
    }
    sums = [{"currency": charge["currency"], "charges": 1, "energy_wh": charge["energy_wh"]}]
    sums[0]["amount_minor"] = charge["amount_minor"]
    index = {
        **{"format": "evportal-statement/1", "document_number": "2026-03-X", "period": "2026-03"},
        **{"vehicle": None, "place": None, "price_basis": "CONTRACT", "charges": [charge], "sums": sums},
    }
    values = [SignedValue.of(one) for one in record["signed_meter_values"]]
    return {
        "statement.json": json.dumps(index | changed).encode(),
        "receipts/0001.json": vector.receipt,
        "meter-values/0001.xml": written(values, record["meter_public_key"]),
        "statement.pdf": b"%PDF",
    }


def charge_of(vector: Vector) -> Json:
    found: Json = json.loads(statement(vector)["statement.json"])["charges"][0]
    return found


def test_a_whole_statement_is_verified(check: Check, vector: Vector) -> None:
    status, text = check(statement(vector))
    assert status == 0 and text.endswith("VERIFIED\n"), text
    assert "1 of 1 charges recorded, unaltered; 1 of 1 signed by the meter." in text
    assert "none left out between first and last" in text


def test_every_alteration_is_said(check: Check, vector: Vector) -> None:
    whole, charge = statement(vector), charge_of(vector)
    more = charge | {"energy_wh": charge["energy_wh"] + 1}
    fakes: list[tuple[dict[str, bytes], str]] = [
        ({name: data for name, data in whole.items() if name != "receipts/0001.json"}, "the receipt is missing"),
        (whole | {"receipts/0001.json": vector.receipt + b" "}, "another SHA-256"),
        (whole | {"receipts/0002.json": vector.receipt}, "receipts that the index does not name: receipts/0002.json"),
        (statement(vector, charges=[more]), "recorded otherwise: energy_wh"),
        (statement(vector, charges=[charge | {"signed_verdict": ""}]), "recorded otherwise: signed_verdict"),
        (statement(vector, charges=[charge | {"station": "another"}]), "recorded otherwise: station"),
        (statement(vector, charges=[charge, charge]), f"charges that stand there twice: {charge['ledger_id']}"),
        (statement(vector, sums=[]), "sums that are not those of the charges"),
        (whole | {"meter-values/0001.xml": written([])}, "has other texts than the record"),
    ]
    for files, said in fakes:
        status, text = check(files)
        assert status == 1 and said in text and text.endswith("NOT VALID\n"), (said, text)


def test_the_flat_rate_is_worked_out(check: Check, vector: Vector) -> None:
    charge = charge_of(vector)
    rate = {"price_per_kwh": "0.34", "currency": "EUR", "year": 2026, "source": "BMF"}
    right = (charge["energy_wh"] * 34 * 2 + 1000) // 2000
    for amount, status in ((right, 0), (right + 1, 1)):
        flat = charge | {"amount_minor": amount, "currency": "EUR"}
        sums = [{"currency": "EUR", "charges": 1, "energy_wh": charge["energy_wh"], "amount_minor": amount}]
        files = statement(vector, price_basis="FLAT_RATE", flat_rate=rate, charges=[flat], sums=sums)
        assert check(files)[0] == status


def test_what_is_no_statement_is_refused(check: Check, vector: Vector) -> None:
    whole = statement(vector)
    good = zipped(whole)
    index = json.loads(whole["statement.json"])
    twice = whole["statement.json"].replace(b'"period"', b'"period": "2026-03", "period"')
    refused: list[Mapping[str, bytes] | bytes] = [
        *(b"PK", good[:-1], good + b"x", b"x" + good, good.replace(b"statement.pdf", b"statement.exe")),
        *({}, whole | {"../etc": b""}, whole | {"statement.json": b"[]"}, whole | {"statement.json": twice}),
        *(whole | {"statement.json": json.dumps(index | {"period": "2026-13"}).encode()},),
        *(whole | {"statement.json": json.dumps(index | {"sums": 1.5}).encode()},),
        *(whole | {"statement.json": json.dumps(index | {"charges": [{}]}).encode()},),
    ]
    for content in refused:
        status, text = check(content)
        assert status == 1 and text.startswith("no statement: "), text


def test_left_out_between_first_and_last() -> None:
    def judged(begin: int, end: int, first: int, last: int, meter: str = "M1") -> tuple[str, Json]:
        return "key", {"meter": meter, "_exact": (Fraction(begin), Fraction(end)), "numbers": (first, last)}

    whole = [judged(0, 10, 1, 2), judged(25, 30, 5, 6), judged(10, 25, 3, 4)]
    assert verify_statement.left_out(whole) == ["Meter M1: none left out between first and last."]
    assert verify_statement.left_out([*whole, whole[0]]) == verify_statement.left_out(whole)
    (said,) = verify_statement.left_out(whole[:2])
    lie = "0.015 kWh and 2 signed texts after T2"
    assert said == f"Meter M1: between its charges lie {lie}, which this statement does not have."
    assert len(verify_statement.left_out([judged(0, 1, 1, 2), judged(9, 10, 1, 2, "M2")])) == 2
