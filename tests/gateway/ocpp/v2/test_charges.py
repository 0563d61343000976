"""Whole charges over OCPP 2.0.1 and 2.1: each way in which stations tell of them ends in the right energy and cost."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from stations.models import ChargingSession, Command, Connector, IdToken, MeterValue, SetAside, StationEvent, Tariff
from tests.gateway.ocpp.v2.stories import CARD, Story, at, register, story_make

pytestmark = pytest.mark.django_db
EVSE = {"id": 1, "connectorId": 1}
BEGIN, END = "Transaction.Begin", "Transaction.End"


@pytest.fixture(params=["2.0.1", "2.1"])
def version(request: pytest.FixtureRequest) -> str:
    version: str = request.param
    return version


@pytest.fixture(autouse=True)
def apart(ledger_apart: None) -> None:
    """The ledger has tests of its own."""


@pytest.fixture
def story(version: str, db: None) -> Story:
    return story_make(version, tariff=True)


def started(story: Story, minutes: float = -60, wh: float | None = 1000, **more: Any) -> dict[str, Any]:
    values = {} if wh is None else {"meterValue": [register(wh, minutes, BEGIN)]}
    return story.event("Started", minutes, **{"evse": EVSE, "idToken": CARD, **values, **more})


def ended(story: Story, minutes: float = -5, wh: float | None = 8000, **more: Any) -> dict[str, Any]:
    values = {} if wh is None else {"meterValue": [register(wh, minutes, END)]}
    return story.event("Ended", minutes, **{"evse": EVSE, **values, **more})


def figures(session: ChargingSession) -> tuple[str, int | None, int | None]:
    return session.status, session.energy_wh, session.cost_minor


def test_a_whole_charge(story: Story) -> None:
    driver = User.objects.create_user("driver")
    IdToken.objects.update(customer=driver)
    assert started(story)["idTokenInfo"] == {"status": "Accepted"}
    running = story.event("Updated", -30, meterValue=[register(3000, -30)])
    assert running == {"totalCost": 1.3}  # 2 kWh at 0.3999 are 0.80, and 0.50 a session
    answer = ended(story)
    assert answer["totalCost"] == 3.3 and answer["updatedPersonalMessage"]["content"] == "7.00 kWh, 3.30 EUR"
    charge = story.charge()
    assert figures(charge) == ("COMPLETED", 7000, 330) and charge.customer == driver
    assert charge.source == "OCPP" and charge.stop_reason == "Local"
    assert charge.started_at.isoformat().replace("+00:00", "Z") == at(-60)
    assert MeterValue.objects.count() == 3 and not SetAside.objects.exists()
    assert story.last is not None and story.last.session_id == charge.pk


@pytest.mark.parametrize("twice", [["Started"], ["Updated"], ["Ended"], ["Started", "Updated", "Ended"]])
def test_each_message_told_again_changes_nothing(story: Story, twice: list[str]) -> None:
    messages: dict[str, Callable[[], Any]] = {
        "Started": lambda: started(story),
        "Updated": lambda: story.event("Updated", -30, meterValue=[register(3000, -30)]),
        "Ended": lambda: ended(story),
    }
    for kind, say in messages.items():
        answers = [say() for _ in range(3 if kind in twice else 1)]
        assert answers.count(answers[0]) == len(answers)
    for kind in twice:  # also when all is over; only what a running charge would have cost is no more told
        messages[kind]()
    assert figures(story.charge()) == ("COMPLETED", 7000, 330)
    assert (ChargingSession.objects.count(), MeterValue.objects.count()) == (1, 3)
    assert not SetAside.objects.exists()


def test_the_cable_first_then_the_card(story: Story) -> None:
    assert "idTokenInfo" not in story.event("Started", -60, evse=EVSE, meterValue=[register(1000, -60, BEGIN)])
    assert story.charge().id_token is None
    told = story.event("Updated", -58, trigger="Authorized", idToken=CARD, info={"chargingState": "EVConnected"})
    assert told["idTokenInfo"]["status"] == "Accepted"
    driver = User.objects.create_user("driver")
    assert story.charge().id_token == IdToken.objects.get() and story.charge().customer is None
    IdToken.objects.create(uid="OTHER", customer=driver)
    story.event("Updated", -57, trigger="Authorized", idToken={"idToken": "OTHER", "type": "ISO14443"})
    assert story.charge().id_token == IdToken.objects.get(uid="04A1B2")  # once it is told, it stays
    ended(story)
    assert figures(story.charge()) == ("COMPLETED", 7000, 330)


def test_the_card_first_then_the_cable_at_one_of_two(version: str) -> None:
    story = story_make(version, outlets=2, tariff=True)
    other = Story(story.station, version)
    started(other, -90, evse=EVSE, idToken={"idToken": "BUSY", "type": "ISO14443"}, number="BUSY")
    story.event("Started", -60, trigger="Authorized", idToken=CARD)
    charge = story.charge()
    assert charge.flags == ["start_reported_late", "outlet_not_reported"] and charge.connector.evse_id == 2
    assert other.charge("BUSY").status == "ACTIVE"  # nobody knows that it is over
    begun = [register(1000, -59, BEGIN)]
    story.event("Updated", -59, trigger="CablePluggedIn", evse={"id": 1, "connectorId": 1}, meterValue=begun)
    charge = story.charge()
    assert (charge.connector.evse_id, charge.meter_start_wh) == (1, 1000)
    assert "outlet_not_reported" not in charge.flags and charge.id_token is not None
    assert other.charge("BUSY").status != "ACTIVE"  # an EVSE charges one vehicle at a time
    ended(story)
    assert figures(story.charge()) == ("COMPLETED", 7000, 330)


def test_values_of_an_outlet_are_of_no_charge_that_may_be_elsewhere() -> None:
    story = story_make("2.0.1", outlets=2)
    story.event("Started", -60, trigger="Authorized", idToken=CARD)
    story.say("MeterValues", {"evseId": 1, "meterValue": [register(77_000, -59, "Sample.Clock")]})
    begun = [register(1000, -58, BEGIN)]
    story.event("Updated", -58, trigger="CablePluggedIn", evse={"id": 2, "connectorId": 1}, meterValue=begun)
    ended(story, evse={"id": 2, "connectorId": 1})
    assert figures(story.charge()) == ("COMPLETED", 7000, None)


def test_a_station_with_one_outlet_need_not_name_it(story: Story) -> None:
    started(story, evse={"id": 1}), ended(story, evse={"id": 1})
    story.event("Started", -4, number="TX-2", meterValue=[register(8000, -4, BEGIN)])
    assert story.charge("TX-2").connector == story.charge().connector
    assert "outlet_not_reported" not in story.charge("TX-2").flags


def test_an_outlet_that_nobody_knew_is_added(story: Story) -> None:
    started(story, evse={"id": 7, "connectorId": 2}), ended(story, evse={"id": 7, "connectorId": 2})
    assert story.charge().connector == Connector.objects.get(evse_id=7, connector_id=2)
    started(story, number="TX-2", evse={"id": -3})
    assert story.charge("TX-2").connector.evse_id == 1


def test_the_meter_at_the_start_is_told_later(story: Story) -> None:
    story.event("Started", -60, evse=EVSE, idToken=CARD, info={"chargingState": "EVConnected"})
    assert story.charge().meter_start_wh is None
    answer = story.event(
        "Updated",
        -59,
        trigger="ChargingStateChanged",
        info={"chargingState": "Charging"},
        meterValue=[register(1000, -59)],
    )
    assert story.charge().meter_start_wh == 1000 and answer == {"totalCost": 0.5}
    ended(story)
    assert figures(story.charge()) == ("COMPLETED", 7000, 330)


def test_nobody_knows_the_meter_at_the_start(story: Story) -> None:
    started(story, wh=None)
    story.event("Updated", -30, meterValue=[register(3000, -30)])
    assert "totalCost" not in ended(story)
    charge = story.charge()
    assert figures(charge) == ("INVALID", None, None) and charge.meter_stop_wh == 8000
    assert charge.flags == ["start_unknown", "start_reported_late"]


def test_the_end_brings_all_values(story: Story) -> None:
    started(story, wh=None)
    ended(story, meterValue=[register(1000, -60, BEGIN), register(4000, -30), register(8000, -5, END)])
    assert figures(story.charge()) == ("COMPLETED", 7000, 330)


def test_an_end_without_values_counts_the_last_reading(story: Story) -> None:
    started(story)
    story.event("Updated", -30, meterValue=[register(3000, -30)])
    ended(story, wh=None), ended(story, wh=None)
    charge = story.charge()
    assert figures(charge) == ("COMPLETED", 2000, 130)
    assert charge.flags == ["start_reported_late", "end_from_reading"] and not SetAside.objects.exists()
    story.event("Updated", -6, meterValue=[register(8000, -6)])  # the reading that it should have been
    late = SetAside.objects.get()
    assert (late.kind, late.subject) == ("LATE", "TX-1 meter-values")


def test_nothing_was_ever_read(story: Story) -> None:
    started(story, wh=None), ended(story, wh=None)
    assert figures(story.charge()) == ("INVALID", None, None)
    assert story.charge().flags == ["start_unknown", "end_unknown", "start_reported_late"]


def test_the_stop_by_another_card_of_the_group(story: Story) -> None:
    IdToken.objects.update(group="FLEET")
    IdToken.objects.create(uid="COLLEAGUE", group="FLEET")
    group = {"groupIdToken": {"idToken": "FLEET", "type": "Central"}}
    assert started(story)["idTokenInfo"] == {"status": "Accepted", **group}
    other = {"idToken": "COLLEAGUE", "type": "ISO14443"}
    answer = story.event("Updated", -6, trigger="StopAuthorized", idToken=other)
    assert answer["idTokenInfo"] == {"status": "Accepted", **group}
    ended(story, idToken=other)
    assert story.charge().id_token == IdToken.objects.get(uid="04A1B2")


def test_what_a_blocked_card_has_charged_is_kept(story: Story) -> None:
    IdToken.objects.update(blocked=True)
    assert started(story)["idTokenInfo"]["status"] == "Blocked"
    ended(story, info={"stoppedReason": "DeAuthorized"})
    assert story.charge().flags == ["start_reported_late", "not_authorized"]
    assert figures(story.charge()) == ("COMPLETED", 7000, 330)


def test_a_free_charge_that_nobody_authorizes(story: Story) -> None:
    answer = started(story, idToken={"idToken": "", "type": "NoAuthorization"})
    assert answer["idTokenInfo"] == {"status": "Accepted"}
    ended(story)
    assert story.charge().id_token is None and story.charge().energy_wh == 7000


def test_a_remote_start_knows_its_charge(story: Story) -> None:
    params = {"id_token": {"uid": "04A1B2", "type": "ISO14443"}, "evse_id": 1}
    asked = Command.objects.create(
        station=story.station,
        kind="remote_start",
        params=params,
        valid_until=timezone.now(),
        state="ACCEPTED",
        sent_at=timezone.now(),
    )
    values = [register(1000, -60, BEGIN)]
    remote = {"remoteStartId": asked.pk}
    story.event("Started", -60, trigger="RemoteStart", evse=EVSE, meterValue=values, info=remote)
    asked.refresh_from_db()
    assert asked.session == story.charge() and story.charge().id_token is not None


def test_the_state_of_the_charge_is_shown_at_the_outlet(story: Story) -> None:
    started(story, info={"chargingState": "EVConnected"})
    story.event("Updated", -30, trigger="ChargingStateChanged", info={"chargingState": "SuspendedEV"})
    connector = Connector.objects.get()
    assert (connector.status, connector.ocpp_status) == ("OCCUPIED", "SuspendedEV")


# --- Meter values


def test_units_multipliers_phases_places_and_signatures(story: Story) -> None:
    started(story, wh=None, meterValue=[register(1.0004, -60, BEGIN, unitOfMeasure={"unit": "kWh"})])
    story.event(
        "Updated",
        -30,
        meterValue=[
            {
                "timestamp": at(-30),
                "sampledValue": [
                    {"value": 30.5, "unitOfMeasure": {"unit": "Wh", "multiplier": 2}, "location": "Outlet"},
                    {"value": 99, "location": "Inlet"},
                    {"value": 16.1, "measurand": "Current.Import", "phase": "L1", "unitOfMeasure": {"unit": "A"}},
                    {"value": 230.1, "measurand": "Voltage", "phase": "L1-N", "location": "Inlet"},
                    {"value": 81, "measurand": "SoC", "location": "EV"},
                    {"value": 21, "measurand": "Temperature", "location": "Cable"},
                ],
            }
        ],
    )
    signed = {"signedMeterData": "T0NNRg==", "signingMethod": "", "encodingMethod": "OCMF", "publicKey": ""}
    ended(story, wh=None, meterValue=[register(8, -5, END, unitOfMeasure={"unit": "Wh", "multiplier": 3})])
    ended(story, meterValue=[register(8000, -5, END, signedMeterValue=signed)])
    assert figures(story.charge()) == ("COMPLETED", 7000, 330)
    stored = {
        (one.measurand, one.phase): f"{one.value.normalize():f}"
        for one in MeterValue.objects.filter(sampled_at=at(-30))
    }
    assert stored == {
        ("Energy.Active.Import.Register", ""): "3050",
        ("Current.Import", "L1"): "16.1",
        ("Voltage", "L1-N"): "230.1",
        ("SoC", ""): "81",
    }
    late = f"{story.charge().transaction_id} signed"  # told with the end told again: kept for an operator
    assert {row.kind for row in SetAside.objects.exclude(subject=late)} == {"VALUE"}
    assert "T0NNRg==" in SetAside.objects.get(subject=late, kind="LATE").example


def test_a_meter_that_tells_its_phases_alone(story: Story) -> None:
    def phases(minutes: float, context: str, *wh: int) -> list[dict[str, Any]]:
        values = [{"value": one, "phase": f"L{phase}", "context": context} for phase, one in enumerate(wh, start=1)]
        return [{"timestamp": at(minutes), "sampledValue": values}]

    started(story, wh=None, meterValue=phases(-60, BEGIN, 100, 200, 300))
    story.event("Updated", -30, meterValue=phases(-30, "Sample.Periodic", 1100, 1200, 1300))
    ended(story, wh=None)
    assert figures(story.charge()) == ("COMPLETED", 3000, 170)


@pytest.mark.parametrize(
    "value",
    [
        {"value": 7, "measurand": "Frequency", "unitOfMeasure": {"unit": "Hertz"}},
        {"value": 7, "measurand": "Flux.Capacitance"},
        {"value": "7"},
        {"value": 7, "unitOfMeasure": {"unit": "Furlong"}},
        {"value": 7, "unitOfMeasure": {"unit": "Wh", "multiplier": 99}},
        {"value": 1e300},
        {},
    ],
    ids=repr,
)
def test_one_value_that_nobody_understands_costs_no_other(story: Story, value: dict[str, Any]) -> None:
    started(story)
    end = register(8000, -5, END)
    end["sampledValue"].append(value)
    ended(story, wh=None, meterValue=[end])
    assert figures(story.charge()) == ("COMPLETED", 7000, 330)


def test_meter_values_besides(story: Story) -> None:
    started(story)
    answer = story.say("MeterValues", {"evseId": 1, "meterValue": [register(3000, -30, "Sample.Clock")]})
    assert answer == {} and story.last is not None and story.last.session_id == story.charge().pk
    story.say("MeterValues", {"evseId": 0, "meterValue": [register(999_000, -30, "Sample.Clock")]})
    story.say("MeterValues", {"evseId": 9, "meterValue": [register(7, -30)]})
    ended(story)
    assert MeterValue.objects.count() == 3 and figures(story.charge())[:2] == ("COMPLETED", 7000)
    assert not SetAside.objects.exists()


# --- 2.1


def test_the_station_says_another_cost() -> None:
    story = story_make("2.1", tariff=True)
    started(story, info={"tariffId": "T", "transactionLimit": {"maxEnergy": 20000}}, preconditioningStatus="Ready")

    def details(total: float) -> dict[str, Any]:
        cost = {"currency": "EUR", "typeOfCost": "NormalCost", "total": {"inclTax": total}}
        return {"totalCost": cost, "totalUsage": {"energy": 7000, "chargingTime": 3000, "idleTime": 0}}

    ended(story, costDetails=details(3.3))
    assert not StationEvent.objects.exists()
    ended(story, costDetails=details(3.31)), ended(story, costDetails=details(3.31))
    assert StationEvent.objects.get().severity == "WARNING"
    assert story.charge().cost_minor == 330


@pytest.mark.parametrize("token", [{"idToken": "X" * 200, "type": "VIN"}, {"idToken": "1", "type": "Tattoo"}])
def test_a_token_that_cannot_be_kept_costs_no_charge(token: dict[str, str]) -> None:
    story = story_make("2.1", tariff=True)
    assert started(story, idToken=token)["idTokenInfo"] == {"status": "Unknown"}
    ended(story)
    assert story.charge().id_token is None and story.charge().energy_wh == 7000


@pytest.mark.parametrize(
    "token, status",
    [
        ({"idToken": "PSP-77", "type": "DirectPayment"}, "Accepted"),
        ({"idToken": "WDD1690071J236589", "type": "VIN"}, "Unknown"),
        ({"idToken": "C0FFEE000001", "type": "EVCCID"}, "Unknown"),
    ],
)
def test_tokens_that_only_2_1_knows(token: dict[str, str], status: str) -> None:
    """A terminal has taken the payment; who a car belongs to somebody has to say."""
    story = story_make("2.1", tariff=True)
    assert story.say("Authorize", {"idToken": token})["idTokenInfo"]["status"] == status
    assert started(story, idToken=token)["idTokenInfo"]["status"] == status
    ended(story)
    charge = story.charge()
    assert charge.id_token is not None and (charge.id_token.uid, charge.id_token.type) == tuple(token.values())
    assert ("not_authorized" in charge.flags) == (status != "Accepted") and charge.energy_wh == 7000


def test_a_discharge_does_not_count(story: Story) -> None:
    started(story)
    export = {"value": 500, "measurand": "Energy.Active.Export.Register", "context": "Sample.Periodic"}
    story.event("Updated", -30, meterValue=[{"timestamp": at(-30), "sampledValue": [export]}])
    ended(story)
    assert figures(story.charge()) == ("COMPLETED", 7000, 330)


def test_a_tariff_with_elements_asks_when_it_charges(story: Story) -> None:
    """It says when it charges and when it does not: an hour, of which the last 20 minutes are parking."""
    parts = [{"type": kind, "price": price, "step_size": 1} for kind, price in (("TIME", "3"), ("PARKING_TIME", "6"))]
    made = Tariff.objects.get()
    made.price_per_kwh = made.price_per_session = 0
    made.vat_percent, made.elements = None, [{"price_components": parts}]
    made.full_clean()
    made.save()
    started(story, info={"chargingState": "Charging"})
    change: dict[str, Any] = {"trigger": "ChargingStateChanged", "info": {"chargingState": "SuspendedEV"}}
    told = story.event("Updated", -20, meterValue=[register(7990, -20)], **change)
    assert told == {"totalCost": 2}
    story.event("Updated", -20, meterValue=[register(7990, -20)], **change)  # told again
    assert story.event("Updated", -10, meterValue=[register(7995, -10)])["totalCost"] == 3
    assert ended(story, 0)["totalCost"] == 4
    lines = story.charge().cost_lines
    assert [(line["kind"], line["quantity"], line["amount_minor"]) for line in lines] == [
        ("TIME", 2400, 200),
        ("PARKING_TIME", 1200, 200),
    ]
