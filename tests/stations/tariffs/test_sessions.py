"""A session under a tariff with elements: from its start to its bill, its credit and what partners read."""

import uuid
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from ledger.record import canonical, record_of
from portal.statements.statements import cost_sums
from stations.charging import plausibility
from stations.charging.corrections import Figures, session_correct, session_credit
from stations.charging.ending import figures_correct
from stations.charging.sessions import Ending, session_end, sessions_store_end
from stations.models import ChargingSession, MeterValue, Site, Tariff
from stations.ocpi.charges import cdr
from stations.ocpi.forms import Form, Version
from stations.ocpi.locations import Party, tariff_of
from stations.tariffs.bill import bill_of, cost_so_far
from stations.tariffs.charged import readings_of, values_of
from stations.tariffs.vat import vat_sums
from tests.stations.conftest import StationClient, at

pytestmark = pytest.mark.django_db
PARTY = Party("DE", "ABC")
OLD, NEW = Form(Version.V2_2_1), Form(Version.V2_3_0, "DE123456789")
ELEMENTS = [
    {"price_components": [{"type": "FLAT", "price": 0.5, "vat": 7, "step_size": 1}]},
    {"price_components": [{"type": "ENERGY", "price": "0.4", "vat": 19}], "restrictions": {"max_kwh": 2}},
    {"price_components": [{"type": "ENERGY", "price": 0.3, "vat": 19, "step_size": 100}]},
    {"price_components": [{"type": "PARKING_TIME", "price": "6", "vat": 19, "step_size": 600}]},
]


def make(**changes: Any) -> Tariff:
    made = Tariff(code="NIGHT", name="Night", **{"elements": ELEMENTS} | changes)
    made.full_clean()
    made.save()
    return made


@pytest.fixture
def charging(owner: StationClient) -> ChargingSession:
    """An hour ago it began, after 40 minutes 5.04 kWh had flowed, and none since."""
    Site.objects.update(tariff=make())
    owner.station.refresh_from_db()
    owner.start()
    session = ChargingSession.objects.get()
    for minutes, register in ((-40, 3_000), (-20, 6_040), (-10, 6_040)):
        MeterValue.objects.create(session=session, sampled_at=at(minutes), value=register)
    return session


def ended(owner: StationClient, **changes: Any) -> ChargingSession:
    assert owner.stop(**{"meter_stop_wh": 6_040} | changes).status_code == 200
    return ChargingSession.objects.select_related("station__site", "connector", "id_token").get(credit=False)


def kinds(session: ChargingSession) -> list[tuple[str, int, int]]:
    return [(line["kind"], line["quantity"], line["amount_minor"]) for line in session.cost_lines]


LINES = [("FLAT", 1, 50), ("ENERGY", 2_000, 80), ("ENERGY", 3_100, 93), ("PARKING_TIME", 1_200, 200)]


def test_its_lines_are_stored_and_recorded(owner: StationClient, charging: ChargingSession) -> None:
    session = ended(owner)
    assert kinds(session) == LINES
    assert (session.cost_minor, session.currency) == (423, "EUR")
    assert session.cost_lines[2] == {
        "kind": "ENERGY",
        "quantity": 3_100,
        "unit": "Wh",
        "price": "0.3",
        "amount_minor": 93,
        "vat_percent": "19",
        "element": 2,
        "from": session.cost_lines[2]["from"],
        "step_size": 100,
        "used": 3_040,
    }
    canonical(record_of(session))  # whole numbers and text only


def test_the_snapshot_holds_the_elements_as_text(owner: StationClient, charging: ChargingSession) -> None:
    assert charging.tariff["vat_included"] == "YES"
    assert charging.tariff["elements"][0] == {
        "price_components": [{"type": "FLAT", "price": "0.5", "vat": "7", "step_size": 1}]
    }
    assert charging.tariff["elements"][1]["restrictions"] == {"max_kwh": "2"}
    assert "price_per_kwh" not in charging.tariff


