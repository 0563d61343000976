"""A tariff in words."""

from decimal import Decimal

from django.utils import translation

from stations.tariffs.terms import Term, terms_of

NIGHT = {
    "currency": "EUR",
    "vat_included": "YES",
    "min_price": {"incl_vat": "1"},
    "elements": [
        {
            "price_components": [{"type": "ENERGY", "price": "0.2", "step_size": 100}],
            "restrictions": {"start_time": "22:00", "end_time": "06:00", "day_of_week": ["SATURDAY", "SUNDAY"]},
        },
        {
            "price_components": [
                {"type": "ENERGY", "price": "0.4", "step_size": 1},
                {"type": "PARKING_TIME", "price": "6", "step_size": 300},
            ],
            "restrictions": {"min_duration": 14400, "max_power": "11.5"},
        },
        {
            "price_components": [{"type": "TIME", "price": "1", "step_size": 90}],
            "restrictions": {"reservation": "RESERVATION"},
        },
    ],
}


def test_each_price_says_when_it_holds() -> None:
    with translation.override("en"):
        assert terms_of(NIGHT) == [
            Term(Decimal("0.2"), "per kWh, in steps of 100 Wh", "22:00 to 06:00, Saturday, Sunday"),
            Term(Decimal("0.4"), "per kWh", "below 11.5 kW, after 240 min"),
            Term(
                Decimal(6), "per hour of standing without charging, in steps of 5 min", "below 11.5 kW, after 240 min"
            ),
            Term(Decimal(1), "per hour of charging, in steps of 90 s", "for a reservation"),
            Term(Decimal(1), "per charge", "at least"),
        ]


def test_the_older_form_has_two_prices_at_most() -> None:
    old = {"price_per_kwh": "0.2549", "price_per_session": "0", "currency": "EUR"}
    with translation.override("en"):
        assert terms_of(old) == [Term(Decimal("0.2549"), "per kWh")]
        assert [term.per for term in terms_of(old | {"price_per_session": "1"})] == ["per kWh", "per charge"]


def test_a_spoilt_row_has_none() -> None:
    for spoilt in ({}, {"elements": 7}, {"elements": [{"price_components": [{"type": "X", "price": "1"}]}]}):
        assert terms_of(spoilt) == []
