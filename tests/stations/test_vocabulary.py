"""What stations call their measurements: OCPP 1.6 with its errata, OCPP 2.0.1, and what vendors make of both."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from importlib import resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.charging.vocabulary import MEASURANDS, NotUnderstood, Sample, sample_read
from stations.models import MeterValue

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
# OCPP 2.0.1 part 2, MeasurandEnumType; OCPP 1.6 section 7.31 has besides: RPM, Temperature.
OCPP = [
    "Current.Export",
    "Current.Import",
    "Current.Offered",
    "Energy.Active.Export.Register",
    "Energy.Active.Import.Register",
    "Energy.Reactive.Export.Register",
    "Energy.Reactive.Import.Register",
    "Energy.Active.Export.Interval",
    "Energy.Active.Import.Interval",
    "Energy.Active.Net",
    "Energy.Reactive.Export.Interval",
    "Energy.Reactive.Import.Interval",
    "Energy.Reactive.Net",
    "Energy.Apparent.Net",
    "Energy.Apparent.Import",
    "Energy.Apparent.Export",
    "Frequency",
    "Power.Active.Export",
    "Power.Active.Import",
    "Power.Factor",
    "Power.Offered",
    "Power.Reactive.Export",
    "Power.Reactive.Import",
    "SoC",
    "Voltage",
    "RPM",
    "Temperature",
]


def read(**said: Any) -> Sample:
    return sample_read(said, NOON)


def test_every_measurand_of_the_standards_is_known() -> None:
    """2.1 by its official schema; one name is longer than what we keep, and is set aside."""
    schema = json.loads((resources.files("ocpp") / "v21/schemas/MeterValuesRequest.json").read_text("utf-8-sig"))
    newest = set(schema["definitions"]["MeasurandEnumType"]["enum"])
    assert {*OCPP, *newest} - {"Energy.Active.Import.LocalGeneration.Register"} == set(MEASURANDS)
    longest = MeterValue._meta.get_field("measurand").max_length
    assert longest is not None and all(len(name) <= longest for name in MEASURANDS)


@pytest.mark.parametrize(
    ("said", "value", "unit"),
    [
        ({"value": 1100}, "1100", "Wh"),
        ({"value": "1100.0"}, "1100", "Wh"),
        ({"value": 1100.0}, "1100", "Wh"),
        ({"value": "1.234", "unit": "kWh"}, "1234", "Wh"),
        ({"value": 1.234, "unit": "kWh"}, "1234", "Wh"),
        ({"value": "1.2345678", "unit": "KWH"}, "1235", "Wh"),
        ({"value": "1100.4"}, "1100", "Wh"),
        ({"value": "1.1e3"}, "1100", "Wh"),
        ({"value": "-0"}, "0", "Wh"),
        ({"value": "5", "unit": None, "phase": None, "context": "", "measurand": None}, "5", "Wh"),
        (
            {"value": "5", "measurand": "energy.active.import.register", "location": "Outlet", "format": "Raw"},
            "5",
            "Wh",
        ),
        ({"value": "21.5", "measurand": "Temperature", "unit": "Celcius"}, "21.5", "Celsius"),
        ({"value": "21.5", "measurand": "Temperature", "unit": "Celsius"}, "21.5", "Celsius"),
        ({"value": "50.01", "measurand": "Frequency", "unit": "Hertz"}, "50.01", "Hz"),
        ({"value": "50.01", "measurand": "Frequency"}, "50.01", "Hz"),
        ({"value": "1200", "measurand": "RPM", "unit": "RPM"}, "1200", "RPM"),
        ({"value": "1200", "measurand": "RPM"}, "1200", "RPM"),
        ({"value": "229.89999389648438", "measurand": "Power.Active.Import", "unit": "W"}, "229.9", "W"),
        ({"value": "7.4", "measurand": "Power.Active.Import", "unit": "kW"}, "7.4", "kW"),
        ({"value": "3.5", "measurand": "Energy.Reactive.Net", "unit": "kvarh"}, "3500", "varh"),
        ({"value": "2", "measurand": "Energy.Apparent.Import", "unit": "kVAh"}, "2000", "VAh"),
        ({"value": "0.98", "measurand": "Power.Factor"}, "0.98", ""),
        ({"value": 80, "measurand": "SoC", "unit": "%", "location": "EV"}, "80", "Percent"),
        ({"value": "230", "measurand": "Voltage", "unit": "V", "phase": "l1-n"}, "230", "V"),
    ],
)
def test_what_is_understood(said: dict[str, Any], value: str, unit: str) -> None:
    sample = read(**said)
    assert (sample.value, sample.unit) == (Decimal(value), unit)


def test_when_it_was_sampled_never_decides_whether_it_is_taken() -> None:
    assert read(value=1, context="transaction.end").context == "Transaction.End"
    assert read(value=1, context="Sample.Whenever").context == "Other"


@pytest.mark.parametrize(
    ("said", "subject"),
    [
        ({"value": True}, "value"),
        ({"value": None}, "value"),
        ({}, "value"),
        ({"value": ""}, "value"),
        ({"value": []}, "value"),
        ({"value": "NaN"}, "value"),
        ({"value": float("inf")}, "value"),
        ({"value": "٢"}, "value"),
        ({"value": "1,5"}, "value"),
        ({"value": "0x10"}, "value"),
        ({"value": 10**13}, "value"),
        ({"value": "1e99"}, "value"),
        ({"value": "9" * 5000}, "value"),
        ({"value": 10**9, "measurand": "Voltage", "unit": "V"}, "value"),
        ({"value": 1, "unit": "V"}, "Energy.Active.Import.Register, unit 'V'"),
        ({"value": 1, "unit": 5}, "unit"),
        ({"value": 1, "measurand": "Power.Active.Import"}, "Power.Active.Import, unit null"),
        ({"value": 1, "measurand": "Energy"}, "measurand 'Energy'"),
        ({"value": 1, "measurand": {}}, "measurand"),
        ({"value": 1, "phase": "L4"}, "phase 'L4'"),
        ({"value": 1, "location": "Inlet"}, "location 'Inlet'"),
        ({"value": "AAAA", "format": "SignedData"}, "format 'SignedData'"),
        ({"value": "1.2", "unitOfMeasure": {"unit": "kWh"}}, "member 'unitOfMeasure'"),
        ({"value": 1, "\ud800": 1}, "member '\\ud800'"),
    ],
    ids=lambda given: ascii(given)[:60],
)
def test_what_is_not_understood_is_named(said: dict[str, Any], subject: str) -> None:
    with pytest.raises(NotUnderstood) as error:
        read(**said)
    assert error.value.subject == subject
    assert len(str(error.value)) < 800


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
words = st.sampled_from(["Voltage", "V", "Wh", "kWh", "L1", "Other", "Outlet", "1.5", "1e9", "SoC"])


@given(
    st.dictionaries(
        st.sampled_from(["value", "measurand", "unit", "phase", "context", "location", "format", "x"]), anything | words
    )
)
def test_whatever_comes_is_a_sample_or_told_apart(said: dict[str, Any]) -> None:
    try:
        sample = sample_read(said, NOON)
    except NotUnderstood as error:
        assert 0 < len(error.subject) <= 60
    else:
        assert sample.value == sample.value.quantize(Decimal("0.0001"))
        assert sample.unit != "Wh" or sample.value == int(sample.value)
