"""Charges of 1.6 stations that repeat themselves, forget, and count wrongly; test_clocks.py has the times."""

from datetime import timedelta
from typing import Any

import pytest

from stations.charging.ending import free_end
from stations.models import ChargingSession, Connector, IdToken, MeterValue, SetAside, Site
from stations.models.corrections import Correction
from tests.gateway.ocpp.v16.station16 import NOW, Station16, charge, figures, station16, text

pytestmark = pytest.mark.django_db


# --- Repeats


def test_everything_told_twice_with_new_ids_is_one_charge(cp: Station16) -> None:
    number = cp.start()["transactionId"]
    assert cp.start() == {"transactionId": number, "idTagInfo": {"status": "Accepted"}}
    cp.wait(10), cp.values(number, "2000"), cp.values(number, "2000")
    cp.wait(10), cp.stop(number, 3000), cp.stop(number, 3000)
    cp.values(
        number,
        "2000",
        meterValue=[{"timestamp": text(NOW + timedelta(minutes=10)), "sampledValue": [{"value": "2000"}]}],
    )
    assert figures(number) == ("COMPLETED", 2000, [])
    assert ChargingSession.objects.count() == MeterValue.objects.count() == 1 and not SetAside.objects.exists()


def test_the_start_told_again_after_the_end_is_the_same_charge(cp: Station16) -> None:
    began = cp.time
    number = cp.start()["transactionId"]
    cp.wait(20), cp.stop(number, 3000)
    assert cp.start(timestamp=began)["transactionId"] == number
    assert cp.start(3000)["transactionId"] != number


def test_the_same_letters_of_a_card(cp: Station16) -> None:
    number = cp.start(tag="04a1b2")["transactionId"]
    assert cp.start(tag="04A1B2")["transactionId"] == number and IdToken.objects.count() == 1


def test_another_stop_of_a_charge_that_has_ended_is_for_an_operator(cp: Station16) -> None:
    number = cp.start()["transactionId"]
    cp.wait(20), cp.stop(number, 3000)
    assert cp.stop(number, 4000) == {}
    assert figures(number)[1] == 2000
    assert SetAside.objects.get().subject == f"{number} stop"


def test_the_same_sample_with_another_value_is_set_aside(cp: Station16) -> None:
    number = cp.start()["transactionId"]
    cp.wait(5), cp.values(number, "2000"), cp.values(number, "2500"), cp.values(number, "2000", "2700")
    assert [int(value.value) for value in MeterValue.objects.all()] == [2000]
    assert SetAside.objects.get().count == 2
    cp.stop(number, 3000)
    assert figures(number) == ("COMPLETED", 2000, [])


# --- Lost messages


def test_a_lost_stop_and_the_next_start(cp: Station16) -> None:
    number = cp.start()["transactionId"]
    cp.wait(10), cp.values(number, "2000")
    cp.wait(60)
    second = cp.start(2500, tag="04B2")["transactionId"]
    assert figures(number) == ("COMPLETED", 1000, ["ended_by_next_start"])
    cp.wait(1), cp.stop(number, 2500, timestamp=text(NOW + timedelta(minutes=30)))
    assert Correction.objects.get().replacement.energy_wh == 1500  # type: ignore[union-attr]
    assert charge(second).status == "ACTIVE" and not SetAside.objects.exists()


def test_a_lost_stop_without_any_reading_is_not_billed(cp: Station16) -> None:
    number = cp.start()["transactionId"]
    cp.wait(60), cp.start(2500)
    assert figures(number) == ("INVALID", None, ["end_unknown", "ended_by_next_start"])


@pytest.mark.parametrize("said", [0, -1, 99])
def test_a_station_that_lost_the_answer_to_its_start(cp: Station16, said: int) -> None:
    number = cp.start()["transactionId"]
    cp.start(7000, connector=2, tag="04B2")
    cp.wait(10), cp.values(said, "2000")
    cp.wait(10)
    for _ in range(2):
        assert cp.stop(said, 3000, idTag="04A1") == {"idTagInfo": {"status": "Accepted"}}
    assert figures(number) == ("COMPLETED", 2000, [])
    assert [int(value.value) for value in charge(number).meter_values.all()] == [2000]
    assert ChargingSession.objects.filter(status="ACTIVE").count() == 1 and not SetAside.objects.exists()


