"""The schema itself: it takes the specification's own examples, and refuses what is wrong in them by one member."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from jsonschema import ValidationError

from tests.stations.ocpi import schema

EXAMPLES = Path(__file__).parent / "examples"
FILES = {path.name: path for path in sorted(EXAMPLES.glob("*.json"))}
KINDS = {"cdr": schema.CDR, "session": schema.SESSION, "tariff": schema.TARIFF}


def example(name: str) -> tuple[schema.Schema, Any]:
    found = json.loads(FILES[name].read_text(), parse_float=Decimal, parse_int=Decimal)
    return KINDS[name.partition("_")[0]], found


@pytest.mark.parametrize("name", FILES)
def test_the_specifications_examples_fit(name: str) -> None:
    schema.check(*example(name))


@pytest.mark.parametrize("name", FILES)
def test_a_missing_or_misspelt_member_does_not(name: str) -> None:
    kind, found = example(name)
    for member in kind["required"]:
        without = {key: value for key, value in found.items() if key != member}
        for wrong in (without, without | {f"{member}_": found[member]}):
            with pytest.raises(ValidationError):
                schema.check(kind, wrong)


@pytest.mark.parametrize("number", ["0.12345", "1E+2"])
def test_a_number_of_another_form_does_not(number: str) -> None:
    with pytest.raises(AssertionError):
        schema.check(schema.PRICE, {"excl_vat": Decimal(number)})


def test_a_time_with_an_offset_or_too_many_digits_does_not() -> None:
    for text in ("2026-03-01T08:00:00+00:00", "2026-03-01T08:00:00.123456Z", "2026-03-01"):
        with pytest.raises(ValidationError):
            schema.check(schema.DATE_TIME, text)
