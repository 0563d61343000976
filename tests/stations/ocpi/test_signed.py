"""What a meter signed, as CDRs hand it out."""

import base64
import json
from pathlib import Path

import pytest

from tests.stations.ocpi.conftest import Charge, Partner

pytestmark = pytest.mark.django_db
METERS = Path(__file__).parents[2] / "vectors" / "meter"


def test_a_cdr_hands_out_what_the_meter_signed(provider: Partner, charge: Charge) -> None:
    """As it came, with the key and the address of the receipt; one without contexts by its place."""
    vector = json.loads((METERS / "between.json").read_text())
    row = charge(signed_meter_values=vector["values"], signed_verdict="VERIFIED", meter_public_key=vector["key"])
    alfen = [{"format": "ALFEN", "encoding": "hex", "context": "Transaction.End", "text": "41503b30"}]
    charge(signed_meter_values=alfen, signed_verdict="NOT CHECKED")
    first, second = (found["signed_data"] for found in provider.objects("cdrs"))
    assert (first["encoding_method"], first["url"]) == ("OCMF", f"http://testserver/sessions/{row.pk}/receipt")
    assert base64.b64decode(first["public_key"]).hex() == vector["key"]
    assert [value["nature"] for value in first["signed_values"]] == ["Start", "Intermediate", "End"]
    texts = [base64.b64decode(value["signed_data"]).decode() for value in first["signed_values"]]
    assert texts == [value["text"] for value in vector["values"]]
    assert all(value["plain_data"] in text for value, text in zip(first["signed_values"], texts, strict=True))
    assert second == {
        "encoding_method": "Alfen Eichrecht",
        "signed_values": [{"nature": "End", "plain_data": "#NA", "signed_data": base64.b64encode(b"AP;0").decode()}],
        "url": second["url"],
    }