def test_a_stop_of_nobody_knows_what_is_for_an_operator(cp: Station16) -> None:
    cp.start(), cp.start(1000, connector=2, tag="04B2")
    cp.wait(10)
    assert cp.stop(0, 3000) == {}  # two may be meant
    assert cp.stop(0, 500, idTag="04A1") == {"idTagInfo": {"status": "Accepted"}}  # below what it began at
    assert cp.stop(-1, 3000, idTag="04C3")["idTagInfo"]
    assert ChargingSession.objects.filter(status="ACTIVE").count() == 2
    assert sorted((row.kind, row.subject, row.count) for row in SetAside.objects.all()) == [
        ("LATE", "stop -1", 1),
        ("LATE", "stop 0", 2),
    ]
    assert "3000" in SetAside.objects.get(subject="stop -1").example


def test_a_card_of_the_group_ends_it(cp: Station16) -> None:
    for uid in ("04A1", "04A2"):
        IdToken.objects.create(uid=uid, group="FLEET")
    number = cp.start()["transactionId"]
    cp.wait(10), cp.stop(0, 3000, idTag="04A2")
    assert figures(number) == ("COMPLETED", 2000, [])


def test_values_and_stop_of_a_start_that_never_came(cp: Station16) -> None:
    cp.values(7, "2000"), cp.stop(7, 3000)
    assert not ChargingSession.objects.exists()
    assert sorted(row.subject for row in SetAside.objects.all()) == ["stop 7", "values 7"]


# --- Offline and out of order


def test_what_was_queued_for_days(cp: Station16) -> None:
    times = [text(NOW + timedelta(minutes=minutes)) for minutes in (0, 10, 20)]
    cp.wait(60 * 24 * 3)
    number = cp.start(timestamp=times[0])["transactionId"]
    cp.values(number, meterValue=[{"timestamp": times[1], "sampledValue": [{"value": "2000"}]}])
    cp.stop(number, 3000, timestamp=times[2])
    session = charge(number)
    assert (session.started_at, session.stopped_at) == (NOW, NOW + timedelta(minutes=20))
    assert figures(number) == ("COMPLETED", 2000, ["start_reported_late"])


def test_a_queued_start_whose_meter_says_nothing_is_not_billed(cp: Station16) -> None:
    began = cp.time
    cp.wait(60)
    number = cp.start(0, timestamp=began)["transactionId"]
    cp.stop(number, 20_000)
    assert figures(number) == ("INVALID", None, ["zero_start_reported_late", "start_reported_late"])


def test_values_out_of_order_and_after_the_stop(cp: Station16) -> None:
    number = cp.start()["transactionId"]
    cp.wait(10)
    early = cp.time
    cp.wait(10), cp.values(number, "3000")
    cp.values(number, meterValue=[{"timestamp": early, "sampledValue": [{"value": "2000"}]}])
    cp.wait(10), cp.stop(number, 4000)
    late = [{"timestamp": text(NOW + timedelta(minutes=25)), "sampledValue": [{"value": "3500"}]}]
    cp.values(number, meterValue=late)
    assert figures(number) == ("COMPLETED", 3000, []) and not SetAside.objects.exists()
    assert MeterValue.objects.count() == 2  # the record is closed; the log of messages has the third
    late[0]["sampledValue"] = [{"value": "9000"}]
    cp.values(number, meterValue=late)
    assert SetAside.objects.get().kind == "LATE"  # more than was billed


def test_an_older_charge_is_told_after_a_newer_one(cp: Station16) -> None:
    cp.wait(120)
    second = cp.start(5000, tag="04B2")["transactionId"]
    first = cp.start(1000, timestamp=text(NOW))["transactionId"]
    cp.stop(first, 2000, timestamp=text(NOW + timedelta(minutes=20)))
    cp.wait(10), cp.stop(second, 6000)
    assert [figures(one)[1] for one in (first, second)] == [1000, 1000]