def test_a_bill_and_the_sums_explain_it(owner: StationClient, charging: ChargingSession) -> None:
    session = ended(owner)
    bill = bill_of(session)
    assert bill and bill.total_minor == 423 and bill.vat_percent is None
    assert [(part.percent, part.gross_minor, part.net_minor) for part in bill.parts] == [
        (Decimal(7), 50, 47),
        (Decimal(19), 373, 313),
    ]
    summed = [(one.rate.percent, one.gross, one.net) for one in vat_sums([session])]
    assert summed == [(Decimal(7), 50, 47), (Decimal(19), 373, 313)]
    assert sum(one.amount_minor for one in cost_sums([session])) == 423
    session.cost_minor = 424
    assert bill_of(session) is None
    assert [(one.rate.known, one.gross) for one in vat_sums([session])] == [(False, 424)]


def test_a_credit_gives_back_line_by_line(owner: StationClient, charging: ChargingSession) -> None:
    session = ended(owner)
    credit = session_credit(session=session, reason="The wrong tariff held.", by=User.objects.create_user("operator"))
    assert kinds(credit) == [(kind, -quantity, -amount) for kind, quantity, amount in LINES]
    assert [one.gross for one in vat_sums([session, credit])] == [0, 0]


def test_a_correction_explains_what_the_tariff_yields(owner: StationClient, charging: ChargingSession) -> None:
    session = ended(owner)
    times = (session.started_at, session.stopped_at or session.started_at)
    _, entered = session_correct(session=session, reason="Half of it.", figures=Figures(2_000, 431, *times), by=None)
    assert (entered.cost_minor, entered.cost_lines) == (431, [])
    _, right = session_correct(session=entered, reason="As it was.", figures=Figures(2_000, 130, *times), by=None)
    assert kinds(right) == [("FLAT", 1, 50), ("ENERGY", 2_000, 80)]


def test_a_late_stop_is_priced_by_the_meter_values(owner: StationClient, charging: ChargingSession) -> None:
    session_end(session=charging, flag=plausibility.ENDED_AFTER_SILENCE)
    session = ChargingSession.objects.get()
    assert kinds(session)[-1] == ("PARKING_TIME", 600, 100)
    meters = (1_000, 6_040)
    begin, end = session.started_at, session.started_at + timedelta(hours=1)
    reason = "The station reported the end later."
    figures_correct(session, reason, meters=meters, started_at=begin, stopped_at=end)
    replacement = ChargingSession.objects.exclude(pk=session.pk).get(credit=False)
    assert kinds(replacement) == LINES and replacement.cost_minor == 423


def test_closing_many_asks_no_more_than_closing_one(owner: StationClient, charging: ChargingSession) -> None:
    """The lines come from the values that are read for all of them together."""

    def queries(count: int) -> int:
        rows = ChargingSession.objects.select_related("connector").filter(pk=charging.pk)
        sessions = [rows.get()]
        for number in range(1, count):
            other = rows.get()
            other.pk, other.transaction_id = uuid.uuid4(), f"T{count}-{number}"
            other.started_at -= timedelta(hours=number)
            other.save(force_insert=True)
            sessions.append(other)
        reported = {"stopped_at": timezone.now(), "meter_stop_wh": 6_040, "stop_reason": ""}
        with CaptureQueriesContext(connection) as asked:
            sessions_store_end([Ending(one, reported) for one in sessions])
        ChargingSession.objects.update(status="ACTIVE", stopped_at=None, cost_minor=None, currency="", energy_wh=None)
        return len(asked)

    assert queries(1) == queries(4)


def test_what_it_costs_so_far_is_as_of_the_newest_value(owner: StationClient, charging: ChargingSession) -> None:
    values = list(charging.meter_values.all())
    assert cost_so_far(charging, 5_040, values) == (50 + 80 + 93 + 100, "EUR")
    assert cost_so_far(charging, None, values) is None


