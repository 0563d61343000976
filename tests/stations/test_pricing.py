"""What a charge costs: exact, line by line, and the lines add up."""

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.decimal_text import decimal_text
from stations.tariffs.currencies import minor_digits
from stations.tariffs.pricing import CostLine, cost_lines, minor_units, session_cost_lines, total_minor

prices = st.decimals(0, Decimal("999999.9999"), places=4)
energies = st.integers(0, 10**10)
currencies = st.sampled_from(["EUR", "USD", "JPY", "KWD"])


def tariff(per_kwh: str = "0.49", per_session: str = "0", currency: str = "EUR") -> dict[str, str]:
    return {"id": "T", "currency": currency, "price_per_kwh": per_kwh, "price_per_session": per_session}


@st.composite
def tariffs(draw: st.DrawFn) -> dict[str, str]:
    return tariff(decimal_text(draw(prices)), decimal_text(draw(prices)), draw(currencies))


def cost(snapshot: dict[str, str], energy_wh: int) -> int:
    return total_minor(cost_lines(snapshot, energy_wh=energy_wh))


@pytest.mark.parametrize(
    ("per_kwh", "per_session", "currency", "energy_wh", "amounts"),
    [
        ("0.49", "0", "EUR", 7_780, [381]),  # 3.8122
        ("0.2549", "1", "EUR", 10_000, [255, 100]),  # 2.549 rounds up
        ("0.5", "0", "EUR", 10, [1]),  # half a cent rounds up
        ("0.5", "0", "EUR", 9, [0]),
        ("0", "0", "EUR", 7_780, [0]),  # free is said, not left out
        ("0", "2.5", "EUR", 0, [0, 250]),  # the price per session is due for nothing charged, too
        ("30", "100", "JPY", 7_780, [233, 100]),  # no minor unit: 233.4 yen
        ("0.1", "0.0005", "KWD", 7_780, [778, 1]),  # a thousandth
    ],
)
def test_a_bill(per_kwh: str, per_session: str, currency: str, energy_wh: int, amounts: list[int]) -> None:
    lines = cost_lines(tariff(per_kwh, per_session, currency), energy_wh=energy_wh)
    assert [line.amount_minor for line in lines] == amounts
    assert [line.kind for line in lines] == ["ENERGY", "FLAT"][: len(amounts)]


def test_a_line_says_what_it_is_made_of() -> None:
    lines = cost_lines(tariff("0.2549", "1"), energy_wh=7_780)
    assert lines == [
        CostLine("ENERGY", 7_780, "Wh", Decimal("0.2549"), 198),
        CostLine("FLAT", 1, "session", Decimal("1"), 100),
    ]


@given(tariffs(), energies)
def test_the_lines_are_exact_and_never_floats(snapshot: dict[str, str], energy_wh: int) -> None:
    """Against whole numbers alone: prices have four decimals, energy is in thousandths."""
    for line in cost_lines(snapshot, energy_wh=energy_wh):
        assert all(type(value) is int for value in (line.quantity, line.amount_minor))
        units = int(line.price * 10**4) * line.quantity * 10 ** minor_digits(snapshot["currency"])
        scale = 10**7 if line.kind == "ENERGY" else 10**4
        assert line.amount_minor == (2 * units + scale) // (2 * scale)


@given(tariffs(), energies, st.integers(0, 10**6))
def test_more_energy_never_costs_less(snapshot: dict[str, str], energy_wh: int, more: int) -> None:
    assert 0 <= cost(snapshot, energy_wh) <= cost(snapshot, energy_wh + more)


@given(prices)
def test_a_price_survives_its_text(price: Decimal) -> None:
    assert Decimal(decimal_text(price)) == price
    assert "E" not in decimal_text(price) and decimal_text(price) == decimal_text(price.normalize())


def test_energy_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 0 Wh, got -1"):
        cost_lines(tariff(), energy_wh=-1)


@pytest.mark.parametrize(("amount", "minor"), [("1.005", 101), ("1.0049", 100), ("0.125", 13), ("0.135", 14)])
def test_half_rounds_up(amount: str, minor: int) -> None:
    assert minor_units(Decimal(amount), "EUR") == minor


# --- of a session


def closed(**changes: Any) -> Any:
    fields = {"tariff": tariff("0.2549", "1"), "energy_wh": 7_780, "cost_minor": 298, "credit": False}
    return SimpleNamespace(**fields | changes)


def test_a_session_explains_its_cost() -> None:
    assert [line.amount_minor for line in session_cost_lines(closed())] == [198, 100]


def test_a_credit_explains_itself_by_what_it_gives_back() -> None:
    lines = session_cost_lines(closed(credit=True, energy_wh=-7_780, cost_minor=-298))
    assert [(line.quantity, line.amount_minor) for line in lines] == [(-7_780, -198), (-1, -100)]


@pytest.mark.parametrize(
    "changes", [{"tariff": {}}, {"energy_wh": None, "cost_minor": None}, {"cost_minor": None}, {"cost_minor": 299}]
)
def test_nothing_is_explained_that_does_not_add_up(changes: dict[str, Any]) -> None:
    assert session_cost_lines(closed(**changes)) == []
