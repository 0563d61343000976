"""What may be billed: figures at and beside each limit, and properties that hold for all."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stations.charging.plausibility import Charge, energy_limit_wh, judge

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def charge(*, seconds: int = 3600, energy_wh: int = 5000, **others: Any) -> Charge:
    return Charge(started_at=NOON, stopped_at=NOON + timedelta(seconds=seconds), energy_wh=energy_wh, **others)


@pytest.mark.parametrize(
    ("reported", "flags", "billable"),
    [
        (charge(), [], True),
        (charge(energy_wh=0), ["zero_energy"], True),
        (charge(energy_wh=-1), ["zero_energy"], True),  # rounded by two hands
        (charge(energy_wh=-2), ["meter_backwards"], False),
        (charge(seconds=0, energy_wh=0), ["zero_energy"], True),
        (charge(seconds=24 * 3600), [], True),
        (charge(seconds=24 * 3600 + 1), ["long_session"], True),
        (charge(seconds=55 * 3600, energy_wh=4100), ["long_session"], True),
        # 22 kW for an hour and a minute of tolerance, and 10 %: 24,603.3 Wh
        (charge(max_power_w=22_000, energy_wh=24_603), [], True),
        (charge(max_power_w=22_000, energy_wh=24_604), ["power_exceeded"], False),
        # Power unknown: 400 kW
        (charge(energy_wh=447_333), [], True),
        (charge(energy_wh=447_334), ["power_exceeded"], False),
        (charge(seconds=0, energy_wh=7333), [], True),
        (charge(seconds=0, energy_wh=7334), ["power_exceeded"], False),
        # The peer's 910 kWh for 0.083: believable power over a long time, but the start is a stand-in
        (
            charge(
                seconds=10 * 3600, energy_wh=910_083, meter_start_wh=0, meter_stop_wh=910_083, start_reported_late=True
            ),
            ["zero_start_reported_late", "start_reported_late"],
            False,
        ),
        (charge(meter_start_wh=0, meter_stop_wh=5000), [], True),
        (charge(meter_start_wh=1, meter_stop_wh=5001, start_reported_late=True), ["start_reported_late"], True),
        (
            charge(energy_wh=0, meter_start_wh=0, meter_stop_wh=0, start_reported_late=True),
            ["start_reported_late", "zero_energy"],
            True,
        ),
        (charge(meter_start_wh=100, meter_stop_wh=5100, samples_wh=[100, 5100, 2000]), [], True),
        (charge(meter_start_wh=100, meter_stop_wh=5100, samples_wh=[99, 5101]), [], True),
        (charge(meter_start_wh=100, meter_stop_wh=5100, samples_wh=[98]), ["meter_backwards"], False),
        (charge(meter_start_wh=100, meter_stop_wh=5100, samples_wh=[5102]), ["meter_backwards"], False),
        # Samples in kWh with one digit, start and end in Wh: cut or rounded, they lie up to a step beside those
        (charge(meter_start_wh=12_345, meter_stop_wh=17_345, samples_wh=[12_300, 14_800, 17_300]), [], True),
        (charge(meter_start_wh=12_355, meter_stop_wh=17_355, samples_wh=[12_400, 14_800, 17_400]), [], True),
        (charge(meter_start_wh=12_345, meter_stop_wh=17_345, samples_wh=[12_200]), ["meter_backwards"], False),
        (charge(meter_start_wh=12_345, meter_stop_wh=17_345, samples_wh=[17_400]), ["meter_backwards"], False),
        (charge(meter_start_wh=12_345, meter_stop_wh=17_345, samples_wh=[12_300, 14_801]), ["meter_backwards"], False),
        (charge(meter_start_wh=12_345, meter_stop_wh=17_345, samples_wh=[12_000, 14_000, 17_000]), [], True),
        (charge(meter_start_wh=345, meter_stop_wh=5345, samples_wh=[0]), ["meter_backwards"], False),
        (charge(meter_start_wh=45, meter_stop_wh=5045, samples_wh=[0, 2_500]), [], True),
        (charge(meter_start_wh=12_000, meter_stop_wh=17_000, samples_wh=[11_000]), ["meter_backwards"], False),
        # Ended without its station: the end is the last of such samples
        (
            charge(energy_wh=-45, meter_start_wh=12_345, meter_stop_wh=12_300, samples_wh=[12_300]),
            ["zero_energy"],
            True,
        ),
        (
            charge(
                energy_wh=-145, meter_start_wh=12_345, meter_stop_wh=12_200, samples_wh=[12_200], max_power_w=22_000
            ),
            ["meter_backwards"],
            False,
        ),
        (
            charge(energy_wh=-2, meter_start_wh=2, meter_stop_wh=0, seconds=90_000, max_power_w=2_000),
            ["meter_backwards", "long_session"],
            False,
        ),
    ],
)
def test_each_limit(reported: Charge, flags: list[str], billable: bool) -> None:
    verdict = judge(reported)
    assert (verdict.flags, verdict.billable) == (flags, billable)


energies = st.integers(-(10**12), 10**12)
charges = st.builds(
    charge,
    seconds=st.integers(0, 10**7),
    energy_wh=energies,
    meter_start_wh=st.none() | st.integers(0, 10**12),
    meter_stop_wh=st.none() | st.integers(0, 10**12),
    samples_wh=st.lists(energies, max_size=4),
    start_reported_late=st.booleans(),
    max_power_w=st.none() | st.integers(0, 10**7),
)


@given(charges)
def test_what_is_billed_is_never_negative_nor_more_than_the_connector_gives(reported: Charge) -> None:
    verdict = judge(reported)
    assert (verdict.energy_wh is not None) == verdict.billable
    if verdict.energy_wh is not None:
        assert 0 <= verdict.energy_wh <= energy_limit_wh(reported)
        assert verdict.energy_wh == max(reported.energy_wh, 0)


@given(charges, st.integers(1, 10**6))
def test_more_time_or_power_never_lowers_the_limit(reported: Charge, more: int) -> None:
    longer = charge(seconds=more + int((reported.stopped_at - NOON).total_seconds()), max_power_w=reported.max_power_w)
    assert energy_limit_wh(longer) >= energy_limit_wh(reported)
    stronger = charge(seconds=3600, max_power_w=(reported.max_power_w or 0) + more)
    assert energy_limit_wh(stronger) >= energy_limit_wh(charge(seconds=3600, max_power_w=reported.max_power_w or 0))


@given(charges)
def test_flags_are_named_once_and_reasons_come_first(reported: Charge) -> None:
    verdict = judge(reported)
    assert len(set(verdict.flags)) == len(verdict.flags)
    assert verdict.flags[: len(verdict.invalid)] == list(verdict.invalid)