def test_a_cdr_says_it_in_ocpis_words(owner: StationClient, charging: ChargingSession) -> None:
    Site.objects.update(latitude=Decimal("53.5"), longitude=Decimal(10))
    session = ended(owner)
    found = cdr(session, party=PARTY, language="en", form=OLD)
    assert found["total_cost"] == {"excl_vat": Decimal("3.60"), "incl_vat": Decimal("4.23")}
    assert found["total_energy_cost"] == {"excl_vat": Decimal("1.45"), "incl_vat": Decimal("1.73")}
    assert found["total_fixed_cost"]["incl_vat"] == Decimal("0.50")
    assert found["total_parking_cost"]["incl_vat"] == Decimal("2.00")
    assert found["total_parking_time"] == Decimal("0.3333")
    volumes = [(one["type"], one["volume"]) for period in found["charging_periods"] for one in period["dimensions"]]
    assert volumes == [("ENERGY", 2), ("ENERGY", Decimal("3.04")), ("PARKING_TIME", Decimal("0.3333"))]
    assert found["tariffs"][0]["elements"][1] == {
        "price_components": [{"type": "ENERGY", "price": Decimal("0.3361"), "vat": Decimal(19), "step_size": 1}],
        "restrictions": {"max_kwh": Decimal(2)},
    }


def test_a_cdr_of_2_3_0_has_each_rate_of_its_taxes(owner: StationClient, charging: ChargingSession) -> None:
    Site.objects.update(latitude=Decimal("53.5"), longitude=Decimal(10))
    session = ended(owner)
    found = cdr(session, party=PARTY, language="en", form=NEW)
    vat = {"name": "VAT", "account_number": "DE123456789"}
    taxes = [
        {"percentage": Decimal(7), "amount": Decimal("0.03")},
        {"percentage": Decimal(19), "amount": Decimal("0.60")},
    ]
    assert found["total_cost"] == {"before_taxes": Decimal("3.60"), "taxes": [vat | tax for tax in taxes]}
    assert found["total_parking_cost"]["taxes"] == [vat | {"percentage": Decimal(19), "amount": Decimal("0.32")}]
    (tariff,) = found["tariffs"]
    assert tariff["tax_included"] == "YES"
    parts = [part for element in tariff["elements"] for part in element["price_components"]]
    assert [part["price"] for part in parts] == [Decimal("0.5"), Decimal("0.4"), Decimal("0.3"), Decimal(6)]


def test_limits_are_published_without_vat_as_well(db: None) -> None:
    told = tariff_of(make(min_price=1, max_price=40).snapshot(), party=PARTY, language="en", form=OLD)
    assert told["min_price"] == {"excl_vat": Decimal("0.8403"), "incl_vat": Decimal(1)}
    assert told["max_price"] == {"excl_vat": Decimal("37.3832"), "incl_vat": Decimal(40)}
    told = tariff_of(Tariff.objects.get().snapshot(), party=PARTY, language="en", form=NEW)
    assert told["min_price"] == {"before_taxes": Decimal("0.8403"), "after_taxes": Decimal(1)}
    assert told["max_price"] == {"before_taxes": Decimal("37.3832"), "after_taxes": Decimal(40)}


def test_plain_prices_with_a_minimum_become_elements(db: None) -> None:
    made = make(elements=[], price_per_kwh=Decimal("0.5"), vat_percent=19, min_price=Decimal(2))
    assert made.snapshot()["elements"] == [
        {"price_components": [{"type": "ENERGY", "price": "0.5", "vat": "19", "step_size": 1}]}
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"price_per_kwh": 1},
        {"vat_percent": 19},
        {"elements": [{"price_components": [{"type": "ENERGY", "cost": 1}]}]},
        {"min_price": 5, "max_price": 4},
        {"type": "CHEAP"},
        {"max_price": -1},
    ],
)
def test_what_makes_no_tariff_is_refused(db: None, changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        make(**changes)


def test_currents_of_three_phases_are_summed(owner: StationClient, charging: ChargingSession) -> None:
    moment = timezone.now()
    for phase in ("L1", "L2", "L3"):
        told = {"measurand": "Current.Import", "unit": "A", "value": Decimal("10.5"), "phase": phase}
        MeterValue.objects.create(session=charging, sampled_at=moment, **told)
    MeterValue.objects.create(session=charging, sampled_at=moment, measurand="Power.Active.Import", unit="kW", value=7)
    reading = next(one for one in readings_of(values_of(charging), 1_000) if one.at == moment)
    assert (reading.current_a, reading.power_w, reading.energy_wh) == (Decimal("31.5"), Decimal(7_000), None)