def test_two_connectors_at_once(cp: Station16) -> None:
    first, second = cp.start(tag="04A1")["transactionId"], cp.start(9000, connector=2, tag="04B2")["transactionId"]
    assert first != second
    cp.wait(10), cp.values(first, "1500"), cp.values(second, "9700", connector=2), cp.values(None, "1600", connector=1)
    cp.wait(10), cp.stop(second, 9900), cp.stop(first, 2000)
    assert figures(first) == ("COMPLETED", 1000, []) and figures(second) == ("COMPLETED", 900, [])


# --- Reboot in mid-charge


def test_a_charge_goes_on_over_a_reboot(cp: Station16) -> None:
    number = cp.start()["transactionId"]
    cp.wait(10), cp.values(number, "2000")
    cp.wait(5), cp.boot(), cp.status("Charging")
    cp.wait(60)
    assert free_end() == 0
    cp.values(number, "4000"), cp.wait(5), cp.stop(number, 5000)
    assert figures(number) == ("COMPLETED", 4000, [])


def test_the_stop_comes_after_the_reboot_and_the_free_outlet(cp: Station16) -> None:
    number = cp.start()["transactionId"]
    cp.wait(10), cp.values(number, "2000")
    cp.wait(30), cp.boot(), cp.status("Available")
    cp.wait(1), cp.stop(number, 2100, reason="PowerLoss", timestamp=text(NOW + timedelta(minutes=12)))
    assert figures(number) == ("COMPLETED", 1100, []) and free_end() == 0
    assert charge(number).stop_reason == "PowerLoss" and not Correction.objects.exists()


def test_an_outlet_that_stays_free_after_a_reboot_has_lost_its_stop(cp: Station16) -> None:
    number, other = cp.start()["transactionId"], cp.start(7000, connector=2, tag="04B2")["transactionId"]
    cp.wait(10), cp.values(number, "2000")
    cp.wait(30), cp.boot(), cp.status("Available"), cp.status("Charging", connector=2)
    cp.wait(14)
    assert free_end() == 0
    cp.wait(2)
    assert (free_end(), free_end()) == (1, 0)
    session = charge(number)
    assert figures(number) == ("COMPLETED", 1000, ["ended_by_reboot"])
    assert session.stopped_at == NOW + timedelta(minutes=10) and charge(other).status == "ACTIVE"
    cp.stop(number, 2100, timestamp=text(NOW + timedelta(minutes=12)))  # after all
    assert Correction.objects.get().replacement.energy_wh == 1100  # type: ignore[union-attr]


def test_an_outlet_that_stays_free_without_a_reboot(cp: Station16) -> None:
    cp.status("Available")
    cp.wait(1)
    number = cp.start()["transactionId"]
    cp.wait(20)
    assert free_end() == 0  # that was before it began
    cp.values(number, "2000"), cp.wait(1), cp.status("Available"), cp.wait(20)
    assert free_end() == 1
    assert figures(number) == ("COMPLETED", 1000, ["ended_by_free_outlet"])


def test_a_charge_that_is_still_told_of_does_not_end_by_a_wrong_status(cp: Station16) -> None:
    number = cp.start()["transactionId"]
    cp.wait(1), cp.status("Available")
    for meter in range(2000, 5000, 1000):
        cp.wait(10), cp.values(number, str(meter))
    assert free_end() == 0
    cp.stop(number, 5000)
    assert figures(number) == ("COMPLETED", 4000, [])


# --- Meters


@pytest.mark.parametrize(
    ("readings", "stop", "reason"),
    [
        (["6000", "10"], 900, "meter_backwards"),  # reset
        (["6000", "5100"], 8000, "meter_backwards"),  # and never below its start
        (["5100"], 4000, "meter_backwards"),
        ([], 4999, "zero_energy"),  # rounding
    ],
    ids=["reset", "reset-above", "below", "rounding"],
)
def test_a_meter_that_falls_in_mid_charge(cp: Station16, readings: list[str], stop: int, reason: str) -> None:
    number = cp.start(5000)["transactionId"]
    for reading in readings:
        cp.wait(10), cp.values(number, reading)
    cp.wait(10), cp.stop(number, stop)
    status, energy_wh, flags = figures(number)
    expected = ("COMPLETED", 0) if reason == "zero_energy" else ("INVALID", None)
    assert (status, energy_wh, flags) == (*expected, [reason])


@pytest.mark.parametrize("end", [10**6, 10**8, 2**32], ids=["six-digits", "eight-digits", "32-bits"])
def test_a_register_that_rolls_over_is_told_apart_and_not_billed(cp: Station16, end: int) -> None:
    number = cp.start(end - 1500)["transactionId"]
    cp.wait(10), cp.values(number, str(end - 500))
    cp.wait(10), cp.values(number, "400"), cp.wait(10), cp.stop(number, 2000)
    assert figures(number) == ("INVALID", None, ["meter_rolled_over"])


def test_a_meter_set_back_by_a_clock_that_was_set_back(cp: Station16) -> None:
    """The times of the readings are in disorder, as the clock was put right; the readings as they came are not."""
    cp.clock = timedelta(minutes=4)
    number = cp.start()["transactionId"]
    cp.wait(5), cp.values(number, "1500")
    cp.clock = timedelta(0)
    cp.wait(1), cp.values(number, "1600"), cp.wait(20), cp.stop(number, 3000)
    assert figures(number)[:2] == ("COMPLETED", 2000)


@pytest.mark.parametrize("meter", [-5, 10**13, 10**30])
def test_what_no_meter_shows_is_not_billed(cp: Station16, meter: int) -> None:
    number = cp.start()["transactionId"]
    cp.wait(10), cp.stop(number, meter)
    status, energy_wh, flags = figures(number)
    assert (status, energy_wh) == ("INVALID", None) and "meter_impossible" in flags
    other = cp.start(meter)["transactionId"]
    cp.wait(10), cp.stop(other, 3000)
    assert figures(other)[0] == "INVALID"


def test_energy_in_kwh_and_wh(cp: Station16) -> None:
    number = cp.start()["transactionId"]
    cp.wait(10), cp.values(number, {"value": "2.25", "unit": "kWh"})
    cp.wait(10), cp.values(number, {"value": "2500", "unit": "Wh"})
    cp.wait(10), cp.values(number, {"value": "2.75", "unit": "KWH".replace("KWH", "kWh"), "context": "Sample.Clock"})
    assert [int(value.value) for value in MeterValue.objects.all()] == [2250, 2500, 2750]
    cp.stop(number, 3000)
    assert figures(number) == ("COMPLETED", 2000, [])


# --- Numbers that come again


def test_our_numbers_come_again_at_no_station(cp: Station16) -> None:
    other = station16("CP-2")
    one, two = cp.start()["transactionId"], other.start()["transactionId"]
    cp.wait(10), cp.stop(one, 2000), other.now, other.stop(two, 3000, timestamp=cp.time)
    session = ChargingSession.objects.get(station=other.station)
    assert session.energy_wh == 2000 and ChargingSession.objects.get(station=cp.station).energy_wh == 1000


def test_a_stop_with_an_old_number_does_not_end_the_charge_that_goes_on(cp: Station16) -> None:
    old = cp.start()["transactionId"]
    cp.wait(10), cp.stop(old, 2000)
    cp.wait(10)
    new = cp.start(2000)["transactionId"]
    cp.wait(10), cp.stop(old, 3000)
    assert charge(new).status == "ACTIVE" and SetAside.objects.get().kind == "LATE"


# --- Strange outlets


def test_a_start_at_connector_0_is_at_the_first(cp: Station16) -> None:
    assert charge(cp.start(connector=0)["transactionId"]).connector.evse_id == 1


def test_a_station_that_invents_outlets_fills_no_table(cp: Station16) -> None:
    from stations.errors import ConnectorUnknownError

    for number in range(1, 101):
        cp.status("Available", connector=number)
    for number in (101, -1, 2**40):
        with pytest.raises(ConnectorUnknownError):
            cp.status("Available", connector=number)
    assert Connector.objects.count() == 100


def test_the_place_is_as_it_was(cp: Station16) -> None:
    number = cp.start()["transactionId"]
    Site.objects.update(name="Renamed")
    cp.stop(number, 2000)
    location: dict[str, Any] = charge(number).location
    assert location["name"] == "Harbour"
